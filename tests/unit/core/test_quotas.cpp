// SPDX-License-Identifier: MIT
// Minima and maxima of slots.
#include <array>
#include <random>

#include "suites.h"
#include "test_device.h"

namespace kvcpu_test {

namespace {

constexpr std::array all_policies = {KVCPU_POLICY_LRU, KVCPU_POLICY_HEPC, KVCPU_POLICY_NEXT_USE,
                                     KVCPU_POLICY_ARC};

kvcpu_config under(kvcpu_policy policy) {
    kvcpu_config config = small_config();
    config.policy = policy;
    return config;
}

Result quota(TestDevice &device, unsigned context, uint64_t min, uint64_t max) {
    const unsigned before = device.context;
    device.context = context;
    device.write(KVCPU_REG_CMD_EXTENT, min << KVCPU_QTA_MIN_SHIFT | max << KVCPU_QTA_MAX_SHIFT);
    const Result result = device.command(KVCPU_OP_QUOTA, 0, 0);
    device.write(KVCPU_REG_CMD_EXTENT, 0);
    device.context = before;
    return result;
}

uint64_t of(TestDevice &device, unsigned context, uint64_t reg) {
    device.write(KVCPU_REG_CONTEXT_SELECT, context);
    return device.read(reg);
}

unsigned used(TestDevice &device, unsigned context) {
    return static_cast<unsigned>(of(device, context, KVCPU_REG_CONTEXT_BLOCKS) >>
                                 KVCPU_CXB_SLOTS_SHIFT);
}

/* Eight blocks each for contexts 1 and 2; the first block of context 2. */
constexpr uint64_t first_of_2 = 8;
void share_out(TestDevice &device) {
    device.context = 1;
    CU_ASSERT_EQUAL(device.alloc(8).status, KVCPU_SC_SUCCESS);
    device.context = 2;
    CU_ASSERT_EQUAL(device.alloc(8).value, first_of_2);
}

void demand(TestDevice &device, unsigned context, uint64_t block) {
    device.context = context;
    device.demand(block);
}

void quota_checks_what_it_is_given() {
    TestDevice device;
    CU_ASSERT_EQUAL(of(device, 1, KVCPU_REG_CONTEXT_QUOTA), uint64_t{4} << KVCPU_QTA_MAX_SHIFT);
    CU_ASSERT_EQUAL(quota(device, 1, 0, 5).status, KVCPU_SC_BAD_FIELD);
    CU_ASSERT_EQUAL(quota(device, 1, 5, 0).status, KVCPU_SC_BAD_FIELD);
    CU_ASSERT_EQUAL(quota(device, 1, 3, 2).status, KVCPU_SC_BAD_FIELD);
    CU_ASSERT_EQUAL(quota(device, 1, 3, 0).status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(quota(device, 2, 2, 0).status, KVCPU_SC_NO_SLOTS);
    CU_ASSERT_EQUAL(quota(device, 0, 1, 2).status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(quota(device, 1, 2, 3).status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(quota(device, 2, 1, 1).status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(of(device, 1, KVCPU_REG_CONTEXT_QUOTA),
                    uint64_t{2} << KVCPU_QTA_MIN_SHIFT | uint64_t{3} << KVCPU_QTA_MAX_SHIFT);
    CU_ASSERT_EQUAL(device.events(KVCPU_EV_QUOTA), 4);
    device.context = 1;
    device.command(KVCPU_OP_CLOSE, 0, 0);
    device.run_dry();
    CU_ASSERT_EQUAL(of(device, 1, KVCPU_REG_CONTEXT_QUOTA), uint64_t{4} << KVCPU_QTA_MAX_SHIFT);
    kvcpu_core_reset(device.core, KVCPU_RESET_FUNCTION);
    CU_ASSERT_EQUAL(of(device, 2, KVCPU_REG_CONTEXT_QUOTA), uint64_t{4} << KVCPU_QTA_MAX_SHIFT);
}

void slots_are_counted() {
    TestDevice device;
    share_out(device);
    demand(device, 1, 0);
    demand(device, 2, first_of_2);
    device.fill(first_of_2, 7);
    CU_ASSERT_EQUAL(used(device, 1), 1);
    CU_ASSERT_EQUAL(used(device, 2), 1);
    device.command(KVCPU_OP_EVICTABLE, first_of_2, 1, 0, KVCPU_F_NOW); /* dirty */
    CU_ASSERT_EQUAL(used(device, 2), 1);
    device.run_dry();
    CU_ASSERT_EQUAL(used(device, 2), 0);
    device.context = 1;
    device.free(0);
    CU_ASSERT_EQUAL(used(device, 1), 0);
    CU_ASSERT_EQUAL(used(device, 0), 1); /* until it is scrubbed */
    device.run_dry();
    CU_ASSERT_EQUAL(used(device, 0), 0);
}

void a_minimum_is_kept() {
    for (const kvcpu_policy policy : all_policies) {
        TestDevice device(under(policy));
        share_out(device);
        CU_ASSERT_EQUAL(quota(device, 1, 2, 0).status, KVCPU_SC_SUCCESS);
        for (const uint64_t block : {0ULL, 1ULL, 2ULL}) {
            demand(device, 1, block);
        }
        for (uint64_t block = first_of_2; block < 16; ++block) {
            demand(device, 2, block);
        }
        CU_ASSERT_EQUAL(used(device, 1), 2);
        CU_ASSERT_EQUAL(used(device, 2), 2);
        CU_ASSERT(!device.is_fast(0)); /* the block above the minimum: the least recently used */
        /* A PIN does not get their slots, however long it waits. */
        device.context = 2;
        CU_ASSERT_EQUAL(device.pin(first_of_2, 3, 1'000'000).status, KVCPU_SC_PENDING);
        device.run(2'000'000);
        const std::vector<Completion> done = device.completions();
        CU_ASSERT_EQUAL_FATAL(done.size(), 1);
        CU_ASSERT_EQUAL(done[0].result.status, KVCPU_SC_TIMED_OUT);
        CU_ASSERT_EQUAL(used(device, 1), 2);
        /* The owner continues: other contexts may take its slots above the minimum again. */
        for (const uint64_t block : {3ULL, 4ULL, 5ULL, 6ULL}) {
            demand(device, 1, block);
            CU_ASSERT(device.is_fast(block));
        }
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_QUOTA_EVICTIONS), 0);
        const unsigned before = used(device, 1);
        demand(device, 2, 12);
        demand(device, 2, 13);
        demand(device, 2, 14);
        CU_ASSERT(used(device, 1) <= before);
        CU_ASSERT(used(device, 1) >= 2);
        /* Without a quota, the slot is taken. */
        CU_ASSERT_EQUAL(quota(device, 1, 0, 0).status, KVCPU_SC_SUCCESS);
        device.context = 2;
        CU_ASSERT_EQUAL(device.pin(first_of_2, 4, 10'000'000).status, KVCPU_SC_PENDING);
        device.run(1'000'000);
        CU_ASSERT_EQUAL(used(device, 2), 4);
    }
}

void a_maximum_is_not_exceeded() {
    for (const kvcpu_policy policy : all_policies) {
        TestDevice device(under(policy));
        share_out(device);
        CU_ASSERT_EQUAL(quota(device, 2, 0, 2).status, KVCPU_SC_SUCCESS);
        for (uint64_t block = first_of_2; block < 16; ++block) {
            demand(device, 2, block);
            CU_ASSERT(used(device, 2) <= 2);
            CU_ASSERT(device.is_fast(block));
        }
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_QUOTA_EVICTIONS), 6);
        CU_ASSERT_EQUAL(device.read(KVCPU_REG_FAST_FREE), 2);
        CU_ASSERT_EQUAL(device.pin(first_of_2, 3).status, KVCPU_SC_NO_SLOTS);
        CU_ASSERT_EQUAL(device.pin(first_of_2, 2).status, KVCPU_SC_PENDING);
        device.run(100'000);
        CU_ASSERT_EQUAL(device.completions().size(), 1);
        /* The context has no victim: its PIN waits, and does not block other contexts. */
        CU_ASSERT_EQUAL(device.pin(12, 1).status, KVCPU_SC_PENDING);
        device.context = 1;
        CU_ASSERT_EQUAL(device.pin(0, 2).status, KVCPU_SC_PENDING);
        device.run(100'000);
        CU_ASSERT_EQUAL(device.completions().size(), 1);
        CU_ASSERT(device.is_fast(0) && device.is_fast(1) && !device.is_fast(12));
        device.context = 2;
        device.unpin(first_of_2, 2);
        device.run(100'000);
        CU_ASSERT_EQUAL(device.completions().size(), 1);
        CU_ASSERT(device.is_fast(12));
        CU_ASSERT(used(device, 2) <= 2);
    }
}

void a_dirty_block_is_written_back_first() {
    TestDevice device(under(KVCPU_POLICY_LRU));
    share_out(device);
    quota(device, 2, 0, 1);
    demand(device, 2, first_of_2);
    device.fill(first_of_2, 0x55);
    demand(device, 2, 9);
    CU_ASSERT(device.is_fast(9));
    CU_ASSERT(device.holds(first_of_2, 0x55));
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_WRITE_BACKS), 1);
}

void prefetches_wait_too() {
    for (const kvcpu_policy policy : {KVCPU_POLICY_HEPC, KVCPU_POLICY_NEXT_USE}) {
        TestDevice device(under(policy));
        share_out(device);
        quota(device, 2, 0, 1);
        device.fill(9, 1);
        device.context = 1;
        device.fill(0, 1);
        device.context = 2;
        demand(device, 2, first_of_2);
        device.context = 2;
        device.pin(first_of_2);
        device.command(KVCPU_OP_PREFETCHABLE, 9, 1, 10);
        device.run(100'000);
        CU_ASSERT(!device.is_fast(9));
        /* Other contexts are not blocked. */
        device.context = 1;
        device.command(KVCPU_OP_PREFETCHABLE, 0, 1, 100);
        device.run(100'000);
        CU_ASSERT(device.is_fast(0));
        device.context = 2;
        device.unpin(first_of_2);
        device.run(100'000);
        CU_ASSERT(device.is_fast(9));
        CU_ASSERT(!device.is_fast(first_of_2));
    }
}

void held_blocks_are_revoked() {
    TestDevice device(under(KVCPU_POLICY_LRU));
    share_out(device);
    quota(device, 2, 0, 1);
    demand(device, 2, first_of_2);
    device.command(KVCPU_OP_HOLD, first_of_2, 1);
    device.pin(9);
    device.run(100'000);
    CU_ASSERT(!device.is_fast(9));
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_REVOKES), 1);
    device.command(KVCPU_OP_UNHOLD, first_of_2, 1);
    device.run(100'000);
    CU_ASSERT(device.is_fast(9));
    CU_ASSERT(!device.is_fast(first_of_2));
}

/* -- Random streams -------------------------------------------------------- */

/*
 * Context 1 has two blocks in slots, and fetches no other: the number of its slots decreases only
 * if another context takes one. Contexts 2 and 3 send random commands, with quotas that change.
 */
struct Stream {
    TestDevice device;
    std::mt19937 random;
    std::array<unsigned, 4> max = {4, 4, 4, 4};

    Stream(kvcpu_policy policy, unsigned seed) : device(under(policy)), random(seed) {
        for (unsigned context = 1; context < 4; ++context) {
            device.context = context;
            device.alloc(5);
        }
        demand(device, 1, 0);
        demand(device, 1, 1);
        CU_ASSERT_EQUAL(quota(device, 1, 2, 0).status, KVCPU_SC_SUCCESS);
    }
    unsigned pick(unsigned below) { return static_cast<unsigned>(random() % below); }

    void change_quota(unsigned context) {
        const unsigned upper = 1 + pick(3);
        if (quota(device, context, pick(2), upper).status == KVCPU_SC_SUCCESS) {
            max.at(context) = upper;
        }
    }
    /* Changes the rank of the blocks of context 1. */
    void rest() {
        device.context = 1;
        const unsigned opcode = pick(2) == 0 ? KVCPU_OP_EVICTABLE : KVCPU_OP_TOUCH;
        device.command(opcode, pick(2), 1);
    }
    void act(unsigned context) {
        device.context = context;
        const uint64_t block = uint64_t{context - 1} * 5 + pick(5);
        switch (pick(9)) {
            case 0:
            case 1:
                device.pin(block, 1, 1 + pick(100'000));
                break;
            case 2:
            case 3:
            case 8:
                device.unpin(block);
                break;
            case 4:
                device.command(KVCPU_OP_HOT, block, 1, pick(20));
                break;
            case 5:
                device.command(KVCPU_OP_PREFETCHABLE, block, 1, pick(20));
                break;
            case 6:
                device.fill(block, 1);
                break;
            default:
                device.step(pick(20));
                break;
        }
    }
};

void no_context_is_pressed_below_its_minimum() {
    /* Not hepc: it demotes by score, whether or not another block needs the slot. */
    for (const kvcpu_policy policy : {KVCPU_POLICY_LRU, KVCPU_POLICY_NEXT_USE, KVCPU_POLICY_ARC}) {
        uint64_t exchanges = 0;
        for (unsigned seed = 0; seed < 40; ++seed) {
            Stream stream(policy, seed);
            TestDevice &device = stream.device;
            for (unsigned i = 0; i < 400; ++i) {
                const unsigned actor = 2 + stream.pick(2);
                const unsigned before = used(device, actor);
                if (stream.pick(20) == 0) {
                    stream.change_quota(actor);
                } else if (stream.pick(10) == 0) {
                    stream.rest();
                } else {
                    stream.act(actor);
                }
                device.run(uint64_t{stream.pick(4)} * 5000);
                device.completions();
                CU_ASSERT_EQUAL(used(device, 1), 2);
                CU_ASSERT(used(device, actor) <= std::max(before, stream.max.at(actor)));
                CU_ASSERT_EQUAL(used(device, 1) + used(device, 2) + used(device, 3) +
                                    device.read(KVCPU_REG_FAST_FREE),
                                4);
            }
            exchanges += device.counter(KVCPU_CNT_QUOTA_EVICTIONS);
        }
        CU_ASSERT(exchanges > 50);
    }
}

}  // namespace

void add_quotas_suite() {
    Suite("quotas")
        .test("QUOTA checks what it is given", quota_checks_what_it_is_given)
        .test("slots are counted", slots_are_counted)
        .test("a minimum is kept", a_minimum_is_kept)
        .test("a maximum is not exceeded", a_maximum_is_not_exceeded)
        .test("a dirty block is written back first", a_dirty_block_is_written_back_first)
        .test("prefetches wait too", prefetches_wait_too)
        .test("held blocks are revoked", held_blocks_are_revoked)
        .test("no context is pressed below its minimum", no_context_is_pressed_below_its_minimum);
}

}  // namespace kvcpu_test
