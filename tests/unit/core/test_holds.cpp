// SPDX-License-Identifier: MIT
// Holds: what they keep in place, how a block is asked back, and every crossing.
#include <algorithm>

#include "suites.h"
#include "test_device.h"
#include "test_ring.h"

namespace kvcpu_test {

namespace {

Result hold(TestDevice &device, uint64_t block, unsigned flags = 0, uint64_t arg = 0) {
    return device.command(KVCPU_OP_HOLD, block, 1, arg, flags);
}
unsigned unhold(TestDevice &device, uint64_t block, uint64_t count = 1, unsigned flags = 0) {
    return device.command(KVCPU_OP_UNHOLD, block, count, 0, flags).status;
}
bool is_revoking(TestDevice &device, uint64_t block) {
    return (device.flags(block) & KVCPU_BF_REVOKING) != 0;
}
/* `count` blocks, written, in the slow tier. */
void own(TestDevice &device, uint64_t count) {
    device.alloc(count);
    for (uint64_t block = 0; block < count; ++block) {
        device.fill(block, static_cast<uint8_t>(block + 1));
    }
}
/* The same, 0 to 3 in the four slots, used in this order. */
void own_fast(TestDevice &device, uint64_t count = 8) {
    own(device, count);
    for (uint64_t block = 0; block < 4; ++block) {
        device.demand(block);
    }
}

void a_hold_says_where_the_block_is() {
    TestDevice device;
    own(device, 4);
    device.demand(1);
    Result result = hold(device, 0);
    CU_ASSERT_EQUAL(result.status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(result.value, KVCPU_NO_SLOT);
    CU_ASSERT_EQUAL(result.aux, 1);
    result = hold(device, 1, KVCPU_F_WRITE);
    CU_ASSERT_EQUAL(result.value, device.slot(1));
    CU_ASSERT_EQUAL(hold(device, 1).status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_HOLDS, 1),
                    uint64_t{1} | uint64_t{1} << 16 | uint64_t{1} << 32);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_HOLDS, 2), 0);
    CU_ASSERT_EQUAL(device.flags(1) & (KVCPU_BF_HELD | KVCPU_BF_WRITE_HELD | KVCPU_BF_DIRTY),
                    KVCPU_BF_HELD | KVCPU_BF_WRITE_HELD | KVCPU_BF_DIRTY);
    device.write(KVCPU_REG_CONTEXT_SELECT, 1);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CONTEXT_WAITS) >> KVCPU_CXW_HELD_SHIFT, 2);
    CU_ASSERT_EQUAL(unhold(device, 1, 1, KVCPU_F_WRITE), KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(device.flags(1) & KVCPU_BF_WRITE_HELD, 0);
    CU_ASSERT_EQUAL(unhold(device, 0, 2), KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CONTEXT_WAITS) >> KVCPU_CXW_HELD_SHIFT, 0);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HOLDS), 3);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_UNHOLDS), 2);
}

void holds_are_checked() {
    TestDevice device;
    own(device, 4);
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_HOLD, 0, 2).status, KVCPU_SC_BAD_RANGE);
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_HOLD, 16, 1).status, KVCPU_SC_BAD_RANGE);
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_HOLD, 0, 0).status, KVCPU_SC_BAD_RANGE);
    CU_ASSERT_EQUAL(hold(device, 0, 0, uint64_t{1} << 33).status, KVCPU_SC_BAD_FIELD);
    CU_ASSERT_EQUAL(hold(device, 5).status, KVCPU_SC_NOT_OWNER);
    device.context = 2;
    CU_ASSERT_EQUAL(hold(device, 0).status, KVCPU_SC_NOT_OWNER);
    device.context = 1;
    CU_ASSERT_EQUAL(hold(device, 0, 0, uint64_t{1} << 32 | 2).status, KVCPU_SC_STALE);
    CU_ASSERT_EQUAL(hold(device, 0, 0, uint64_t{1} << 32 | 1).status, KVCPU_SC_SUCCESS);
    device.command(KVCPU_OP_SEAL, 1, 1);
    CU_ASSERT_EQUAL(hold(device, 1, KVCPU_F_WRITE).status, KVCPU_SC_SEALED);
    CU_ASSERT_EQUAL(hold(device, 1).status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(unhold(device, 1, 1, KVCPU_F_WRITE), KVCPU_SC_NOT_HELD);
    CU_ASSERT_EQUAL(unhold(device, 0, 3), KVCPU_SC_NOT_HELD); /* all or nothing */
    CU_ASSERT_EQUAL(unhold(device, 0, 5000), KVCPU_SC_BAD_RANGE);
    device.context = 3; /* the context is not checked */
    CU_ASSERT_EQUAL(unhold(device, 0, 2), KVCPU_SC_SUCCESS);
    device.context = 1;
    for (unsigned i = 0; i < KVCPU_HOLDS_MAX; ++i) {
        hold(device, 2);
    }
    CU_ASSERT_EQUAL(hold(device, 2).status, KVCPU_SC_CLAIM_LIMIT);
    CU_ASSERT_EQUAL(hold(device, 2, KVCPU_F_WRITE).status, KVCPU_SC_SUCCESS);
}

