// SPDX-License-Identifier: MIT
// What the link does first, and when bytes move.
#include "suites.h"
#include "test_device.h"

namespace kvcpu_test {

namespace {

kvcpu_config one_channel(unsigned slots) {
    kvcpu_config config = small_config();
    config.dma_channels = 1;
    config.fast_size = uint64_t{slots} * 4096;
    return config;
}

constexpr uint64_t one_channel_move_ns = 1000 + 4096;

/* Blocks in the order in which their moves began. */
std::vector<uint64_t> starts(const TestDevice &device, kvcpu_event_kind kind) {
    std::vector<uint64_t> blocks;
    for (const kvcpu_event &event : device.log) {
        if (event.kind == kind) {
            blocks.push_back(event.first);
        }
    }
    return blocks;
}

void bytes_move_when_the_move_ends() {
    TestDevice device;
    device.alloc(1);
    device.fill(0, 1);
    device.pin(0);
    device.run(small_move_ns - 1);
    CU_ASSERT_EQUAL(device.fast.at(0), 0);
    device.fill(0, 2); /* written back, so it is a part of the copied bytes */
    device.run(1);
    CU_ASSERT_EQUAL(device.fast.at(0), 2);
    device.fill(0, 3);
    device.command(KVCPU_OP_SEAL, 0, 1);
    CU_ASSERT((device.flags(0) & KVCPU_BF_DIRTY) != 0);
    device.run(small_move_ns - 1);
    device.read(KVCPU_REG_TIME); /* no command waits for it, so no timer is armed for its end */
    CU_ASSERT_EQUAL(device.slow.at(0), 2);
    device.run(1);
    device.read(KVCPU_REG_TIME);
    CU_ASSERT_EQUAL(device.slow.at(0), 3);
    CU_ASSERT_EQUAL(device.flags(0) & KVCPU_BF_DIRTY, 0);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_WRITE_BACKS), 1);
}

void a_move_takes_latency_and_its_share_of_the_bandwidth() {
    kvcpu_config config = small_config();
    config.dma_channels = 3;
    config.dma_latency_ns = 17;
    config.dma_bandwidth = 1'000'000'007;
    TestDevice device(config);
    device.alloc(1);
    device.fill(0, 1);
    device.pin(0);
    const uint64_t expected =
        17 + (uint64_t{4096} * 3 * 1'000'000'000 + 1'000'000'006) / 1'000'000'007;
    CU_ASSERT_EQUAL(device.timer_ns, expected);
    device.run_dry();
    CU_ASSERT_EQUAL(device.completions().at(0).time_ns, expected);
}

void demand_goes_before_prefetch_before_cleaning() {
    TestDevice device(one_channel(6));
    device.write(KVCPU_REG_EVICT_THRESH, 0);
    device.alloc(6);
    for (uint64_t block = 0; block < 6; ++block) {
        device.fill(block, 1);
    }
    device.demand(5);
    device.fill(5, 2);
    device.step(10);
    device.pin(0);                                   /* takes the channel */
    device.command(KVCPU_OP_SEAL, 5, 1);             /* write-back */
    device.command(KVCPU_OP_PREFETCHABLE, 1, 1, 14); /* prefetches */
    device.command(KVCPU_OP_PREFETCHABLE, 2, 1, 12);
    device.command(KVCPU_OP_HOT, 3, 1);
    device.log.clear();
    device.run(one_channel_move_ns);
    device.unpin(0);
    device.pin(4); /* demand; HOT 3 has started already, as it was the most urgent then */
    device.run_dry();
    const std::vector<uint64_t> fetched = starts(device, KVCPU_EV_FETCH_START);
    CU_ASSERT_EQUAL_FATAL(fetched.size(), 4);
    CU_ASSERT_EQUAL(fetched[0], 3);
    CU_ASSERT_EQUAL(fetched[1], 4);
    CU_ASSERT_EQUAL(fetched[2], 2);
    CU_ASSERT_EQUAL(fetched[3], 1);
    CU_ASSERT_EQUAL(device.log.back().kind, KVCPU_EV_WRITE_BACK_DONE);
}

void a_dirty_victim_is_written_back_first() {
    TestDevice device(one_channel(4));
    device.alloc(5);
    for (uint64_t block = 0; block < 5; ++block) {
        device.fill(block, static_cast<uint8_t>(block + 1));
    }
    for (uint64_t block = 0; block < 4; ++block) {
        device.demand(block);
    }
    device.fill(1, 0x22);
    device.fill(2, 0x33);
    device.fill(3, 0x44);
    device.fill(0, 0x11); /* all dirty; 1 is the least recently used */
    device.completions();
    device.pin(4);
    CU_ASSERT_EQUAL(device.state(1), KVCPU_BS_EVICTING);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_EVICTED_UNHINTED), 0);
    device.run(2 * one_channel_move_ns - 1);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CPL_PENDING), 0);
    device.run(1);
    CU_ASSERT_EQUAL(device.completions().back().result.status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(device.state(1), KVCPU_BS_SLOW);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_WRITE_BACKS), 1);
    CU_ASSERT(device.holds(1, 0x22));
    CU_ASSERT(device.holds(4, 5));
}

/* Moves without a pending PIN share a timer; the last move of a PIN has a timer of its own. */
void timers_are_for_interrupts() {
    kvcpu_config config = small_config();
    config.fast_size = config.slow_size = uint64_t{64} * 4096;
    TestDevice device(config);
    device.write(KVCPU_REG_EVICT_THRESH, 0);
    device.alloc(64);
    for (uint64_t block = 0; block < 64; ++block) {
        device.fill(block, 1);
    }
    device.command(KVCPU_OP_PREFETCHABLE, 0, 40, 100);
    CU_ASSERT_EQUAL(device.timer_ns, 17 * small_move_ns);
    device.pin(40, 5);
    /* The channels are free at one move; five fetches on two take three more. */
    CU_ASSERT_EQUAL(device.timer_ns, 4 * small_move_ns);
    device.run_until(device.timer_ns);
    CU_ASSERT_EQUAL(device.completions().at(0).time_ns, 4 * small_move_ns);
    device.run_dry();
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_FETCHES_PREFETCH), 40);
}

