// SPDX-License-Identifier: MIT
// ALLOC, FREE, READ, WRITE, CLOSE, and which context may name which block.
#include <algorithm>

#include "suites.h"
#include "test_device.h"

namespace kvcpu_test {

namespace {

constexpr uint64_t scrub_ns = 128; /* 4,096 bytes at 32 GB/s */

void allocates_lowest_runs() {
    TestDevice device;
    Result result = device.alloc(3);
    CU_ASSERT_EQUAL(result.status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(result.aux, 3);
    CU_ASSERT_EQUAL(result.value, 0);
    CU_ASSERT_EQUAL(device.alloc(2).value, 3);
    device.free(1, 2);
    device.run_dry();
    result = device.alloc(5); /* the run 1..2 is shorter than requested */
    CU_ASSERT_EQUAL(result.value, 1);
    CU_ASSERT_EQUAL(result.aux, 2);
    result = device.alloc(4096);
    CU_ASSERT_EQUAL(result.value, 5);
    CU_ASSERT_EQUAL(result.aux, 11);
    CU_ASSERT_EQUAL(device.alloc(1).status, KVCPU_SC_NO_SPACE);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BLOCKS_ALLOCATED), 18);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS_FREE), 0);
}

void tags_are_kept() {
    TestDevice device;
    device.write(KVCPU_REG_CMD_META, uint64_t{512} << KVCPU_TAG_TOKENS_SHIFT |
                                         uint64_t{7} << KVCPU_TAG_LAYER_SHIFT |
                                         uint64_t{9} << KVCPU_TAG_HEAD_SHIFT | 0x1234);
    device.command(KVCPU_OP_ALLOC, 0, 2, 1000);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_TAG, 1), device.read(KVCPU_REG_CMD_META));
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_TOKENS, 1), 1512 | uint64_t{2023} << 32);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_USE, 1) >> KVCPU_BUS_GENERATION_SHIFT, 1);
    device.free(1);
    device.run_dry();
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_TAG, 1), 0);
    device.write(KVCPU_REG_CMD_META, 0);
    device.command(KVCPU_OP_ALLOC, 0, 1, 77);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_TOKENS, 1), 77 | uint64_t{77} << 32);
    CU_ASSERT_EQUAL(device.block_register(KVCPU_REG_BLOCK_USE, 1) >> KVCPU_BUS_GENERATION_SHIFT, 2);
}

void malformed_commands_have_their_status() {
    TestDevice device;
    device.alloc(4);
    const uint64_t good = KVCPU_OP_UNPIN | uint64_t{1} << KVCPU_CTL_CONTEXT_SHIFT;
    const struct {
        uint64_t control;
        uint64_t first;
        uint64_t count;
        unsigned status;
    } cases[] = {
        {0x0100000000, 0, 1, KVCPU_SC_BAD_OPCODE},
        {0x01000000ff, 0, 1, KVCPU_SC_BAD_OPCODE},
        {good | uint64_t{1} << 48, 0, 1, KVCPU_SC_BAD_FIELD},
        {good | 1 << KVCPU_CTL_FLAGS_SHIFT, 0, 1, KVCPU_SC_BAD_FIELD},
        {KVCPU_OP_UNPIN | uint64_t{4} << KVCPU_CTL_CONTEXT_SHIFT, 0, 1, KVCPU_SC_BAD_CONTEXT},
        {KVCPU_OP_CLOSE, 0, 1, KVCPU_SC_BAD_CONTEXT},
        {good, 0, 0, KVCPU_SC_BAD_RANGE},
        {good, 0, 4097, KVCPU_SC_BAD_RANGE},
        {good, 16, 1, KVCPU_SC_BAD_RANGE},
        {good, 15, 2, KVCPU_SC_BAD_RANGE},
        {good, UINT64_MAX, 2, KVCPU_SC_BAD_RANGE},
        {good, 3, 2, KVCPU_SC_NOT_OWNER},
        {KVCPU_OP_UNPIN | uint64_t{2} << KVCPU_CTL_CONTEXT_SHIFT, 0, 1, KVCPU_SC_NOT_OWNER},
        {KVCPU_OP_UNPIN, 0, 1, KVCPU_SC_NOT_OWNER},
        {KVCPU_OP_UNPIN, 9, 1, KVCPU_SC_NOT_OWNER},
        {good, 0, 1, KVCPU_SC_NOT_PINNED},
    };
    uint64_t failed = 0;
    for (const auto &bad : cases) {
        const uint64_t before = device.status_counter(static_cast<kvcpu_status>(bad.status));
        device.write(KVCPU_REG_CMD_FIRST, bad.first);
        device.write(KVCPU_REG_CMD_COUNT, bad.count);
        device.write(KVCPU_REG_CMD_CONTROL, bad.control);
        CU_ASSERT_EQUAL(device.read(KVCPU_REG_CMD_RESULT), bad.status);
        CU_ASSERT_EQUAL(device.status_counter(static_cast<kvcpu_status>(bad.status)), before + 1);
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_COMMANDS_FAILED), ++failed);
        CU_ASSERT_EQUAL(device.log.back().kind, KVCPU_EV_COMMAND_FAILED);
    }
    CU_ASSERT_EQUAL(device.alloc(0).status, KVCPU_SC_BAD_RANGE);
    CU_ASSERT_EQUAL(device.alloc(4097).status, KVCPU_SC_BAD_RANGE);
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_ALLOC, 0, 1, uint64_t{1} << 32).status,
                    KVCPU_SC_BAD_FIELD);
    CU_ASSERT_EQUAL(device.free(4).status, KVCPU_SC_NOT_OWNER);
}

