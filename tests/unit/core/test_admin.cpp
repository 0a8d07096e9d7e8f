// SPDX-License-Identifier: MIT
// The admin ring, buffers, interrupts of contexts, and what ends when a context does.
#include <algorithm>
#include <string>

#include "suites.h"
#include "test_device.h"
#include "test_ring.h"

namespace kvcpu_test {

namespace {

/* An entry of the admin ring that names a context. */
Ring::Words admin_entry(unsigned opcode, unsigned context, uint64_t first, uint64_t count,
                        uint64_t arg = 0, uint64_t address = 0, uint64_t extent = 0,
                        uint64_t tag = 0) {
    return {first,
            count,
            arg,
            address,
            extent,
            0,
            tag,
            opcode | uint64_t{KVCPU_F_COMPLETE} << KVCPU_CTL_FLAGS_SHIFT |
                uint64_t{context} << KVCPU_CTL_CONTEXT_SHIFT};
}

void the_admin_ring_is_set_up_by_registers() {
    TestDevice device;
    Ring admin(device, 0);
    device.write(KVCPU_REG_QUEUE_ENABLE, KVCPU_QEN_ADMIN); /* no register describes a ring */
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_VALUE), 1);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_QUEUE_ENABLE), 0);
    CU_ASSERT_EQUAL(admin.open().status, KVCPU_SC_SUCCESS);
    device.write(KVCPU_REG_ADMIN_SQ_ADDR, 1); /* after the change of the bit, so without effect */
    admin.push(admin_entry(KVCPU_OP_ALLOC, 3, 0, 2, 0, 0, 0, 77));
    admin.advance_tail();
    const std::vector<Completion> done = admin.take();
    CU_ASSERT_EQUAL_FATAL(done.size(), 1);
    CU_ASSERT_EQUAL(done[0].tag, 77);
    CU_ASSERT_EQUAL(done[0].result.aux, 2);
    CU_ASSERT_EQUAL(device.vectors.back(), KVCPU_VECTOR_COMPLETION);
    CU_ASSERT_EQUAL((device.block_register(KVCPU_REG_BLOCK_STATE, 0) >> 16) & 0xffff, 3);
    device.write(KVCPU_REG_QUEUE_ENABLE, 0);
    CU_ASSERT_EQUAL(admin.context_register(KVCPU_REG_CONTEXT_STATE), KVCPU_RS_NO_RING);
    admin.advance_tail(2);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_DOORBELL), 1);
    CU_ASSERT_EQUAL(device.events(KVCPU_EV_QUEUES), 2);
}

void an_admin_ring_that_cannot_be_reached() {
    for (const uint64_t bad : {uint64_t{0x10000}, uint64_t{0x20000}}) {
        TestDevice device;
        Ring admin(device, 0);
        device.dma_rule = [bad](uint64_t address, bool) {
            return address == bad ? KVCPU_DMA_FAULT : KVCPU_DMA_OK;
        };
        CU_ASSERT_EQUAL(admin.open().status, KVCPU_SC_BAD_STATE);
        CU_ASSERT_EQUAL(device.read(KVCPU_REG_QUEUE_ENABLE), 0);
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_DMA_FAULTS), 1);
        device.dma_rule = nullptr;
        CU_ASSERT_EQUAL(admin.open().status, KVCPU_SC_SUCCESS);
        admin.advance_tail(100);
        CU_ASSERT_EQUAL(admin.state(), KVCPU_RS_BAD_TAIL);
        CU_ASSERT_EQUAL(device.read(KVCPU_REG_QUEUE_ENABLE), KVCPU_QEN_ADMIN);
        device.write(KVCPU_REG_QUEUE_ENABLE, 0);
        admin.wipe();
        CU_ASSERT_EQUAL(admin.open().status, KVCPU_SC_SUCCESS);
        admin.push(admin_entry(KVCPU_OP_STEP, 1, 0, 0, 5));
        admin.advance_tail();
        CU_ASSERT_EQUAL(admin.take().size(), 1);
    }
}

