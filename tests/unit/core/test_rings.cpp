// SPDX-License-Identifier: MIT
// Queue pairs: entries, completions, indices, turns, stopping.
#include <algorithm>

#include "suites.h"
#include "test_device.h"
#include "test_ring.h"

namespace kvcpu_test {

namespace {

kvcpu_config roomy_config(uint64_t blocks = 16384) {
    kvcpu_config config = small_config();
    config.slow_size = blocks * 4096;
    config.fast_size = blocks / 2 * 4096;
    return config;
}

void the_worked_example() {
    TestDevice device;
    Ring ring(device, 1, {64, 64});
    CU_ASSERT_EQUAL(ring.open().status, KVCPU_SC_SUCCESS);
    ring.push({0, 16, 0, 0, 0, 0, 7, 0x20001});
    ring.advance_tail();
    const std::vector<Completion> done = ring.look();
    CU_ASSERT_EQUAL_FATAL(done.size(), 1);
    CU_ASSERT_EQUAL(device.load(ring.cq + 64 + 24), 0x8000000000000007);
    CU_ASSERT_EQUAL(device.load(ring.cq + 64), 0x0000000000100000);
    CU_ASSERT_EQUAL(device.load(ring.cq), 1);
    CU_ASSERT_EQUAL(device.vectors.size(), 1);
    CU_ASSERT_EQUAL(device.vectors.at(0), 2);
    ring.push({0, 4, 0, 0, 0, 0, 0, 0x21});
    ring.take();
    ring.advance_tail();
    CU_ASSERT_EQUAL(device.load(ring.cq), 2);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINTS_HOT), 1);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINT_BLOCKS), 4);
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_FETCHING);
    CU_ASSERT_EQUAL(ring.look().size(), 0);
    CU_ASSERT_EQUAL(device.interrupts, 1);
}

void open_checks_what_it_is_given() {
    TestDevice device;
    Ring ring(device, 1);
    const auto open = [&device](uint64_t sq, uint64_t cq, uint64_t sizes, uint64_t arg) {
        device.write(KVCPU_REG_CMD_ADDR, sq);
        device.write(KVCPU_REG_CMD_META, 1); /* OPEN does not read it */
        return device.command(KVCPU_OP_OPEN, cq, sizes, arg).status;
    };
    constexpr uint64_t sizes = 8 | 8 << 16;
    const struct {
        uint64_t sq, cq, sizes, arg;
        unsigned status;
    } cases[] = {
        {0x10000, 0x20000, 3 | 8 << 16, Ring::polling, KVCPU_SC_BAD_FIELD},
        {0x10000, 0x20000, 8 | 1 << 16, Ring::polling, KVCPU_SC_BAD_FIELD},
        {0x10000, 0x20000, 8 | 8192 << 16, Ring::polling, KVCPU_SC_BAD_FIELD},
        {0x10000, 0x20000, sizes | uint64_t{1} << 40, Ring::polling, KVCPU_SC_BAD_FIELD},
        {0x10040, 0x20000, sizes, Ring::polling, KVCPU_SC_BAD_FIELD},
        {0x10000, 0x20020, sizes, Ring::polling, KVCPU_SC_BAD_FIELD},
        {0x10000, 0x20000, sizes, uint64_t{18} << 16, KVCPU_SC_BAD_FIELD}, /* no such vector */
        {0x10000, 0x20000, sizes, 4097 | uint64_t{9} << 32, KVCPU_SC_BAD_FIELD},
        {0x10000, 0x20000, sizes, 2, KVCPU_SC_BAD_FIELD}, /* the vector would never be raised */
        {0x10000, 0x20000, sizes, uint64_t{1} << 32, KVCPU_SC_BAD_FIELD},
        {0x10000, 0x20000, sizes, 2 | uint64_t{1000000001} << 32, KVCPU_SC_BAD_FIELD},
        {own_bars, 0x20000, sizes, Ring::polling, KVCPU_SC_OWN_ADDRESS},
        {0x10000, own_bars, sizes, Ring::polling, KVCPU_SC_OWN_ADDRESS},
        {0x10000000, 0x20000, sizes, Ring::polling, KVCPU_SC_DMA_FAULT},
        {0x10000, 0x10000000, sizes, Ring::polling, KVCPU_SC_DMA_FAULT},
    };
    for (const auto &c : cases) {
        CU_ASSERT_EQUAL(open(c.sq, c.cq, c.sizes, c.arg), c.status);
        CU_ASSERT_EQUAL(ring.context_register(KVCPU_REG_CONTEXT_STATE), KVCPU_RS_NO_RING);
    }
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_DMA_FAULTS), 4);
    device.context = 0;
    CU_ASSERT_EQUAL(open(0x10000, 0x20000, sizes, Ring::polling), KVCPU_SC_BAD_CONTEXT);
    device.context = 1;
    CU_ASSERT_EQUAL(open(0x10000, 0x20000, sizes, Ring::polling), KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(ring.context_register(KVCPU_REG_CONTEXT_STATE), KVCPU_RS_RUNNING);
    CU_ASSERT_EQUAL(open(0x10000, 0x20000, sizes, Ring::polling), KVCPU_SC_BAD_STATE);
}

