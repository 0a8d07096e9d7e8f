// SPDX-License-Identifier: MIT
// What each kind of reset ends, and what it keeps.
#include <algorithm>

#include "suites.h"
#include "test_device.h"

namespace kvcpu_test {

namespace {

/* Starts work of each kind. */
void make_busy(TestDevice &device) {
    device.alloc(12);
    for (uint64_t block = 0; block < 12; ++block) {
        device.fill(block, static_cast<uint8_t>(block + 1));
    }
    device.write(KVCPU_REG_BOOST_ADDR, uint64_t{12} * 4096);
    device.write(KVCPU_REG_BOOST_LEN, 1);
    device.demand(0);
    device.fill(0, 99);
    device.command(KVCPU_OP_SEAL, 0, 1);
    device.pin(1, 3);
    device.pin(4, 4, 1'000'000, 3);
    device.free(9);
    device.run(small_move_ns);
    device.free(10);
    device.command(KVCPU_OP_HOT, 11, 1);
    device.step(77);
}

void function_reset_ends_everything_and_scrubs() {
    for (const bool by_register : {false, true}) {
        TestDevice device;
        make_busy(device);
        const unsigned interrupts = device.interrupts;
        if (by_register) {
            device.write(KVCPU_REG_CONTROL, KVCPU_CONTROL_RESET | KVCPU_CONTROL_LOG_RESTART);
            CU_ASSERT_EQUAL(device.log.back().kind, KVCPU_EV_LOG_RESTART);
        } else {
            kvcpu_core_reset(device.core, KVCPU_RESET_FUNCTION);
            CU_ASSERT_EQUAL(device.log.back().kind, KVCPU_EV_RESET);
            CU_ASSERT_EQUAL(device.log.back().detail, KVCPU_RESET_FUNCTION);
        }
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_RESETS), 1);
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_STEPS), 0);
        CU_ASSERT_EQUAL(device.read(KVCPU_REG_CMD_RESULT), 0);
        CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_SCRUBBING);
        CU_ASSERT_EQUAL(device.state(12), KVCPU_BS_FREE);
        CU_ASSERT_EQUAL(device.alloc(1).value, 9); /* freed and scrubbed before the reset */
        device.run_dry();
        CU_ASSERT_EQUAL(device.interrupts, interrupts); /* no completion follows */
        CU_ASSERT_EQUAL(device.read(KVCPU_REG_CPL_PENDING), 0);
        CU_ASSERT_EQUAL(device.read(KVCPU_REG_FAST_FREE), 4);
        CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS_FREE), 15);
        const auto is_zero = [](uint8_t byte) { return byte == 0; };
        CU_ASSERT(std::all_of(device.slow.begin(), device.slow.end(), is_zero));
        device.step(1);
        device.demand(9);
        CU_ASSERT(device.holds(9, 0));
    }
}

void policy_stays_over_a_function_reset_alone() {
    TestDevice device;
    device.write(KVCPU_REG_POLICY, KVCPU_POLICY_LRU);
    device.write(KVCPU_REG_WEIGHT_R, 9);
    kvcpu_core_reset(device.core, KVCPU_RESET_FUNCTION);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_POLICY), KVCPU_POLICY_LRU);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_WEIGHT_R), 1);
    kvcpu_core_reset(device.core, KVCPU_RESET_COLD);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_POLICY), KVCPU_POLICY_HEPC);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_RESETS), 0);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_LOG_RECORDS), 2);
}

void cold_reset_starts_over() {
    TestDevice device;
    make_busy(device);
    std::fill(device.fast.begin(), device.fast.end(), 0); /* the work of the host */
    std::fill(device.slow.begin(), device.slow.end(), 0);
    kvcpu_core_reset(device.core, KVCPU_RESET_COLD);
    CU_ASSERT_EQUAL(device.timer_ns, KVCPU_TIMER_OFF);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS_FREE), 16);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_FAST_FREE), 4);
    CU_ASSERT_EQUAL(device.alloc(16).aux, 16);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_USE, 0) >> KVCPU_BUS_GENERATION_SHIFT, 1);
}

void a_reset_during_a_long_step_forgets_it() {
    kvcpu_config config = small_config();
    config.fast_size = config.slow_size = uint64_t{6000} * 4096;
    config.dma_bandwidth = 1'000'000'000'000;
    TestDevice device(config);
    device.alloc(4096);
    device.pin(0, 4096);
    device.run_dry();
    device.completions();
    device.unpin(0, 4096);
    CU_ASSERT_EQUAL(device.step(1).outcome(), KVCPU_HO_DEFERRED);
    kvcpu_core_reset(device.core, KVCPU_RESET_FUNCTION);
    device.run_dry();
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_DEMOTED_BY_SCORE), 0);
    CU_ASSERT_EQUAL(device.step(1).outcome(), KVCPU_HO_ACCEPTED);
}

}  // namespace

void add_reset_suite() {
    Suite("reset")
        .test("function reset ends everything, and scrubs",
              function_reset_ends_everything_and_scrubs)
        .test("policy stays over a function reset alone", policy_stays_over_a_function_reset_alone)
        .test("cold reset starts over", cold_reset_starts_over)
        .test("a reset during a long step forgets it", a_reset_during_a_long_step_forgets_it);
}

}  // namespace kvcpu_test