void a_late_timer_changes_nothing() {
    std::vector<kvcpu_event> logs[2];
    for (const bool late : {false, true}) {
        TestDevice device;
        device.alloc(8);
        for (uint64_t block = 0; block < 8; ++block) {
            device.fill(block, 1);
        }
        device.pin(0, 4, 30'000, 1);
        device.pin(4, 4, 20'000, 2);
        if (late) {
            device.now = 200'000; /* and no timer called since */
            device.read(KVCPU_REG_TIME);
        } else {
            device.run_until(200'000);
            device.read(KVCPU_REG_TIME);
        }
        logs[late ? 1 : 0] = device.log;
    }
    CU_ASSERT_EQUAL_FATAL(logs[0].size(), logs[1].size());
    for (size_t i = 0; i < logs[0].size(); ++i) {
        CU_ASSERT_EQUAL(logs[0][i].kind, logs[1][i].kind);
        CU_ASSERT_EQUAL(logs[0][i].time_ns, logs[1][i].time_ns);
        CU_ASSERT_EQUAL(logs[0][i].first, logs[1][i].first);
    }
}

void dirty_blocks_demoted_together_are_all_written_back() {
    TestDevice device;
    device.alloc(4);
    for (uint64_t block = 0; block < 4; ++block) {
        device.demand(block);
        device.fill(block, static_cast<uint8_t>(block + 1));
    }
    device.command(KVCPU_OP_EVICTABLE, 0, 4, 0, KVCPU_F_NOW);
    device.command(KVCPU_OP_SEAL, 3, 1);
    device.pin(3); /* kept before a channel starts the write-back */
    device.run_dry();
    for (uint64_t block = 0; block < 4; ++block) {
        CU_ASSERT_EQUAL(device.slow.at(block * 4096), block + 1);
        CU_ASSERT_EQUAL(device.state(block), block == 3 ? KVCPU_BS_FAST : KVCPU_BS_SLOW);
    }
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_EVICTED_EVICTABLE), 3);
}

/* A move takes 9,192 ns. The clock stops during a move, and at a completion. */
void the_clock_stops_at_clock_stop() {
    TestDevice device;
    device.alloc(4);
    device.fill(0, 1);
    device.run(1000);
    device.write(KVCPU_REG_CLOCK_STOP, 5000);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CLOCK_STOP), 5000);
    CU_ASSERT_EQUAL(device.pin(0).status, KVCPU_SC_PENDING);
    device.run(100'000);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_TIME), 5000);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CPL_PENDING), 0);
    CU_ASSERT_EQUAL(device.timer_ns, KVCPU_TIMER_OFF);
    CU_ASSERT_EQUAL(device.pin(0, 1, 50'000, 7).status, KVCPU_SC_PENDING); /* at 5,000 */

    device.write(KVCPU_REG_CLOCK_STOP, 1); /* in the past: the clock stays stopped */
    device.run(100'000);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_TIME), 5000);

    device.write(KVCPU_REG_CLOCK_STOP, 1'000'000);
    device.run(1'000'000); /* the host's timer is late */
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_TIME), 1000 + small_move_ns);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CLOCK_STOP), 1000 + small_move_ns);
    const std::vector<Completion> both = device.completions();
    CU_ASSERT_EQUAL(both.size(), 2);
    CU_ASSERT_EQUAL(both.back().time_ns, 1000 + small_move_ns);
    device.run(1000);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_TIME), 1000 + small_move_ns);

    device.write(KVCPU_REG_CLOCK_STOP, KVCPU_CLOCK_RUNS);
    device.run(1000);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_TIME), 2000 + small_move_ns);
}

/* The process that stopped the clock may be dead; work for other processes continues. */
void a_close_and_a_reset_let_the_clock_run() {
    TestDevice device;
    device.alloc(4);
    device.run(1000);
    device.write(KVCPU_REG_CLOCK_STOP, 1);
    device.command(KVCPU_OP_CLOSE, 0, 0);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CLOCK_STOP), KVCPU_CLOCK_RUNS);
    device.run_dry();
    CU_ASSERT_EQUAL(device.completions().size(), 1);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS_FREE), 16);
    device.write(KVCPU_REG_CLOCK_STOP, 1);
    device.write(KVCPU_REG_CONTROL, KVCPU_CONTROL_RESET);
    const uint64_t before = device.read(KVCPU_REG_TIME);
    device.run(10);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_TIME), before + 10);
}

}  // namespace

void add_moves_suite() {
    Suite("moves")
        .test("bytes move when the move ends", bytes_move_when_the_move_ends)
        .test("a move takes latency and its share of the bandwidth",
              a_move_takes_latency_and_its_share_of_the_bandwidth)
        .test("demand goes before prefetch before cleaning",
              demand_goes_before_prefetch_before_cleaning)
        .test("a dirty victim is written back first", a_dirty_victim_is_written_back_first)
        .test("timers are for interrupts", timers_are_for_interrupts)
        .test("a late timer changes nothing", a_late_timer_changes_nothing)
        .test("dirty blocks demoted together are all written back",
              dirty_blocks_demoted_together_are_all_written_back)
        .test("the clock stops at CLOCK_STOP", the_clock_stops_at_clock_stop)
        .test("a CLOSE and a reset let the clock run", a_close_and_a_reset_let_the_clock_run);
}

}  // namespace kvcpu_test