/* One REVOKE is sent, for the least valuable block, and no other block is evicted meanwhile. */
void a_held_victim_is_revoked() {
    TestDevice device;
    Events events(device);
    events.open();
    own_fast(device);
    hold(device, 0, KVCPU_F_WRITE);
    for (uint64_t block = 1; block < 4; ++block) {
        device.command(KVCPU_OP_TOUCH, block, 1); /* HOLD is a use: 0 is now the oldest */
    }
    device.pin(4, 1, 1'000'000, 9);
    CU_ASSERT(is_revoking(device, 0));
    std::vector<Notice> notices = events.take();
    CU_ASSERT_EQUAL_FATAL(notices.size(), 1);
    CU_ASSERT_EQUAL(notices[0].block, 0);
    CU_ASSERT_EQUAL(notices[0].detail, KVCPU_RV_SLOT);
    device.run(50'000);
    CU_ASSERT_EQUAL(events.look().size(), 0);
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_FAST);
    CU_ASSERT_EQUAL(device.state(1), KVCPU_BS_FAST);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_EVICTED_UNHINTED), 0);
    hold(device, 0); /* granted as usual */
    unhold(device, 0, 1, KVCPU_F_WRITE);
    CU_ASSERT(is_revoking(device, 0));
    unhold(device, 0);
    CU_ASSERT_FALSE(is_revoking(device, 0));
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_FAST); /* the order is by last use: 1 is older now */
    CU_ASSERT_EQUAL(device.state(1), KVCPU_BS_SLOW);
    device.run_dry();
    CU_ASSERT_EQUAL(device.completions().at(0).tag, 9);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_REVOKES), 1);
}

void as_many_are_revoked_as_slots_are_needed() {
    TestDevice device;
    Events events(device);
    events.open();
    own_fast(device);
    for (uint64_t block = 0; block < 4; ++block) {
        hold(device, block);
    }
    device.pin(4, 2, 1'000'000);
    CU_ASSERT_EQUAL(events.take().size(), 2);
    CU_ASSERT(is_revoking(device, 0) && is_revoking(device, 1));
    unhold(device, 0);
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_SLOW);
    CU_ASSERT_EQUAL(device.state(4), KVCPU_BS_FETCHING);
    device.command(KVCPU_OP_CANCEL, 0, 0, 0); /* the other slot is not needed any more */
    unhold(device, 1);
    CU_ASSERT_EQUAL(device.state(1), KVCPU_BS_FAST);
    device.run_dry();
    CU_ASSERT_EQUAL(events.look().size(), 0);
}

/* A PIN keeps the block: a REVOKE is sent for another block. */
void a_claim_overtakes_the_revocation() {
    TestDevice device;
    Events events(device);
    events.open();
    own_fast(device);
    hold(device, 0);
    hold(device, 1);
    device.command(KVCPU_OP_TOUCH, 2, 2);
    device.pin(4, 1, 1'000'000);
    CU_ASSERT(is_revoking(device, 0));
    CU_ASSERT_EQUAL(device.pin(0).status, KVCPU_SC_SUCCESS);
    CU_ASSERT(is_revoking(device, 1));
    unhold(device, 0);
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_FAST);
    unhold(device, 1);
    CU_ASSERT_EQUAL(device.state(1), KVCPU_BS_SLOW);
}

