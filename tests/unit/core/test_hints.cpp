// SPDX-License-Identifier: MIT
// What becomes of each hint, under both policies, and of long ones.
#include "suites.h"
#include "test_device.h"

namespace kvcpu_test {

namespace {

constexpr unsigned all_hints[] = {
    KVCPU_OP_STEP,  KVCPU_OP_HOT,     KVCPU_OP_EVICTABLE, KVCPU_OP_PREFETCHABLE, KVCPU_OP_RELEASE,
    KVCPU_OP_SHARE, KVCPU_OP_UNSHARE, KVCPU_OP_SEAL,      KVCPU_OP_TOUCH,        KVCPU_OP_CLEAR};

void expect(const Result &result, unsigned outcome, unsigned reason, uint32_t applied) {
    CU_ASSERT_EQUAL(result.status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(result.outcome(), outcome);
    CU_ASSERT_EQUAL(result.reason(), reason);
    CU_ASSERT_EQUAL(result.value, applied);
}

void each_hint_says_what_became_of_it() {
    TestDevice device;
    device.alloc(4);
    device.command(KVCPU_OP_SHARE, 0, 4);
    for (const unsigned hint : all_hints) {
        if (hint == KVCPU_OP_STEP) {
            continue;
        }
        const auto counter = static_cast<kvcpu_counter>(KVCPU_CNT_HINTS_HOT + hint - KVCPU_OP_HOT);
        const uint64_t before = device.counter(counter);
        expect(device.command(hint, 0, 2), KVCPU_HO_ACCEPTED, KVCPU_HR_NONE, 2);
        expect(device.command(hint, 2, 6), KVCPU_HO_CLIPPED, KVCPU_HR_FOREIGN, 2);
        expect(device.command(hint, 8, 2), KVCPU_HO_IGNORED, KVCPU_HR_FOREIGN, 0);
        expect(device.command(hint, 15, 2), KVCPU_HO_IGNORED, KVCPU_HR_OUTSIDE, 0);
        expect(device.command(hint, 16, 1), KVCPU_HO_IGNORED, KVCPU_HR_OUTSIDE, 0);
        expect(device.command(hint, UINT64_MAX, UINT64_MAX), KVCPU_HO_IGNORED, KVCPU_HR_OUTSIDE, 0);
        expect(device.command(hint, 0, 0), KVCPU_HO_IGNORED, KVCPU_HR_EMPTY, 0);
        CU_ASSERT_EQUAL(device.counter(counter), before + 7);
        device.command(KVCPU_OP_SHARE, 0, 4);
    }
    expect(device.step(5), KVCPU_HO_ACCEPTED, KVCPU_HR_NONE, 0);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINTS_CLIPPED), 9);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINTS_IGNORED), 45);
    CU_ASSERT(device.counter(KVCPU_CNT_HINT_BLOCKS_FOREIGN) > 0);
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_HOT, 0, 1, 0, KVCPU_F_NOW).status, KVCPU_SC_BAD_FIELD);
}

void lru_ignores_what_it_does_not_use() {
    kvcpu_config config = small_config();
    config.policy = KVCPU_POLICY_LRU;
    TestDevice device(config);
    device.alloc(4);
    for (const unsigned hint : all_hints) {
        const bool used = hint == KVCPU_OP_STEP || hint == KVCPU_OP_SHARE ||
                          hint == KVCPU_OP_UNSHARE || hint == KVCPU_OP_SEAL;
        const Result result = device.command(hint, 0, 4, 7);
        CU_ASSERT_EQUAL(result.outcome(), used ? KVCPU_HO_ACCEPTED : KVCPU_HO_IGNORED);
        CU_ASSERT_EQUAL(result.reason(), used ? KVCPU_HR_NONE : KVCPU_HR_POLICY);
    }
    device.run_dry();
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_FAST_FREE), 4);
}

void reference_ranges_touch_every_block_of_theirs() {
    TestDevice device;
    const struct {
        uint64_t address;
        uint64_t length;
        uint64_t blocks;
        unsigned outcome;
    } cases[] = {
        {0, 1, 1, KVCPU_HO_ACCEPTED},
        {4095, 2, 2, KVCPU_HO_ACCEPTED},
        {100, 4096, 2, KVCPU_HO_ACCEPTED},
        {4096, 4096, 1, KVCPU_HO_ACCEPTED},
        {65535, 1, 1, KVCPU_HO_ACCEPTED},
        {65535, 2, 1, KVCPU_HO_CLIPPED},
        {0, UINT64_MAX, 16, KVCPU_HO_CLIPPED},
        {65536, 1, 0, KVCPU_HO_IGNORED},
        {0x7f001000, 12345, 0, KVCPU_HO_IGNORED},
        {UINT64_MAX, UINT64_MAX, 0, KVCPU_HO_IGNORED},
        {0, 0, 0, KVCPU_HO_IGNORED},
    };
    for (const auto &hint : cases) {
        const uint64_t before = device.counter(KVCPU_CNT_HINT_BLOCKS);
        device.write(KVCPU_REG_SHARE_ADDR, hint.address);
        device.write(KVCPU_REG_SHARE_LEN, hint.length);
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINT_BLOCKS) - before, hint.blocks);
        const kvcpu_event &event = device.log.back();
        CU_ASSERT_EQUAL(event.kind, KVCPU_EV_HINT);
        CU_ASSERT_EQUAL(event.status & KVCPU_HINT_OUTCOME_MASK, hint.outcome);
    }
}

