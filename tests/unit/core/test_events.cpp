// SPDX-License-Identifier: MIT
// The event queue, and residency maps.
#include <algorithm>

#include "suites.h"
#include "test_device.h"
#include "test_ring.h"

namespace kvcpu_test {

namespace {

/* -- The event queue ------------------------------------------------------- */

/* Makes the device send REVOKEs for blocks 0 to count - 1. */
void revoke(TestDevice &device, uint64_t count) {
    for (uint64_t block = 0; block < count; ++block) {
        device.command(KVCPU_OP_HOLD, block, 1);
        device.free(block);
    }
}

void a_stop_is_reported() {
    TestDevice device;
    Events events(device);
    Ring ring(device, 2);
    CU_ASSERT(events.open());
    ring.open();
    ring.run(KVCPU_OP_STEP, 0, 0, 1);
    device.run(500);
    ring.advance_tail(99);
    const std::vector<Notice> notices = events.take();
    CU_ASSERT_EQUAL_FATAL(notices.size(), 1);
    CU_ASSERT_EQUAL(notices[0].kind, KVCPU_NT_STOPPED);
    CU_ASSERT_EQUAL(notices[0].detail, KVCPU_RS_BAD_TAIL);
    CU_ASSERT_EQUAL(notices[0].context, 2);
    CU_ASSERT_EQUAL(notices[0].block, 1);
    CU_ASSERT_EQUAL(notices[0].time_ns, 500);
    CU_ASSERT_EQUAL(device.vectors.back(), KVCPU_VECTOR_EVENTS);
}

void nothing_is_lost_where_there_is_no_room() {
    TestDevice device;
    Events events(device, 2);
    device.alloc(16);
    revoke(device, 1); /* before the queue is enabled */
    CU_ASSERT(events.open());
    CU_ASSERT_EQUAL(events.look().size(), 1);
    revoke(device, 7);
    CU_ASSERT_EQUAL(events.look().size(), 2);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_NOTICES), 2);
    /* The hold of block 3 is released before its REVOKE could be written. */
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_UNHOLD, 3, 1).status, KVCPU_SC_SUCCESS);
    std::vector<uint64_t> blocks;
    for (std::vector<Notice> notices = events.take(); !notices.empty(); notices = events.take()) {
        for (const Notice &notice : notices) {
            CU_ASSERT_EQUAL(notice.kind, KVCPU_NT_REVOKE);
            CU_ASSERT_EQUAL(notice.detail, KVCPU_RV_FREED);
            CU_ASSERT_EQUAL(notice.context, 1);
            blocks.push_back(notice.block);
        }
    }
    CU_ASSERT((blocks == std::vector<uint64_t>{0, 1, 2, 4, 5, 6}));
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_REVOKES), 7);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_NOTICES), 6);
}

/*
 * One interrupt covers all records that are present when the driver reads the queue, and none is
 * missed.
 */
void a_reclaim_is_reported_once() {
    TestDevice device;
    Events events(device);
    events.open();
    device.command(KVCPU_OP_ALLOC, 0, 16, 0, KVCPU_F_CACHED);
    device.context = 2;
    CU_ASSERT_EQUAL(device.alloc(3).status, KVCPU_SC_AGAIN);
    device.run_dry();
    CU_ASSERT_EQUAL(device.alloc(3).aux, 3);
    std::vector<Notice> notices = events.take();
    CU_ASSERT_EQUAL_FATAL(notices.size(), 1);
    CU_ASSERT_EQUAL(notices[0].kind, KVCPU_NT_RECLAIMED);
    CU_ASSERT_EQUAL(notices[0].context, 1);
    const uint64_t first = notices[0].block;
    device.alloc(2); /* it has not acknowledged: no further record is sent */
    device.run_dry();
    CU_ASSERT_EQUAL(events.take().size(), 0);
    device.context = 1;
    const Result taken = device.command(KVCPU_OP_RECLAIMED, 0, 0);
    CU_ASSERT_EQUAL(taken.value, first);
    while (device.command(KVCPU_OP_RECLAIMED, 0, 0).aux > 0) {
    }
    device.context = 2;
    device.alloc(4);
    CU_ASSERT_EQUAL(events.take().size(), 1);
}

void interrupts_are_for_what_was_not_seen() {
    TestDevice device;
    Events events(device);
    events.open();
    device.alloc(8);
    revoke(device, 3);
    CU_ASSERT_EQUAL(device.interrupts, 1);
    events.taken = 1;
    events.head(1); /* two records are left */
    CU_ASSERT_EQUAL(device.interrupts, 2);
    CU_ASSERT_EQUAL(events.take().size(), 2);
    CU_ASSERT_EQUAL(device.interrupts, 2);
    device.command(KVCPU_OP_HOLD, 4, 1);
    device.free(4);
    CU_ASSERT_EQUAL(device.interrupts, 3);
}