void a_pin_requests_what_is_held_in_the_slow_tier() {
    TestDevice device;
    Events events(device);
    events.open();
    own(device, 4);
    hold(device, 0);
    hold(device, 2);
    device.pin(0, 3, 1'000'000, 5);
    std::vector<Notice> notices = events.take();
    CU_ASSERT_EQUAL_FATAL(notices.size(), 2);
    CU_ASSERT_EQUAL(notices[0].detail, KVCPU_RV_FETCH);
    CU_ASSERT_EQUAL(notices[1].block, 2);
    CU_ASSERT_EQUAL(device.state(1), KVCPU_BS_FETCHING);
    device.run(2 * small_move_ns);
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_SLOW);
    unhold(device, 0);
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_FETCHING);
    hold(device, 2);
    CU_ASSERT_EQUAL(events.look().size(), 0); /* a REVOKE was sent already */
    unhold(device, 2);
    unhold(device, 2);
    hold(device, 3);
    device.run_dry();
    CU_ASSERT_EQUAL(device.completions().at(0).tag, 5);
    device.pin(3, 1, 1000, 6);
    CU_ASSERT_EQUAL(events.take().size(), 1);
    device.run(1000);
    CU_ASSERT_EQUAL(device.completions().at(0).result.status, KVCPU_SC_TIMED_OUT);
    unhold(device, 3);
    CU_ASSERT_EQUAL(device.state(3), KVCPU_BS_SLOW); /* no PIN needs it any more */
}

/* A hold that is granted while a PIN waits for the block is revoked at once. */
void a_hold_under_a_waiting_pin() {
    TestDevice device;
    Events events(device);
    events.open();
    own(device, 8);
    device.pin(0, 4, 1'000'000); /* two on channels, two to follow */
    CU_ASSERT_EQUAL(hold(device, 3).status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(events.take().at(0).block, 3);
    device.run(100'000);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CPL_PENDING), 0);
    unhold(device, 3);
    device.run_dry();
    CU_ASSERT_EQUAL(device.completions().size(), 1);
}

void hints_ask_for_one_block_a_channel() {
    TestDevice device;
    Events events(device);
    events.open();
    own(device, 8);
    for (uint64_t block = 0; block < 4; ++block) {
        hold(device, block);
    }
    device.command(KVCPU_OP_PREFETCHABLE, 3, 1, 5); /* the nearest */
    device.command(KVCPU_OP_PREFETCHABLE, 0, 3, 9);
    device.command(KVCPU_OP_PREFETCHABLE, 4, 1, 20); /* not delayed by other fetches */
    CU_ASSERT_EQUAL(device.state(4), KVCPU_BS_FETCHING);
    std::vector<Notice> notices = events.take();
    CU_ASSERT_EQUAL_FATAL(notices.size(), 2);
    CU_ASSERT_EQUAL(notices[0].block, 3);
    CU_ASSERT_EQUAL(notices[1].block, 0);
    CU_ASSERT_EQUAL(device.flags(1) & KVCPU_BF_QUEUED, KVCPU_BF_QUEUED);
    unhold(device, 3);
    CU_ASSERT_EQUAL(device.state(3), KVCPU_BS_FETCHING);
    CU_ASSERT_EQUAL(events.take().at(0).block, 1);
    device.run(small_move_ns);
    CU_ASSERT_EQUAL(events.take().size(), 0); /* two REVOKEs */
    unhold(device, 0, 3);
    device.run_dry();
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_FETCHES_PREFETCH), 5);
    CU_ASSERT_EQUAL(device.state(2), KVCPU_BS_FAST);
    CU_ASSERT_EQUAL(device.state(4), KVCPU_BS_SLOW); /* farthest target: evicted */
}

/* A REVOKE would be useless, as no slot can be freed for the block. */
void hints_do_not_ask_in_vain() {
    TestDevice device;
    own_fast(device);
    device.pin(0, 4);
    hold(device, 5);
    device.command(KVCPU_OP_HOT, 5, 1);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_REVOKES), 0);
    device.unpin(0, 4);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_REVOKES), 1);
}

void evictable_now_is_remembered() {
    TestDevice device;
    Events events(device);
    events.open();
    own_fast(device);
    hold(device, 0, KVCPU_F_WRITE);
    hold(device, 1);
    device.command(KVCPU_OP_EVICTABLE, 0, 2, 0, KVCPU_F_NOW);
    std::vector<Notice> notices = events.take();
    CU_ASSERT_EQUAL_FATAL(notices.size(), 2);
    CU_ASSERT_EQUAL(notices[0].detail, KVCPU_RV_EVICT);
    device.command(KVCPU_OP_CLEAR, 1, 1); /* the hint is removed */
    unhold(device, 0, 1, KVCPU_F_WRITE);
    unhold(device, 1);
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_EVICTING);
    CU_ASSERT_EQUAL(device.state(1), KVCPU_BS_FAST);
    device.run_dry();
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_SLOW);
    CU_ASSERT(device.holds(0, 1));
}

