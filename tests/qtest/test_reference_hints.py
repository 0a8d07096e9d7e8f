#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The reference-compatible registers, in every allowed order, and the moves of blocks."""

import itertools

import hw
from kvcpu import BLOCK, BLOCKS, BUFFER, MOVE_NS, SLOTS, DeviceTest, main, pattern

# (address register, executing register, counter) of the hints with two registers.
PAIRS = [("BOOST_ADDR", "BOOST_LEN", "HINTS_HOT"), ("IMEVICT_ADDR", "IMEVICT_LEN", "HINTS_EVICTABLE"),
         ("SHARE_ADDR", "SHARE_LEN", "HINTS_SHARE")]
SPACE = BLOCKS * BLOCK


class Order(DeviceTest):
    """The write that executes, and its values."""

    def test_only_the_length_executes_a_pair(self) -> None:
        for address, length, counter in PAIRS:
            with self.subTest(hint=counter):
                before = self.device.counters()
                self.device.write(address, 3 * BLOCK)
                self.assert_counts(before)
                self.device.write(length, 2 * BLOCK)
                self.assert_counts(before, **{counter: 1, "HINTS_ACCEPTED": 1, "HINT_BLOCKS": 2})

    def test_length_first_uses_the_address_there_is(self) -> None:
        for address, length, counter in PAIRS:
            with self.subTest(hint=counter):
                self.device.write(address, (BLOCKS - 1) * BLOCK)
                before = self.device.counters()
                self.device.write(length, 2 * BLOCK)
                self.assert_counts(before, **{counter: 1, "HINTS_CLIPPED": 1, "HINT_BLOCKS": 1})
                self.device.write(address, 0)
                self.assert_counts(before, **{counter: 1, "HINTS_CLIPPED": 1, "HINT_BLOCKS": 1})

    def test_the_trigger_again_repeats(self) -> None:
        for address, length, counter in PAIRS:
            with self.subTest(hint=counter):
                self.device.write(address, 5 * BLOCK)
                before = self.device.counters()
                for _ in range(3):
                    self.device.write(length, 1)
                self.assert_counts(before, **{counter: 3, "HINTS_ACCEPTED": 3, "HINT_BLOCKS": 3})

    def test_every_order_of_prefetch(self) -> None:
        """Address, length and step in any order: the step's write executes, with the values of the others."""
        old = {"PREFETCH_ADDR": 0, "PREFETCH_LEN": BLOCK, "PREFETCH_STEP": 0}
        for step, order in enumerate(itertools.permutations(old)):
            with self.subTest(order=order):
                machine_block = 8 * (step + 1)
                new = {"PREFETCH_ADDR": machine_block * BLOCK, "PREFETCH_LEN": 2 * BLOCK, "PREFETCH_STEP": step + 1}
                for name, value in old.items():
                    self.device.write(name, value)
                before, held = self.device.counters(), dict(old)
                for name in order:
                    self.device.write(name, new[name])
                    held[name] = new[name]
                    if name == "PREFETCH_STEP":
                        first, blocks = held["PREFETCH_ADDR"] // BLOCK, held["PREFETCH_LEN"] // BLOCK
                self.assert_counts(before, HINTS_PREFETCHABLE=1, HINTS_ACCEPTED=1, HINT_BLOCKS=blocks)
                for number in range(first, first + blocks):
                    self.assertEqual(self.device.block(number).target, step + 1)

    def test_hints_keep_their_registers_apart(self) -> None:
        """All addresses first, then all triggers: each trigger uses its own registers."""
        for place, address in enumerate(("BOOST_ADDR", "IMEVICT_ADDR", "SHARE_ADDR", "PREFETCH_ADDR")):
            self.device.write(address, place * BLOCK)
        self.device.write("PREFETCH_LEN", BLOCK)
        for trigger, value in (("SHARE_LEN", BLOCK), ("PREFETCH_STEP", 4), ("BOOST_LEN", BLOCK),
                               ("IMEVICT_LEN", BLOCK)):
            self.device.write(trigger, value)
        self.settle()
        self.assertEqual([self.device.block(number).state for number in range(4)], ["FAST", "FREE", "FREE", "FAST"])
        self.assertEqual(self.device.block(2).sharers, 1)
        self.assertEqual(self.device.block(0).victim_class, "HOT")
        self.assertEqual(self.device.block(3).victim_class, "PREFETCHED")

    def test_none_of_it_is_a_command(self) -> None:
        self.device.write("BOOST_LEN", BLOCK)
        self.device.write("STEP_ADVANCE", 1)
        self.assertEqual(self.device.counter("COMMANDS"), 0)
        self.assertEqual(self.device.read("CMD_RESULT"), 0)


