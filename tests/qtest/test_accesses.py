#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Refused accesses: by size, alignment, offset and direction. Each is counted once, and has no effect."""

import hw
import pci
from kvcpu import BARS_STRIDE, BUFFER, PROPERTIES, SLOT, Device, DeviceTest, device_argument, main
from qtest import Machine

REASONS = ("BAD_SIZE", "BAD_ALIGNMENT", "BAD_OFFSET", "BAD_DIRECTION", "BAD_VALUE", "REENTERED")


class Accesses(DeviceTest):
    def refused(self, reason: str, offset: int, size: int, value: int | None = None) -> None:
        """Checks that an access is refused for one reason, with one log record."""
        at = self.device.registers + offset
        before, records = self.device.counters(), self.device.read("LOG_RECORDS")
        if value is None:
            self.assertEqual(self.machine.load(at, size), 0)
        else:
            self.machine.store(at, value, size)
        self.assert_counts(before, **{reason: 1})
        self.assertEqual(self.device.read("LOG_RECORDS"), records + 1)

    def test_small_accesses(self) -> None:
        for register in ("ID", "BOOST_LEN", "CMD_CONTROL", "CONTROL"):
            offset = hw.REGISTERS[register].offset
            for size in (1, 2):
                with self.subTest(register=register, size=size):
                    self.refused("BAD_SIZE", offset, size)
                    self.refused("BAD_SIZE", offset, size, 1)
                    self.refused("BAD_SIZE", offset + size, size)
                    self.refused("BAD_SIZE", offset + 3, size, 1)

    def test_half_writes(self) -> None:
        """A 4-byte write of a trigger would execute a hint with half of its value."""
        for name in ("STEP_ADVANCE", "BOOST_LEN", "PREFETCH_STEP", "CMD_CONTROL", "CONTROL", "WEIGHT_R"):
            with self.subTest(register=name):
                offset = hw.REGISTERS[name].offset
                self.refused("BAD_SIZE", offset, 4, 1)
                self.refused("BAD_SIZE", offset + 4, 4, 1)
        self.assertEqual(self.device.read("STEP_ADVANCE"), 0)
        self.assertEqual(self.device.counter("STEPS"), 0)
        self.assertEqual(self.device.counter("COMMANDS"), 0)

    def test_unaligned(self) -> None:
        offset = hw.REGISTERS["BLOCK_SIZE"].offset
        for shift in range(1, 8):
            with self.subTest(shift=shift):
                self.refused("BAD_ALIGNMENT", offset + shift, 8)
                self.refused("BAD_ALIGNMENT", offset + shift, 8, 1)
        for shift in (1, 2, 3, 5, 6, 7):
            with self.subTest(half=shift):
                self.refused("BAD_ALIGNMENT", offset + shift, 4)

    def test_size_comes_before_alignment_and_offset(self) -> None:
        self.refused("BAD_SIZE", 0xF01, 2)
        self.refused("BAD_ALIGNMENT", 0xF04, 8)
        self.refused("BAD_SIZE", 0xF02, 4, 1)

    def test_gaps(self) -> None:
        """Offsets without a register: before, between and after those of each page, and pages without registers."""
        taken = {register.offset for register in hw.REGISTERS.values()}
        taken |= {hw.CONST["COUNTER_BASE"] + 8 * index for index in hw.COUNTERS.values()}
        taken |= {hw.CONST["STATUS_COUNTER_BASE"] + 8 * number for number in hw.STATUS.values()}
        beside = {offset + step for offset in taken for step in (-8, 8)} - taken
        reserved = {0x4000, 0x7FF8, hw.CONST["MSIX_TABLE_OFFSET"] + 16 * PROPERTIES["vectors"], 0x11000, 0xFFFF8,
                    hw.CONST["DOORBELL_BASE"] + 0x18, hw.CONST["DOORBELL_BASE"] + hw.CONST["DOORBELL_STRIDE"] + 0x10,
                    hw.CONST["DOORBELL_BASE"] + PROPERTIES["max-contexts"] * hw.CONST["DOORBELL_STRIDE"],
                    hw.CONST["BAR0_SIZE"] - 8}
        for offset in sorted(offset for offset in beside | reserved if offset >= 0):
            with self.subTest(offset=hex(offset)):
                self.refused("BAD_OFFSET", offset, 8)
                self.refused("BAD_OFFSET", offset, 8, 1)
                self.refused("BAD_OFFSET", offset + 4, 4)

    def test_refusals_leave_everything_as_it_was(self) -> None:
        self.device.write("STEP_ADVANCE", 5)
        before = {name: self.device.read(name) for name, register in hw.REGISTERS.items()
                  if register.access != "WO" and name != "LOG_RECORDS"}
        for offset in range(0, 0x2100, 8):
            for size in (1, 2):
                self.machine.store(self.device.registers + offset, 0xFFFF, size)
            self.machine.store(self.device.registers + offset, 0xFFFFFFFF, 4)
            self.machine.store(self.device.registers + offset + 1, 0xFFFFFFFFFFFFFFFF, 8)
        for name, value in before.items():
            with self.subTest(register=name):
                self.assertEqual(self.device.read(name), value)

    def test_msix_table_is_not_a_register(self) -> None:
        before = self.device.counters()
        at = self.device.registers + hw.CONST["MSIX_TABLE_OFFSET"]
        self.machine.store(at, 0xFEE00000, 4)
        self.assertEqual(self.machine.load(at, 4), 0xFEE00000)
        self.assert_counts(before)