void the_admin_ring_acts_in_any_name() {
    TestDevice device;
    Ring admin(device, 0);
    admin.open();
    const auto run = [&](const Ring::Words &words) {
        admin.push(words);
        admin.advance_tail();
        return admin.take().at(0).result;
    };
    CU_ASSERT_EQUAL(run(admin_entry(KVCPU_OP_ALLOC, 9, 0, 1)).status, KVCPU_SC_BAD_CONTEXT);
    CU_ASSERT_EQUAL(run(admin_entry(KVCPU_OP_ALLOC, 2, 0, 1)).status, KVCPU_SC_SUCCESS);
    std::fill_n(device.memory.begin() + 0x3000, 4096, uint8_t{0x5a});
    const uint64_t whole = uint64_t{4096} << KVCPU_EXT_LENGTH_SHIFT;
    CU_ASSERT_EQUAL(run(admin_entry(KVCPU_OP_WRITE, 2, 0, 1, 0, 0x3000, whole)).status,
                    KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(run(admin_entry(KVCPU_OP_READ, 2, 0, 1, 0, 0x4000, whole)).status,
                    KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(device.memory.at(0x4fff), 0x5a);
    CU_ASSERT_EQUAL(run(admin_entry(KVCPU_OP_WRITE, 2, 0, 1, 0, own_bars, whole)).status,
                    KVCPU_SC_OWN_ADDRESS);
    CU_ASSERT_EQUAL(run(admin_entry(KVCPU_OP_QUOTA, 2, 0, 0)).status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(run(admin_entry(KVCPU_OP_FREE, 1, 0, 1)).status, KVCPU_SC_NOT_OWNER);
    CU_ASSERT_EQUAL(run(admin_entry(KVCPU_OP_CLOSE, 2, 0, 0)).status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(device.events(KVCPU_EV_CLOSED), 1);
    Ring ring(device, 1);
    CU_ASSERT_EQUAL(run({ring.cq, 8 | 8 << 16, Ring::one_by_one, ring.sq, 0, 0, 0,
                         0x100000000 | 0x20000 | KVCPU_OP_OPEN})
                        .status,
                    KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(ring.run(KVCPU_OP_ALLOC, 0, 1).status, KVCPU_SC_SUCCESS);
}

/*
 * A CLOSE is pending in the admin ring. Disabling the ring removes its completion, and the CLOSE
 * continues.
 */
void what_waits_by_the_admin_ring_ends_with_it() {
    TestDevice device;
    Ring admin(device, 0);
    admin.open();
    device.alloc(5);
    for (uint64_t block = 0; block < 5; ++block) {
        device.fill(block, 1);
    }
    admin.push(admin_entry(KVCPU_OP_PIN, 1, 0, 4, 1'000'000'000));
    admin.push(admin_entry(KVCPU_OP_FENCE, 1, 0, 0));
    admin.advance_tail();
    CU_ASSERT_EQUAL(admin.look().size(), 0);
    device.write(KVCPU_REG_QUEUE_ENABLE, 0);
    CU_ASSERT_EQUAL(device.status_counter(KVCPU_SC_CANCELLED), 2);
    device.run_dry();
    CU_ASSERT_EQUAL(admin.look().size(), 0);
    CU_ASSERT_EQUAL(device.free(0, 5).status, KVCPU_SC_SUCCESS);
}

/* -- Buffers --------------------------------------------------------------- */

constexpr uint64_t table_at = 0x5000;

/* Pages in an odd order, from 0x80000 on; the buffer starts at byte 100 of the first. */
struct BufferScene {
    TestDevice device;
    Ring ring{device, 1};

    BufferScene() {
        ring.open();
        const uint64_t pages[] = {0x83000, 0x80000, 0x85000};
        for (unsigned i = 0; i < 3; ++i) {
            device.store(table_at + 8 * uint64_t{i}, pages[i]);
        }
    }
    unsigned add(uint64_t number, uint64_t bytes, uint64_t offset, uint64_t table) {
        device.write(KVCPU_REG_CMD_ADDR, table);
        return device.command(KVCPU_OP_BUFFER_ADD, number, bytes, offset).status;
    }
    unsigned copy(unsigned opcode, uint64_t block, uint64_t where, uint64_t offset,
                  uint64_t length) {
        ring.push({block, 1, 0, where,
                   offset << KVCPU_EXT_OFFSET_SHIFT | length << KVCPU_EXT_LENGTH_SHIFT, 0, 0,
                   opcode | KVCPU_F_COMPLETE << 16});
        ring.advance_tail();
        return ring.take().at(0).result.status;
    }
};

constexpr uint64_t in_buffer(uint64_t number, uint64_t offset) {
    return number << KVCPU_BUF_ID_SHIFT | offset;
}

void buffers_scatter_and_gather() {
    BufferScene scene;
    TestDevice &device = scene.device;
    CU_ASSERT_EQUAL(scene.add(7, 2 * 4096 + 1000, 100, table_at), KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(scene.ring.context_register(KVCPU_REG_CONTEXT_STATE), 1 << 16);
    scene.ring.run(KVCPU_OP_ALLOC, 0, 2);
    for (unsigned i = 0; i < 4096; ++i) { /* the buffer's bytes 3000 to 7095 */
        const unsigned at = 100 + 3000 + i;
        const uint64_t page = device.load(table_at + at / 4096 * 8);
        device.memory.at(page + at % 4096) = static_cast<uint8_t>(i * 7);
    }
    CU_ASSERT_EQUAL(scene.copy(KVCPU_OP_WRITE, 0, in_buffer(7, 3000), 0, 4096), KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(device.slow.at(1), 7);
    CU_ASSERT_EQUAL(device.slow.at(4095), static_cast<uint8_t>(4095 * 7));
    CU_ASSERT_EQUAL(scene.copy(KVCPU_OP_READ, 0, in_buffer(7, 0), 1, 2), KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(device.memory.at(0x83064), 7);
    CU_ASSERT_EQUAL(device.memory.at(0x83065), 14);
    CU_ASSERT_EQUAL(device.memory.at(0x83066), 0);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_READS), 1);
    CU_ASSERT_EQUAL(scene.copy(KVCPU_OP_READ, 0, in_buffer(7, 9191), 0, 1), KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(scene.copy(KVCPU_OP_READ, 0, in_buffer(7, 9191), 0, 2), KVCPU_SC_BAD_BUFFER);
    CU_ASSERT_EQUAL(scene.copy(KVCPU_OP_READ, 0, in_buffer(7, 9192), 0, 1), KVCPU_SC_BAD_BUFFER);
    CU_ASSERT_EQUAL(scene.copy(KVCPU_OP_READ, 0, UINT64_MAX, 0, 1), KVCPU_SC_BAD_BUFFER);
    CU_ASSERT_EQUAL(scene.copy(KVCPU_OP_READ, 0, in_buffer(6, 0), 0, 1), KVCPU_SC_BAD_BUFFER);
    CU_ASSERT_EQUAL(scene.copy(KVCPU_OP_READ, 0, 0x83000, 0, 1), KVCPU_SC_BAD_BUFFER);
    CU_ASSERT_EQUAL(scene.copy(KVCPU_OP_READ, 0, in_buffer(7, 0), 0, 4097), KVCPU_SC_BAD_FIELD);
    Ring other(device, 2);
    other.open();
    other.push({0, 1, 0, in_buffer(7, 0), uint64_t{1} << 32, 0, 0,
                KVCPU_OP_READ | KVCPU_F_COMPLETE << 16});
    other.advance_tail();
    CU_ASSERT_EQUAL(other.take().at(0).result.status, KVCPU_SC_NOT_OWNER);
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_BUFFER_REMOVE, 7, 0).status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_BUFFER_REMOVE, 7, 0).status, KVCPU_SC_BAD_BUFFER);
    CU_ASSERT_EQUAL(scene.copy(KVCPU_OP_READ, 0, in_buffer(7, 0), 0, 1), KVCPU_SC_BAD_BUFFER);
}

void buffers_are_checked() {
    BufferScene scene;
    CU_ASSERT_EQUAL(scene.add(64, 1, 0, table_at), KVCPU_SC_BAD_FIELD);
    CU_ASSERT_EQUAL(scene.add(0, 0, 0, table_at), KVCPU_SC_BAD_FIELD);
    CU_ASSERT_EQUAL(scene.add(0, KVCPU_BUFFER_BYTES_MAX + 1, 0, table_at), KVCPU_SC_BAD_FIELD);
    CU_ASSERT_EQUAL(scene.add(0, 1, 4096, table_at), KVCPU_SC_BAD_FIELD);
    CU_ASSERT_EQUAL(scene.add(0, 1, 0, table_at + 4), KVCPU_SC_BAD_FIELD);
    CU_ASSERT_EQUAL(scene.add(0, 1, 0, own_bars), KVCPU_SC_OWN_ADDRESS);
    CU_ASSERT_EQUAL(scene.add(0, 1, 0, uint64_t{1} << 40), KVCPU_SC_DMA_FAULT);
    CU_ASSERT_EQUAL(scene.add(0, 5000, 0, (1 << 20) - 8), KVCPU_SC_DMA_FAULT); /* its second word */
    CU_ASSERT_EQUAL(scene.add(0, 5000, 0, UINT64_MAX - 7), KVCPU_SC_DMA_FAULT);
    scene.device.store(table_at + 8, 0x80001);
    CU_ASSERT_EQUAL(scene.add(0, 5000, 0, table_at), KVCPU_SC_DMA_FAULT); /* not aligned */
    scene.device.store(table_at + 8, 0x80000);
    CU_ASSERT_EQUAL(scene.add(0, 5000, 0, table_at), KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(scene.add(0, 5000, 0, table_at), KVCPU_SC_BAD_BUFFER);
    scene.device.context = 0;
    CU_ASSERT_EQUAL(scene.add(1, 1, 0, table_at), KVCPU_SC_BAD_CONTEXT);
    CU_ASSERT_EQUAL(scene.device.command(KVCPU_OP_BUFFER_REMOVE, 0, 0).status,
                    KVCPU_SC_BAD_CONTEXT);
}

/* The first page is copied, and the second fails: the block has changed. */
void a_copy_that_fails_part_way() {
    for (const uint64_t second : {uint64_t{1} << 40, own_bars}) {
        BufferScene scene;
        scene.add(0, 3 * 4096, 0, table_at);
        scene.device.store(table_at + 8, second);
        scene.ring.run(KVCPU_OP_ALLOC, 0, 1);
        std::fill_n(scene.device.memory.begin() + 0x83000, 4096, uint8_t{9});
        CU_ASSERT_EQUAL(scene.copy(KVCPU_OP_WRITE, 0, 2048, 0, 4096),
                        second == own_bars ? KVCPU_SC_OWN_ADDRESS : KVCPU_SC_DMA_FAULT);
        CU_ASSERT_EQUAL(scene.device.flags(0) & KVCPU_BF_WRITTEN, KVCPU_BF_WRITTEN);
        CU_ASSERT_EQUAL(scene.device.slow.at(2047), 9);
        CU_ASSERT_EQUAL(scene.ring.state(), KVCPU_RS_RUNNING);
        scene.device.free(0);
        scene.device.run_dry();
        CU_ASSERT_EQUAL(scene.device.slow.at(2047), 0);
    }
}

void large_copies_use_up_slices() {
    kvcpu_config config = small_config();
    config.block_size = 2097152;
    config.slow_size = 4 * config.block_size;
    config.fast_size = config.block_size;
    TestDevice device(config);
    Ring ring(device, 1);
    ring.open();
    for (unsigned i = 0; i < 512; ++i) {
        device.store(0x80000 + 8 * uint64_t{i}, 0x90000); /* all pages are one */
    }
    device.write(KVCPU_REG_CMD_ADDR, 0x80000);
    device.command(KVCPU_OP_BUFFER_ADD, 0, config.block_size, 0);
    ring.run(KVCPU_OP_ALLOC, 0, 1);
    device.run(10000);
    for (int i = 0; i < 3; ++i) {
        ring.push({0, 1, 0, 0, config.block_size << 32, 0, 0, KVCPU_OP_WRITE});
    }
    ring.advance_tail();
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_WRITES), 1);
    device.run(1000);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_WRITES), 2);
    device.run(1000);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_WRITES), 3);
}

/* -- Interrupts ------------------------------------------------------------ */

constexpr uint64_t coalescing(uint64_t count, uint64_t vector, uint64_t ns) {
    return count << KVCPU_CLS_COUNT_SHIFT | vector << KVCPU_CLS_VECTOR_SHIFT |
           ns << KVCPU_CLS_NS_SHIFT;
}

void steps(Ring &ring, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        ring.push(KVCPU_OP_STEP, 0, 0, 1, KVCPU_F_COMPLETE);
    }
    ring.advance_tail();
}

