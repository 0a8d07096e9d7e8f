#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The kinds of reset, and the state that each keeps."""

import hw
import pci
from kvcpu import (BLOCK, BLOCKS, BUFFER, SCRUB_NS, SLOT, SLOTS, Device, DeviceTest, device_argument, main, pattern,
                   scratch)
from qtest import Machine

SECOND = 10**9


class ResetTest(DeviceTest):
    """A device with work of every kind in progress."""

    def setUp(self) -> None:
        super().setUp()
        self.busy()

    def busy(self) -> None:
        """Creates blocks in each place, moves, pending commands, hints, a completion, and changed registers."""
        device = self.device
        self.first = device.alloc(6)
        for block in range(self.first, self.first + 6):
            device.fill(block, pattern(block))
        device.command("PIN", first=self.first, count=2, arg=SECOND, tag=1)
        self.settle()
        device.fill(self.first, pattern(50))
        device.alloc(2, context=1)
        device.command("STEP", arg=11)
        device.command("HOT", first=self.first + 2, count=1, arg=20)
        device.command("PIN", first=self.first + 3, count=2, arg=SECOND, tag=2)
        for name, value in (("BOOST_ADDR", 5), ("WEIGHT_R", 9), ("HOT_LEASE", 3), ("SHARED_CAP", 1),
                            ("BLOCK_SELECT", 2), ("POLICY", hw.POLICIES["LRU"])):
            device.write(name, value)

    def assert_registers_fresh(self, policy: str) -> None:
        for register in hw.REGISTERS.values():
            if register.access != "WO" and register.reset is not None:
                with self.subTest(register=register.name):
                    self.assertEqual(self.device.read(register.name), register.reset)
        self.assertEqual(self.device.read("SHARED_CAP"), SLOTS // 2)
        self.assertEqual(self.device.read("POLICY"), hw.POLICIES[policy])

    def assert_counters_fresh(self, resets: int) -> None:
        moved = {name: value for name, value in self.device.counters().items() if value}
        self.assertEqual(moved, {"RESETS": resets} if resets else {})
        self.assertEqual([name for name in hw.STATUS if self.device.status_count(name)], [])

    def assert_scrubs(self) -> None:
        """Owned blocks are scrubbed one after the other, and none of their bytes remain."""
        had = range(self.first, self.first + 8)
        self.assertEqual(self.device.states(had), ["SCRUBBING"] * 8)
        self.assertEqual(self.device.read("BLOCKS_FREE"), BLOCKS - 8)
        self.device.write("BLOCK_SELECT", 0)
        for done in range(1, 9):
            self.machine.clock_step(SCRUB_NS)
            self.assertEqual(self.device.states(had), ["FREE"] * done + ["SCRUBBING"] * (8 - done))
        self.assertEqual(self.device.read("BLOCKS_FREE"), BLOCKS)
        self.assertEqual(self.device.read("FAST_FREE"), SLOTS)
        self.assertEqual(self.machine.read(self.device.slow, 8 * BLOCK), bytes(8 * BLOCK))
        self.assertEqual(self.machine.read(self.device.fast, SLOTS * BLOCK), bytes(SLOTS * BLOCK))
        self.assertEqual(self.device.read("CPL_PENDING"), 0)

    def assert_works(self) -> None:
        block = self.device.alloc()
        self.device.fill(block, pattern(77))
        self.device.command("PIN", first=block, count=1, arg=SECOND, tag=5)
        self.settle()
        tag, done, _ = self.device.completion()
        self.assertEqual((tag, done.status), (5, "SUCCESS"))
        self.assertEqual(self.device.slot_bytes(self.device.block(block).slot), pattern(77))


class Register(ResetTest):
    def test_control(self) -> None:
        records = self.device.read("LOG_RECORDS")
        self.device.write("CONTROL", hw.CONST["CONTROL_RESET"])
        self.assertEqual(self.device.read("LOG_RECORDS"), records + 1)
        self.assert_counters_fresh(1)
        self.assert_registers_fresh("LRU")
        self.assert_scrubs()
        self.assert_works()

    def test_twice_while_it_scrubs(self) -> None:
        self.device.write("CONTROL", hw.CONST["CONTROL_RESET"])
        self.machine.clock_step(3 * SCRUB_NS // 2)
        self.device.write("CONTROL", hw.CONST["CONTROL_RESET"])
        self.assertEqual(self.device.counter("RESETS"), 2)
        self.settle()
        self.assertEqual(self.device.read("BLOCKS_FREE"), BLOCKS)
        self.assertEqual(self.machine.read(self.device.slow, 8 * BLOCK), bytes(8 * BLOCK))
        self.assert_works()

    def test_with_the_log(self) -> None:
        self.device.write("CONTROL", hw.CONST["CONTROL_RESET"] | hw.CONST["CONTROL_LOG_RESTART"])
        self.assertEqual(self.device.read("LOG_RECORDS"), 1)
        self.assert_counters_fresh(1)


class Function(ResetTest):
    def test_flr(self) -> None:
        function = self.device.function
        control = function.capability(pci.CAP_EXPRESS) + pci.EXPRESS_CONTROL
        records = self.device.read("LOG_RECORDS")
        function.write(control, function.read(control, 2) | pci.EXPRESS_CONTROL_FLR, 2)
        self.assertEqual(function.read(control, 2) & pci.EXPRESS_CONTROL_FLR, 0)
        self.assertEqual(function.read(pci.COMMAND, 2) & (pci.COMMAND_MEMORY | pci.COMMAND_MASTER), 0)
        self.device.map()
        self.assertEqual(self.device.read("LOG_RECORDS"), records + 1)
        self.assert_counters_fresh(1)
        self.assert_registers_fresh("LRU")
        self.assert_scrubs()
        self.assert_works()

    def test_other_writes_of_device_control_reset_nothing(self) -> None:
        function = self.device.function
        control = function.capability(pci.CAP_EXPRESS) + pci.EXPRESS_CONTROL
        function.write(control, 0x2010, 2)
        self.assertEqual(self.device.counter("RESETS"), 0)
        self.assertEqual(self.device.block(self.first).claims, 1)


class SecondaryBus(ResetTest):
    def setUp(self) -> None:
        self.machine = Machine("-device", "pcie-root-port,id=rp0,chassis=1,addr=0x5",
                               "-device", device_argument(bus="rp0", slot=0))
        self.addCleanup(self.machine.close)
        self.bridge = pci.Function(self.machine, 0, 5)
        pci.open_bridge(self.bridge, 1, (0xC0000000, 0xC0FFFFFF), (0xC4000000, 0xEFFFFFFF))
        self.device = Device(self.machine, pci.Function(self.machine, 1, 0))
        self.busy()

    def test_secondary_bus_reset(self) -> None:
        control = self.bridge.read(pci.BRIDGE_CONTROL, 2)
        self.bridge.write(pci.BRIDGE_CONTROL, control | pci.BRIDGE_BUS_RESET, 2)
        self.bridge.write(pci.BRIDGE_CONTROL, control, 2)
        self.device.map()
        self.assert_counters_fresh(1)
        self.assert_registers_fresh("LRU")
        self.assert_scrubs()
        self.assert_works()


class Cold(ResetTest):
    def test_machine_reset(self) -> None:
        self.machine.write(self.device.slow + 40 * BLOCK, b"a guest's own store")
        self.machine.reset()
        self.device.map()
        self.assert_counters_fresh(0)
        self.assert_registers_fresh("HEPC")
        self.assertEqual(self.device.read("BLOCKS_FREE"), BLOCKS)
        self.assertEqual(self.machine.read(self.device.slow, BLOCKS * BLOCK), bytes(BLOCKS * BLOCK))
        self.assertEqual(self.machine.read(self.device.fast, SLOTS * BLOCK), bytes(SLOTS * BLOCK))
        self.assertEqual(self.device.read("LOG_RECORDS"), 2)
        self.assert_works()

    def test_function_reset_after_a_machine_reset(self) -> None:
        """A reset is not confused with an earlier one of another kind."""
        self.machine.reset()
        self.device.map()
        self.busy()
        function = self.device.function
        control = function.capability(pci.CAP_EXPRESS) + pci.EXPRESS_CONTROL
        function.write(control, pci.EXPRESS_CONTROL_FLR, 2)
        self.device.map()
        self.assert_counters_fresh(1)
        self.machine.reset()
        self.device.map()
        self.assert_counters_fresh(0)

    def test_pending_timer_does_not_survive(self) -> None:
        self.machine.reset()
        self.device.map()
        self.settle()
        self.assert_counters_fresh(0)


class WithBackends(Cold):
    """Tiers from memory backends are zeroed as well."""

    def setUp(self) -> None:
        self.machine = Machine(
            "-object", f"memory-backend-ram,id=fast,size={SLOTS * BLOCK}",
            "-object", f"memory-backend-memfd,id=slow,size={BLOCKS * BLOCK},share=on",
            "-device", device_argument(**{"fast_size": None, "slow_size": None, "fast_memdev": "fast",
                                          "slow_memdev": "slow"}))
        self.addCleanup(self.machine.close)
        self.device = Device(self.machine, pci.Function(self.machine, 0, SLOT))
        self.busy()

    def test_geometry_is_the_backends(self) -> None:
        self.assertEqual((self.device.read("BLOCKS"), self.device.read("FAST_SLOTS")), (BLOCKS, SLOTS))
        self.assertEqual(self.device.contents(self.first), pattern(50))
        self.assertEqual(self.machine.read(BUFFER, BLOCK), pattern(50))


class FileBackends(DeviceTest):
    """A backend may have any content before the device gets it."""

    def setUp(self) -> None:
        self.path = scratch(self, "slow")
        self.path.write_bytes(pattern(3, BLOCKS * BLOCK))

    def device_on_file(self, share: str) -> Device:
        self.machine = Machine(
            "-object", f"memory-backend-file,id=slow,size={BLOCKS * BLOCK},mem-path={self.path},share={share}",
            "-device", device_argument(slow_size=None, slow_memdev="slow"))
        self.addCleanup(self.machine.close)
        return Device(self.machine, pci.Function(self.machine, 0, SLOT))

    def test_a_shared_file_is_zeroed_and_then_has_the_backing_blocks(self) -> None:
        device = self.device_on_file("on")
        self.assertEqual(self.path.read_bytes(), bytes(BLOCKS * BLOCK))
        device.fill(device.alloc(), pattern(7))
        self.assertEqual(self.path.read_bytes()[:BLOCK], pattern(7))

    def test_a_private_file_stays_as_it_is(self) -> None:
        device = self.device_on_file("off")
        self.assertEqual(device.backing_bytes(BLOCKS - 1), bytes(BLOCK))
        device.fill(device.alloc(), pattern(7))
        self.machine.reset()
        self.assertEqual(self.path.read_bytes(), pattern(3, BLOCKS * BLOCK))


if __name__ == "__main__":
    main()
