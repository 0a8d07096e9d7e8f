#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands of the window: the effect of each, and every status that it can end with."""

import hw
from kvcpu import BLOCK, BLOCKS, BUFFER, SCRUB_NS, SLOTS, DeviceTest, Result, main, pattern

SECOND = 10**9


class Checks(DeviceTest):
    """The checks before those of the command itself, in their order."""

    def status(self, control: int) -> str:
        self.device.write("CMD_CONTROL", control)
        return hw.name_of(hw.STATUS, hw.field(self.device.read("CMD_RESULT"), "RES_STATUS"))

    def test_unknown_opcodes(self) -> None:
        known = set(hw.OPCODES.values())
        for opcode in [number for number in range(0x100) if number not in known] + [0x101, 0xFFFF]:
            with self.subTest(opcode=hex(opcode)):
                self.assertEqual(self.status(opcode), "BAD_OPCODE")

    def test_order_of_checks(self) -> None:
        self.assertEqual(self.status(0xFFFF << 48 | 0xFFFF << 32 | 0xFFFF << 16 | 0x7F), "BAD_OPCODE")
        self.assertEqual(self.status(1 << 63 | 0xFFFF << 32 | hw.OPCODES["ALLOC"]), "BAD_FIELD")
        self.assertEqual(self.status(1 << 16 | 0xFFFF << 32 | hw.OPCODES["ALLOC"]), "BAD_FIELD")
        self.assertEqual(self.status(4 << 32 | hw.OPCODES["ALLOC"]), "BAD_CONTEXT")
        self.device.write("CMD_COUNT", 0)
        self.assertEqual(self.status(3 << 32 | hw.OPCODES["ALLOC"]), "BAD_RANGE")

    def test_flags_only_where_they_mean_something(self) -> None:
        for name in hw.numbers("COMMANDS"):
            with self.subTest(command=name):
                self.assertEqual(self.status(1 << 16 | hw.OPCODES[name]), "BAD_FIELD")

    def test_a_failure_is_counted_by_status(self) -> None:
        before = self.device.counters()
        self.assertEqual(self.status(0x99), "BAD_OPCODE")
        self.assert_counts(before, COMMANDS=1, COMMANDS_FAILED=1)
        self.assertEqual(self.device.status_count("BAD_OPCODE"), 1)

    def test_ranges(self) -> None:
        for command in ("FREE", "PIN", "UNPIN"):
            for first, count in ((0, 0), (BLOCKS, 1), (BLOCKS - 1, 2), (2**64 - 1, 1), (1, 2**64 - 1),
                                 (0, hw.CONST["COMMAND_BLOCKS_MAX"] + 1)):
                with self.subTest(command=command, first=first, count=count):
                    done = self.device.command(command, first=first, count=count, arg=SECOND)
                    self.assertEqual(done.status, "BAD_RANGE")
        for command in ("READ", "WRITE"):
            for first in (BLOCKS, 2**32, 2**64 - 1):
                with self.subTest(command=command, first=first):
                    done = self.device.command(command, first=first, address=BUFFER, length=8)
                    self.assertEqual(done.status, "BAD_RANGE")

    def test_ownership(self) -> None:
        mine = self.device.alloc(context=1)
        for command in ("FREE", "PIN", "UNPIN", "READ", "WRITE"):
            for first, context in ((mine, 0), (mine, 2), (mine + 1, 1), (mine + 1, 0)):
                with self.subTest(command=command, first=first, context=context):
                    done = self.device.command(command, first=first, count=1, arg=SECOND, address=BUFFER, length=8,
                                               context=context)
                    self.assertEqual(done.status, "NOT_OWNER")