class Ranges(DeviceTest):
    """The blocks of a byte range."""

    # address, length, first block, blocks, outcome
    CASES = [(0, 1, 0, 1, "ACCEPTED"), (0, BLOCK, 0, 1, "ACCEPTED"), (0, BLOCK + 1, 0, 2, "ACCEPTED"),
             (BLOCK - 1, 1, 0, 1, "ACCEPTED"), (BLOCK - 1, 2, 0, 2, "ACCEPTED"),
             (5 * BLOCK + 7, 2 * BLOCK, 5, 3, "ACCEPTED"), (0, SPACE, 0, BLOCKS, "ACCEPTED"),
             (SPACE - 1, 1, BLOCKS - 1, 1, "ACCEPTED"), (SPACE - 1, 2, BLOCKS - 1, 1, "CLIPPED"),
             (SPACE - BLOCK, 2**63, BLOCKS - 1, 1, "CLIPPED"), (SPACE, 1, 0, 0, "IGNORED"),
             (0x7F001000, 4096, 0, 0, "IGNORED"), (2**64 - 1, 1, 0, 0, "IGNORED"),
             (2**64 - 1, 2, 0, 0, "IGNORED"), (2**64 - BLOCK, 2 * BLOCK, 0, 0, "IGNORED"),
             (BLOCK, 2**64 - 1, 1, BLOCKS - 1, "CLIPPED"), (0, 2**64 - 1, 0, BLOCKS, "CLIPPED"),
             (0, 0, 0, 0, "IGNORED"), (SPACE, 0, 0, 0, "IGNORED"), (3 * BLOCK, 0, 0, 0, "IGNORED")]

    def test_share(self) -> None:
        """SHARE marks the blocks of the range, and changes nothing else."""
        for address, length, first, count, outcome in self.CASES:
            with self.subTest(address=hex(address), length=hex(length)):
                before = [self.device.block(number).sharers for number in range(BLOCKS)]
                counts = self.device.counters()
                self.device.write("SHARE_ADDR", address)
                self.device.write("SHARE_LEN", length)
                expected = {"HINTS_SHARE": 1, f"HINTS_{outcome}": 1, "HINT_BLOCKS": count}
                self.assert_counts(counts, **{name: value for name, value in expected.items() if value})
                after = [self.device.block(number).sharers for number in range(BLOCKS)]
                touched = [number for number in range(BLOCKS) if after[number] != before[number]]
                self.assertEqual(touched, list(range(first, first + count)))

    def test_the_others_cut_alike(self) -> None:
        for address, length, _, count, outcome in self.CASES:
            for names in (("BOOST_ADDR", "BOOST_LEN", "HINTS_HOT"),
                          ("IMEVICT_ADDR", "IMEVICT_LEN", "HINTS_EVICTABLE")):
                with self.subTest(hint=names[2], address=hex(address), length=hex(length)):
                    counts = self.device.counters()
                    self.device.write(names[0], address)
                    self.device.write(names[1], length)
                    self.assertEqual(self.device.counter("HINT_BLOCKS") - counts["HINT_BLOCKS"], count)
                    self.assertEqual(self.device.counter(f"HINTS_{outcome}") - counts[f"HINTS_{outcome}"], 1)
                    self.assertEqual(self.device.counter(names[2]) - counts[names[2]], 1)

    def test_prefetch_cuts_alike(self) -> None:
        for address, length, _, count, outcome in self.CASES:
            with self.subTest(address=hex(address), length=hex(length)):
                counts = self.device.counters()
                self.device.write("PREFETCH_ADDR", address)
                self.device.write("PREFETCH_LEN", length)
                self.device.write("PREFETCH_STEP", 3)
                self.assertEqual(self.device.counter("HINT_BLOCKS") - counts["HINT_BLOCKS"], count)
                self.assertEqual(self.device.counter(f"HINTS_{outcome}") - counts[f"HINTS_{outcome}"], 1)


