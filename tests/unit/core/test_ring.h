// SPDX-License-Identifier: MIT
// A queue pair as a process, or for the admin ring the driver, uses it.
#ifndef KVCPU_TEST_RING_H
#define KVCPU_TEST_RING_H

#include <array>
#include <cstdint>
#include <vector>

#include "test_device.h"

namespace kvcpu_test {

struct RingSizes {
    uint64_t sq = 8;
    uint64_t cq = 8;
};

class Ring {
  public:
    using Words = std::array<uint64_t, KVCPU_ENTRY_WORDS>;

    Ring(TestDevice &device, unsigned context, RingSizes sizes = {});

    /* Opens the ring by the window; the admin ring (context 0) by its registers. */
    Result open(uint64_t coalescing = one_by_one);
    /* Clears memory and indices, as a driver does before RESTART. */
    void wipe();

    /* Each returns the ring's index of the entry, and does not publish the tail. */
    uint64_t push(const Words &words);
    uint64_t push(unsigned opcode, uint64_t first, uint64_t count, uint64_t arg = 0,
                  unsigned flags = 0, uint64_t tag = 0);
    void advance_tail();
    void advance_tail(uint64_t value) { doorbell(KVCPU_DB_SQ_TAIL, value); }
    /*
     * Adds an entry with F_COMPLETE, publishes it, and consumes its completion, which must be
     * present.
     */
    Result run(unsigned opcode, uint64_t first, uint64_t count, uint64_t arg = 0,
               unsigned flags = 0);

    /* look() returns the present completions; take() also consumes them. */
    std::vector<Completion> look();
    std::vector<Completion> take();
    void doorbell(kvcpu_doorbell which, uint64_t value);

    uint64_t header(kvcpu_cq_header_word word) { return device_.load(cq + 8 * uint64_t{word}); }
    uint64_t head() { return header(KVCPU_CQH_SQ_HEAD); }
    uint64_t state() { return header(KVCPU_CQH_STATE); }
    uint64_t failed() { return header(KVCPU_CQH_FAILED); }
    uint64_t context_register(uint64_t reg);

    /* ARG of OPEN: vector 2 at each completion. */
    static constexpr uint64_t one_by_one =
        uint64_t{1} << KVCPU_CLS_COUNT_SHIFT | uint64_t{2} << KVCPU_CLS_VECTOR_SHIFT;
    static constexpr uint64_t polling = uint64_t{2} << KVCPU_CLS_VECTOR_SHIFT;

    uint64_t sq;
    uint64_t cq;
    uint64_t tail = 0;   // entries added
    uint64_t taken = 0;  // completions

  private:
    TestDevice &device_;
    unsigned context_;
    RingSizes sizes_;
};

struct Notice {
    unsigned kind;
    unsigned detail;
    unsigned context;
    uint64_t block;
    uint64_t time_ns;
};

/* The event queue as the driver uses it. */
class Events {
  public:
    explicit Events(TestDevice &device, uint64_t entries = 8)
        : device_(device), entries_(entries) {}

    /* Returns whether the queue is enabled then. */
    bool open();
    /* look() returns the present records; take() also consumes them. */
    std::vector<Notice> look();
    std::vector<Notice> take();
    void head(uint64_t value) { device_.write(KVCPU_DOORBELL_BASE + KVCPU_DB_EVQ_HEAD, value); }

    uint64_t at = 0x8000;
    uint64_t taken = 0;

  private:
    TestDevice &device_;
    uint64_t entries_;
};

}  // namespace kvcpu_test

#endif  // KVCPU_TEST_RING_H
