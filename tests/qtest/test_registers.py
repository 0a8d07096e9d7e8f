#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every register of kvcpu_hw.h: value after reset, accepted and refused values."""

import hw
from kvcpu import BLOCKS, PROPERTIES, SLOTS, DeviceTest, main

# A write of these executes something, which other tests cover.
EXECUTING = ("STEP_ADVANCE", "BOOST_LEN", "IMEVICT_LEN", "PREFETCH_STEP", "SHARE_LEN", "CMD_CONTROL",
             "QUEUE_ENABLE")
# The maximum value of registers that do not accept every value.
LARGEST = {"WEIGHT_R": 2**32 - 1, "WEIGHT_F": 2**32 - 1, "WEIGHT_S": 2**32 - 1, "WEIGHT_D": 2**32 - 1,
           "EVICT_THRESH": 2**32 - 1, "PREFETCH_THRESH": 2**32 - 1, "SHARED_CAP": SLOTS, "BLOCK_SELECT": BLOCKS - 1,
           "POLICY": max(hw.POLICIES.values()), "CONTEXT_SELECT": PROPERTIES["max-contexts"] - 1}


class Registers(DeviceTest):
    def test_values_after_reset(self) -> None:
        for register in hw.REGISTERS.values():
            if register.access != "WO" and register.reset is not None:
                with self.subTest(register=register.name):
                    self.assertEqual(self.device.read(register.name), register.reset)

    def test_configured_values_after_reset(self) -> None:
        self.assertEqual(self.device.read("SHARED_CAP"), SLOTS // 2)
        self.assertEqual(self.device.read("POLICY"), hw.POLICIES["HEPC"])
        for name in ("BLOCK_STATE", "BLOCK_USE", "BLOCK_TAG", "BLOCK_TOKENS", "BLOCK_LAST_STEP", "BLOCK_TARGET"):
            with self.subTest(register=name):
                value = self.device.read(name)
                self.assertEqual(value & ~(0x3 << 48 | 0xFF00) if name == "BLOCK_STATE" else value, 0)
        self.assertEqual(self.device.read("BLOCK_PLACE"), hw.CONST["NO_SLOT"])

    def test_every_counter_starts_at_zero(self) -> None:
        self.assertEqual({name: value for name, value in self.device.counters().items() if value}, {})
        for name in hw.STATUS:
            with self.subTest(status=name):
                self.assertEqual(self.device.status_count(name), 0)

    def test_rw_registers_keep_what_they_are_given(self) -> None:
        for register in hw.REGISTERS.values():
            # Other tests cover these: they read as the stop time, and as the place to continue.
            if register.access != "RW" or register.name in {*EXECUTING, "CLOCK_STOP", "HISTORY_BEFORE"}:
                continue
            values = (LARGEST.get(register.name, 2**64 - 1), 1)
            for value in values:
                with self.subTest(register=register.name, value=hex(value)):
                    self.device.write(register.name, value)
                    self.assertEqual(self.device.read(register.name), value)
        self.assertEqual(self.device.counter("BAD_VALUE"), 0)

    def test_the_clock_stops(self) -> None:
        self.assertEqual(self.device.read("CLOCK_STOP"), 0)
        stop = self.device.read("TIME") + 1_000_000
        self.device.write("CLOCK_STOP", stop)
        self.assertEqual(self.device.read("CLOCK_STOP"), stop)
        self.machine.clock_step(999_999)
        self.assertLess(self.device.read("TIME"), stop)
        self.machine.clock_step(5_000_000)
        self.assertEqual(self.device.read("TIME"), stop)
        self.device.write("CLOCK_STOP", 1)
        self.machine.clock_step(1000)
        self.assertEqual(self.device.read("TIME"), stop)
        self.device.write("CLOCK_STOP", 0)
        self.machine.clock_step(1000)
        self.assertEqual(self.device.read("TIME"), stop + 1000)

    def test_executing_registers_read_as_last_written(self) -> None:
        for name, value in (("STEP_ADVANCE", 77), ("BOOST_LEN", 4096), ("IMEVICT_LEN", 5), ("PREFETCH_STEP", 9),
                            ("SHARE_LEN", 1), ("CMD_CONTROL", hw.OPCODES["CLEAR"])):
            with self.subTest(register=name):
                self.device.write(name, value)
                self.assertEqual(self.device.read(name), value)

    def test_halves_are_the_register(self) -> None:
        for register in hw.REGISTERS.values():
            if register.access != "WO":
                with self.subTest(register=register.name):
                    at = self.device.registers + register.offset
                    halves = self.machine.load(at, 4) | self.machine.load(at + 4, 4) << 32
                    self.assertEqual(halves, self.device.read(register.name))

    def test_ro_registers_are_not_written(self) -> None:
        for register in hw.REGISTERS.values():
            if register.access == "RO":
                with self.subTest(register=register.name):
                    value = self.device.read(register.name)
                    before = self.device.counter("BAD_DIRECTION")
                    self.device.write(register.name, ~value & 2**64 - 1)
                    self.assertEqual(self.device.counter("BAD_DIRECTION"), before + 1)
                    # The refusal itself adds a record to the log.
                    self.assertEqual(self.device.read(register.name), value + (register.name == "LOG_RECORDS"))

    def test_counters_are_not_written(self) -> None:
        for name, index in hw.COUNTERS.items():
            with self.subTest(counter=name):
                before = self.device.counters()
                self.machine.store(self.device.registers + hw.CONST["COUNTER_BASE"] + 8 * index, 99)
                self.assert_counts(before, BAD_DIRECTION=1)

    def test_wo_registers_are_not_read(self) -> None:
        for register in hw.REGISTERS.values():
            if register.access == "WO":
                with self.subTest(register=register.name):
                    before = self.device.counters()
                    self.assertEqual(self.device.read(register.name), 0)
                    self.assert_counts(before, BAD_DIRECTION=1)

    def test_blocks_free_and_fast_free_follow(self) -> None:
        first = self.device.alloc(3)
        self.assertEqual(self.device.read("BLOCKS_FREE"), BLOCKS - 3)
        self.device.command("PIN", first=first, count=2, arg=10**9)
        self.settle()
        self.assertEqual(self.device.read("FAST_FREE"), SLOTS - 2)


class BadValues(DeviceTest):
    CASES = [("POLICY", max(hw.POLICIES.values()) + 1), ("POLICY", 2**64 - 1), ("HOT_LEASE", 0),
             ("SHARED_CAP", SLOTS + 1), ("BLOCK_SELECT", BLOCKS), ("BLOCK_SELECT", 2**64 - 1), ("CONTROL", 0),
             ("CONTEXT_SELECT", PROPERTIES["max-contexts"]), ("QUEUE_ENABLE", 4),
             ("CONTROL", 4), ("CONTROL", 5), ("CONTROL", 2**63), ("CPL_POP", 1)] + \
            [(name, 2**32) for name in ("WEIGHT_R", "WEIGHT_F", "WEIGHT_S", "WEIGHT_D", "EVICT_THRESH",
                                        "PREFETCH_THRESH")]

    def test_refused_and_counted(self) -> None:
        for name, value in self.CASES:
            with self.subTest(register=name, value=hex(value)):
                readable = hw.REGISTERS[name].access != "WO"
                held = self.device.read(name) if readable else None
                before = self.device.counters()
                self.device.write(name, value)
                self.assert_counts(before, BAD_VALUE=1)
                if readable:
                    self.assertEqual(self.device.read(name), held)


if __name__ == "__main__":
    main()