class Movement(DeviceTest):
    """Hints move blocks, with their bytes."""

    def boost(self, block: int, count: int = 1) -> None:
        self.device.write("BOOST_ADDR", block * BLOCK)
        self.device.write("BOOST_LEN", count * BLOCK)

    def evict(self, block: int, count: int = 1) -> None:
        self.device.write("IMEVICT_ADDR", block * BLOCK)
        self.device.write("IMEVICT_LEN", count * BLOCK)

    def test_boost_fetches_and_takes_its_time(self) -> None:
        block = self.device.alloc()
        self.device.fill(block, pattern(block))
        before = self.device.counters()
        self.boost(block)
        self.assertEqual(self.device.block(block).state, "FETCHING")
        self.machine.clock_step(MOVE_NS - 1)
        self.assertEqual(self.device.block(block).state, "FETCHING")
        self.assertEqual(self.device.slot_bytes(0, 16), bytes(16))
        self.machine.clock_step(1)
        there = self.device.block(block)
        self.assertEqual((there.state, there.victim_class, there.tier), ("FAST", "HOT", hw.CONST["TIER_HBM"]))
        self.assertEqual(self.device.slot_bytes(there.slot), pattern(block))
        self.assert_counts(before, HINTS_HOT=1, HINTS_ACCEPTED=1, HINT_BLOCKS=1, FETCHES_PREFETCH=1,
                           LINK_BUSY_NS=MOVE_NS)

    def test_evict_of_a_clean_block_is_at_once(self) -> None:
        self.boost(2)
        self.settle()
        before = self.device.counters()
        self.evict(2)
        self.assertEqual(self.device.block(2).state, "FREE")
        self.assertEqual(self.device.read("FAST_FREE"), SLOTS)
        self.assert_counts(before, HINTS_EVICTABLE=1, HINTS_ACCEPTED=1, HINT_BLOCKS=1, EVICTED_EVICTABLE=1,
                           PREFETCH_UNUSED=1)

    def test_evict_of_a_dirty_block_writes_back_first(self) -> None:
        block = self.device.alloc()
        self.device.fill(block, pattern(block))
        self.boost(block)
        self.settle()
        self.device.fill(block, pattern(99))
        self.assertIn("DIRTY", self.device.block(block).flags)
        self.assertEqual(self.device.backing_bytes(block), pattern(block))
        self.evict(block)
        self.assertEqual(self.device.block(block).state, "EVICTING")
        self.machine.clock_step(MOVE_NS - 1)
        self.assertEqual(self.device.backing_bytes(block), pattern(block))
        self.machine.clock_step(1)
        self.assertEqual(self.device.block(block).state, "SLOW")
        self.assertEqual(self.device.backing_bytes(block), pattern(99))
        self.assertEqual(self.device.contents(block), pattern(99))

    def test_prefetch_goes_by_target(self) -> None:
        for block, step in ((10, 9), (11, 3), (12, 6), (13, 1)):
            self.device.write("PREFETCH_ADDR", block * BLOCK)
            self.device.write("PREFETCH_LEN", BLOCK)
            self.device.write("PREFETCH_STEP", step)
        arrived = []
        for _ in range(4):
            self.machine.clock_step(MOVE_NS)
            arrived += [block for block in range(10, 14)
                        if self.device.block(block).state == "FAST" and block not in arrived]
        # The first fetch found the channel idle; of the others, the nearest target is first.
        self.assertEqual(arrived, [10, 13, 11, 12])

    def test_hot_goes_before_prefetches(self) -> None:
        self.device.write("PREFETCH_LEN", 3 * BLOCK)
        self.device.write("PREFETCH_STEP", 1)
        self.boost(20)
        self.machine.clock_step(2 * MOVE_NS)
        self.assertEqual([self.device.block(number).state for number in (0, 1, 2, 20)],
                         ["FAST", "FETCHING", "FREE", "FAST"])

    def test_step_demotes_what_no_hint_protects(self) -> None:
        """With the published thresholds unhinted blocks are evicted; hot blocks stay until their lease ends."""
        block = self.device.alloc(2)
        self.device.command("PIN", first=block, count=2, arg=10**9)
        self.settle()
        self.device.command("UNPIN", first=block, count=2)
        self.boost(block)
        before = self.device.counters()
        self.device.write("STEP_ADVANCE", 1)
        self.assertEqual(self.device.states(range(block, block + 2)), ["FAST", "SLOW"])
        self.assert_counts(before, STEPS=1, HINTS_ACCEPTED=1, EVICTED_UNHINTED=1, DEMOTED_BY_SCORE=1)
        self.device.write("STEP_ADVANCE", 1 + hw.CONST["HOT_LEASE_DEFAULT"])
        self.assertEqual(self.device.block(block).state, "SLOW")

    def test_a_step_back_is_an_epoch(self) -> None:
        self.device.write("STEP_ADVANCE", 100)
        before = self.device.counters()
        self.device.write("STEP_ADVANCE", 7)
        self.assert_counts(before, STEPS=1, EPOCHS=1, HINTS_ACCEPTED=1)
        self.device.write("STEP_ADVANCE", 2**64 - 1)
        self.device.write("STEP_ADVANCE", 0)
        self.assert_counts(before, STEPS=3, EPOCHS=2, HINTS_ACCEPTED=3)

    def test_share_spares_a_prefix(self) -> None:
        self.device.write("SHARE_LEN", BLOCK)
        block = self.device.block(0)
        self.assertEqual((block.sharers, "PREFIX" in block.flags), (1, True))
        self.boost(0)
        self.settle()
        self.device.write("STEP_ADVANCE", 1 + hw.CONST["HOT_LEASE_DEFAULT"])
        self.assertEqual(self.device.block(0).state, "FAST")
        self.assertEqual(self.device.block(0).victim_class, "SHARED")

    def test_sharers_saturate(self) -> None:
        self.device.write("SHARE_ADDR", 6 * BLOCK)
        for _ in range(255):
            self.device.write("SHARE_LEN", 1)
        before = self.device.counters()
        self.device.write("SHARE_LEN", 1)
        self.assert_counts(before, HINTS_SHARE=1, HINTS_IGNORED=1)
        self.assertEqual(self.device.block(6).sharers, 255)

    def test_thresholds_that_work_promote(self) -> None:
        """A used block scores 255·(r + s) + f: above the threshold a STEP fetches it."""
        block = self.device.alloc()
        self.device.fill(block, pattern(block))
        self.device.write("EVICT_THRESH", 1)
        self.device.write("PREFETCH_THRESH", 100)
        self.device.write("STEP_ADVANCE", 1)
        self.assertEqual(self.device.block(block).state, "FETCHING")
        self.settle()
        self.assertEqual(self.device.slot_bytes(self.device.block(block).slot), pattern(block))
        self.assertEqual(self.device.counter("PROMOTED_BY_SCORE"), 1)

    def test_weights_take_effect_at_the_next_step(self) -> None:
        block = self.device.alloc()
        self.device.fill(block, pattern(block))
        self.device.command("PIN", first=block, count=1, arg=10**9)
        self.settle()
        self.device.command("UNPIN", first=block, count=1)
        for name, value in (("WEIGHT_R", 0), ("WEIGHT_F", 0), ("WEIGHT_S", 0), ("WEIGHT_D", 0), ("EVICT_THRESH", 0)):
            self.device.write(name, value)
        self.device.write("STEP_ADVANCE", 1)
        self.assertEqual(self.device.block(block).state, "FAST")
        self.device.write("EVICT_THRESH", 1)
        self.assertEqual(self.device.block(block).state, "FAST")
        self.device.write("STEP_ADVANCE", 2)
        self.assertEqual(self.device.block(block).state, "SLOW")

    def test_the_whole_space_and_back(self) -> None:
        """A range larger than the fast tier: the tier fills up, the rest stays; then all blocks are evicted."""
        self.boost(0, BLOCKS)
        self.settle()
        fast = [number for number in range(BLOCKS) if self.device.block(number).state == "FAST"]
        self.assertEqual(fast, list(range(SLOTS)))
        self.evict(0, BLOCKS)
        self.settle()
        self.assertEqual(self.device.states(range(BLOCKS)), ["FREE"] * BLOCKS)
        self.assertEqual(self.device.read("FAST_FREE"), SLOTS)