void a_user_names_nothing_but_its_own() {
    TestDevice device;
    Ring ring(device, 1);
    ring.open();
    device.context = 2;
    device.alloc(4);
    for (const unsigned opcode : {KVCPU_OP_CLOSE, KVCPU_OP_OPEN, KVCPU_OP_HOLD, KVCPU_OP_UNHOLD,
                                  KVCPU_OP_BUFFER_ADD, KVCPU_OP_QUOTA}) {
        CU_ASSERT_EQUAL(ring.run(opcode, 0, 1).status, KVCPU_SC_BAD_OPCODE);
    }
    for (const unsigned opcode : {0U, 0x0bU, 0x1fU, 0x2aU, 0x49U, 0xffffU}) {
        CU_ASSERT_EQUAL(ring.run(opcode, 0, 1).status, KVCPU_SC_BAD_OPCODE);
    }
    CU_ASSERT_EQUAL(ring.run(KVCPU_OP_FREE, 0, 1).status, KVCPU_SC_NOT_OWNER);
    CU_ASSERT_EQUAL(ring.run(KVCPU_OP_PIN, 0, 4, 1000).status, KVCPU_SC_NOT_OWNER);
    CU_ASSERT_EQUAL(ring.run(KVCPU_OP_HOT, 0, 4).reason(), KVCPU_HR_FOREIGN);
    CU_ASSERT_EQUAL(ring.run(KVCPU_OP_HOT, 8, 4).reason(), KVCPU_HR_FOREIGN);
    CU_ASSERT_EQUAL(ring.run(KVCPU_OP_FREE, UINT64_MAX, 2).status, KVCPU_SC_BAD_RANGE);
    CU_ASSERT_EQUAL(ring.run(KVCPU_OP_FREE, 1, UINT64_MAX).status, KVCPU_SC_BAD_RANGE);
    CU_ASSERT_EQUAL(ring.run(KVCPU_OP_HOT, 15, UINT64_MAX).reason(), KVCPU_HR_OUTSIDE);
    const uint64_t failed = ring.failed();
    CU_ASSERT_EQUAL(failed, 16);
    /*
     * Entries that name a context, set reserved bits, bit 63 of the tag, or flags that the opcode
     * does not accept.
     */
    const uint64_t bad_control[] = {
        uint64_t{1} << 32 | KVCPU_OP_ALLOC, uint64_t{1} << 48 | KVCPU_OP_ALLOC,
        uint64_t{KVCPU_F_NOW} << 16 | KVCPU_OP_ALLOC, uint64_t{KVCPU_F_WRITE} << 16 | KVCPU_OP_HOT,
        uint64_t{8} << 16 | KVCPU_OP_HOT};
    for (const uint64_t control : bad_control) {
        ring.push({0, 1, 0, 0, 0, 0, 5, control | uint64_t{KVCPU_F_COMPLETE} << 16});
    }
    ring.push({0, 1, 0, 0, 0, 0, KVCPU_PHASE | 5, KVCPU_OP_ALLOC | KVCPU_F_COMPLETE << 16});
    ring.advance_tail();
    const std::vector<Completion> done = ring.take();
    CU_ASSERT_EQUAL(done.size(), 6);
    for (const Completion &completion : done) {
        CU_ASSERT_EQUAL(completion.result.status, KVCPU_SC_BAD_FIELD);
        CU_ASSERT_EQUAL(completion.tag, 5);
    }
    CU_ASSERT_EQUAL(ring.failed(), failed + 6);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_COMMANDS_FAILED), failed + 6);
    CU_ASSERT_EQUAL(device.events(KVCPU_EV_COMMAND_FAILED), failed + 6);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS_FREE), 12);
}