void reference_hints_move_blocks() {
    TestDevice device;
    device.write(KVCPU_REG_STEP_ADVANCE, 1);
    device.write(KVCPU_REG_PREFETCH_LEN, 8192);
    device.write(KVCPU_REG_PREFETCH_ADDR, 4096);
    device.write(KVCPU_REG_PREFETCH_STEP, 5);
    device.run(small_move_ns);
    CU_ASSERT(device.is_fast(1) && device.is_fast(2));
    CU_ASSERT_EQUAL(device.block_class(1), KVCPU_VC_PREFETCHED);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_TARGET, 1), 5);
    device.write(KVCPU_REG_BOOST_ADDR, uint64_t{3} * 4096);
    device.write(KVCPU_REG_BOOST_LEN, 1);
    device.run(small_move_ns);
    CU_ASSERT_EQUAL(device.block_class(3), KVCPU_VC_HOT);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_TARGET, 3), 257);
    device.write(KVCPU_REG_IMEVICT_ADDR, 4096);
    device.write(KVCPU_REG_IMEVICT_LEN, 4096);
    CU_ASSERT_EQUAL(device.state(1), KVCPU_BS_FREE);
    device.write(KVCPU_REG_IMEVICT_LEN, 8192); /* again, one more */
    CU_ASSERT_EQUAL(device.state(2), KVCPU_BS_FREE);
}

void foreign_blocks_are_left_alone() {
    TestDevice device;
    device.alloc(2);
    device.write(KVCPU_REG_BOOST_LEN, uint64_t{3} * 4096);
    device.run_dry();
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_SLOW);
    CU_ASSERT_EQUAL(device.state(2), KVCPU_BS_FAST);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINT_BLOCKS_FOREIGN), 2);
    device.context = 2;
    expect(device.command(KVCPU_OP_HOT, 2, 1), KVCPU_HO_IGNORED, KVCPU_HR_FOREIGN, 0);
}

void leases_end_with_steps() {
    TestDevice device;
    device.write(KVCPU_REG_EVICT_THRESH, 0);
    device.step(100);
    device.alloc(3);
    device.command(KVCPU_OP_HOT, 0, 1, 103);
    device.command(KVCPU_OP_HOT, 1, 1, 100); /* ends at once, and counts as a use */
    device.command(KVCPU_OP_PREFETCHABLE, 2, 1, 103);
    device.run_dry();
    CU_ASSERT_EQUAL(device.state(1), KVCPU_BS_SLOW);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_LAST_STEP, 1), 100);
    device.step(102);
    CU_ASSERT_EQUAL(device.block_class(0), KVCPU_VC_HOT);
    device.step(103);
    CU_ASSERT_EQUAL(device.block_class(0), KVCPU_VC_UNHINTED);
    CU_ASSERT_EQUAL(device.block_class(2), KVCPU_VC_PREFETCHED);
    device.step(104);
    CU_ASSERT_EQUAL(device.block_class(2), KVCPU_VC_UNHINTED);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_TARGET, 2), 0);
}

void a_lease_far_ahead_ends_in_time() {
    TestDevice device;
    device.write(KVCPU_REG_EVICT_THRESH, 0);
    device.alloc(2);
    device.command(KVCPU_OP_HOT, 0, 1, 2000);
    device.command(KVCPU_OP_HOT, 1, 1, uint64_t{1} << 62);
    for (uint64_t step = 1; step < 2000; ++step) {
        device.step(step);
        CU_ASSERT_EQUAL(device.block_class(0), KVCPU_VC_HOT);
    }
    device.step(2000);
    CU_ASSERT_EQUAL(device.block_class(0), KVCPU_VC_UNHINTED);
    device.step(uint64_t{1} << 39);
    CU_ASSERT_EQUAL(device.block_class(1), KVCPU_VC_HOT);
    device.step(UINT64_MAX); /* the stored distance is 2^40 */
    CU_ASSERT_EQUAL(device.block_class(1), KVCPU_VC_UNHINTED);
}

void a_new_epoch_keeps_distances() {
    TestDevice device;
    device.write(KVCPU_REG_EVICT_THRESH, 0);
    device.step(1000);
    device.alloc(1);
    device.command(KVCPU_OP_HOT, 0, 1, 1003);
    device.run_dry();
    device.step(7);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_EPOCHS), 1);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_TARGET, 0), 10);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_LAST_STEP, 0), 7);
    device.step(9);
    CU_ASSERT_EQUAL(device.block_class(0), KVCPU_VC_HOT);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_LAST_STEP, 0), 7);
    device.step(10);
    CU_ASSERT_EQUAL(device.block_class(0), KVCPU_VC_UNHINTED);
    device.step(2);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_LAST_STEP, 0), 0); /* before step 0 */
    CU_ASSERT_EQUAL(device.events(KVCPU_EV_EPOCH), 2);
}