void its_doorbell_is_checked() {
    TestDevice device;
    Events events(device);
    events.open();
    device.alloc(8);
    revoke(device, 2);
    events.head(3);
    events.head(UINT64_MAX);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_DOORBELL), 2);
    CU_ASSERT_EQUAL(events.take().size(), 2);
    events.head(1);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_DOORBELL), 3);
    device.write(KVCPU_REG_QUEUE_ENABLE, 0);
    events.head(2);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_DOORBELL), 4);
}

void a_queue_that_cannot_be_written_goes_off() {
    TestDevice device;
    Events events(device);
    device.write(KVCPU_REG_EVQ_ADDR, 0x8000);
    device.write(KVCPU_REG_EVQ_ENTRIES, 3);
    device.write(KVCPU_REG_QUEUE_ENABLE, KVCPU_QEN_EVENTS);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_VALUE), 1);
    device.dma_rule = [](uint64_t, bool) { return KVCPU_DMA_OWN_ADDRESS; };
    CU_ASSERT_FALSE(events.open());
    device.dma_rule = nullptr;
    CU_ASSERT(events.open());
    device.alloc(8);
    device.dma_rule = [&](uint64_t address, bool) {
        return address == events.at + 24 ? KVCPU_DMA_FAULT : KVCPU_DMA_OK;
    };
    revoke(device, 2);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_QUEUE_ENABLE), 0);
    CU_ASSERT_EQUAL(device.vectors.back(), KVCPU_VECTOR_EVENTS);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_DMA_FAULTS), 2);
    device.dma_rule = nullptr;
    CU_ASSERT(events.open());
    CU_ASSERT_EQUAL(events.take().size(), 2);
}

/* -- Residency maps -------------------------------------------------------- */

constexpr uint64_t map_at = 0xa0000;

unsigned give_map(TestDevice &device, uint64_t first, uint64_t count, uint64_t address = map_at) {
    device.write(KVCPU_REG_CMD_ADDR, address);
    return device.command(KVCPU_OP_RESIDENCY, first, count).status;
}

uint64_t shown(TestDevice &device, uint64_t block) {
    return device.load(map_at + 8 * block);
}

uint64_t word(uint64_t tier, uint64_t state, uint64_t generation) {
    return 1 | tier << KVCPU_RSD_TIER_SHIFT | state << KVCPU_RSD_STATE_SHIFT |
           generation << KVCPU_RSD_GENERATION_SHIFT;
}