class Alloc(DeviceTest):
    def test_lowest_run_first(self) -> None:
        self.assertEqual([self.device.alloc(2), self.device.alloc(3), self.device.alloc(1)], [0, 2, 5])
        self.device.command("FREE", first=2, count=3)
        self.settle()
        self.assertEqual(self.device.alloc(2), 2)

    def test_gives_what_a_run_has(self) -> None:
        self.device.alloc(10)
        self.device.command("FREE", first=3, count=2)
        self.settle()
        done = self.device.command("ALLOC", count=5)
        self.assertEqual((done.status, done.value, done.aux), ("SUCCESS", 3, 2))

    def test_no_space(self) -> None:
        self.device.alloc(BLOCKS)
        self.assertEqual(self.device.command("ALLOC", count=1).status, "NO_SPACE")
        self.assertEqual(self.device.read("BLOCKS_FREE"), 0)

    def test_counts_and_fields(self) -> None:
        for count in (0, hw.CONST["COMMAND_BLOCKS_MAX"] + 1, 2**64 - 1):
            with self.subTest(count=count):
                self.assertEqual(self.device.command("ALLOC", count=count).status, "BAD_RANGE")
        self.assertEqual(self.device.command("ALLOC", count=1, arg=2**32).status, "BAD_FIELD")

    def test_directory_entry(self) -> None:
        tag = 0x1234 | 5 << 16 | 6 << 24 | 16 << 32
        first = self.device.alloc(2, context=3, meta=tag, arg=100)
        self.assertEqual(self.device.block(first + 1).owner, 3)
        self.assertEqual(self.device.block(first + 1).generation, 1)
        self.assertEqual(self.device.read("BLOCK_TAG"), tag)
        self.assertEqual(self.device.read("BLOCK_TOKENS"), 116 | 131 << 32)

    def test_handed_out_zeroed(self) -> None:
        first = self.device.alloc()
        self.device.fill(first, b"\xee" * BLOCK)
        self.device.command("FREE", first=first, count=1)
        self.settle()
        self.assertEqual(self.device.alloc(context=1), first)
        self.assertEqual(self.device.contents(first, context=1), bytes(BLOCK))
        self.assertEqual(self.device.backing_bytes(first), bytes(BLOCK))


class Free(DeviceTest):
    def test_scrubbed_in_both_tiers_in_order(self) -> None:
        first = self.device.alloc(3)
        for block in range(first, first + 3):
            self.device.fill(block, pattern(block))
        self.device.command("PIN", first=first, count=1, arg=SECOND)
        self.settle()
        self.device.command("UNPIN", first=first, count=1)
        slot = self.device.block(first).slot
        self.device.command("FREE", first=first, count=3)
        self.assertEqual(self.device.states(range(first, first + 3)), ["SCRUBBING"] * 3)
        for done in range(1, 4):
            self.machine.clock_step(SCRUB_NS)
            self.assertEqual(self.device.states(range(first, first + 3)),
                             ["FREE"] * done + ["SCRUBBING"] * (3 - done))
        self.assertEqual(self.machine.read(self.device.slow, 3 * BLOCK), bytes(3 * BLOCK))
        self.assertEqual(self.device.slot_bytes(slot), bytes(BLOCK))

    def test_pinned_refuses_all(self) -> None:
        first = self.device.alloc(3)
        self.device.command("PIN", first=first + 1, count=1, arg=SECOND)
        self.settle()
        self.assertEqual(self.device.command("FREE", first=first, count=3).status, "PINNED")
        self.assertEqual([self.device.block(block).owner for block in range(3)], [0, 0, 0])
        self.assertTrue(all("ALLOCATED" in self.device.block(block).flags for block in range(3)))

    def test_waited_for_refuses(self) -> None:
        first = self.device.alloc()
        self.device.fill(first, pattern(1))
        self.assertEqual(self.device.command("PIN", first=first, count=1, arg=SECOND).status, "PENDING")
        self.assertEqual(self.device.command("FREE", first=first, count=1).status, "PINNED")

    def test_twice(self) -> None:
        first = self.device.alloc()
        self.assertEqual(self.device.command("FREE", first=first, count=1).status, "SUCCESS")
        self.assertEqual(self.device.command("FREE", first=first, count=1).status, "NOT_OWNER")


