#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Moves between the tiers: their ends, their order, and the copied bytes."""

import hw
from kvcpu import BLOCK, BUFFER, MOVE_NS, SCRUB_NS, SLOTS, DeviceTest, Result, main, pattern

SECOND = 10**9


class OneChannel(DeviceTest):
    def written(self, count: int, **words: int) -> int:
        """Written blocks in the slow tier."""
        first = self.device.alloc(count, **words)
        for block in range(first, first + count):
            self.device.fill(block, pattern(block), context=words.get("context", 0))
        return first

    def test_bytes_move_when_the_move_ends(self) -> None:
        block = self.written(1)
        self.device.command("PIN", first=block, count=1, arg=SECOND, tag=3)
        start = self.device.read("TIME")
        self.machine.clock_step(MOVE_NS - 1)
        # The block is changed in the slow tier during the fetch; the bytes are those at the end of the move.
        self.machine.write(self.device.slow + block * BLOCK, b"late change     ")
        self.assertEqual(self.device.slot_bytes(0, 16), bytes(16))
        self.machine.clock_step(1)
        slot = self.device.block(block).slot
        self.assertEqual(self.device.slot_bytes(slot), b"late change     " + pattern(block)[16:])
        tag, done, time = self.device.completion()
        self.assertEqual((tag, done.status, time), (3, "SUCCESS", start + MOVE_NS))

    def test_one_channel_takes_one_at_a_time(self) -> None:
        first = self.written(4)
        before = self.device.counters()
        self.device.command("PIN", first=first, count=4, arg=SECOND)
        for moved in range(1, 5):
            self.machine.clock_step(MOVE_NS)
            fast = self.device.states(range(first, first + 4)).count("FAST")
            self.assertEqual(fast, moved)
        now = self.device.counters()
        self.assertEqual(now["LINK_BUSY_NS"] - before["LINK_BUSY_NS"], 4 * MOVE_NS)
        self.assertEqual(now["FETCHES_DEMAND"], 4)
        self.assertEqual((now["PINS"], now["PINS_WAITED"]), (1, 1))

    def test_a_step_over_many_ends_changes_nothing(self) -> None:
        """Each move ends at its own time, also if the clock advances far at once."""
        first = self.written(3)
        start = self.device.read("TIME")
        for place in range(3):
            self.device.command("PIN", first=first + place, count=1, arg=SECOND, tag=place)
        self.machine.clock_step(SECOND)
        self.assertEqual([self.device.completion() for _ in range(3)],
                         [(place, Result("SUCCESS", 0, 0), start + (place + 1) * MOVE_NS) for place in range(3)])

    def test_never_written_is_zero_filled_not_fetched(self) -> None:
        block = self.device.alloc()
        before = self.device.counters()
        self.device.command("PIN", first=block, count=1, arg=SECOND)
        self.machine.clock_step(SCRUB_NS)
        self.assertEqual(self.device.block(block).state, "FAST")
        self.assert_counts(before, COMMANDS=1, PINS=1, PINS_WAITED=1, ZERO_FILLS=1, INTERRUPTS=1)

    def test_a_slot_shows_nothing_of_its_last_block(self) -> None:
        """A zero-filled slot does not show the bytes of its previous block."""
        first = self.written(SLOTS, context=1)
        self.device.command("PIN", first=first, count=SLOTS, arg=SECOND, context=1)
        self.settle()
        self.device.command("UNPIN", first=first, count=SLOTS, context=1)
        other = self.device.alloc(context=2)
        self.device.command("PIN", first=other, count=1, arg=SECOND, context=2)
        self.settle()
        self.assertEqual(self.device.slot_bytes(self.device.block(other).slot), bytes(BLOCK))

    def test_demand_before_prefetch(self) -> None:
        first = self.written(4)
        self.device.command("PREFETCHABLE", first=first, count=3, arg=5)
        self.device.command("PIN", first=first + 3, count=1, arg=SECOND)
        self.machine.clock_step(2 * MOVE_NS)
        self.assertEqual(self.device.states(range(first, first + 4)), ["FAST", "FETCHING", "SLOW", "FAST"])

    def test_prefetch_late_and_used(self) -> None:
        first = self.written(2)
        self.device.command("PREFETCHABLE", first=first, count=2, arg=5)
        self.device.command("PIN", first=first, count=1, arg=SECOND)
        self.assertEqual(self.device.counter("PREFETCH_LATE"), 1)
        self.settle()
        self.device.command("PIN", first=first + 1, count=1, arg=SECOND)
        self.assertEqual(self.device.counter("PREFETCH_LATE"), 1)
        self.assertGreaterEqual(self.device.counter("PREFETCH_USED"), 1)

    def test_full_of_dirty_blocks(self) -> None:
        """A dirty victim is written back before another block gets its slot: two moves."""
        first = self.written(SLOTS + 1)
        self.device.command("PIN", first=first, count=SLOTS, arg=SECOND)
        self.settle()
        for block in range(first, first + SLOTS):
            self.device.fill(block, pattern(block + 100))
        self.device.command("UNPIN", first=first, count=SLOTS)
        while self.device.read("CPL_PENDING"):
            self.device.completion()
        start = self.device.read("TIME")
        self.device.command("PIN", first=first + SLOTS, count=1, arg=SECOND, tag=9)
        self.settle()
        tag, done, time = self.device.completion()
        self.assertEqual((tag, done.status, time - start), (9, "SUCCESS", 2 * MOVE_NS))
        self.assertEqual(self.device.counter("WRITE_BACKS"), 1)
        for block in range(first, first + SLOTS):
            self.assertEqual(self.device.contents(block), pattern(block + 100))

    def test_write_during_a_fetch_is_kept(self) -> None:
        block = self.written(1)
        self.device.command("PIN", first=block, count=1, arg=SECOND)
        self.machine.clock_step(MOVE_NS // 2)
        self.machine.write(BUFFER, b"new")
        self.device.command("WRITE", first=block, address=BUFFER, offset=100, length=3)
        self.settle()
        expected = pattern(block)[:100] + b"new" + pattern(block)[103:]
        self.assertEqual(self.device.contents(block), expected)
        self.assertEqual(self.device.slot_bytes(self.device.block(block).slot), expected)

    def test_write_during_a_write_back_goes_along(self) -> None:
        block = self.written(1)
        self.device.command("PIN", first=block, count=1, arg=SECOND)
        self.settle()
        self.device.fill(block, pattern(70))
        self.device.command("SEAL", first=block, count=1)
        self.assertEqual(self.device.block(block).state, "WRITING_BACK")
        self.settle()
        self.assertEqual(self.device.backing_bytes(block), pattern(70))

    def test_freed_under_way(self) -> None:
        """An aborted fetch keeps its channel to the end, and changes no byte."""
        block = self.written(1)
        self.device.command("HOT", first=block, count=1, arg=10)
        self.assertEqual(self.device.block(block).state, "FETCHING")
        self.device.command("FREE", first=block, count=1)
        self.assertEqual(self.device.block(block).state, "SCRUBBING")
        self.settle()
        self.assertEqual(self.device.block(block).state, "FREE")
        self.assertEqual(self.device.counter("FETCHES_ABORTED"), 1)
        self.assertEqual(self.device.backing_bytes(block), bytes(BLOCK))
        self.assertEqual(self.machine.read(self.device.fast, SLOTS * BLOCK), bytes(SLOTS * BLOCK))
        self.assertEqual(self.device.read("FAST_FREE"), SLOTS)

    def test_churn_loses_nothing(self) -> None:
        """Many more blocks than slots, pinned and rewritten in turn: every byte is correct."""
        count = 4 * SLOTS
        first = self.written(count)
        version = {block: block for block in range(first, first + count)}
        for round_number in range(3 * count):
            block = first + round_number * 7 % count
            self.assertIn(self.device.command("PIN", first=block, count=1, arg=SECOND).status, ("PENDING", "SUCCESS"))
            self.settle()
            if round_number % 3 == 0:
                version[block] = 1000 + round_number
                self.device.fill(block, pattern(version[block]))
            self.device.command("UNPIN", first=block, count=1)
        for block, content in version.items():
            self.assertEqual(self.device.contents(block), pattern(content))
        self.assertGreater(self.device.counter("WRITE_BACKS"), 0)


class Channels(DeviceTest):
    """Two channels share the link: twice as many moves at a time, each with half the bandwidth."""

    properties = {"dma_channels": 2}

    def test_two_at_a_time_at_half_speed(self) -> None:
        self.device.write("BOOST_LEN", 4 * BLOCK)
        time = 1000 + 2 * (MOVE_NS - 1000)
        for moved in (2, 4):
            self.machine.clock_step(time - 1)
            self.assertEqual(self.device.states(range(4)).count("FAST"), moved - 2)
            self.machine.clock_step(1)
            self.assertEqual(self.device.states(range(4)).count("FAST"), moved)
        self.assertEqual(self.device.counter("LINK_BUSY_NS"), 4 * time)


class NoLatency(DeviceTest):
    """The shortest moves end in virtual time, and never within the register write."""

    properties = {"dma_latency_ns": 0, "dma_bandwidth": 2**63}

    def test_a_nanosecond(self) -> None:
        self.device.write("BOOST_LEN", BLOCK)
        self.assertEqual(self.device.block(0).state, "FETCHING")
        self.machine.clock_step(1)
        self.assertEqual(self.device.block(0).state, "FAST")


class Lru(DeviceTest):
    properties = {"policy": "lru"}

    def test_least_recently_used_leaves(self) -> None:
        first = self.device.alloc(SLOTS + 1)
        for block in range(first, first + SLOTS):
            self.device.command("PIN", first=block, count=1, arg=SECOND)
            self.settle()
            self.device.command("UNPIN", first=block, count=1)
        self.device.contents(first)
        self.device.command("PIN", first=first + SLOTS, count=1, arg=SECOND)
        self.settle()
        self.assertEqual(self.device.states(range(first, first + 3)), ["FAST", "SLOW", "FAST"])
        self.assertEqual(self.device.counter("EVICTED_UNHINTED"), 1)
        self.assertEqual(hw.POLICIES["LRU"], self.device.read("POLICY"))


if __name__ == "__main__":
    main()