void completions_only_where_asked_for() {
    TestDevice device;
    Ring ring(device, 1);
    ring.open();
    ring.push(KVCPU_OP_ALLOC, 0, 4);
    ring.push(KVCPU_OP_FREE, 9, 1);
    ring.push(KVCPU_OP_TOUCH, 0, 4, 0, KVCPU_F_COMPLETE, 11);
    ring.advance_tail();
    const std::vector<Completion> done = ring.take();
    CU_ASSERT_EQUAL_FATAL(done.size(), 1);
    CU_ASSERT_EQUAL(done[0].tag, 11);
    CU_ASSERT_EQUAL(done[0].result.value, 4);
    CU_ASSERT_EQUAL(ring.failed(), 1);
    CU_ASSERT_EQUAL(ring.head(), 3);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_RING_ENTRIES), 3);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_RING_COMPLETIONS), 1);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_DOORBELLS), 1);
}

/* Many laps, in batches that do and that do not end at the end of the ring. */
void indices_run_freely() {
    TestDevice device;
    Ring ring(device, 1, {4, 8});
    ring.open();
    uint64_t steps = 0;
    for (unsigned batch = 0; batch < 100; ++batch) {
        const unsigned count = 1 + batch % 4;
        for (unsigned i = 0; i < count; ++i) {
            ++steps;
            ring.push(KVCPU_OP_STEP, 0, 0, steps, KVCPU_F_COMPLETE, steps);
        }
        ring.advance_tail();
        const std::vector<Completion> done = ring.take();
        CU_ASSERT_EQUAL(done.size(), count);
        CU_ASSERT_EQUAL(done.back().tag, steps);
        CU_ASSERT_EQUAL(ring.head(), steps);
    }
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_STEPS), steps);
    CU_ASSERT_EQUAL(ring.context_register(KVCPU_REG_CONTEXT_STEP), steps);
    CU_ASSERT_EQUAL(ring.context_register(KVCPU_REG_CONTEXT_SQ), steps | steps << 32);
    CU_ASSERT_EQUAL(ring.context_register(KVCPU_REG_CONTEXT_CQ), steps | steps << 32);
}

void a_ring_pauses_for_want_of_a_completion() {
    TestDevice device;
    Ring ring(device, 1, {8, 2});
    ring.open();
    for (uint64_t step = 1; step <= 5; ++step) {
        ring.push(KVCPU_OP_STEP, 0, 0, step, KVCPU_F_COMPLETE, step);
    }
    ring.advance_tail();
    CU_ASSERT_EQUAL(ring.head(), 2);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_RING_PAUSES), 1);
    CU_ASSERT_EQUAL(ring.look().size(), 2);
    device.run(10000);
    CU_ASSERT_EQUAL(ring.head(), 2);
    ring.taken = 1;
    ring.doorbell(KVCPU_DB_CQ_HEAD, 1);
    CU_ASSERT_EQUAL(ring.head(), 3);
    CU_ASSERT_EQUAL(ring.take().size(), 2); /* consumes 2 and 3; 4 and 5 follow */
    CU_ASSERT_EQUAL(ring.head(), 5);
    CU_ASSERT_EQUAL(ring.take().size(), 2);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_RING_PAUSES), 2);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_STEPS), 5);
}