void free_scrubs_both_copies() {
    TestDevice device;
    device.alloc(1);
    device.fill(0, 0xaa);
    device.pin(0);
    device.run_dry();
    CU_ASSERT_EQUAL(device.free(0).status, KVCPU_SC_PINNED);
    device.unpin(0);
    device.fill(0, 0xbb);
    const unsigned slot = device.slot(0);
    CU_ASSERT_EQUAL(device.free(0).status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_SCRUBBING);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_FAST_FREE), 3);
    CU_ASSERT_EQUAL(device.alloc(1).value, 1); /* not the block that is being scrubbed */
    device.run(scrub_ns);
    CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_FREE);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_FAST_FREE), 4);
    CU_ASSERT(
        std::all_of(device.slow.begin(), device.slow.end(), [](uint8_t b) { return b == 0; }));
    CU_ASSERT_EQUAL(device.fast.at(slot * size_t{4096}), 0);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_SCRUBS), 1);
    CU_ASSERT_EQUAL(device.alloc(1).value, 0);
    CU_ASSERT(device.holds(0, 0));
}

void copies_within_the_block() {
    TestDevice device;
    device.alloc(1);
    device.memory.at(100) = 0x5a;
    CU_ASSERT_EQUAL(device.copy(KVCPU_OP_WRITE, 0, 100, 4095, 1).status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(device.slow.at(4095), 0x5a);
    CU_ASSERT_EQUAL(device.copy(KVCPU_OP_READ, 0, 200, 4095, 1).status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(device.memory.at(200), 0x5a);
    const uint64_t bad[][2] = {{0, 0}, {0, 4097}, {4096, 1}, {4095, 2}, {1, 0xffffffff}};
    for (const auto &[offset, length] : bad) {
        CU_ASSERT_EQUAL(device.copy(KVCPU_OP_READ, 0, 0, offset, length).status,
                        KVCPU_SC_BAD_FIELD);
    }
    CU_ASSERT_EQUAL(device.copy(KVCPU_OP_READ, 1, 0, 0, 1).status, KVCPU_SC_NOT_OWNER);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_READS), 1);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_WRITES), 1);
    CU_ASSERT(device.bytes_written[KVCPU_TIER_SLOW] >= 1);
}

