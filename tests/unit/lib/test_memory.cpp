// SPDX-License-Identifier: MIT
// Bytes of blocks, by registered buffers and by windows of the linear view.
#include <algorithm>
#include <cstring>
#include <system_error>

#include "kvcpu/device.h"
#include "queues.h"
#include "suites.h"

namespace kvcpu_test {

namespace {

using kvcpu::Entry;
using kvcpu::Queue;

constexpr uint64_t second = 1'000'000'000;
constexpr uint32_t block_size = 4096;

bool same(std::span<const std::byte> some, std::span<const std::byte> others) {
    return std::equal(some.begin(), some.end(), others.begin(), others.end());
}

/* The bytes of a block, by READ. */
std::vector<std::byte> read_block(QueueOnLoopback &on, uint64_t block) {
    std::vector<std::byte> bytes(block_size);
    CU_ASSERT(run(on.transport, [&](kvcpu::Batch &batch) { batch.read(block, 0, bytes); }).ok());
    return bytes;
}

/* Runs until all moves have ended. */
void settle(QueueOnLoopback &on) {
    let_pass(on.transport, 1'000'000);
}

/* -- Buffers ------------------------------------------------------------------- */

void buffers_begin_and_end_anywhere() {
    QueueOnLoopback on;
    const Queue::Blocks blocks = on.queue.alloc(2);
    std::vector<std::byte> memory = bytes_of(3 * block_size, 1);
    const Queue::Buffer from = on.queue.add_buffer(std::span(memory).subspan(123, 5000));
    CU_ASSERT(on.execute(Entry::write(blocks.first(), 0, block_size, from.id(), 0)).ok());
    CU_ASSERT(on.execute(Entry::write(blocks.first() + 1, 7, 900, from.id(), 4100)).ok());
    CU_ASSERT(same(read_block(on, blocks.first()), std::span(memory).subspan(123, block_size)));

    std::vector<std::byte> other(block_size);
    const Queue::Buffer to = on.queue.add_buffer(other);
    CU_ASSERT_NOT_EQUAL(to.id(), from.id());
    CU_ASSERT(on.execute(Entry::read(blocks.first() + 1, 7, 900, to.id(), 11)).ok());
    CU_ASSERT(same(std::span(other).subspan(11, 900), std::span(memory).subspan(4223, 900)));
    CU_ASSERT(other[10] == std::byte{0} && other[911] == std::byte{0});
}

void bytes_outside_a_buffer_are_refused() {
    QueueOnLoopback on;
    const Queue::Blocks blocks = on.queue.alloc(1);
    std::vector<std::byte> memory(100);
    uint32_t id = 0;
    {
        const Queue::Buffer buffer = on.queue.add_buffer(memory);
        id = buffer.id();
        CU_ASSERT(on.execute(Entry::write(blocks.first(), 0, 100, id, 0)).ok());
        CU_ASSERT_EQUAL(on.execute(Entry::write(blocks.first(), 0, 100, id, 1)).status,
                        KVCPU_SC_BAD_BUFFER);
        CU_ASSERT_EQUAL(on.transport.info().buffers, 1);
    }
    CU_ASSERT_EQUAL(on.execute(Entry::write(blocks.first(), 0, 100, id, 0)).status,
                    KVCPU_SC_BAD_BUFFER);
    CU_ASSERT_EQUAL(on.transport.info().buffers, 0);
}

void so_many_buffers_and_no_more() {
    QueueOnLoopback on;
    std::vector<std::byte> memory(1);
    std::vector<Queue::Buffer> buffers;
    buffers.reserve(KVCPU_BUFFERS_MAX + 1);
    for (int i = 0; i < KVCPU_BUFFERS_MAX; ++i) {
        buffers.push_back(on.queue.add_buffer(memory));
    }
    try {
        buffers.push_back(on.queue.add_buffer(memory));
        CU_FAIL("accepted");
    } catch (const std::system_error &error) {
        CU_ASSERT(error.code() == std::errc::no_space_on_device);
    }
    buffers.pop_back();
    buffers.push_back(on.queue.add_buffer(memory));
    try {
        (void)on.queue.add_buffer({});
        CU_FAIL("accepted");
    } catch (const std::system_error &error) {
        CU_ASSERT(error.code() == std::errc::invalid_argument);
    }
}

/* -- Windows ------------------------------------------------------------------- */

void what_is_stored_is_read() {
    QueueOnLoopback on;
    const Queue::Blocks blocks = on.queue.alloc(3);
    const std::vector<std::byte> bytes = bytes_of(3 * block_size, 3);
    {
        const Queue::Window window = on.queue.map(blocks.first(), 3, true);
        CU_ASSERT_EQUAL(window.bytes().size(), bytes.size());
        std::copy(bytes.begin(), bytes.end(), window.bytes().begin());
        CU_ASSERT(on.has(blocks.first(), KVCPU_BF_WRITE_HELD));
        CU_ASSERT(on.has(blocks.first(), KVCPU_BF_WRITTEN));
    }
    CU_ASSERT(!on.has(blocks.first(), KVCPU_BF_HELD));
    CU_ASSERT(same(read_block(on, blocks.first() + 2), std::span(bytes).subspan(2 * block_size)));
    const Queue::Window window = on.queue.map(blocks.first(), 3);
    CU_ASSERT(same(window.bytes(), bytes));
}

/* Through the fast tier and back, while it is mapped. */
void a_mapped_block_moves() {
    QueueOnLoopback on;
    const Queue::Blocks blocks = on.queue.alloc(8);
    const uint64_t block = blocks.first();
    const Queue::Window window = on.queue.map(block, 1, true);
    std::byte &byte = window.bytes()[100];
    byte = std::byte{1};
    {
        const Queue::Pin pin = on.queue.pin(block, 1, second);
        CU_ASSERT_EQUAL(on.state(block), KVCPU_BS_FAST);
        CU_ASSERT_EQUAL(byte, std::byte{1});
        byte = std::byte{2};
        CU_ASSERT_EQUAL(read_block(on, block)[100], std::byte{2});
    }
    byte = std::byte{3};
    const Queue::Pin others = on.queue.pin(block + 1, 4, second); /* all slots */
    settle(on);
    CU_ASSERT_EQUAL(on.state(block), KVCPU_BS_SLOW);
    CU_ASSERT_EQUAL(byte, std::byte{3});
    CU_ASSERT_EQUAL(read_block(on, block)[100], std::byte{3});
    byte = std::byte{4};
    CU_ASSERT_EQUAL(read_block(on, block)[100], std::byte{4});
    CU_ASSERT(on.counter(KVCPU_CNT_REVOKES) > 0);
}

void a_window_waits_for_a_move() {
    QueueOnLoopback on;
    const Queue::Blocks blocks = on.queue.alloc(1);
    const std::vector<std::byte> bytes = bytes_of(block_size, 5);
    {
        const Queue::Window window = on.queue.map(blocks.first(), 1, true);
        std::copy(bytes.begin(), bytes.end(), window.bytes().begin());
    }
    CU_ASSERT(on.queue.submit(Entry::hint(KVCPU_OP_HOT, blocks.first(), 1)) == std::errc());
    CU_ASSERT_EQUAL(on.state(blocks.first()), KVCPU_BS_FETCHING);
    const Queue::Window window = on.queue.map(blocks.first(), 1);
    CU_ASSERT_EQUAL(on.state(blocks.first()), KVCPU_BS_FAST);
    CU_ASSERT(same(window.bytes(), bytes));
}

void a_sealed_block_is_read_alone() {
    QueueOnLoopback on;
    const Queue::Blocks blocks = on.queue.alloc(1);
    const Queue::Window window = on.queue.map(blocks.first(), 1, true);
    window.bytes()[0] = std::byte{9};
    CU_ASSERT(on.execute(Entry::hint(KVCPU_OP_SEAL, blocks.first(), 1)).ok());
    CU_ASSERT(!on.has(blocks.first(), KVCPU_BF_WRITE_HELD));
    CU_ASSERT(on.has(blocks.first(), KVCPU_BF_HELD));
    CU_ASSERT_EQUAL(window.bytes()[0], std::byte{9});
}

void others_blocks_are_not_shown() {
    QueueOnLoopback on;
    const Queue::Blocks blocks = on.queue.alloc(2);
    try {
        (void)on.queue.map(blocks.first(), 3);
        CU_FAIL("mapped");
    } catch (const kvcpu::CommandError &error) {
        CU_ASSERT_EQUAL(error.status(), KVCPU_SC_NOT_OWNER);
    }
    CU_ASSERT(!on.has(blocks.first(), KVCPU_BF_HELD));
    /* In bytes, the last number would wrap to block 0. */
    for (const auto &[first, count] : {std::pair<uint64_t, uint64_t>{0, 0},
                                       {16, 1},
                                       {15, 2},
                                       {UINT64_MAX / block_size + 1, 1}}) {
        try {
            (void)on.queue.map(first, count);
            CU_FAIL("mapped");
        } catch (const std::system_error &error) {
            CU_ASSERT(error.code() == std::errc::invalid_argument);
        }
    }
}

/* The scrub of a freed block does not wait for the window: the window releases its hold. */
void a_freed_block_leaves_its_window() {
    QueueOnLoopback on;
    Queue::Blocks blocks = on.queue.alloc(1);
    const uint64_t block = blocks.first();
    const Queue::Window window = on.queue.map(block, 1, true);
    window.bytes()[0] = std::byte{7};
    blocks = {};
    settle(on);
    CU_ASSERT_EQUAL(on.state(block), KVCPU_BS_FREE);
    CU_ASSERT(!on.has(block, KVCPU_BF_HELD));
}

}  // namespace

void add_memory_suite() {
    Suite("memory")
        .test("buffers begin and end anywhere", buffers_begin_and_end_anywhere)
        .test("bytes outside a buffer are refused", bytes_outside_a_buffer_are_refused)
        .test("so many buffers and no more", so_many_buffers_and_no_more)
        .test("what is stored is read", what_is_stored_is_read)
        .test("a mapped block moves", a_mapped_block_moves)
        .test("a window waits for a move", a_window_waits_for_a_move)
        .test("a sealed block is read alone", a_sealed_block_is_read_alone)
        .test("others' blocks are not shown", others_blocks_are_not_shown)
        .test("a freed block leaves its window", a_freed_block_leaves_its_window);
}

}  // namespace kvcpu_test