void a_waiting_pin_blocks_no_other_context() {
    TestDevice device;
    Ring ring(device, 1);
    ring.open();
    CU_ASSERT_EQUAL(ring.run(KVCPU_OP_ALLOC, 0, 2).aux, 2);
    device.fill(0, 1);
    device.fill(1, 2);
    ring.push(KVCPU_OP_PIN, 0, 2, 1'000'000, KVCPU_F_COMPLETE, 1);
    ring.push(KVCPU_OP_STEP, 0, 0, 9, KVCPU_F_COMPLETE, 2);
    ring.push(KVCPU_OP_FENCE, 0, 0, 0, KVCPU_F_COMPLETE, 3);
    ring.advance_tail();
    CU_ASSERT_EQUAL(ring.head(), 3 + 1);
    std::vector<Completion> done = ring.take();
    CU_ASSERT_EQUAL_FATAL(done.size(), 1);
    CU_ASSERT_EQUAL(done[0].tag, 2);
    CU_ASSERT_EQUAL(ring.context_register(KVCPU_REG_CONTEXT_WAITS), 2);
    device.run(small_move_ns - 1);
    CU_ASSERT_EQUAL(ring.look().size(), 0);
    device.run(1);
    done = ring.take();
    CU_ASSERT_EQUAL_FATAL(done.size(), 2);
    CU_ASSERT_EQUAL(done[0].tag, 1);
    CU_ASSERT_EQUAL(done[0].result.status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(done[0].time_ns, small_move_ns);
    CU_ASSERT_EQUAL(done[1].tag, 3);
    CU_ASSERT_EQUAL(ring.context_register(KVCPU_REG_CONTEXT_WAITS), 0);
    CU_ASSERT_EQUAL(ring.run(KVCPU_OP_FENCE, 0, 0).status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(device.interrupts, 1 + 1 + 2 + 1);
}

void a_reserved_place_waits_for_its_pin() {
    TestDevice device;
    Ring ring(device, 1, {8, 2});
    ring.open();
    ring.run(KVCPU_OP_ALLOC, 0, 2);
    device.fill(0, 1);
    ring.push(KVCPU_OP_PIN, 0, 1, 1'000'000, KVCPU_F_COMPLETE, 1);
    ring.push(KVCPU_OP_STEP, 0, 0, 1, KVCPU_F_COMPLETE, 2);
    ring.push(KVCPU_OP_STEP, 0, 0, 2, KVCPU_F_COMPLETE, 3);
    ring.push(KVCPU_OP_STEP, 0, 0, 3);
    ring.advance_tail();
    CU_ASSERT_EQUAL(ring.head(), 3); /* places: of the PIN, and of entry 2 */
    device.run_dry();
    CU_ASSERT_EQUAL(ring.head(), 3);
    CU_ASSERT_EQUAL(ring.take().size(), 2);
    CU_ASSERT_EQUAL(ring.head(), 5);
    CU_ASSERT_EQUAL(ring.take().size(), 1);
}

void failures_that_come_late_are_in_the_header() {
    TestDevice device;
    Ring ring(device, 1);
    ring.open();
    ring.run(KVCPU_OP_ALLOC, 0, 6);
    ring.push(KVCPU_OP_PIN, 0, 4, 1'000'000);
    ring.advance_tail();
    device.run(100'000);
    ring.push(KVCPU_OP_PIN, 4, 2, 500);
    ring.advance_tail();
    CU_ASSERT_EQUAL(ring.failed(), 0);
    device.run(500);
    CU_ASSERT_EQUAL(ring.failed(), 1);
    CU_ASSERT_EQUAL(device.status_counter(KVCPU_SC_TIMED_OUT), 1);
    CU_ASSERT_EQUAL(ring.look().size(), 0);
    CU_ASSERT_EQUAL(device.block_class(3), KVCPU_VC_PINNED);
}

void too_many_wait() {
    kvcpu_config config = small_config();
    TestDevice device(config);
    Ring ring(device, 1, {256, 256});
    ring.open(Ring::polling);
    Ring other(device, 2, {8, 8});
    other.open();
    ring.run(KVCPU_OP_ALLOC, 0, 6);
    other.run(KVCPU_OP_ALLOC, 0, 1);
    ring.push(KVCPU_OP_PIN, 0, 4, 1'000'000);
    ring.advance_tail();
    device.run(100'000);
    for (unsigned i = 0; i < KVCPU_CONTEXT_PENDING_MAX; ++i) {
        ring.push(KVCPU_OP_PIN, 4, 1, 1'000'000);
        ring.advance_tail();
    }
    CU_ASSERT_EQUAL(ring.failed(), 0);
    CU_ASSERT_EQUAL(ring.run(KVCPU_OP_PIN, 4, 1, 1000).status, KVCPU_SC_BUSY);
    CU_ASSERT_EQUAL(ring.run(KVCPU_OP_FENCE, 0, 0).status, KVCPU_SC_BUSY);
    other.push(KVCPU_OP_PIN, 6, 1, 1000, KVCPU_F_COMPLETE); /* this ring is not affected */
    other.advance_tail();
    CU_ASSERT_EQUAL(other.look().size(), 0);
    device.run(1000);
    CU_ASSERT_EQUAL(other.take().at(0).result.status, KVCPU_SC_TIMED_OUT);
    device.run(1'000'000);
    CU_ASSERT_EQUAL(ring.failed(), KVCPU_CONTEXT_PENDING_MAX + 2);
    CU_ASSERT_EQUAL(ring.context_register(KVCPU_REG_CONTEXT_WAITS), 0);
}

/* An entry is copied once: later stores of the process have no effect. */
void an_entry_is_copied_once() {
    TestDevice device;
    Ring ring(device, 1);
    ring.open();
    ring.run(KVCPU_OP_ALLOC, 0, 4);
    unsigned accesses = 0;
    ring.push(KVCPU_OP_TOUCH, 0, 4, 0, KVCPU_F_COMPLETE, 1);
    ring.push(KVCPU_OP_TOUCH, 0, 4, 0, KVCPU_F_COMPLETE, 2);
    device.dma_rule = [&](uint64_t address, bool is_write) {
        const bool is_entry = address >= ring.sq && address < ring.cq;
        accesses += is_entry ? 1 : 0;
        if (is_write) { /* after the first completion, the second entry becomes another */
            device.store(ring.sq + 2 * KVCPU_ENTRY_BYTES + 8 * KVCPU_EW_CONTROL, KVCPU_OP_FREE);
        }
        return KVCPU_DMA_OK;
    };
    ring.advance_tail();
    CU_ASSERT_EQUAL(accesses, 1);
    CU_ASSERT_EQUAL(ring.take().size(), 2);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BLOCKS_FREED), 0);
}

/* -- Slices ---------------------------------------------------------------- */

void long_hints_continue_in_later_slices() {
    TestDevice device(roomy_config());
    Ring ring(device, 1);
    ring.open();
    for (unsigned i = 0; i < 3; ++i) {
        ring.run(KVCPU_OP_ALLOC, 0, 4096);
        device.run(1000);
    }
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS_FREE), 4096);
    ring.push(KVCPU_OP_TOUCH, 0, 16384, 0, KVCPU_F_COMPLETE, 1);
    ring.push(KVCPU_OP_STEP, 0, 0, 5, 0, 0);
    ring.advance_tail();
    const uint64_t head = ring.head();
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINT_BLOCKS), 4096);
    device.run(999);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINT_BLOCKS), 4096);
    device.run(1);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINT_BLOCKS), 8192);
    CU_ASSERT_EQUAL(ring.head(), head);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_STEPS), 0);
    device.run(2000);
    CU_ASSERT_EQUAL(ring.head(), head + 1);
    device.run(10000); /* a STEP examines all touched blocks */
    CU_ASSERT_EQUAL(ring.head(), head + 2);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_STEPS), 1);
    const std::vector<Completion> done = ring.take();
    CU_ASSERT_EQUAL_FATAL(done.size(), 1);
    CU_ASSERT_EQUAL(done[0].result.outcome(), KVCPU_HO_CLIPPED);
    CU_ASSERT_EQUAL(done[0].result.reason(), KVCPU_HR_FOREIGN);
    CU_ASSERT_EQUAL(done[0].result.value, 3 * 4096);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINTS_DEFERRED), 0);
}