class Isolation(DeviceTest):
    def test_other_contexts_blocks_are_left_out(self) -> None:
        mine = self.device.alloc(2, context=1)
        before = self.device.counters()
        self.device.write("BOOST_LEN", 4 * BLOCK)
        self.assert_counts(before, HINTS_HOT=1, HINTS_CLIPPED=1, HINT_BLOCKS=2, HINT_BLOCKS_FOREIGN=2)
        self.settle()
        self.assertEqual(self.device.states(range(mine, mine + 2)), ["SLOW", "SLOW"])
        self.assertEqual(self.device.states(range(2, 4)), ["FAST", "FAST"])

    def test_step_is_of_context_0_alone(self) -> None:
        block = self.device.alloc(context=1)
        self.device.command("PIN", first=block, count=1, arg=10**9, context=1)
        self.settle()
        self.device.command("UNPIN", first=block, count=1, context=1)
        self.device.write("STEP_ADVANCE", 1000)
        self.assertEqual(self.device.block(block).state, "FAST")


class UnderLru(DeviceTest):
    properties = {"policy": "lru"}

    def test_placement_hints_are_ignored_and_counted(self) -> None:
        before = self.device.counters()
        self.device.write("BOOST_LEN", BLOCK)
        self.device.write("IMEVICT_LEN", BLOCK)
        self.device.write("PREFETCH_LEN", BLOCK)
        self.device.write("PREFETCH_STEP", 5)
        self.device.write("SHARE_LEN", BLOCK)
        self.device.write("STEP_ADVANCE", 1)
        self.assert_counts(before, HINTS_HOT=1, HINTS_EVICTABLE=1, HINTS_PREFETCHABLE=1, HINTS_SHARE=1, STEPS=1,
                           HINTS_IGNORED=3, HINTS_ACCEPTED=2, HINT_BLOCKS=1)
        self.settle()
        self.assertEqual(self.device.read("FAST_FREE"), SLOTS)

    def test_policy_can_be_changed_at_run_time(self) -> None:
        self.device.write("POLICY", hw.POLICIES["HEPC"])
        self.device.write("BOOST_LEN", BLOCK)
        self.settle()
        self.assertEqual(self.device.block(0).state, "FAST")
        self.assertEqual(self.machine.read(BUFFER, 1), b"\0")