void a_score_demotes_after_the_hold() {
    TestDevice device;
    own_fast(device);
    hold(device, 0);
    device.write(KVCPU_REG_EVICT_THRESH, 0xffff);
    device.step(1);
    CU_ASSERT(is_revoking(device, 0));
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_DEMOTED_BY_SCORE), 3);
    unhold(device, 0);
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_FAST);
    device.step(2);
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_SLOW);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_DEMOTED_BY_SCORE), 4);
}

/* -- Holds and moves ------------------------------------------------------- */

void a_hold_waits_for_the_fetch() {
    TestDevice device;
    own(device, 4);
    device.command(KVCPU_OP_HOT, 0, 1);
    device.write(KVCPU_REG_CMD_TAG, 31);
    CU_ASSERT_EQUAL(hold(device, 0).status, KVCPU_SC_PENDING);
    CU_ASSERT_EQUAL(hold(device, 0, KVCPU_F_WRITE).status, KVCPU_SC_PENDING);
    device.run(small_move_ns);
    const std::vector<Completion> done = device.completions();
    CU_ASSERT_EQUAL_FATAL(done.size(), 2);
    CU_ASSERT_EQUAL(done[0].tag, 31);
    CU_ASSERT_EQUAL(done[0].result.status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(done[0].result.value, device.slot(0));
    CU_ASSERT_EQUAL(done[0].result.aux, 1);
    CU_ASSERT_EQUAL(done[0].time_ns, small_move_ns);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HOLDS_WAITED), 2);
}

void a_hold_waits_for_a_block_that_leaves() {
    TestDevice device;
    own_fast(device);
    device.fill(0, 9);
    device.command(KVCPU_OP_EVICTABLE, 0, 1, 0, KVCPU_F_NOW); /* on a channel */
    CU_ASSERT_EQUAL(hold(device, 0).status, KVCPU_SC_PENDING);
    device.run(small_move_ns);
    const std::vector<Completion> done = device.completions();
    CU_ASSERT_EQUAL_FATAL(done.size(), 1);
    CU_ASSERT_EQUAL(done[0].result.value, KVCPU_NO_SLOT);
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_SLOW);
}

/* The PIN that needed the slot is cancelled, so the block can stay. */
void a_hold_waits_while_the_slot_is_wanted() {
    TestDevice device;
    own_fast(device);
    for (uint64_t block = 0; block < 3; ++block) {
        device.fill(block, 9);
    }
    device.command(KVCPU_OP_TOUCH, 3, 1);
    device.pin(4, 3, 1'000'000, 7); /* 0 and 1 on channels; 2 waits for one, and 6 for its slot */
    CU_ASSERT_EQUAL(device.state(2), KVCPU_BS_EVICTING);
    CU_ASSERT_EQUAL(hold(device, 2).status, KVCPU_SC_PENDING);
    device.command(KVCPU_OP_CANCEL, 0, 0, 7);
    CU_ASSERT_EQUAL(device.state(2), KVCPU_BS_FAST);
    CU_ASSERT_EQUAL(device.completions().size(), 2);
    CU_ASSERT_EQUAL(device.flags(2) & KVCPU_BF_HELD, KVCPU_BF_HELD);
    device.run_dry();
    CU_ASSERT_EQUAL(device.state(2), KVCPU_BS_FAST);
}

void waiting_holds_end_with_what_they_wait_for() {
    TestDevice device;
    Ring admin(device, 0);
    admin.open();
    own(device, 4);
    device.command(KVCPU_OP_HOT, 0, 2);
    CU_ASSERT_EQUAL(hold(device, 0).status, KVCPU_SC_PENDING);
    device.free(0);
    CU_ASSERT_EQUAL(device.completions().at(0).result.status, KVCPU_SC_NOT_OWNER);
    hold(device, 1, KVCPU_F_WRITE);
    device.command(KVCPU_OP_SEAL, 1, 1);
    device.run(small_move_ns);
    CU_ASSERT_EQUAL(device.completions().at(0).result.status, KVCPU_SC_SEALED);
    device.command(KVCPU_OP_HOT, 2, 2);
    admin.push({2, 1, 0, 0, 0, 0, 4, uint64_t{1} << 32 | KVCPU_F_COMPLETE << 16 | KVCPU_OP_HOLD});
    admin.advance_tail();
    CU_ASSERT_EQUAL(admin.look().size(), 0);
    device.write(KVCPU_REG_QUEUE_ENABLE, 0);
    CU_ASSERT_EQUAL(hold(device, 3).status, KVCPU_SC_PENDING);
    device.command(KVCPU_OP_CLOSE, 0, 0);
    CU_ASSERT_EQUAL(device.completions().at(0).result.status, KVCPU_SC_CANCELLED);
    device.run_dry();
    CU_ASSERT_EQUAL(admin.look().size(), 0);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS_FREE), 16);
}