void rings_share_slices() {
    TestDevice device(roomy_config());
    Ring first(device, 1);
    Ring second(device, 2);
    Ring third(device, 3);
    first.open();
    second.open();
    third.open();
    for (Ring *ring : {&first, &second}) {
        ring->push(KVCPU_OP_ALLOC, 0, 4096);
        ring->push(KVCPU_OP_TOUCH, 0, 3 * 4096);
        ring->push(KVCPU_OP_TOUCH, 0, 1);
    }
    third.push(KVCPU_OP_STEP, 0, 0, 1);
    first.advance_tail(); /* its ALLOC uses up the slice */
    second.advance_tail();
    third.advance_tail();
    CU_ASSERT_EQUAL(first.head(), 1);
    CU_ASSERT_EQUAL(second.head(), 0);
    CU_ASSERT_EQUAL(third.head(), 0); /* behind the two rings */
    device.run(1000);
    CU_ASSERT_EQUAL(second.head(), 0); /* first waited before it */
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINT_BLOCKS), 4096);
    device.run(1000);
    CU_ASSERT_EQUAL(second.head(), 1);
    CU_ASSERT_EQUAL(third.head(), 0);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINT_BLOCKS), 4096);
    device.run(1000);
    CU_ASSERT_EQUAL(third.head(), 1); /* cheap: first gets its slice at the same instant */
    CU_ASSERT_EQUAL(
        device.counter(KVCPU_CNT_HINT_BLOCKS) + device.counter(KVCPU_CNT_HINT_BLOCKS_FOREIGN),
        2 * 4096);
    device.run(10000);
    CU_ASSERT_EQUAL(first.head(), 3);
    CU_ASSERT_EQUAL(second.head(), 3);
}

