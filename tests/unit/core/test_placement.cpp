// SPDX-License-Identifier: MIT
// The choice of victims, and of the blocks that they make a slot free for.
#include "suites.h"
#include "test_device.h"

namespace kvcpu_test {

namespace {

/* Blocks 0 to 3 in the slots, used in this order; scores have no effect. */
void fill_slots(TestDevice &device) {
    device.write(KVCPU_REG_EVICT_THRESH, 0);
    device.write(KVCPU_REG_PREFETCH_THRESH, 0xffff);
    device.alloc(8);
    for (uint64_t block = 0; block < 8; ++block) {
        device.fill(block, static_cast<uint8_t>(block + 1));
    }
    for (uint64_t block = 0; block < 4; ++block) {
        device.demand(block);
    }
}

void room_is_made_class_by_class() {
    TestDevice device;
    fill_slots(device);
    device.command(KVCPU_OP_HOT, 0, 1);
    device.command(KVCPU_OP_PREFETCHABLE, 1, 1, 50);
    device.command(KVCPU_OP_RELEASE, 3, 1);
    device.command(KVCPU_OP_EVICTABLE, 2, 1);
    for (const uint64_t block : {4U, 5U, 6U}) {
        device.pin(block);
        device.run_dry();
    }
    CU_ASSERT_FALSE(device.is_fast(3) || device.is_fast(2) || device.is_fast(1));
    CU_ASSERT(device.is_fast(0));
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_EVICTED_RELEASED), 1);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_EVICTED_EVICTABLE), 1);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_EVICTED_PREFETCHED), 1);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_PINS_DISPLACED), 0);
    device.pin(7); /* no block of another class is left */
    device.run_dry();
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_EVICTED_HOT), 1);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_PINS_DISPLACED), 1);
    CU_ASSERT_EQUAL(device.events(KVCPU_EV_DISPLACED), 1);
    CU_ASSERT((device.flags(0) & KVCPU_BF_QUEUED) != 0); /* its fetch is queued again */
    device.unpin(4);
    device.run_dry();
    CU_ASSERT(device.is_fast(0));
    CU_ASSERT(device.holds(0, 1));
}

void a_hint_does_not_displace_what_is_protected() {
    TestDevice device;
    fill_slots(device);
    device.step(10);
    device.command(KVCPU_OP_HOT, 0, 1);
    device.command(KVCPU_OP_PREFETCHABLE, 1, 1, 20);
    device.command(KVCPU_OP_PREFETCHABLE, 2, 1, 30);
    device.pin(3);
    device.command(KVCPU_OP_PREFETCHABLE, 4, 1, 30); /* its target is not farther */
    device.run_dry();
    CU_ASSERT_FALSE(device.is_fast(4));
    device.command(KVCPU_OP_PREFETCHABLE, 5, 1, 25);
    device.run_dry();
    CU_ASSERT(device.is_fast(5));
    CU_ASSERT_FALSE(device.is_fast(2)); /* the block with the farthest target */
    device.command(KVCPU_OP_HOT, 6, 1); /* HOT counts as nearer than every target */
    device.run_dry();
    CU_ASSERT(device.is_fast(6));
    CU_ASSERT_FALSE(device.is_fast(5));
    CU_ASSERT(device.is_fast(0) && device.is_fast(1) && device.is_fast(3));
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_PREFETCH_UNUSED), 1);
}

/* All of them are beyond the cap, and a hint requests each: the blocks in slots stay. */
void shared_blocks_are_not_rotated() {
    for (const kvcpu_policy policy : {KVCPU_POLICY_HEPC, KVCPU_POLICY_NEXT_USE}) {
        kvcpu_config config = small_config();
        config.policy = policy;
        TestDevice device(config);
        device.write(KVCPU_REG_SHARED_CAP, 0);
        device.alloc(8);
        for (uint64_t block = 0; block < 8; ++block) {
            device.fill(block, 1);
        }
        device.command(KVCPU_OP_SHARE, 0, 8);
        device.command(KVCPU_OP_HOT, 0, 8, 1000);
        device.run(1'000'000);
        const uint64_t fetched = device.counter(KVCPU_CNT_FETCHES_PREFETCH);
        CU_ASSERT_EQUAL(fetched, 4);
        device.run(1'000'000);
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_FETCHES_PREFETCH), fetched);
    }
}

void shared_blocks_are_spared_up_to_the_cap() {
    TestDevice device;
    fill_slots(device);
    device.write(KVCPU_REG_SHARED_CAP, 2);
    device.command(KVCPU_OP_SHARE, 0, 2);
    device.command(KVCPU_OP_PREFETCHABLE, 4, 1, 50);
    device.command(KVCPU_OP_PREFETCHABLE, 5, 1, 50);
    device.command(KVCPU_OP_PREFETCHABLE, 6, 1, 50);
    device.run_dry();
    CU_ASSERT(device.is_fast(0) && device.is_fast(1)); /* least recently used, and protected */
    CU_ASSERT(device.is_fast(4) && device.is_fast(5));
    CU_ASSERT_FALSE(device.is_fast(6));
    device.write(KVCPU_REG_SHARED_CAP, 1);
    device.run_dry();
    CU_ASSERT(device.is_fast(6));
    CU_ASSERT_FALSE(device.is_fast(0));
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_EVICTED_SHARED), 1);
    device.command(KVCPU_OP_UNSHARE, 1, 1);
    CU_ASSERT_EQUAL(device.block_class(1), KVCPU_VC_UNHINTED);
}

