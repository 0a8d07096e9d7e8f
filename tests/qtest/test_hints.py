#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hints of the command window: outcomes, reasons, and the effect of each on a block."""

import hw
from kvcpu import BLOCK, BLOCKS, SLOTS, DeviceTest, main, pattern

WITH_RANGE = [name for name in ("HOT", "EVICTABLE", "PREFETCHABLE", "RELEASE", "SHARE", "UNSHARE", "SEAL", "TOUCH",
                                "CLEAR")]


class Outcomes(DeviceTest):
    def outcome(self, opcode: str, **words: int) -> tuple[str, str]:
        done = self.device.command(opcode, **words)
        self.assertEqual(done.status, "SUCCESS")
        return done.outcome

    def test_accepted(self) -> None:
        self.device.alloc(4)
        for opcode in WITH_RANGE:
            with self.subTest(hint=opcode):
                done = self.device.command(opcode, first=0, count=4, arg=5)
                self.assertEqual((done.outcome, done.value), (("ACCEPTED", "NONE"), 4))

    def test_empty_and_outside(self) -> None:
        for opcode in WITH_RANGE:
            with self.subTest(hint=opcode):
                self.assertEqual(self.outcome(opcode, first=0, count=0), ("IGNORED", "EMPTY"))
                self.assertEqual(self.outcome(opcode, first=BLOCKS, count=1), ("IGNORED", "OUTSIDE"))
                self.assertEqual(self.outcome(opcode, first=2**64 - 1, count=2**64 - 1), ("IGNORED", "OUTSIDE"))
                self.device.command("SHARE", first=BLOCKS - 1, count=1)
                done = self.device.command(opcode, first=BLOCKS - 1, count=2**64 - 1)
                self.assertEqual((done.outcome, done.value), (("CLIPPED", "OUTSIDE"), 1))

    def test_foreign(self) -> None:
        self.device.alloc(2, context=1)
        for opcode in WITH_RANGE:
            with self.subTest(hint=opcode):
                self.assertEqual(self.outcome(opcode, first=0, count=2, context=2), ("IGNORED", "FOREIGN"))
        self.assertEqual(self.device.command("SHARE", first=0, count=3).outcome, ("CLIPPED", "FOREIGN"))

    def test_a_context_hints_only_what_it_allocated(self) -> None:
        """Only context 0 can hint free blocks."""
        self.assertEqual(self.outcome("HOT", first=0, count=1, context=1), ("IGNORED", "FOREIGN"))
        self.assertEqual(self.outcome("HOT", first=0, count=1), ("ACCEPTED", "NONE"))

    def test_saturated(self) -> None:
        self.assertEqual(self.outcome("UNSHARE", first=0, count=1), ("IGNORED", "SATURATED"))
        self.outcome("SHARE", first=0, count=1)
        self.assertEqual(self.outcome("UNSHARE", first=0, count=2), ("CLIPPED", "SATURATED"))

    def test_policy(self) -> None:
        self.device.write("POLICY", hw.POLICIES["LRU"])
        for opcode in ("HOT", "EVICTABLE", "PREFETCHABLE", "RELEASE", "TOUCH", "CLEAR"):
            with self.subTest(hint=opcode):
                self.assertEqual(self.outcome(opcode, first=0, count=1, arg=1), ("IGNORED", "POLICY"))
        for opcode in ("SHARE", "UNSHARE", "SEAL"):
            with self.subTest(hint=opcode):
                self.assertEqual(self.outcome(opcode, first=0, count=1), ("ACCEPTED", "NONE"))

    def test_flags_and_reserved_bits(self) -> None:
        for opcode in ("HOT", "SHARE", "STEP"):
            for flags in (1, 2, 0x8000):
                with self.subTest(hint=opcode, flags=flags):
                    self.assertEqual(self.device.command(opcode, count=1, flags=flags).status, "BAD_FIELD")
        self.assertEqual(self.device.command("EVICTABLE", count=1, flags=2).status, "BAD_FIELD")
        self.assertEqual(self.device.command("EVICTABLE", count=1, flags=1).status, "SUCCESS")
        self.device.write("CMD_CONTROL", 1 << 48 | hw.OPCODES["HOT"])
        self.assertEqual(hw.field(self.device.read("CMD_RESULT"), "RES_STATUS"), hw.STATUS["BAD_FIELD"])

    def test_counters_by_hint(self) -> None:
        self.device.alloc(1)
        for opcode in WITH_RANGE:
            with self.subTest(hint=opcode):
                before = self.device.counters()
                self.device.command(opcode, count=1, arg=3)
                now = self.device.counters()
                self.assertEqual(now[f"HINTS_{opcode}"], before[f"HINTS_{opcode}"] + 1)
                self.assertEqual(now["COMMANDS"], before["COMMANDS"] + 1)