void two_steps_do_not_mix() {
    kvcpu_config config = roomy_config();
    TestDevice device(config);
    Ring first(device, 1);
    Ring second(device, 2);
    first.open();
    second.open();
    for (Ring *ring : {&first, &second}) {
        ring->push(KVCPU_OP_ALLOC, 0, 4096);
        ring->push(KVCPU_OP_ALLOC, 0, 4096);
        ring->advance_tail();
        device.run(10000);
    }
    device.write(KVCPU_REG_WEIGHT_R, 5); /* each STEP must examine every block */
    first.push(KVCPU_OP_STEP, 0, 0, 1, KVCPU_F_COMPLETE, 1);
    second.push(KVCPU_OP_STEP, 0, 0, 1, KVCPU_F_COMPLETE, 2);
    first.advance_tail();
    second.advance_tail();
    device.write(KVCPU_REG_STEP_ADVANCE, 1); /* context 0's waits as well */
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINTS_DEFERRED), 1);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_STEPS), 2); /* second has not had a slice */
    CU_ASSERT_EQUAL(device.events(KVCPU_EV_STEP), 1);
    device.run(100000);
    CU_ASSERT_EQUAL(device.events(KVCPU_EV_STEP), 3);
    CU_ASSERT_EQUAL(first.take().size(), 1);
    CU_ASSERT_EQUAL(second.take().size(), 1);
}

void a_doorbell_may_take_its_time() {
    kvcpu_config config = small_config();
    config.doorbell_latency_ns = 700;
    TestDevice device(config);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_DOORBELL_LATENCY), 700);
    Ring ring(device, 1);
    ring.open();
    ring.push(KVCPU_OP_STEP, 0, 0, 1);
    ring.advance_tail();
    CU_ASSERT_EQUAL(ring.head(), 0);
    device.run(600);
    ring.push(KVCPU_OP_STEP, 0, 0, 2); /* is executed in the slice of the first */
    ring.advance_tail();
    device.run(99);
    CU_ASSERT_EQUAL(ring.head(), 0);
    device.run(1);
    CU_ASSERT_EQUAL(ring.head(), 2);
}

/* -- Doorbells and stopping ------------------------------------------------ */