void a_wild_bus_address_fails_the_command_alone() {
    TestDevice device;
    device.alloc(1);
    CU_ASSERT_EQUAL(device.copy(KVCPU_OP_WRITE, 0, UINT64_MAX - 10, 0, 4096).status,
                    KVCPU_SC_DMA_FAULT);
    CU_ASSERT_EQUAL(device.copy(KVCPU_OP_READ, 0, uint64_t{1} << 40, 0, 4096).status,
                    KVCPU_SC_DMA_FAULT);
    device.next_dma = KVCPU_DMA_OWN_ADDRESS;
    CU_ASSERT_EQUAL(device.copy(KVCPU_OP_READ, 0, 0, 0, 1).status, KVCPU_SC_OWN_ADDRESS);
    CU_ASSERT_EQUAL(device.copy(KVCPU_OP_WRITE, 0, 0, 0, 1).status, KVCPU_SC_OWN_ADDRESS);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_DMA_FAULTS), 4);
    device.next_dma = KVCPU_DMA_OK;
    CU_ASSERT_EQUAL(device.fill(0, 3).status, KVCPU_SC_SUCCESS);
    CU_ASSERT(device.holds(0, 3));
}

void sealed_blocks_refuse_writes() {
    TestDevice device;
    device.alloc(1);
    device.fill(0, 8);
    device.command(KVCPU_OP_SEAL, 0, 1);
    CU_ASSERT_EQUAL(device.fill(0, 9).status, KVCPU_SC_SEALED);
    CU_ASSERT(device.holds(0, 8));
    CU_ASSERT((device.flags(0) & KVCPU_BF_SEALED) != 0);
}

void close_frees_all_and_completes() {
    TestDevice device;
    device.alloc(10);
    device.fill(2, 1);
    device.pin(0, 2);
    device.run_dry();
    device.completions();
    device.pin(2, 1, 1000000, 55);
    device.write(KVCPU_REG_CMD_TAG, 66);
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_CLOSE, 0, 0).status, KVCPU_SC_PENDING);
    const std::vector<Completion> done = device.completions();
    CU_ASSERT_EQUAL_FATAL(done.size(), 2);
    CU_ASSERT_EQUAL(done[0].tag, 55);
    CU_ASSERT_EQUAL(done[0].result.status, KVCPU_SC_CANCELLED);
    CU_ASSERT_EQUAL(done[1].tag, 66);
    CU_ASSERT_EQUAL(done[1].result.status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BLOCKS_FREED), 10);
    device.run_dry();
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS_FREE), 16);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_FAST_FREE), 4);
    CU_ASSERT_EQUAL(device.events(KVCPU_EV_CLOSED), 1);
    CU_ASSERT_EQUAL(device.alloc(1).status, KVCPU_SC_SUCCESS); /* the context can be used again */
}

void a_large_close_takes_batches() {
    kvcpu_config config = small_config();
    config.slow_size = uint64_t{20000} * 4096;
    config.dma_bandwidth = 1'000'000'000'000;
    TestDevice device(config);
    device.context = 2;
    CU_ASSERT_EQUAL(device.alloc(4096).aux, 4096); /* blocks of other contexts interrupt the run */
    device.context = 1;
    for (int i = 0; i < 3; ++i) {
        CU_ASSERT_EQUAL(device.alloc(4096).aux, 4096);
    }
    CU_ASSERT_EQUAL(device.command(KVCPU_OP_CLOSE, 0, 0).status, KVCPU_SC_PENDING);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CPL_PENDING), 0);
    CU_ASSERT_EQUAL(device.alloc(1).status, KVCPU_SC_BUSY);
    device.run(2999);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CPL_PENDING), 0);
    device.run(1);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CPL_PENDING), 1);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BLOCKS_FREED), 12288);
    device.run_dry();
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS_FREE), 20000 - 4096);
}

}  // namespace

void add_commands_suite() {
    Suite("commands")
        .test("ALLOC takes the lowest run", allocates_lowest_runs)
        .test("tags are kept until the block is freed", tags_are_kept)
        .test("malformed commands have their status", malformed_commands_have_their_status)
        .test("FREE scrubs both copies", free_scrubs_both_copies)
        .test("READ and WRITE stay within the block", copies_within_the_block)
        .test("a wild bus address fails the command alone",
              a_wild_bus_address_fails_the_command_alone)
        .test("sealed blocks refuse WRITE", sealed_blocks_refuse_writes)
        .test("CLOSE frees all, and completes", close_frees_all_and_completes)
        .test("a large CLOSE takes batches", a_large_close_takes_batches);
}

}  // namespace kvcpu_test