void interrupts_come_by_count_and_time() {
    TestDevice device;
    Ring ring(device, 1, {64, 64});
    ring.open(coalescing(3, 5, 1000));
    steps(ring, 2);
    CU_ASSERT_EQUAL(device.interrupts, 0);
    device.run(600);
    steps(ring, 1);
    CU_ASSERT_EQUAL(device.interrupts, 1);
    CU_ASSERT_EQUAL(device.vectors.back(), 5);
    device.run(5000);
    CU_ASSERT_EQUAL(device.interrupts, 1);
    steps(ring, 1); /* at 5600; the count starts again here */
    device.run(999);
    CU_ASSERT_EQUAL(device.interrupts, 1);
    device.run(1);
    CU_ASSERT_EQUAL(device.interrupts, 2);
    steps(ring, 7); /* two interrupts, and one completion is left */
    CU_ASSERT_EQUAL(device.interrupts, 4);
    device.run(1000);
    CU_ASSERT_EQUAL(device.interrupts, 5);
    steps(ring, 2);
    ring.take(); /* all are consumed */
    device.run(5000);
    CU_ASSERT_EQUAL(device.interrupts, 5);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_INTERRUPTS), 5);
    CU_ASSERT_EQUAL(device.timer_ns, KVCPU_TIMER_OFF);
}