void bad_tails_stop_the_ring() {
    for (const uint64_t tail : {uint64_t{9}, uint64_t{0}, UINT64_MAX, uint64_t{1} << 32}) {
        TestDevice device;
        Ring ring(device, 1);
        Ring other(device, 2);
        ring.open();
        other.open();
        ring.run(KVCPU_OP_ALLOC, 0, 2);
        device.fill(0, 1);
        ring.push(KVCPU_OP_PIN, 0, 1, 1'000'000, KVCPU_F_COMPLETE, 4);
        ring.advance_tail();
        ring.advance_tail(tail + 1 == 1 ? 1 : tail + 2);
        CU_ASSERT_EQUAL(ring.state(), KVCPU_RS_BAD_TAIL);
        CU_ASSERT_EQUAL(ring.head(), 2);
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_DOORBELL), 1);
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_RINGS_STOPPED), 1);
        CU_ASSERT_EQUAL(device.events(KVCPU_EV_RING_STOPPED), 1);
        CU_ASSERT_EQUAL(device.log.at(device.log.size() - 3).kind, KVCPU_EV_GUEST_ERROR);
        CU_ASSERT_EQUAL(device.log.at(device.log.size() - 3).context, 1);
        /* The PIN has ended without a completion; the allocated blocks stay. */
        device.run_dry();
        CU_ASSERT_EQUAL(ring.look().size(), 0);
        CU_ASSERT_EQUAL(device.status_counter(KVCPU_SC_CANCELLED), 1);
        CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS_FREE), 14);
        /* No entry is executed any more; other rings are not affected. */
        ring.advance_tail();
        ring.doorbell(KVCPU_DB_CQ_HEAD, 1);
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_DOORBELL), 3);
        CU_ASSERT_EQUAL(other.run(KVCPU_OP_STEP, 0, 0, 3).status, KVCPU_SC_SUCCESS);
        ring.wipe();
        CU_ASSERT_EQUAL(device.command(KVCPU_OP_RESTART, 0, 0).status, KVCPU_SC_SUCCESS);
        CU_ASSERT_EQUAL(device.command(KVCPU_OP_RESTART, 0, 0).status, KVCPU_SC_BAD_STATE);
        CU_ASSERT_EQUAL(ring.run(KVCPU_OP_FREE, 0, 2).status, KVCPU_SC_SUCCESS);
    }
}

void bad_heads_stop_the_ring() {
    for (const uint64_t head : {uint64_t{2}, uint64_t{0}, UINT64_MAX}) {
        TestDevice device;
        Ring ring(device, 1);
        ring.open();
        ring.run(KVCPU_OP_STEP, 0, 0, 1); /* one written, one consumed */
        ring.doorbell(KVCPU_DB_CQ_HEAD, head);
        CU_ASSERT_EQUAL(ring.state(), KVCPU_RS_BAD_HEAD);
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_DOORBELL), 1);
    }
}

void doorbells_without_a_ring() {
    TestDevice device;
    Ring ring(device, 1);
    ring.doorbell(KVCPU_DB_SQ_TAIL, 1);
    ring.doorbell(KVCPU_DB_CQ_HEAD, 0);
    device.write(KVCPU_DOORBELL_BASE + KVCPU_DB_EVQ_HEAD, 0);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_DOORBELL), 3);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_RINGS_STOPPED), 0);
    CU_ASSERT_EQUAL(device.read(KVCPU_DOORBELL_BASE), 0);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_DIRECTION), 1);
    device.write(KVCPU_DOORBELL_BASE + KVCPU_DOORBELL_STRIDE + KVCPU_DB_EVQ_HEAD, 0);
    device.write(KVCPU_DOORBELL_BASE + 0x18, 0);
    device.write(KVCPU_DOORBELL_BASE + 4 * KVCPU_DOORBELL_STRIDE, 0);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_OFFSET), 3);
    device.write(KVCPU_DOORBELL_BASE, 0, 4);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_SIZE), 1);
}