/* The device cannot detect stores through a mapping, so a written-back copy may be outdated. */
void a_write_back_does_not_clean_what_is_being_written() {
    TestDevice device;
    own_fast(device);
    device.fill(0, 9);
    device.command(KVCPU_OP_EVICTABLE, 0, 1); /* in the background; the block keeps its slot */
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_WRITING_BACK);
    CU_ASSERT_EQUAL(hold(device, 0, KVCPU_F_WRITE).status, KVCPU_SC_SUCCESS);
    device.run(small_move_ns);
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_FAST);
    CU_ASSERT_EQUAL(device.flags(0) & KVCPU_BF_DIRTY, KVCPU_BF_DIRTY);
    device.fast.at(device.slot(0) * 4096) = 0x77; /* the process stores */
    device.command(KVCPU_OP_EVICTABLE, 0, 1);
    CU_ASSERT(is_revoking(device, 0)); /* CLEAN: not with a WRITE hold */
    unhold(device, 0, 1, KVCPU_F_WRITE);
    device.run(small_move_ns);
    CU_ASSERT_EQUAL(device.flags(0) & KVCPU_BF_DIRTY, 0);
    CU_ASSERT_EQUAL(device.slow.at(0), 0x77);
}

void a_write_hold_makes_a_block_written() {
    TestDevice device;
    device.alloc(2);
    CU_ASSERT_EQUAL(hold(device, 0, KVCPU_F_WRITE).value, KVCPU_NO_SLOT);
    device.slow.at(5) = 0x66;
    unhold(device, 0, 1, KVCPU_F_WRITE);
    CU_ASSERT_EQUAL(device.flags(0) & KVCPU_BF_WRITTEN, KVCPU_BF_WRITTEN);
    device.pin(0);
    device.run_dry();
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_FETCHES_DEMAND), 1); /* not zero-filled */
    CU_ASSERT_EQUAL(device.fast.at(device.slot(0) * 4096 + 5), 0x66);
    device.unpin(0);
    device.free(0);
    device.run_dry();
    CU_ASSERT_EQUAL(device.slow.at(5), 0);
}

void seal_takes_write_holds_away() {
    TestDevice device;
    Events events(device);
    events.open();
    own_fast(device);
    hold(device, 0, KVCPU_F_WRITE);
    hold(device, 5, KVCPU_F_WRITE); /* in the slow tier */
    hold(device, 1);
    device.command(KVCPU_OP_SEAL, 0, 6);
    const std::vector<Notice> notices = events.take();
    CU_ASSERT_EQUAL_FATAL(notices.size(), 2);
    CU_ASSERT_EQUAL(notices[0].detail, KVCPU_RV_SEALED);
    CU_ASSERT_EQUAL(notices[1].block, 5);
    device.fast.at(device.slot(0) * 4096) = 0x55;
    unhold(device, 0, 1, KVCPU_F_WRITE);
    CU_ASSERT_EQUAL(hold(device, 0, KVCPU_F_WRITE).status, KVCPU_SC_SEALED);
    device.run_dry(); /* written back now; the block keeps its slot */
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_FAST);
    CU_ASSERT_EQUAL(device.flags(0) & KVCPU_BF_DIRTY, 0);
    CU_ASSERT_EQUAL(device.slow.at(0), 0x55);
}

/* -- Holds and owners ------------------------------------------------------ */