void polling_and_arming() {
    TestDevice device;
    Ring ring(device, 1, {64, 64});
    Ring other(device, 2);
    ring.open(Ring::polling);
    other.open(coalescing(2, 2, 700));
    steps(ring, 4);
    device.run(10000);
    CU_ASSERT_EQUAL(device.interrupts, 0);
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_COALESCE, 0, 0, coalescing(1, 7, 0)).status,
                    KVCPU_SC_SUCCESS); /* some completions are not consumed */
    CU_ASSERT_EQUAL(device.interrupts, 1);
    CU_ASSERT_EQUAL(device.vectors.back(), 7);
    ring.take();
    device.command(KVCPU_OP_COALESCE, 0, 0, coalescing(0, 0, 0));
    device.command(KVCPU_OP_COALESCE, 0, 0, coalescing(1, 7, 0)); /* no completion is left */
    CU_ASSERT_EQUAL(device.interrupts, 1);
    steps(ring, 1);
    CU_ASSERT_EQUAL(device.interrupts, 2);
    device.command(KVCPU_OP_COALESCE, 0, 0, coalescing(9, 7, 500));
    steps(other, 1);
    CU_ASSERT_EQUAL(device.interrupts, 2);
    device.run(500);
    CU_ASSERT_EQUAL(device.interrupts, 3); /* the older completion first */
    device.run(200);
    CU_ASSERT_EQUAL(device.interrupts, 4);
    CU_ASSERT_EQUAL(device.vectors.back(), 2);
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_COALESCE, 0, 0, coalescing(2, 7, 0)).status,
                    KVCPU_SC_BAD_FIELD);
    device.context = 3;
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_COALESCE, 0, 0, 0).status, KVCPU_SC_BAD_STATE);
}