class LongHints(DeviceTest):
    """Hints of more than one batch continue automatically, and later hints wait behind them."""

    properties = {"slow_size": 3 * 4096 * BLOCK}

    def test_batches(self) -> None:
        budget = hw.CONST["HINT_BUDGET"]
        before = self.device.counters()
        self.device.write("SHARE_LEN", 3 * budget * BLOCK)
        self.assert_counts(before, HINTS_SHARE=1, HINTS_DEFERRED=1, HINT_BLOCKS=budget)
        self.device.write("SHARE_ADDR", 0)
        self.device.write("SHARE_LEN", BLOCK)
        self.assertEqual(self.device.block(0).sharers, 1)
        self.machine.clock_step(1000)
        self.assertEqual(self.device.counter("HINT_BLOCKS"), 2 * budget)
        self.machine.clock_step(10000)
        self.assertEqual(self.device.counter("HINT_BLOCKS"), 3 * budget + 1)
        self.assertEqual(self.device.counter("HINTS_DEFERRED"), 2)
        self.assertEqual(self.device.block(0).sharers, 2)
        self.assertEqual(self.device.block(3 * budget - 1).sharers, 1)

    def test_queue_is_bounded(self) -> None:
        self.device.write("SHARE_LEN", 3 * hw.CONST["HINT_BUDGET"] * BLOCK)
        for _ in range(hw.CONST["HINT_QUEUE_MAX"] + 5):
            self.device.write("SHARE_LEN", BLOCK)
        self.assertGreaterEqual(self.device.counter("HINTS_IGNORED"), 5)
        ignored = self.device.counter("HINTS_IGNORED")
        self.settle()
        self.assertEqual(self.device.block(0).sharers, 1 + hw.CONST["HINT_QUEUE_MAX"] + 5 - ignored)


if __name__ == "__main__":
    main()