class Pin(DeviceTest):
    def test_at_once_where_all_are_fast(self) -> None:
        first = self.device.alloc(2)
        self.device.command("PIN", first=first, count=2, arg=SECOND, tag=1)
        self.settle()
        self.assertEqual(self.device.completion()[:2], (1, Result("SUCCESS", 0, 0)))
        done = self.device.command("PIN", first=first, count=2, arg=SECOND, tag=2)
        self.assertEqual((done.status, done.aux), ("SUCCESS", 2))
        self.assertEqual(self.device.read("CPL_PENDING"), 0)
        self.assertEqual(self.device.block(first).claims, 2)

    def test_deadlines(self) -> None:
        first = self.device.alloc()
        for arg in (0, hw.CONST["PIN_DEADLINE_MAX_NS"] + 1, 2**64 - 1):
            with self.subTest(deadline=arg):
                self.assertEqual(self.device.command("PIN", first=first, count=1, arg=arg).status, "BAD_FIELD")

    def test_more_than_can_be_had(self) -> None:
        self.device.alloc(SLOTS + 1)
        done = self.device.command("PIN", first=0, count=SLOTS + 1, arg=SECOND)
        self.assertEqual(done.status, "NO_SLOTS")

    def test_times_out(self) -> None:
        first = self.device.alloc(2 * SLOTS)
        self.device.command("PIN", first=first, count=SLOTS, arg=SECOND, tag=1)
        self.settle()
        self.device.completion()
        start = self.device.read("TIME")
        self.device.command("PIN", first=first + SLOTS, count=1, arg=5000, tag=2)
        self.machine.clock_step(4999)
        self.assertEqual(self.device.read("CPL_PENDING"), 0)
        self.machine.clock_step(1)
        tag, done, time = self.device.completion()
        self.assertEqual((tag, done.status, time), (2, "TIMED_OUT", start + 5000))

    def test_a_waiting_pin_blocks_no_other_context(self) -> None:
        first = self.device.alloc(SLOTS + 2)
        self.device.command("PIN", first=first, count=SLOTS - 1, arg=SECOND, tag=1)
        self.settle()
        self.assertEqual(self.device.command("PIN", first=first + SLOTS - 1, count=2, arg=SECOND, tag=2).status,
                         "PENDING")
        self.settle()
        done = self.device.command("PIN", first=first, count=1, arg=SECOND, tag=3)
        self.assertEqual(done.status, "SUCCESS")
        self.device.command("UNPIN", first=first + 2, count=1)
        self.settle()
        self.assertEqual(self.device.block(first + SLOTS - 1).claims, 1)

    def test_cancel(self) -> None:
        first = self.device.alloc(2 * SLOTS)
        self.device.command("PIN", first=first, count=SLOTS, arg=SECOND, tag=1)
        self.settle()
        self.device.completion()
        for _ in range(2):
            self.device.command("PIN", first=first + SLOTS, count=1, arg=SECOND, tag=7)
        self.assertEqual(self.device.command("CANCEL", arg=8).status, "NOT_FOUND")
        self.assertEqual(self.device.command("CANCEL", arg=7, context=1).status, "NOT_FOUND")
        self.assertEqual(self.device.command("CANCEL", arg=7).status, "SUCCESS")
        tag, done, _ = self.device.completion()
        self.assertEqual((tag, done.status), (7, "CANCELLED"))
        self.assertEqual(self.device.command("CANCEL", arg=7).status, "SUCCESS")
        self.assertEqual(self.device.command("CANCEL", arg=7).status, "NOT_FOUND")

    def test_pending_is_bounded(self) -> None:
        first = self.device.alloc(2 * SLOTS)
        self.device.command("PIN", first=first, count=SLOTS, arg=3600 * SECOND, tag=1)
        self.settle()
        self.device.completion()
        most = hw.CONST["PENDING_MAX"]
        statuses = [self.device.command("PIN", first=first + SLOTS, count=1, arg=SECOND, tag=tag).status
                    for tag in range(most + 2)]
        self.assertEqual(statuses, ["PENDING"] * most + ["BUSY"] * 2)
        self.machine.clock_step(2 * SECOND)
        self.assertEqual(self.device.read("CPL_PENDING"), most)
        self.assertEqual(self.device.command("PIN", first=first + SLOTS, count=1, arg=SECOND).status, "BUSY")
        self.device.completion()
        self.assertEqual(self.device.command("PIN", first=first + SLOTS, count=1, arg=SECOND).status, "PENDING")

    def test_unpin(self) -> None:
        first = self.device.alloc(2)
        self.assertEqual(self.device.command("UNPIN", first=first, count=1).status, "NOT_PINNED")
        self.device.command("PIN", first=first, count=1, arg=SECOND)
        self.settle()
        self.assertEqual(self.device.command("UNPIN", first=first, count=2).status, "NOT_PINNED")
        self.assertEqual(self.device.block(first).claims, 1)
        self.assertEqual(self.device.command("UNPIN", first=first, count=1).status, "SUCCESS")
        self.assertEqual(self.device.command("UNPIN", first=first, count=1).status, "NOT_PINNED")