void rings_that_cannot_be_reached_stop() {
    TestDevice device;
    Ring ring(device, 1);
    ring.open();
    device.dma_rule = [&](uint64_t address, bool) {
        return address >= ring.sq && address < ring.cq ? KVCPU_DMA_FAULT : KVCPU_DMA_OK;
    };
    ring.push(KVCPU_OP_STEP, 0, 0, 1);
    ring.advance_tail();
    CU_ASSERT_EQUAL(ring.state(), KVCPU_RS_SQ_FAULT);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_STEPS), 0);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_DMA_FAULTS), 1);
    device.dma_rule = nullptr;
    ring.wipe();
    device.command(KVCPU_OP_RESTART, 0, 0);
    /* Faults of the completion ring: a completion, only its last word, the header. */
    for (const uint64_t bad : {ring.cq + 64, ring.cq + 64 + 24, ring.cq}) {
        device.dma_rule = [bad](uint64_t address, bool is_write) {
            return is_write && address == bad ? KVCPU_DMA_OWN_ADDRESS : KVCPU_DMA_OK;
        };
        ring.push(KVCPU_OP_STEP, 0, 0, 1, KVCPU_F_COMPLETE);
        ring.push(KVCPU_OP_STEP, 0, 0, 2, KVCPU_F_COMPLETE);
        const uint64_t steps = device.counter(KVCPU_CNT_STEPS);
        ring.advance_tail();
        const auto state = static_cast<unsigned>(ring.context_register(KVCPU_REG_CONTEXT_STATE) &
                                                 KVCPU_CXS_RING_MASK);
        CU_ASSERT_EQUAL(state, KVCPU_RS_CQ_FAULT);
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_STEPS), steps + (bad == ring.cq ? 2 : 1));
        device.dma_rule = nullptr;
        ring.wipe();
        CU_ASSERT_EQUAL(device.command(KVCPU_OP_RESTART, 0, 0).status, KVCPU_SC_SUCCESS);
    }
}

void a_stopped_ring_leaves_its_hint_where_it_is() {
    TestDevice device(roomy_config());
    Ring ring(device, 1);
    ring.open();
    ring.run(KVCPU_OP_ALLOC, 0, 4096);
    ring.push(KVCPU_OP_TOUCH, 0, 3 * 4096);
    ring.advance_tail();
    device.run(1000);
    ring.advance_tail(1);
    const uint64_t done = device.counter(KVCPU_CNT_HINT_BLOCKS);
    device.run(10000);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_HINT_BLOCKS), done);
    CU_ASSERT_EQUAL(device.timer_ns, KVCPU_TIMER_OFF);
    ring.wipe();
    device.command(KVCPU_OP_RESTART, 0, 0);
    CU_ASSERT_EQUAL(ring.run(KVCPU_OP_TOUCH, 0, 1).value, 1);
}

void the_ring_does_not_enter_the_device() {
    TestDevice device;
    Ring ring(device, 1);
    ring.open();
    device.during_dma = [&device] { device.write(KVCPU_DOORBELL_BASE + 0x1000, 1); };
    ring.push(KVCPU_OP_STEP, 0, 0, 1, KVCPU_F_COMPLETE);
    ring.advance_tail();
    device.during_dma = nullptr;
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_STEPS), 1);
    CU_ASSERT(device.counter(KVCPU_CNT_REENTERED) >= 3);
    CU_ASSERT_EQUAL(ring.state(), KVCPU_RS_RUNNING);
}

}  // namespace

void add_rings_suite() {
    Suite("rings")
        .test("the worked example", the_worked_example)
        .test("OPEN checks what it is given", open_checks_what_it_is_given)
        .test("a user names nothing but its own", a_user_names_nothing_but_its_own)
        .test("completions only where asked for", completions_only_where_asked_for)
        .test("indices run freely", indices_run_freely)
        .test("a ring pauses for want of a completion", a_ring_pauses_for_want_of_a_completion)
        .test("a waiting PIN blocks no other context", a_waiting_pin_blocks_no_other_context)
        .test("a reserved place waits for its PIN", a_reserved_place_waits_for_its_pin)
        .test("failures that come late are in the header",
              failures_that_come_late_are_in_the_header)
        .test("too many wait", too_many_wait)
        .test("an entry is copied once", an_entry_is_copied_once)
        .test("long hints continue in later slices", long_hints_continue_in_later_slices)
        .test("rings share slices", rings_share_slices)
        .test("two STEPs do not mix", two_steps_do_not_mix)
        .test("a doorbell may take its time", a_doorbell_may_take_its_time)
        .test("bad tails stop the ring", bad_tails_stop_the_ring)
        .test("bad heads stop the ring", bad_heads_stop_the_ring)
        .test("doorbells without a ring", doorbells_without_a_ring)
        .test("rings that cannot be reached stop", rings_that_cannot_be_reached_stop)
        .test("a stopped ring leaves its hint where it is",
              a_stopped_ring_leaves_its_hint_where_it_is)
        .test("the ring does not enter the device", the_ring_does_not_enter_the_device);
}

}  // namespace kvcpu_test
