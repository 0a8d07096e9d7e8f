#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""MSI-X: a message in memory for every completion, and the effect of masking."""

import hw
import pci
from kvcpu import MESSAGE, DeviceTest, main, pattern

SECOND = 10**9
DATA = 0x5A5A0001
TABLE = hw.CONST["MSIX_TABLE_OFFSET"]
PENDING = hw.CONST["MSIX_PBA_OFFSET"]
ENABLE, MASK_ALL = 0x8000, 0x4000


class Interrupts(DeviceTest):
    def setUp(self) -> None:
        super().setUp()
        self.control = self.device.function.capability(pci.CAP_MSIX) + 2
        for offset, value in ((0, MESSAGE), (4, 0), (8, DATA), (12, 0)):
            self.machine.store(self.device.registers + TABLE + offset, value, 4)
        self.block = self.device.alloc(4)
        for block in range(self.block, self.block + 4):
            self.device.fill(block, pattern(block))

    def msix(self, bits: int) -> None:
        self.device.function.write(self.control, bits, 2)

    def messages(self) -> int:
        """Reads and clears the message in memory; 0: none."""
        value = self.machine.load(MESSAGE, 4)
        self.machine.store(MESSAGE, 0, 4)
        return value

    def pending(self) -> int:
        return self.machine.load(self.device.registers + PENDING, 8)

    def pin(self, block: int = 0) -> None:
        done = self.device.command("PIN", first=self.block + block, count=1, arg=SECOND)
        self.assertEqual(done.status, "PENDING")

    def test_a_message_for_a_completion(self) -> None:
        self.msix(ENABLE)
        self.pin()
        self.assertEqual(self.messages(), 0)
        self.settle()
        self.assertEqual(self.messages(), DATA)
        self.assertEqual(self.device.read("CPL_PENDING"), 1)

    def test_one_for_each(self) -> None:
        self.msix(ENABLE)
        for block in range(3):
            self.pin(block)
        for _ in range(3):
            self.machine.clock_step(2000)
            self.assertEqual(self.messages(), DATA)
        self.machine.clock_step(SECOND)
        self.assertEqual(self.messages(), 0)

    def test_none_for_what_ends_at_once(self) -> None:
        self.msix(ENABLE)
        self.device.command("HOT", first=self.block, count=1, arg=5)
        self.settle()
        self.assertEqual(self.device.command("PIN", first=self.block, count=1, arg=SECOND).status, "SUCCESS")
        self.assertEqual(self.messages(), 0)

    def test_none_while_disabled_and_nothing_pending_later(self) -> None:
        self.pin()
        self.settle()
        self.assertEqual((self.messages(), self.pending()), (0, 0))
        self.msix(ENABLE)
        self.assertEqual(self.messages(), 0)

    def test_vector_mask_holds_it_back(self) -> None:
        self.msix(ENABLE)
        self.machine.store(self.device.registers + TABLE + 12, 1, 4)
        self.pin()
        self.settle()
        self.assertEqual((self.messages(), self.pending()), (0, 1))
        self.machine.store(self.device.registers + TABLE + 12, 0, 4)
        self.assertEqual((self.messages(), self.pending()), (DATA, 0))

    def test_function_mask_holds_it_back(self) -> None:
        self.msix(ENABLE | MASK_ALL)
        self.pin()
        self.settle()
        self.assertEqual((self.messages(), self.pending()), (0, 1))
        self.msix(ENABLE)
        self.assertEqual((self.messages(), self.pending()), (DATA, 0))

    def test_none_while_bus_mastering_is_off(self) -> None:
        self.msix(ENABLE)
        self.device.function.disable(pci.COMMAND_MASTER)
        self.pin()
        self.settle()
        self.assertEqual(self.messages(), 0)
        self.assertEqual(self.device.read("CPL_PENDING"), 1)

    def test_time_out_and_cancel_are_completions_too(self) -> None:
        self.msix(ENABLE)
        self.device.command("PIN", first=self.block, count=1, arg=100)
        self.machine.clock_step(100)
        self.assertEqual(self.messages(), DATA)
        self.device.command("PIN", first=self.block + 1, count=1, arg=SECOND, tag=6)
        self.device.command("CANCEL", arg=6)
        self.assertEqual(self.messages(), DATA)

    def test_own_address_as_message_does_no_harm(self) -> None:
        """A message to the device's own trigger: the core is busy, counts it, and continues."""
        self.machine.store(self.device.registers + TABLE, self.device.registers + 0x2038, 4)
        self.msix(ENABLE)
        self.pin()
        self.settle()
        self.assertEqual(self.device.read("ID"), hw.CONST["ID_VALUE"])
        self.assertEqual(self.device.counter("REENTERED") + self.device.counter("BAD_SIZE"), 1)
        self.assertEqual(self.device.completion()[1].status, "SUCCESS")


if __name__ == "__main__":
    main()