/* -- The end --------------------------------------------------------------- */

void close_forgets_the_ring_at_once() {
    TestDevice device;
    Ring ring(device, 1);
    ring.open(coalescing(2, 2, 1000));
    ring.run(KVCPU_OP_ALLOC, 0, 5);
    device.fill(0, 1);
    ring.push(KVCPU_OP_PIN, 0, 4, 1'000'000, KVCPU_F_COMPLETE);
    ring.push(KVCPU_OP_FENCE, 0, 0, 0, KVCPU_F_COMPLETE);
    ring.push(KVCPU_OP_STEP, 0, 0, 0, KVCPU_F_COMPLETE);
    ring.advance_tail();
    device.dma_rule = [](uint64_t, bool) {
        CU_FAIL("the device touches memory");
        return KVCPU_DMA_FAULT;
    };
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_CLOSE, 0, 0).status, KVCPU_SC_PENDING);
    device.run_dry();
    CU_ASSERT_EQUAL(device.interrupts, 1); /* of the CLOSE, on vector 0 */
    CU_ASSERT_EQUAL(device.vectors.back(), 0);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS_FREE), 16);
    CU_ASSERT_EQUAL(device.status_counter(KVCPU_SC_CANCELLED), 2);
    ring.advance_tail();
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_DOORBELL), 1);
    device.dma_rule = nullptr;
    ring.wipe();
    CU_ASSERT_EQUAL(ring.open().status, KVCPU_SC_SUCCESS); /* again */
    CU_ASSERT_EQUAL(ring.run(KVCPU_OP_ALLOC, 0, 5).status, KVCPU_SC_SUCCESS);
}

