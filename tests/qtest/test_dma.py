#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""READ and WRITE: the copied bytes, and invalid bus addresses."""

import pci
from kvcpu import BLOCK, BLOCKS, BUFFER, SLOTS, Device, DeviceTest, device_argument, main, pattern
from qtest import Machine

SECOND = 10**9
RAM_END = 64 << 20


class Copies(DeviceTest):
    def test_whole_blocks_in_the_slow_tier(self) -> None:
        first = self.device.alloc(3)
        for block in range(first, first + 3):
            self.device.fill(block, pattern(block))
        for block in range(first, first + 3):
            self.assertEqual(self.device.backing_bytes(block), pattern(block))
            self.assertEqual(self.device.contents(block), pattern(block))

    def test_parts(self) -> None:
        block = self.device.alloc()
        expected = bytearray(BLOCK)
        for offset, length in ((0, 1), (1, 2), (7, 9), (100, 1000), (BLOCK - 1, 1), (BLOCK - 8, 8), (2047, 3)):
            with self.subTest(offset=offset, length=length):
                data = pattern(offset, BLOCK)[:length]
                self.machine.write(BUFFER + 3, data)
                done = self.device.command("WRITE", first=block, address=BUFFER + 3, offset=offset, length=length)
                self.assertEqual(done.status, "SUCCESS")
                expected[offset:offset + length] = data
                self.assertEqual(self.device.backing_bytes(block), bytes(expected))
                self.machine.write(BUFFER, bytes(BLOCK))
                self.device.command("READ", first=block, address=BUFFER + 1, offset=offset, length=length)
                self.assertEqual(self.machine.read(BUFFER, length + 2), b"\0" + data + b"\0")

    def test_the_slot_if_it_has_one(self) -> None:
        block = self.device.alloc()
        self.device.fill(block, pattern(1))
        self.device.command("PIN", first=block, count=1, arg=SECOND)
        self.settle()
        self.device.fill(block, pattern(2))
        there = self.device.block(block)
        self.assertEqual(self.device.slot_bytes(there.slot), pattern(2))
        self.assertEqual(self.device.backing_bytes(block), pattern(1))
        self.assertIn("DIRTY", there.flags)
        self.assertEqual(self.device.contents(block), pattern(2))

    def test_extents(self) -> None:
        block = self.device.alloc()
        for offset, length in ((0, 0), (0, BLOCK + 1), (1, BLOCK), (BLOCK, 1), (BLOCK, 0), (2**32 - 1, 2**32 - 1),
                               (1, 2**32 - 1)):
            for opcode in ("READ", "WRITE"):
                with self.subTest(opcode=opcode, offset=offset, length=length):
                    done = self.device.command(opcode, first=block, address=BUFFER, offset=offset, length=length)
                    self.assertEqual(done.status, "BAD_FIELD")

    def test_counts(self) -> None:
        block = self.device.alloc()
        before = self.device.counters()
        self.device.fill(block, pattern(1))
        self.device.contents(block)
        self.assert_counts(before, COMMANDS=2, READS=1, WRITES=1)

    def test_bounded_by_its_block(self) -> None:
        first = self.device.alloc(2)
        self.device.fill(first + 1, pattern(7))
        self.device.fill(first, b"\xff" * BLOCK)
        self.assertEqual(self.device.backing_bytes(first + 1), pattern(7))


class Faults(DeviceTest):
    """No access here may end QEMU or the device."""

    def failing(self, status: str, address: int, length: int = 64) -> None:
        block = 0
        for opcode in ("READ", "WRITE"):
            with self.subTest(opcode=opcode, address=hex(address), length=length):
                self.assertEqual(self.device.command(opcode, first=block, address=address, length=length).status,
                                 status)

    def setUp(self) -> None:
        super().setUp()
        self.device.alloc(2)
        self.device.fill(0, pattern(5))
        self.device.fill(1, pattern(6))

    def test_wild_addresses(self) -> None:
        # Above RAM and in no BAR; far above; at the end of the address space; beyond it.
        for address, length in ((0x90000000, 64), (1 << 46, 8), (0x00FFFFFF00000000, 4096), (2**64 - 64, 64),
                                (2**64 - 8, 64), (2**64 - 1, 2)):
            before = self.device.counters()
            self.failing("DMA_FAULT", address, length)
            self.assert_counts(before, COMMANDS=2, COMMANDS_FAILED=2, DMA_FAULTS=2)
        # The range of the named block may have changed; the device continues, and other blocks are unchanged.
        self.assertEqual(self.device.contents(1), pattern(6))
        self.device.fill(0, pattern(5))
        self.assertEqual(self.device.contents(0), pattern(5))

    def test_a_range_that_runs_off_the_end_of_ram(self) -> None:
        self.failing("DMA_FAULT", RAM_END - 64, 128)
        self.assertEqual(self.device.command("READ", first=0, address=RAM_END - 64, length=64).status, "SUCCESS")

    def test_own_bars(self) -> None:
        for base, size in ((self.device.registers, 0x200000), (self.device.fast, SLOTS * BLOCK),
                           (self.device.slow, BLOCKS * BLOCK)):
            self.failing("OWN_ADDRESS", base)
            self.failing("OWN_ADDRESS", base + size - 64)
            self.failing("OWN_ADDRESS", base - 32)
            self.failing("OWN_ADDRESS", base + size - 1, 2)
        self.assertEqual(self.device.contents(0), pattern(5))
        self.assertEqual(self.device.counter("REENTERED"), 0)

    def test_around_own_bars_is_another_matter(self) -> None:
        self.failing("DMA_FAULT", self.device.registers - 64)
        self.failing("DMA_FAULT", self.device.slow + BLOCKS * BLOCK)

    def test_where_the_bars_are_not_is_not_own(self) -> None:
        """The device compares with the current addresses of its BARs."""
        self.device.function.set_bar(4, self.device.slow + 0x8000000)
        self.failing("DMA_FAULT", self.device.slow)
        self.failing("OWN_ADDRESS", self.device.slow + 0x8000000)

    def test_bus_mastering_off(self) -> None:
        self.device.function.disable(pci.COMMAND_MASTER)
        self.machine.write(BUFFER, b"untouched")
        self.failing("DMA_FAULT", BUFFER)
        self.assertEqual(self.machine.read(BUFFER, 9), b"untouched")
        self.assertEqual(self.device.backing_bytes(0), pattern(5))
        self.device.function.enable(pci.COMMAND_MASTER)
        self.assertEqual(self.device.contents(0), pattern(5))

    def test_moves_need_no_bus(self) -> None:
        self.device.function.disable(pci.COMMAND_MASTER)
        self.device.command("PIN", first=0, count=1, arg=SECOND)
        self.settle()
        self.assertEqual(self.device.block(0).state, "FAST")

    def test_another_devices_memory_is_memory(self) -> None:
        """Peer to peer: WRITE of one device reads from a tier of the other."""
        machine = Machine("-device", device_argument(0), "-device", device_argument(1))
        self.addCleanup(machine.close)
        one, two = (Device(machine, pci.Function(machine, 0, 4 + index), index) for index in range(2))
        machine.write(two.slow + BLOCK, pattern(42))
        block = one.alloc()
        self.assertEqual(one.command("WRITE", first=block, address=two.slow + BLOCK, length=BLOCK).status, "SUCCESS")
        self.assertEqual(one.backing_bytes(block), pattern(42))


if __name__ == "__main__":
    main()