class Reentry(DeviceTest):
    """DMA to the registers of the device that made it."""

    def setUp(self) -> None:
        self.machine = Machine("-device", device_argument(0), "-device", device_argument(1))
        self.addCleanup(self.machine.close)
        self.device, self.other = (Device(self.machine, pci.Function(self.machine, 0, SLOT + index), index)
                                   for index in range(2))

    def test_own_registers_are_refused_before_any_access(self) -> None:
        block = self.device.alloc()
        for offset in (0, hw.REGISTERS["CMD_CONTROL"].offset, hw.CONST["BAR0_SIZE"] - 8):
            for opcode in ("READ", "WRITE"):
                with self.subTest(offset=hex(offset), opcode=opcode):
                    done = self.device.command(opcode, first=block, address=self.device.registers + offset, length=8)
                    self.assertEqual(done.status, "OWN_ADDRESS")
        self.assertEqual(self.device.counter("REENTERED"), 0)
        self.assertEqual(self.device.counter("COMMANDS"), 7)

    def test_through_another_device(self) -> None:
        """One device stores to the trigger of another, whose command stores to the first, which is busy."""
        there = self.other.alloc()
        here = self.device.alloc()
        self.other.write("CMD_FIRST", there)
        self.other.write("CMD_EXTENT", 8 << 32)
        self.other.write("CMD_ADDR", self.device.registers + hw.REGISTERS["STEP_ADVANCE"].offset)
        self.device.fill(here, hw.OPCODES["READ"].to_bytes(8, "little"))
        trigger = self.other.registers + hw.REGISTERS["CMD_CONTROL"].offset
        self.other.fill(there, (1234).to_bytes(8, "little"))
        self.other.write("CMD_ADDR", self.device.registers + hw.REGISTERS["STEP_ADVANCE"].offset)
        before, records = self.device.counters(), self.device.read("LOG_RECORDS")
        done = self.device.command("READ", first=here, address=trigger, length=8)
        self.assertEqual(done.status, "SUCCESS")
        self.assertEqual(self.other.counter("READS"), 1)
        self.assert_counts(before, REENTERED=1, COMMANDS=1, READS=1)
        self.assertEqual(self.device.read("LOG_RECORDS"), records + 2)
        self.assertEqual(self.device.read("STEP_ADVANCE"), 0)

    def test_a_read_that_reenters_is_zero(self) -> None:
        """The same with a WRITE: the other device reads from the registers of the first."""
        there = self.other.alloc()
        here = self.device.alloc()
        self.device.fill(here, hw.OPCODES["WRITE"].to_bytes(8, "little"))
        self.other.fill(there, b"\xff" * 8)
        self.other.write("CMD_ADDR", self.device.registers + hw.REGISTERS["ID"].offset)
        before = self.device.counters()
        trigger = self.other.registers + hw.REGISTERS["CMD_CONTROL"].offset
        self.assertEqual(self.device.command("READ", first=here, address=trigger, length=8).status, "SUCCESS")
        self.assert_counts(before, REENTERED=1, COMMANDS=1, READS=1)
        self.assertEqual(self.other.contents(there, 8), bytes(8))

    def test_devices_are_apart(self) -> None:
        self.assertEqual(PROPERTIES["max-contexts"], self.other.read("CONTEXTS"))
        self.assertEqual(self.other.registers - self.device.registers, BARS_STRIDE)
        self.device.fill(self.device.alloc(), b"x" * 4096)
        self.assertEqual(self.other.counter("WRITES"), 0)
        self.assertEqual(self.other.backing_bytes(0, 8), bytes(8))
        self.assertNotEqual(self.machine.read(BUFFER, 1), b"\0")


class OwnConfiguration(DeviceTest):
    """DMA to the device's own configuration space, which can reset the device during a command."""

    def test_flr_by_own_dma(self) -> None:
        pci.enable_mmconfig(self.machine)
        block = self.device.alloc(4)
        function = self.device.function
        control = function.capability(pci.CAP_EXPRESS) + pci.EXPRESS_CONTROL
        word = function.read(control, 4) | pci.EXPRESS_CONTROL_FLR
        self.device.fill(block, word.to_bytes(4, "little") + bytes(60))
        self.device.command("PIN", first=block, count=4, arg=10**9)
        self.device.command("READ", first=block, address=function.mmconfig + control, length=4)
        self.device.map()
        self.assertEqual(self.device.counter("RESETS"), 1)
        self.assertEqual(self.device.counter("COMMANDS"), 0)
        self.settle()
        self.assertEqual(self.device.states(range(block, block + 4)), ["FREE"] * 4)
        self.assertEqual(self.device.alloc(8), 0)

    def test_bus_mastering_off_by_own_dma(self) -> None:
        pci.enable_mmconfig(self.machine)
        block = self.device.alloc()
        self.device.fill(block, pci.COMMAND_MEMORY.to_bytes(2, "little") + bytes(62))
        done = self.device.command("READ", first=block, address=self.device.function.mmconfig + pci.COMMAND, length=2)
        self.assertEqual(done.status, "SUCCESS")
        self.assertEqual(self.device.command("READ", first=block, address=BUFFER, length=8).status, "DMA_FAULT")


if __name__ == "__main__":
    main()
