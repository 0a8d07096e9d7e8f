// SPDX-License-Identifier: MIT
// A core on a host made of memory and a clock that the test turns.
#ifndef KVCPU_TEST_DEVICE_H
#define KVCPU_TEST_DEVICE_H

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kvcpu_core.h"
#include "kvcpu_hw.h"
#include "kvcpu_hw_log.h"
#include "kvcpu_hw_rings.h"

namespace kvcpu_test {

/* 16 blocks, 4 slots, 2 channels, a move in 9,192 ns (1,000 + 4,096 x 2 / 1 GB/s). */
kvcpu_config small_config();
inline constexpr uint64_t small_move_ns = 9192;
/* Bus addresses in the device's own BARs. */
inline constexpr uint64_t own_bars = uint64_t{1} << 63;
inline constexpr uint64_t own_bars_end = own_bars + (uint64_t{1} << 40);

struct Result {
    unsigned status;
    unsigned aux;
    uint32_t value;

    [[nodiscard]] unsigned outcome() const { return aux & KVCPU_HINT_OUTCOME_MASK; }
    [[nodiscard]] unsigned reason() const { return aux >> KVCPU_HINT_REASON_SHIFT; }
};
Result decode_result(uint64_t word);

struct Completion {
    uint64_t tag;
    Result result;
    uint64_t time_ns;
};

/* Zeroed memory that the host allocates at the first access of each page. */
class Memory {
  public:
    explicit Memory(size_t size);
    ~Memory();
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;

    uint8_t *data() { return bytes_; }
    uint8_t *begin() { return bytes_; }
    uint8_t *end() { return bytes_ + size_; }
    [[nodiscard]] size_t size() const { return size_; }
    uint8_t &at(size_t offset);

  private:
    uint8_t *bytes_;
    size_t size_;
};

/*
 * The device as a driver uses it. Time advances only in run() and run_until(), which call the
 * core's timer exactly when it is due.
 */
class TestDevice {
  public:
    explicit TestDevice(const kvcpu_config &config = small_config());
    /* A device with an oracle for the next use of each block. */
    TestDevice(const kvcpu_config &config, std::function<uint64_t(uint32_t)> next_use);
    ~TestDevice();
    TestDevice(const TestDevice &) = delete;
    TestDevice &operator=(const TestDevice &) = delete;

    uint64_t read(uint64_t offset, unsigned bytes = 8);
    void write(uint64_t offset, uint64_t value, unsigned bytes = 8);
    uint64_t counter(kvcpu_counter counter);
    uint64_t status_counter(kvcpu_status status);

    void run(uint64_t ns) { run_until(now + ns); }
    void run_until(uint64_t ns);
    /* Runs until no timer is armed. */
    void run_dry();

    /* Commands of the command window. The context is 1 unless it is changed. */
    Result command(unsigned opcode, uint64_t first, uint64_t count, uint64_t arg = 0,
                   unsigned flags = 0);
    Result alloc(uint64_t count) { return command(KVCPU_OP_ALLOC, 0, count); }
    Result free(uint64_t first, uint64_t count = 1) { return command(KVCPU_OP_FREE, first, count); }
    Result pin(uint64_t first, uint64_t count = 1, uint64_t deadline_ns = 1'000'000'000,
               uint64_t tag = 0);
    Result unpin(uint64_t first, uint64_t count = 1) {
        return command(KVCPU_OP_UNPIN, first, count);
    }
    Result step(uint64_t step) { return command(KVCPU_OP_STEP, 0, 0, step); }
    /* Writes the whole block with one byte, or a part of it from address 0 of memory. */
    Result fill(uint64_t block, uint8_t byte);
    Result copy(unsigned opcode, uint64_t block, uint64_t address, uint64_t offset,
                uint64_t length);
    /* Whether READ returns this value for every byte of the block. */
    bool holds(uint64_t block, uint8_t byte);

    /*
     * Pins the block, waits for the grant, and unpins it: the block is then in a slot, and the most
     * recently used.
     */
    void demand(uint64_t block);

    /* A 64-bit word of memory. */
    uint64_t load(uint64_t address);
    void store(uint64_t address, uint64_t word);

    std::vector<Completion> completions();
    unsigned state(uint64_t block) { return block_field(KVCPU_REG_BLOCK_STATE, block, 0, 0xff); }
    unsigned block_class(uint64_t block) {
        return block_field(KVCPU_REG_BLOCK_STATE, block, KVCPU_BST_CLASS_SHIFT, 0xff);
    }
    unsigned flags(uint64_t block) {
        return block_field(KVCPU_REG_BLOCK_STATE, block, KVCPU_BST_FLAGS_SHIFT, 0xffff);
    }
    unsigned slot(uint64_t block) {
        return block_field(KVCPU_REG_BLOCK_PLACE, block, 0, 0xffffffff);
    }
    unsigned score(uint64_t block) {
        return block_field(KVCPU_REG_BLOCK_USE, block, KVCPU_BUS_P_SHIFT, 0xffff);
    }
    bool is_fast(uint64_t block);
    uint64_t block_register(uint64_t reg, uint64_t block);

    [[nodiscard]] size_t events(kvcpu_event_kind kind) const;

    kvcpu_config config;
    unsigned context = 1;
    uint64_t now = 0;
    uint64_t timer_ns = KVCPU_TIMER_OFF;
    unsigned interrupts = 0;
    Memory memory;
    Memory fast;
    Memory slow;
    std::vector<kvcpu_event> log;
    bool keep_log = true;
    uint64_t bytes_written[2] = {0, 0};
    std::vector<unsigned> vectors; /* raised vectors, in order */
    kvcpu_dma_result next_dma = KVCPU_DMA_OK;
    /* The result of an access of this address, unless another rule applies. */
    std::function<kvcpu_dma_result(uint64_t address, bool is_write)> dma_rule;
    std::function<void()> during_dma;
    std::function<uint64_t(uint32_t)> next_use;
    kvcpu_core *core = nullptr;

  private:
    unsigned block_field(uint64_t reg, uint64_t block, unsigned shift, uint64_t mask);
    kvcpu_dma_result access(uint64_t address, uint64_t bytes, bool is_write);
};

}  // namespace kvcpu_test

#endif  // KVCPU_TEST_DEVICE_H
