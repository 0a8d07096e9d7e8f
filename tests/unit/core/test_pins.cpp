// SPDX-License-Identifier: MIT
// PIN and UNPIN: claims, waiting, deadlines, cancellation, and that nothing deadlocks.
#include "suites.h"
#include "test_device.h"

namespace kvcpu_test {

namespace {

void a_pin_waits_until_all_is_there() {
    TestDevice device;
    device.alloc(3);
    device.fill(0, 1);
    device.fill(1, 2);
    device.fill(2, 3);
    const Result result = device.pin(0, 3, 1'000'000, 42);
    CU_ASSERT_EQUAL(result.status, KVCPU_SC_PENDING);
    CU_ASSERT_EQUAL(result.aux, 0);
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_FETCHING);
    device.run(small_move_ns); /* two of three, on two channels */
    CU_ASSERT_EQUAL(device.state(1), KVCPU_BS_FAST);
    CU_ASSERT_EQUAL(device.block_class(1), KVCPU_VC_UNHINTED); /* not pinned while it waits */
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CPL_PENDING), 0);
    device.run(small_move_ns);
    const std::vector<Completion> done = device.completions();
    CU_ASSERT_EQUAL_FATAL(done.size(), 1);
    CU_ASSERT_EQUAL(done[0].tag, 42);
    CU_ASSERT_EQUAL(done[0].result.status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(done[0].time_ns, 2 * small_move_ns);
    CU_ASSERT_EQUAL(device.interrupts, 1);
    CU_ASSERT_EQUAL(device.block_class(1), KVCPU_VC_PINNED);
    const Result again = device.pin(1, 2);
    CU_ASSERT_EQUAL(again.status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(again.aux, 2);
    CU_ASSERT_EQUAL((device.block_register(KVCPU_REG_BLOCK_PLACE, 1) >> 32) & 0xffff, 2);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_PINS), 2);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_PINS_WAITED), 1);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_FETCHES_DEMAND), 3);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_LINK_BUSY_NS), 3 * small_move_ns);
}

void blocks_never_written_are_zero_filled() {
    TestDevice device;
    std::fill(device.fast.begin(), device.fast.end(), 0xee); /* bytes of the previous block */
    device.alloc(2);
    device.pin(0, 2);
    device.run(uint64_t{2} * 128);
    CU_ASSERT_EQUAL(device.completions().size(), 1);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_ZERO_FILLS), 2);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_FETCHES_DEMAND), 0);
    CU_ASSERT(device.holds(0, 0));
}

void a_write_during_the_zero_fill_is_kept() {
    TestDevice device;
    device.alloc(2);
    device.pin(0, 2);
    device.run(64); /* 0 is half filled, 1 waits for the scrubber */
    device.fill(0, 7);
    device.fill(1, 8);
    device.run_dry();
    CU_ASSERT_EQUAL(device.completions().size(), 1);
    CU_ASSERT(device.holds(0, 7));
    CU_ASSERT(device.holds(1, 8));
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_FETCHES_DEMAND), 1);
}

void deadlines_pass() {
    TestDevice device;
    device.alloc(5);
    device.pin(0, 4);
    device.run_dry();
    device.completions();
    CU_ASSERT_EQUAL(device.pin(4, 1, 5000, 9).status, KVCPU_SC_PENDING); /* no slot can be freed */
    device.run(4999);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CPL_PENDING), 0);
    device.run(1);
    const std::vector<Completion> done = device.completions();
    CU_ASSERT_EQUAL_FATAL(done.size(), 1);
    CU_ASSERT_EQUAL(done[0].result.status, KVCPU_SC_TIMED_OUT);
    CU_ASSERT_EQUAL(device.status_counter(KVCPU_SC_TIMED_OUT), 1);
    device.unpin(0);
    CU_ASSERT_EQUAL(device.state(4), KVCPU_BS_SLOW); /* no PIN needs it any more */
    CU_ASSERT_EQUAL(device.pin(0, 1, 0).status, KVCPU_SC_BAD_FIELD);
    CU_ASSERT_EQUAL(device.pin(0, 1, KVCPU_PIN_DEADLINE_MAX_NS + 1).status, KVCPU_SC_BAD_FIELD);
    CU_ASSERT_EQUAL(device.pin(0, 5).status, KVCPU_SC_NO_SLOTS);
}

void a_deadline_at_the_instant_of_arrival_is_met() {
    TestDevice device;
    device.alloc(1);
    device.fill(0, 1);
    device.pin(0, 1, small_move_ns);
    device.run_dry();
    CU_ASSERT_EQUAL(device.completions().at(0).result.status, KVCPU_SC_SUCCESS);
}

void cancel_ends_the_oldest_of_that_tag() {
    TestDevice device;
    device.alloc(6);
    device.pin(0, 4);
    device.run_dry();
    device.completions();
    device.pin(4, 1, 1'000'000, 5);
    device.pin(5, 1, 1'000'000, 5);
    device.context = 2;
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_CANCEL, 0, 0, 5).status, KVCPU_SC_NOT_FOUND);
    device.context = 1;
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_CANCEL, 0, 0, 5).status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(device.completions().at(0).result.status, KVCPU_SC_CANCELLED);
    device.unpin(3);
    device.run(100000);
    CU_ASSERT_EQUAL(device.state(4), KVCPU_BS_SLOW); /* it was the first that was cancelled */
    CU_ASSERT_EQUAL(device.state(5), KVCPU_BS_FAST);
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_CANCEL, 0, 0, 5).status, KVCPU_SC_NOT_FOUND);
}