class Effects(DeviceTest):
    def pinned_once(self, count: int, *, context: int = 0) -> int:
        """Blocks in slots, not pinned."""
        first = self.device.alloc(count, context=context)
        for block in range(first, first + count):
            self.device.fill(block, pattern(block), context=context)
        self.device.command("PIN", first=first, count=count, arg=10**9, context=context)
        self.settle()
        self.assertEqual(self.device.command("UNPIN", first=first, count=count, context=context).status, "SUCCESS")
        while self.device.read("CPL_PENDING"):
            self.device.completion()
        return first

    def test_latest_hint_wins(self) -> None:
        block = self.pinned_once(1)
        for opcode, expected in (("HOT", "HOT"), ("EVICTABLE", "EVICTABLE"), ("RELEASE", "RELEASED"),
                                 ("PREFETCHABLE", "PREFETCHED"), ("CLEAR", "UNHINTED")):
            self.device.command(opcode, first=block, count=1, arg=5)
            self.assertEqual(self.device.block(block).victim_class, expected)

    def test_hot_until(self) -> None:
        block = self.pinned_once(1)
        self.device.write("EVICT_THRESH", 0)
        self.device.command("HOT", first=block, count=1, arg=10)
        self.assertEqual(self.device.block(block).target, 10)
        self.device.command("STEP", arg=9)
        self.assertEqual(self.device.block(block).victim_class, "HOT")
        self.device.command("STEP", arg=10)
        self.assertEqual(self.device.block(block).victim_class, "UNHINTED")

    def test_hot_lease(self) -> None:
        block = self.pinned_once(1)
        self.device.write("EVICT_THRESH", 0)
        self.device.write("HOT_LEASE", 3)
        self.device.command("STEP", arg=100)
        self.device.command("HOT", first=block, count=1)
        self.assertEqual(self.device.block(block).target, 103)
        self.device.command("STEP", arg=103)
        self.assertEqual(self.device.block(block).victim_class, "UNHINTED")

    def test_a_hot_that_is_over_does_not_start(self) -> None:
        block = self.pinned_once(1)
        self.device.command("STEP", arg=50)
        self.device.command("HOT", first=block, count=1, arg=50)
        self.assertEqual(self.device.block(block).victim_class, "UNHINTED")

    def test_prefetch_ends_when_its_target_has_passed(self) -> None:
        block = self.pinned_once(1)
        self.device.write("EVICT_THRESH", 0)
        self.device.command("PREFETCHABLE", first=block, count=1, arg=4)
        self.device.command("STEP", arg=4)
        self.assertEqual(self.device.block(block).victim_class, "PREFETCHED")
        self.device.command("STEP", arg=5)
        self.assertEqual(self.device.block(block).victim_class, "UNHINTED")

    def test_leases_keep_their_distance_over_an_epoch(self) -> None:
        block = self.pinned_once(1)
        self.device.write("EVICT_THRESH", 0)
        self.device.command("STEP", arg=1000)
        self.device.command("HOT", first=block, count=1, arg=1003)
        self.device.command("STEP", arg=10)
        self.assertEqual(self.device.block(block).target, 13)
        self.device.command("STEP", arg=12)
        self.assertEqual(self.device.block(block).victim_class, "HOT")
        self.device.command("STEP", arg=13)
        self.assertEqual(self.device.block(block).victim_class, "UNHINTED")

    def test_seal(self) -> None:
        block = self.pinned_once(1)
        self.device.fill(block, pattern(50))
        before = self.device.counters()
        self.device.command("SEAL", first=block, count=1)
        self.assertEqual(self.device.block(block).state, "WRITING_BACK")
        self.assertEqual(self.device.command("WRITE", first=block, address=0x100000, length=8).status, "SEALED")
        self.settle()
        there = self.device.block(block)
        self.assertEqual((there.state, "SEALED" in there.flags, "DIRTY" in there.flags), ("FAST", True, False))
        self.assertEqual(self.device.backing_bytes(block), pattern(50))
        self.assertEqual(self.device.counter("WRITE_BACKS"), before["WRITE_BACKS"] + 1)

    def test_order_of_eviction(self) -> None:
        """A PIN of one more block evicts released, then evictable, then unhinted blocks."""
        first = self.pinned_once(SLOTS)
        self.device.command("RELEASE", first=first + 6, count=1)
        self.device.command("EVICTABLE", first=first + 3, count=1)
        self.device.command("HOT", first=first, count=1, arg=10)
        self.settle()
        more = self.device.alloc(3)
        left = []
        for block in range(more, more + 3):
            self.device.command("PIN", first=block, count=1, arg=10**9)
            self.settle()
            left += [number for number in range(first, first + SLOTS)
                     if self.device.block(number).state == "SLOW" and number not in left]
        # UNPIN begins at the last block, so this block is the least recently used.
        self.assertEqual(left, [first + 6, first + 3, first + 7])

    def test_evict_f_now_drops_the_slot(self) -> None:
        block = self.pinned_once(1)
        self.device.command("EVICTABLE", first=block, count=1)
        self.assertEqual(self.device.block(block).state, "FAST")
        self.device.command("EVICTABLE", first=block, count=1, flags=hw.CONST["F_NOW"])
        self.assertEqual(self.device.block(block).state, "SLOW")
        self.assertEqual(self.device.contents(block), pattern(block))

    def test_a_claimed_block_stays_whatever_is_hinted(self) -> None:
        block = self.device.alloc()
        self.device.command("PIN", first=block, count=1, arg=10**9)
        self.settle()
        for opcode in ("RELEASE", "EVICTABLE"):
            self.device.command(opcode, first=block, count=1, flags=int(opcode == "EVICTABLE"))
            self.device.command("STEP", arg=5)
            self.settle()
            self.assertEqual((self.device.block(block).state, self.device.block(block).victim_class),
                             ("FAST", "PINNED"))

    def test_touch_makes_it_the_most_recent(self) -> None:
        first = self.pinned_once(SLOTS)
        last = first + SLOTS - 1
        self.device.command("TOUCH", first=last, count=1)
        more = self.device.alloc()
        self.device.command("PIN", first=more, count=1, arg=10**9)
        self.settle()
        self.assertEqual(self.device.states(range(last - 1, last + 1)), ["SLOW", "FAST"])

    def test_a_dropped_prefetch_does_not_start(self) -> None:
        for drop in ("CLEAR", "RELEASE", "EVICTABLE"):
            with self.subTest(by=drop):
                first = self.device.alloc(3)
                self.device.command("PREFETCHABLE", first=first, count=3, arg=5)
                self.assertIn("QUEUED", self.device.block(first + 2).flags)
                self.device.command(drop, first=first + 1, count=2)
                self.settle()
                self.assertEqual(self.device.states(range(first, first + 3)), ["FAST", "SLOW", "SLOW"])

    def test_hints_of_contexts_have_their_own_steps(self) -> None:
        mine = self.pinned_once(1, context=1)
        other = self.pinned_once(1, context=2)
        self.device.command("STEP", arg=7, context=1)
        self.assertEqual(self.device.states(range(mine, mine + 1)), ["SLOW"])
        self.assertEqual(self.device.states(range(other, other + 1)), ["FAST"])
        self.assertEqual(self.device.backing_bytes(mine), pattern(mine))
        self.assertEqual(len(self.device.contents(other, context=2)), BLOCK)


if __name__ == "__main__":
    main()