void the_latest_hint_wins_and_clear_takes_it_away() {
    TestDevice device;
    device.alloc(5);
    device.demand(4);
    for (uint64_t block = 0; block < 4; ++block) {
        device.command(KVCPU_OP_HOT, block, 1);
    }
    device.run_dry();
    device.command(KVCPU_OP_HOT, 4, 1);
    CU_ASSERT_EQUAL(device.flags(4) & KVCPU_BF_QUEUED, KVCPU_BF_QUEUED);
    for (const unsigned hint : {KVCPU_OP_CLEAR, KVCPU_OP_RELEASE, KVCPU_OP_EVICTABLE}) {
        device.command(KVCPU_OP_PREFETCHABLE, 4, 1, 90);
        CU_ASSERT_EQUAL(device.flags(4) & KVCPU_BF_QUEUED, KVCPU_BF_QUEUED);
        device.command(hint, 4, 1);
        CU_ASSERT_EQUAL(device.flags(4) & KVCPU_BF_QUEUED, 0);
    }
    CU_ASSERT_EQUAL(device.block_class(4), KVCPU_VC_EVICTABLE);
}

void sharers_saturate() {
    TestDevice device;
    device.alloc(1);
    expect(device.command(KVCPU_OP_UNSHARE, 0, 1), KVCPU_HO_IGNORED, KVCPU_HR_SATURATED, 0);
    for (unsigned i = 0; i < 255; ++i) {
        expect(device.command(KVCPU_OP_SHARE, 0, 1), KVCPU_HO_ACCEPTED, KVCPU_HR_NONE, 1);
    }
    expect(device.command(KVCPU_OP_SHARE, 0, 1), KVCPU_HO_IGNORED, KVCPU_HR_SATURATED, 0);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_PLACE, 0) >> KVCPU_BPL_SHARERS_SHIFT,
                    255);
    CU_ASSERT((device.flags(0) & KVCPU_BF_PREFIX) != 0);
}

void long_hints_go_on_by_themselves_and_in_order() {
    kvcpu_config config = small_config();
    config.slow_size = uint64_t{10000} * 4096;
    config.dma_bandwidth = 1'000'000'000'000;
    TestDevice device(config);
    for (int i = 0; i < 3; ++i) {
        device.alloc(4096);
    }
    expect(device.command(KVCPU_OP_SHARE, 0, 10000), KVCPU_HO_DEFERRED, KVCPU_HR_NONE, 4096);
    expect(device.command(KVCPU_OP_UNSHARE, 9999, 1), KVCPU_HO_DEFERRED, KVCPU_HR_NONE, 0);
    expect(device.step(5), KVCPU_HO_DEFERRED, KVCPU_HR_NONE, 0);
    for (int i = 0; i < KVCPU_HINT_QUEUE_MAX - 3; ++i) {
        device.command(KVCPU_OP_TOUCH, 0, 1);
    }
    expect(device.command(KVCPU_OP_TOUCH, 0, 1), KVCPU_HO_IGNORED, KVCPU_HR_QUEUE_FULL, 0);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINT_BLOCKS), 4096);
    device.run(1000);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINT_BLOCKS), 8192);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_STEP_ADVANCE), 0);
    device.run(1000);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINT_BLOCKS), 10000 + 1);
    device.run_dry(); /* the step examines all 10,000 blocks, and the 61 hints wait behind it */
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINT_BLOCKS), 10000 + 1 + 61);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_PLACE, 9999) >> KVCPU_BPL_SHARERS_SHIFT,
                    0);
    CU_ASSERT_EQUAL(device.events(KVCPU_EV_STEP), 1);
    /* CLOSE discards the queued hints of its context. */
    device.command(KVCPU_OP_SHARE, 0, 10000);
    device.command(KVCPU_OP_CLOSE, 0, 0);
    device.run_dry();
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINT_BLOCKS), 10062 + 4096);
}

}  // namespace

void add_hints_suite() {
    Suite("hints")
        .test("each hint says what became of it", each_hint_says_what_became_of_it)
        .test("lru ignores what it does not use", lru_ignores_what_it_does_not_use)
        .test("reference ranges touch every block of theirs",
              reference_ranges_touch_every_block_of_theirs)
        .test("reference hints move blocks", reference_hints_move_blocks)
        .test("foreign blocks are left alone", foreign_blocks_are_left_alone)
        .test("leases end with steps", leases_end_with_steps)
        .test("a lease far ahead ends in time", a_lease_far_ahead_ends_in_time)
        .test("a new epoch keeps distances", a_new_epoch_keeps_distances)
        .test("the latest hint wins, and CLEAR takes it away",
              the_latest_hint_wins_and_clear_takes_it_away)
        .test("sharers saturate", sharers_saturate)
        .test("long hints go on by themselves and in order",
              long_hints_go_on_by_themselves_and_in_order);
}

}  // namespace kvcpu_test
