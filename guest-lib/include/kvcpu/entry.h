// SPDX-License-Identifier: MIT
// Entries of a submission ring, and the completions that answer them.
#ifndef KVCPU_ENTRY_H
#define KVCPU_ENTRY_H

#include <array>
#include <cstdint>

#include "kvcpu/batch.h"
#include "kvcpu_hw.h"
#include "kvcpu_hw_rings.h"

namespace kvcpu {

/*
 * A command for a ring: the eight words of docs/device-spec.md, "Queue pairs". Without answering()
 * the command has no completion, and Queue::failed() alone counts its failure.
 */
struct Entry {
    std::array<uint64_t, KVCPU_ENTRY_WORDS> words{};

    /* The library uses larger tags itself. */
    static constexpr uint64_t tag_max = (uint64_t{1} << 62) - 1;

    /* Up to `count` blocks in one run; the result has the first and how many. */
    static constexpr Entry alloc(uint64_t count, uint64_t meta = 0, uint32_t first_token = 0,
                                 uint16_t flags = 0) noexcept {
        Entry entry = ranged(KVCPU_OP_ALLOC, 0, count, first_token);
        entry.words[KVCPU_EW_META] = meta;
        entry.words[KVCPU_EW_CONTROL] |= uint64_t{flags} << KVCPU_CTL_FLAGS_SHIFT;
        return entry;
    }
    /* The result has a run of cached blocks that are gone: the first, and how many; 0: no more. */
    static constexpr Entry reclaimed() noexcept { return ranged(KVCPU_OP_RECLAIMED, 0, 0); }
    static constexpr Entry free(uint64_t first, uint64_t count) noexcept {
        return ranged(KVCPU_OP_FREE, first, count);
    }
    /* `deadline_ns` from now. */
    static constexpr Entry pin(uint64_t first, uint64_t count, uint64_t deadline_ns) noexcept {
        return ranged(KVCPU_OP_PIN, first, count, deadline_ns);
    }
    static constexpr Entry unpin(uint64_t first, uint64_t count) noexcept {
        return ranged(KVCPU_OP_UNPIN, first, count);
    }
    /* Between a block and a buffer of Queue::add_buffer(), at most a block. */
    static constexpr Entry read(uint64_t block, uint32_t offset, uint32_t length, uint32_t buffer,
                                uint64_t buffer_offset = 0) noexcept {
        return copy(KVCPU_OP_READ, block, offset, length, buffer, buffer_offset);
    }
    static constexpr Entry write(uint64_t block, uint32_t offset, uint32_t length, uint32_t buffer,
                                 uint64_t buffer_offset = 0) noexcept {
        return copy(KVCPU_OP_WRITE, block, offset, length, buffer, buffer_offset);
    }
    /* Cancels the oldest pending PIN that has this tag. */
    static constexpr Entry cancel(uint64_t tag) noexcept {
        return ranged(KVCPU_OP_CANCEL, 0, 0, tag);
    }
    /* Completes when every pending PIN, and every hint that is not yet applied, has ended. */
    static constexpr Entry fence() noexcept { return ranged(KVCPU_OP_FENCE, 0, 0); }
    static constexpr Entry step(uint64_t step) noexcept {
        return ranged(KVCPU_OP_STEP, 0, 0, step);
    }
    /* HOT to CLEAR of kvcpu_hw.h; `step` for HOT and PREFETCHABLE; KVCPU_F_NOW for EVICTABLE. */
    static constexpr Entry hint(kvcpu_opcode opcode, uint64_t first, uint64_t count,
                                uint64_t step = 0, uint16_t flags = 0) noexcept {
        Entry entry = ranged(opcode, first, count, step);
        entry.words[KVCPU_EW_CONTROL] |= uint64_t{flags} << KVCPU_CTL_FLAGS_SHIFT;
        return entry;
    }

    /* Returns the same entry with a completion, which has this tag (at most tag_max). */
    [[nodiscard]] constexpr Entry answering(uint64_t tag) const noexcept {
        Entry entry = *this;
        entry.words[KVCPU_EW_TAG] = tag;
        entry.words[KVCPU_EW_CONTROL] |= uint64_t{KVCPU_F_COMPLETE} << KVCPU_CTL_FLAGS_SHIFT;
        return entry;
    }

    [[nodiscard]] constexpr kvcpu_opcode opcode() const noexcept {
        return static_cast<kvcpu_opcode>(words[KVCPU_EW_CONTROL] & KVCPU_CTL_OPCODE_MASK);
    }
    [[nodiscard]] constexpr uint64_t first() const noexcept { return words[KVCPU_EW_FIRST]; }
    [[nodiscard]] constexpr uint64_t count() const noexcept { return words[KVCPU_EW_COUNT]; }

  private:
    static constexpr Entry ranged(kvcpu_opcode opcode, uint64_t first, uint64_t count,
                                  uint64_t arg = 0) noexcept {
        Entry entry;
        entry.words[KVCPU_EW_FIRST] = first;
        entry.words[KVCPU_EW_COUNT] = count;
        entry.words[KVCPU_EW_ARG] = arg;
        entry.words[KVCPU_EW_CONTROL] = uint64_t{opcode} << KVCPU_CTL_OPCODE_SHIFT;
        return entry;
    }
    static constexpr Entry copy(kvcpu_opcode opcode, uint64_t block, uint32_t offset,
                                uint32_t length, uint32_t buffer, uint64_t buffer_offset) noexcept {
        Entry entry = ranged(opcode, block, 1);
        entry.words[KVCPU_EW_ADDR] =
            uint64_t{buffer} << KVCPU_BUF_ID_SHIFT | (buffer_offset & KVCPU_BUF_OFFSET_MASK);
        entry.words[KVCPU_EW_EXTENT] =
            uint64_t{offset} << KVCPU_EXT_OFFSET_SHIFT | uint64_t{length} << KVCPU_EXT_LENGTH_SHIFT;
        return entry;
    }
};

/* How a command ended, and when, in the device's virtual time. */
struct Completion {
    uint64_t tag = 0;
    Result result{0};
    uint64_t time_ns = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_ENTRY_H