void resets_touch_no_memory() {
    for (const kvcpu_reset_kind kind : {KVCPU_RESET_FUNCTION, KVCPU_RESET_COLD}) {
        TestDevice device;
        Ring admin(device, 0);
        Ring ring(device, 1);
        admin.open();
        ring.open(coalescing(2, 2, 1000));
        ring.run(KVCPU_OP_ALLOC, 0, 5);
        device.fill(0, 1);
        ring.push(KVCPU_OP_PIN, 0, 4, 1'000'000, KVCPU_F_COMPLETE);
        ring.push(KVCPU_OP_STEP, 0, 0, 0, KVCPU_F_COMPLETE);
        ring.advance_tail();
        const unsigned interrupts = device.interrupts;
        device.dma_rule = [](uint64_t, bool) {
            CU_FAIL("the device touches memory");
            return KVCPU_DMA_FAULT;
        };
        kvcpu_core_reset(device.core, kind);
        CU_ASSERT_EQUAL(device.read(KVCPU_REG_QUEUE_ENABLE), 0);
        ring.advance_tail();
        ring.doorbell(KVCPU_DB_CQ_HEAD, 1);
        device.run_dry();
        CU_ASSERT_EQUAL(device.interrupts, interrupts);
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_DOORBELL), 2);
        CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS_FREE), 16);
        device.dma_rule = nullptr;
        ring.wipe();
        CU_ASSERT_EQUAL(ring.open().status, KVCPU_SC_SUCCESS);
        CU_ASSERT_EQUAL(ring.run(KVCPU_OP_ALLOC, 0, 5).status, KVCPU_SC_SUCCESS);
    }
}

/* PINs of the window and of rings; deferred hints count as well. */
void fences_wait_for_what_was_there() {
    kvcpu_config config = small_config();
    config.slow_size = uint64_t{16384} * 4096;
    TestDevice device(config);
    Ring ring(device, 1);
    ring.open();
    device.alloc(8);
    for (uint64_t block = 0; block < 8; ++block) {
        device.fill(block, 1);
    }
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_FENCE, 0, 0).status, KVCPU_SC_SUCCESS);
    device.pin(0, 1, 1'000'000, 1);
    ring.push(KVCPU_OP_PIN, 1, 1, 1'000'000);
    ring.advance_tail();
    device.write(KVCPU_REG_CMD_TAG, 2);
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_FENCE, 0, 0).status, KVCPU_SC_PENDING);
    device.pin(2, 1, 1'000'000, 3); /* later than the FENCE, which does not wait for it */
    device.context = 2;
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_FENCE, 0, 0).status, KVCPU_SC_SUCCESS);
    device.context = 1;
    device.run(small_move_ns);
    std::vector<Completion> done = device.completions();
    CU_ASSERT_EQUAL_FATAL(done.size(), 2);
    CU_ASSERT_EQUAL(done[0].tag, 1);
    CU_ASSERT_EQUAL(done[1].tag, 2);
    device.run_dry();
    device.completions();
    device.command(KVCPU_OP_TOUCH, 0, 16384);
    device.write(KVCPU_REG_CMD_TAG, 4);
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_FENCE, 0, 0).status, KVCPU_SC_PENDING);
    device.run(2999);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CPL_PENDING), 0);
    device.run(1);
    CU_ASSERT_EQUAL(device.completions().at(0).tag, 4);
}

}  // namespace

void add_admin_suite() {
    Suite("admin")
        .test("the admin ring is set up by registers", the_admin_ring_is_set_up_by_registers)
        .test("an admin ring that cannot be reached", an_admin_ring_that_cannot_be_reached)
        .test("the admin ring acts in any name", the_admin_ring_acts_in_any_name)
        .test("what waits by the admin ring ends with it",
              what_waits_by_the_admin_ring_ends_with_it)
        .test("buffers scatter and gather", buffers_scatter_and_gather)
        .test("buffers are checked", buffers_are_checked)
        .test("a copy that fails part way", a_copy_that_fails_part_way)
        .test("large copies use up slices", large_copies_use_up_slices)
        .test("interrupts come by count and time", interrupts_come_by_count_and_time)
        .test("polling and arming", polling_and_arming)
        .test("CLOSE forgets the ring at once", close_forgets_the_ring_at_once)
        .test("resets touch no memory", resets_touch_no_memory)
        .test("fences wait for what was there", fences_wait_for_what_was_there);
}

}  // namespace kvcpu_test
