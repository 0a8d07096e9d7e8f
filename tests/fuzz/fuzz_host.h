// SPDX-License-Identifier: MIT
// A core whose host does what a stream of bytes says.
#ifndef KVCPU_FUZZ_HOST_H
#define KVCPU_FUZZ_HOST_H

#include <array>
#include <cstdint>
#include <vector>

#include "kvcpu_core.h"
#include "kvcpu_hw.h"
#include "kvcpu_hw_rings.h"

namespace kvcpu_fuzz {

inline constexpr unsigned context_total = 4; /* context 0 and its admin ring included */
inline constexpr uint64_t block_total = 24;
inline constexpr uint64_t slot_total = 6;
inline constexpr uint64_t block_bytes = KVCPU_BLOCK_SIZE_MIN;
inline constexpr uint64_t ring_entries = 32;

/* The layout of guest memory. */
inline constexpr uint64_t page = 4096;
inline constexpr uint64_t rings_at = 0; /* two pages per context: submission, completion */
inline constexpr uint64_t events_at = 0x10000;
inline constexpr uint64_t maps_at = 0x11000;    /* a page a context */
inline constexpr uint64_t tables_at = 0x18000;  /* a page a context */
inline constexpr uint64_t buffers_at = 0x20000; /* four pages per context */
inline constexpr uint64_t memory_bytes = 0x30000;
/* The device's own bus addresses. */
inline constexpr uint64_t own_at = uint64_t{1} << 40;

/*
 * Calls into one core, and the host operations of the core. A DMA can be made to fail, to call back
 * into the core, or to find that the memory changed before it is read.
 */
class FuzzHost {
  public:
    explicit FuzzHost(uint8_t setup);
    ~FuzzHost();
    FuzzHost(const FuzzHost &) = delete;
    FuzzHost &operator=(const FuzzHost &) = delete;

    void write(uint64_t offset, uint64_t value, unsigned bytes = 8) {
        kvcpu_core_write(core_, offset, value, bytes);
    }
    uint64_t read(uint64_t offset, unsigned bytes = 8) {
        return kvcpu_core_read(core_, offset, bytes);
    }
    void store(uint64_t address, uint64_t value);
    void advance(uint64_t ns);
    void reset(kvcpu_reset_kind kind);
    /* Sets up rings, event queue, maps and a buffer for each context, as a driver does. */
    void open_all();
    void command(unsigned opcode, unsigned context, uint64_t first, uint64_t count, uint64_t arg,
                 uint64_t address, uint64_t extent);

    /* Makes DMA number `after` from now fail, once. */
    void fail_dma(uint32_t after) { fail_in_ = after + 1; }
    /* Flips this word of an entry after each read of the entry. */
    void flip(uint8_t word) { flip_ = word; }

    /* Checks that all blocks end free and zero. Otherwise prints the reason and calls abort(). */
    void check_conservation();
    /* The number of entries that the device consumed from rings. */
    [[nodiscard]] uint64_t entries_taken();
    [[nodiscard]] uint64_t fetches();
    /* Changes a byte that check_conservation() must find. */
    void plant() { slow_.back() = 1; }

  private:
    static FuzzHost &of(void *opaque) { return *static_cast<FuzzHost *>(opaque); }
    kvcpu_dma_result check_dma(uint64_t address, uint64_t bytes);
    kvcpu_dma_result dma_read(uint64_t address, void *to, uint64_t bytes);
    kvcpu_dma_result dma_write(uint64_t address, const void *from, uint64_t bytes);

    std::vector<uint8_t> memory_;
    std::vector<uint8_t> fast_;
    std::vector<uint8_t> slow_;
    uint64_t now_ = 1000;
    uint64_t deadline_ = KVCPU_TIMER_OFF;
    uint32_t fail_in_ = 0;
    uint8_t flip_ = 0;
    uint64_t entries_before_reset_ = 0;
    kvcpu_core *core_ = nullptr;
};

}  // namespace kvcpu_fuzz

#endif  // KVCPU_FUZZ_HOST_H