void a_freed_block_is_scrubbed_after_its_holds() {
    TestDevice device;
    Events events(device);
    events.open();
    own_fast(device);
    hold(device, 0);
    hold(device, 6, KVCPU_F_WRITE);
    hold(device, 6, KVCPU_F_WRITE);
    device.fill(1, 7);
    device.command(KVCPU_OP_EVICTABLE, 1, 1);
    hold(device, 1); /* while it is written back */
    device.free(0, 2);
    device.free(6);
    CU_ASSERT_EQUAL(events.take().size(), 3);
    device.run_dry();
    for (const uint64_t block : {0ULL, 1ULL, 6ULL}) {
        CU_ASSERT_EQUAL(device.state(block), KVCPU_BS_SCRUBBING);
        CU_ASSERT_EQUAL(hold(device, block).status, KVCPU_SC_NOT_OWNER);
    }
    CU_ASSERT_EQUAL(device.fast.at(0), 1); /* still visible through the mapping */
    unhold(device, 0, 2);
    unhold(device, 6, 1, KVCPU_F_WRITE);
    device.run_dry();
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_FREE);
    CU_ASSERT_EQUAL(device.state(1), KVCPU_BS_FREE);
    CU_ASSERT_EQUAL(device.state(6), KVCPU_BS_SCRUBBING);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS_FREE), 10);
    unhold(device, 6, 1, KVCPU_F_WRITE);
    device.run_dry();
    CU_ASSERT_EQUAL(device.state(6), KVCPU_BS_FREE);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_FAST_FREE), 2);
}

void close_gives_all_holds_back() {
    TestDevice device;
    own_fast(device);
    hold(device, 0);
    hold(device, 0, KVCPU_F_WRITE);
    hold(device, 3);
    hold(device, 5);
    device.free(3);
    device.context = 2;
    device.alloc(1);
    hold(device, 8);
    device.context = 1;
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_CLOSE, 0, 0).status, KVCPU_SC_PENDING);
    CU_ASSERT_EQUAL(device.completions().size(), 1);
    device.run_dry();
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS_FREE), 15);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_FAST_FREE), 4);
    CU_ASSERT_EQUAL(device.flags(8) & KVCPU_BF_HELD, KVCPU_BF_HELD);
    CU_ASSERT_EQUAL(unhold(device, 0), KVCPU_SC_NOT_HELD);
    CU_ASSERT(std::all_of(device.slow.begin(), device.slow.end(),
                          [](uint8_t byte) { return byte == 0; }));
}

void a_reset_forgets_holds() {
    TestDevice device;
    Events events(device);
    events.open();
    own_fast(device);
    hold(device, 0);
    hold(device, 5, KVCPU_F_WRITE);
    device.free(0);
    device.pin(4);
    kvcpu_core_reset(device.core, KVCPU_RESET_FUNCTION);
    device.run_dry();
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS_FREE), 16);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_FAST_FREE), 4);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_HOLDS, 5), 0);
    own_fast(device);
    device.pin(4);
    device.run_dry();
    CU_ASSERT_EQUAL(device.completions().size(), 1); /* no REVOKE is sent */
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_REVOKES), 0);
}

}  // namespace

void add_holds_suite() {
    Suite("holds")
        .test("a hold says where the block is", a_hold_says_where_the_block_is)
        .test("holds are checked", holds_are_checked)
        .test("a held victim is revoked", a_held_victim_is_revoked)
        .test("as many are revoked as slots are needed", as_many_are_revoked_as_slots_are_needed)
        .test("a claim overtakes the revocation", a_claim_overtakes_the_revocation)
        .test("a PIN requests what is held in the slow tier",
              a_pin_requests_what_is_held_in_the_slow_tier)
        .test("a hold under a waiting PIN", a_hold_under_a_waiting_pin)
        .test("hints ask for one block a channel", hints_ask_for_one_block_a_channel)
        .test("hints do not ask in vain", hints_do_not_ask_in_vain)
        .test("EVICTABLE now is remembered", evictable_now_is_remembered)
        .test("a score demotes after the hold", a_score_demotes_after_the_hold)
        .test("a hold waits for the fetch", a_hold_waits_for_the_fetch)
        .test("a hold waits for a block that leaves", a_hold_waits_for_a_block_that_leaves)
        .test("a hold waits while the slot is wanted", a_hold_waits_while_the_slot_is_wanted)
        .test("waiting holds end with what they wait for",
              waiting_holds_end_with_what_they_wait_for)
        .test("a write-back does not clean what is being written",
              a_write_back_does_not_clean_what_is_being_written)
        .test("a WRITE hold makes a block written", a_write_hold_makes_a_block_written)
        .test("SEAL takes WRITE holds away", seal_takes_write_holds_away)
        .test("a freed block is scrubbed after its holds",
              a_freed_block_is_scrubbed_after_its_holds)
        .test("CLOSE gives all holds back", close_gives_all_holds_back)
        .test("a reset forgets holds", a_reset_forgets_holds);
}

}  // namespace kvcpu_test