class Close(DeviceTest):
    def test_everything_goes(self) -> None:
        first = self.device.alloc(3, context=1)
        self.device.fill(first, pattern(first), context=1)
        self.device.command("PIN", first=first, count=2, arg=SECOND, tag=4, context=1)
        self.device.command("STEP", arg=9, context=1)
        self.device.command("CLOSE", tag=5, context=1)
        self.settle()
        done = {}
        while self.device.read("CPL_PENDING"):
            tag, outcome, _ = self.device.completion()
            done[tag] = outcome.status
        self.assertEqual(done, {4: "CANCELLED", 5: "SUCCESS"})
        self.assertEqual(self.device.states(range(first, first + 3)), ["FREE"] * 3)
        self.assertEqual(self.device.backing_bytes(first), bytes(BLOCK))
        self.assertEqual(self.device.read("BLOCKS_FREE"), BLOCKS)
        self.assertEqual(self.device.alloc(context=1), 0)
        self.assertEqual(self.device.block(0).last_step, 0)

    def test_context_0_stays(self) -> None:
        self.assertEqual(self.device.command("CLOSE").status, "BAD_CONTEXT")

    def test_others_keep_what_they_have(self) -> None:
        kept = self.device.alloc(context=2)
        self.device.fill(kept, pattern(kept), context=2)
        self.device.alloc(context=1)
        self.device.command("CLOSE", context=1)
        self.settle()
        self.assertEqual(self.device.contents(kept, context=2), pattern(kept))


class WorkedExample(DeviceTest):
    def test_of_the_specification(self) -> None:
        self.device.write("CMD_COUNT", 1)
        self.device.write("CMD_CONTROL", 0x0000000100000001)
        self.assertEqual(self.device.read("CMD_RESULT"), 0x0000000000010000)
        self.machine.write(0x1000000, pattern(3))
        for name, value in (("CMD_FIRST", 0), ("CMD_ADDR", 0x1000000), ("CMD_EXTENT", 0x0000100000000000),
                            ("CMD_CONTROL", 0x0000000100000006)):
            self.device.write(name, value)
        self.assertEqual(self.device.read("CMD_RESULT"), 0)
        for name, value in (("CMD_ARG", SECOND), ("CMD_TAG", 7), ("CMD_CONTROL", 0x0000000100000003)):
            self.device.write(name, value)
        self.assertEqual(self.device.read("CMD_RESULT"), 1)
        self.settle()
        self.assertEqual((self.device.read("CPL_TAG"), self.device.read("CPL_RESULT")), (7, 0))
        self.device.write("CPL_POP", 1)
        self.device.write("BLOCK_SELECT", 0)
        self.assertEqual(self.device.read("BLOCK_STATE"), 0x0000000300010604)
        self.assertEqual(self.device.slot_bytes(0), pattern(3))


if __name__ == "__main__":
    main()