void prefetched_blocks_are_accounted_for() {
    TestDevice device;
    fill_slots(device);
    device.command(KVCPU_OP_PREFETCHABLE, 4, 2, 50);
    device.pin(6);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_PREFETCH_LATE), 0);
    device.pin(4);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_PREFETCH_LATE), 1);
    device.run_dry();
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_FETCHES_PREFETCH), 2);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_PREFETCH_USED), 1);
    CU_ASSERT(device.holds(5, 6));
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_PREFETCH_USED), 2);
    CU_ASSERT_EQUAL(device.block_class(4), KVCPU_VC_PINNED);
}

void scores_demote_and_promote() {
    TestDevice device;
    device.alloc(4);
    for (uint64_t block = 0; block < 4; ++block) {
        device.demand(block);
    }
    device.pin(0);
    device.command(KVCPU_OP_HOT, 1, 1);
    device.command(KVCPU_OP_SHARE, 2, 1);
    device.step(1); /* the published thresholds: each unprotected block is demoted */
    CU_ASSERT(device.is_fast(0) && device.is_fast(1) && device.is_fast(2));
    CU_ASSERT_FALSE(device.is_fast(3));
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_DEMOTED_BY_SCORE), 1);
    device.unpin(0);
    CU_ASSERT(device.is_fast(0)); /* not before the next step */
    device.step(2);
    CU_ASSERT_FALSE(device.is_fast(0));
    device.command(KVCPU_OP_EVICTABLE, 2, 1, 0, KVCPU_F_NOW);
    device.command(KVCPU_OP_CLEAR, 2, 1);
    device.write(KVCPU_REG_PREFETCH_THRESH, 0xc800);
    device.step(3);
    device.run_dry();
    CU_ASSERT(device.is_fast(2)); /* a prefix scores 51,000 and more */
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_PROMOTED_BY_SCORE), 1);
    CU_ASSERT_FALSE(device.is_fast(3));
}

void published_score_of_published_defaults() {
    TestDevice device;
    device.alloc(1);
    CU_ASSERT_EQUAL(device.score(0), 0);
    device.command(KVCPU_OP_TOUCH, 0, 1);
    CU_ASSERT_EQUAL(device.score(0), 255 + 1 + 2 * 255);
    device.command(KVCPU_OP_SHARE, 0, 1);
    CU_ASSERT_EQUAL(device.score(0), 255 + 1 + 510 + 51000);
    device.step(16);
    CU_ASSERT_EQUAL(device.score(0), 127 + 1 + 2 * 239 + 51000);
    device.step(1000);
    CU_ASSERT_EQUAL(device.score(0), 1 + 51000);
    device.write(KVCPU_REG_WEIGHT_D, 0x10001); /* takes effect at the next step */
    CU_ASSERT_EQUAL(device.score(0), 1 + 51000);
    device.step(1001);
    CU_ASSERT_EQUAL(device.score(0), 1 + 255); /* 65,537 x 255 mod 65,536 */
}

void a_change_of_policy_keeps_blocks_in_place() {
    TestDevice device;
    fill_slots(device);
    device.command(KVCPU_OP_RELEASE, 3, 1);
    device.command(KVCPU_OP_HOT, 4, 1, 1000);
    device.run_dry();
    CU_ASSERT_FALSE(device.is_fast(3));
    device.command(KVCPU_OP_RELEASE, 2, 1);
    device.write(KVCPU_REG_POLICY, KVCPU_POLICY_LRU);
    CU_ASSERT_EQUAL(device.block_class(4), KVCPU_VC_UNHINTED);
    device.demand(5);
    CU_ASSERT_FALSE(device.is_fast(0)); /* least recently used */
    CU_ASSERT(device.is_fast(2));
    device.write(KVCPU_REG_POLICY, KVCPU_POLICY_HEPC);
    CU_ASSERT_EQUAL(device.block_class(4), KVCPU_VC_HOT);
    device.demand(6);
    CU_ASSERT_FALSE(device.is_fast(2)); /* still released */
    device.step(1000);
    CU_ASSERT_EQUAL(device.block_class(4), KVCPU_VC_UNHINTED);
    CU_ASSERT_EQUAL(device.events(KVCPU_EV_POLICY), 2);
    device.write(KVCPU_REG_POLICY, KVCPU_POLICY_HEPC);
    CU_ASSERT_EQUAL(device.events(KVCPU_EV_POLICY), 2);
}

}  // namespace

void add_placement_suite() {
    Suite("placement")
        .test("room is made class by class", room_is_made_class_by_class)
        .test("a hint does not displace what is protected",
              a_hint_does_not_displace_what_is_protected)
        .test("shared blocks are spared up to the cap", shared_blocks_are_spared_up_to_the_cap)
        .test("shared blocks are not rotated", shared_blocks_are_not_rotated)
        .test("prefetched blocks are accounted for", prefetched_blocks_are_accounted_for)
        .test("scores demote and promote", scores_demote_and_promote)
        .test("the published score of the published defaults",
              published_score_of_published_defaults)
        .test("a change of policy keeps blocks in place", a_change_of_policy_keeps_blocks_in_place);
}

}  // namespace kvcpu_test