/* At the time of each change, also without a register access. */
void a_map_shows_where_blocks_are() {
    TestDevice device;
    device.alloc(1);
    CU_ASSERT_EQUAL(give_map(device, 0, 16), KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(shown(device, 0), word(KVCPU_TIER_DRAM, KVCPU_BS_SLOW, 1));
    CU_ASSERT_EQUAL(shown(device, 1), 0);
    device.alloc(3);
    CU_ASSERT_EQUAL(shown(device, 3), word(KVCPU_TIER_DRAM, KVCPU_BS_SLOW, 1));
    device.fill(0, 1);
    device.command(KVCPU_OP_HOT, 0, 1);
    CU_ASSERT_EQUAL(shown(device, 0), word(KVCPU_TIER_DRAM, KVCPU_BS_FETCHING, 1));
    device.run(small_move_ns - 1);
    CU_ASSERT_EQUAL(shown(device, 0), word(KVCPU_TIER_DRAM, KVCPU_BS_FETCHING, 1));
    device.run(1);
    CU_ASSERT_EQUAL(shown(device, 0), word(KVCPU_TIER_HBM, KVCPU_BS_FAST, 1));
    device.fill(0, 2);
    device.command(KVCPU_OP_EVICTABLE, 0, 1, 0, KVCPU_F_NOW);
    CU_ASSERT_EQUAL(shown(device, 0), word(KVCPU_TIER_HBM, KVCPU_BS_EVICTING, 1));
    device.run(small_move_ns);
    CU_ASSERT_EQUAL(shown(device, 0), word(KVCPU_TIER_DRAM, KVCPU_BS_SLOW, 1));
    device.free(0, 2);
    CU_ASSERT_EQUAL(shown(device, 0), 0);
    device.run_dry();
    device.alloc(1);
    CU_ASSERT_EQUAL(shown(device, 0), word(KVCPU_TIER_DRAM, KVCPU_BS_SLOW, 2));
    /* No word of another context's block. */
    device.context = 2;
    device.alloc(2);
    for (uint64_t block = 1; block < 16; ++block) {
        const bool mine = block == 2 || block == 3;
        CU_ASSERT_EQUAL(shown(device, block) != 0, mine);
    }
}

void maps_are_checked() {
    kvcpu_config config = small_config();
    config.slow_size = uint64_t{300000} * 4096;
    TestDevice device(config);
    CU_ASSERT_EQUAL(give_map(device, 1, 4), KVCPU_SC_BAD_RANGE);
    CU_ASSERT_EQUAL(give_map(device, 0, 262145), KVCPU_SC_BAD_RANGE);
    CU_ASSERT_EQUAL(give_map(device, 262144, 37857), KVCPU_SC_BAD_RANGE);
    CU_ASSERT_EQUAL(give_map(device, 524288, 0), KVCPU_SC_BAD_RANGE);
    CU_ASSERT_EQUAL(give_map(device, UINT64_MAX, 0), KVCPU_SC_BAD_RANGE);
    CU_ASSERT_EQUAL(give_map(device, 0, 4, map_at + 8), KVCPU_SC_BAD_FIELD);
    CU_ASSERT_EQUAL(give_map(device, 0, 4, own_bars), KVCPU_SC_OWN_ADDRESS);
    CU_ASSERT_EQUAL(give_map(device, 0, 262144, 0x80000), KVCPU_SC_DMA_FAULT); /* its end */
    device.write(KVCPU_REG_CONTEXT_SELECT, 1);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CONTEXT_STATE) >> KVCPU_CXS_PARTS_SHIFT, 0);
    CU_ASSERT_EQUAL(give_map(device, 262144, 37856), KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(give_map(device, 0, 100), KVCPU_SC_SUCCESS); /* no part for the rest */
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CONTEXT_STATE) >> KVCPU_CXS_PARTS_SHIFT, 2);
    device.alloc(200);
    CU_ASSERT(device.load(map_at + 8 * 99) != 0);
    CU_ASSERT_EQUAL(device.load(map_at + 8 * 100), 0);
    CU_ASSERT_EQUAL(give_map(device, 0, 0), KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CONTEXT_STATE) >> KVCPU_CXS_PARTS_SHIFT, 1);
    device.context = 0;
    CU_ASSERT_EQUAL(give_map(device, 0, 1), KVCPU_SC_BAD_CONTEXT);
}

void a_map_that_cannot_be_written_stops_its_ring() {
    TestDevice device;
    Events events(device);
    Ring ring(device, 1);
    events.open();
    ring.open();
    give_map(device, 0, 16);
    device.dma_rule = [](uint64_t address, bool) {
        return address >= map_at ? KVCPU_DMA_FAULT : KVCPU_DMA_OK;
    };
    ring.push(KVCPU_OP_ALLOC, 0, 4);
    ring.advance_tail();
    CU_ASSERT_EQUAL(ring.state(), KVCPU_RS_MAP_FAULT);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_DMA_FAULTS), 1);
    CU_ASSERT_EQUAL(events.take().at(0).detail, KVCPU_RS_MAP_FAULT);
    device.dma_rule = nullptr;
    device.free(0, 4);
    CU_ASSERT_EQUAL(shown(device, 0), 0);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_RESIDENCY_WRITES), 2);
}

void a_closed_context_shows_nothing() {
    TestDevice device;
    give_map(device, 0, 16);
    device.alloc(4);
    const uint64_t before = shown(device, 0);
    device.command(KVCPU_OP_CLOSE, 0, 0);
    device.run_dry();
    CU_ASSERT_EQUAL(shown(device, 0), before); /* the driver may use the memory again */
    device.alloc(4);
    CU_ASSERT_EQUAL(shown(device, 0), before);
    give_map(device, 0, 16);
    kvcpu_core_reset(device.core, KVCPU_RESET_FUNCTION);
    const uint64_t writes = device.counter(KVCPU_CNT_RESIDENCY_WRITES);
    device.run_dry();
    device.alloc(4);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_RESIDENCY_WRITES), writes);
}

}  // namespace

void add_events_suite() {
    Suite("events")
        .test("a stop is reported", a_stop_is_reported)
        .test("nothing is lost where there is no room", nothing_is_lost_where_there_is_no_room)
        .test("a reclaim is reported once", a_reclaim_is_reported_once)
        .test("interrupts are for what was not seen", interrupts_are_for_what_was_not_seen)
        .test("its doorbell is checked", its_doorbell_is_checked)
        .test("a queue that cannot be written goes off", a_queue_that_cannot_be_written_goes_off)
        .test("a map shows where blocks are", a_map_shows_where_blocks_are)
        .test("maps are checked", maps_are_checked)
        .test("a map that cannot be written stops its ring",
              a_map_that_cannot_be_written_stops_its_ring)
        .test("a closed context shows nothing", a_closed_context_shows_nothing);
}

}  // namespace kvcpu_test