void the_fifo_always_has_a_place() {
    TestDevice device;
    device.alloc(5);
    device.pin(0, 4);
    device.run_dry();
    device.completions();
    for (uint64_t i = 0; i < KVCPU_PENDING_MAX; ++i) {
        CU_ASSERT_EQUAL(device.pin(4, 1, 1000 + i, i).status, KVCPU_SC_PENDING);
    }
    CU_ASSERT_EQUAL(device.pin(4).status, KVCPU_SC_BUSY);
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_CLOSE, 0, 0).status, KVCPU_SC_BUSY);
    device.run(1500);
    CU_ASSERT_EQUAL(device.pin(4).status, KVCPU_SC_BUSY); /* ended, completion not yet consumed */
    device.write(KVCPU_REG_CPL_POP, 1);
    CU_ASSERT_EQUAL(device.pin(4, 1, 1).status, KVCPU_SC_PENDING);
    device.run_dry();
    const std::vector<Completion> done = device.completions();
    CU_ASSERT_EQUAL(done.size(), KVCPU_PENDING_MAX);
    CU_ASSERT_EQUAL(device.interrupts, 1 + 1 + KVCPU_PENDING_MAX);
}

void claims_end_at_their_limit() {
    TestDevice device;
    device.alloc(2);
    device.demand(0);
    for (unsigned i = 0; i < UINT16_MAX; ++i) {
        device.pin(0);
    }
    CU_ASSERT_EQUAL(device.pin(0).status, KVCPU_SC_CLAIM_LIMIT);
    CU_ASSERT_EQUAL(device.pin(0, 2).status, KVCPU_SC_CLAIM_LIMIT);
    device.unpin(0);
    CU_ASSERT_EQUAL(device.pin(0, 2).status, KVCPU_SC_PENDING);
    device.pin(0); /* reaches the limit before the pending PIN is granted */
    device.run_dry();
    CU_ASSERT_EQUAL(device.completions().back().result.status, KVCPU_SC_CLAIM_LIMIT);
}

/*
 * Each PIN has two blocks in slots and lacks two. The older PIN evicts the blocks that only the
 * younger one needs.
 */
void overlapping_waits_do_not_deadlock() {
    TestDevice device;
    device.alloc(8);
    for (uint64_t block = 0; block < 8; ++block) {
        device.fill(block, static_cast<uint8_t>(block));
    }
    device.demand(0);
    device.demand(1);
    device.demand(4);
    device.demand(5);
    device.pin(0, 4, 1'000'000, 1);
    device.pin(4, 4, 1'000'000, 2);
    device.run(100'000);
    std::vector<Completion> done = device.completions();
    CU_ASSERT_EQUAL_FATAL(done.size(), 1);
    CU_ASSERT_EQUAL(done[0].tag, 1);
    CU_ASSERT_EQUAL(done[0].result.status, KVCPU_SC_SUCCESS);
    device.unpin(0, 4);
    device.run(100'000);
    done = device.completions();
    CU_ASSERT_EQUAL_FATAL(done.size(), 1);
    CU_ASSERT_EQUAL(done[0].tag, 2);
    CU_ASSERT_EQUAL(done[0].result.status, KVCPU_SC_SUCCESS);
    for (uint64_t block = 0; block < 8; ++block) {
        CU_ASSERT(device.holds(block, static_cast<uint8_t>(block)));
    }
}

void a_pin_rescues_a_block_that_leaves() {
    TestDevice device;
    device.alloc(2);
    device.demand(0);
    device.demand(1);
    device.fill(0, 3);
    device.fill(1, 4);
    device.command(KVCPU_OP_EVICTABLE, 0, 2, 0, KVCPU_F_NOW);
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_EVICTING);
    CU_ASSERT_EQUAL(device.pin(0).status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_WRITING_BACK);
    device.run_dry();
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_FAST);
    CU_ASSERT_EQUAL(device.state(1), KVCPU_BS_SLOW);
    CU_ASSERT(device.holds(0, 3));
    CU_ASSERT(device.holds(1, 4));
}

}  // namespace

void add_pins_suite() {
    Suite("pins")
        .test("a PIN waits until all is there", a_pin_waits_until_all_is_there)
        .test("blocks never written are zero-filled", blocks_never_written_are_zero_filled)
        .test("a WRITE during the zero-fill is kept", a_write_during_the_zero_fill_is_kept)
        .test("deadlines pass", deadlines_pass)
        .test("a deadline at the instant of arrival is met",
              a_deadline_at_the_instant_of_arrival_is_met)
        .test("CANCEL ends the oldest of that tag", cancel_ends_the_oldest_of_that_tag)
        .test("a completion always has a place", the_fifo_always_has_a_place)
        .test("claims end at their limit", claims_end_at_their_limit)
        .test("overlapping waits do not deadlock", overlapping_waits_do_not_deadlock)
        .test("a PIN rescues a block that leaves", a_pin_rescues_a_block_that_leaves);
}

}  // namespace kvcpu_test
