// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_PINS_H
#define KVCPU_CORE_PINS_H

#include <cstdint>
#include <vector>

#include "completions.h"
#include "device.h"
#include "placement.h"

namespace kvcpu {

/* A range of blocks; of a command, checked to lie in the space. */
struct Range {
    uint32_t first = 0;
    uint32_t count = 0;

    [[nodiscard]] uint32_t end() const noexcept { return first + count; }
    [[nodiscard]] bool contains(uint32_t block) const noexcept { return block - first < count; }
};

/*
 * Claims, and the PINs that wait for theirs. A PIN holds no claim while it waits; it gets all of
 * them in the instant in which all its blocks are in slots. Its blocks are wanted until then:
 * none of them is evicted, except by the oldest PIN, which so always gets on.
 */
class Pins {
  public:
    Pins(Device &device, Placement &placement, Completions &completions);

    void clear() noexcept;

    /* The range is the context's and at most FAST_SLOTS long. */
    Result pin(uint16_t context, Range range, uint64_t deadline_ns, uint64_t tag) noexcept;
    /* Every block of the range has a claim. */
    void unpin(uint16_t context, Range range) noexcept;
    /* Ends the context's oldest waiting PIN with this tag. */
    bool cancel(uint16_t context, uint64_t tag) noexcept;
    void cancel_all(uint16_t context) noexcept;

    /* The mover tells: a block is in its slot; its move has begun; it lost its slot. */
    void arrived(uint32_t block) noexcept;
    void started(uint32_t block) noexcept;
    void lost(uint32_t block) noexcept;
    /* A WRITE made a block one that is fetched, no longer zero-filled. */
    void first_written(uint32_t block) noexcept;

    void grant_ready() noexcept;
    void expire() noexcept;
    [[nodiscard]] uint64_t next_deadline() const noexcept;

    /* The block to be fetched (written) or zero-filled (not written) first, or no_block. */
    [[nodiscard]] uint32_t next(bool written) noexcept;
    /* Whether one of them waits, and what each lacks, oldest first. */
    struct Lack {
        Range range;
        uint32_t written = 0;  // blocks that must be fetched, or are being fetched
        uint32_t blank = 0;    // blocks that must be zero-filled, or are
    };
    [[nodiscard]] size_t waiting() const noexcept { return waiting_.size(); }
    [[nodiscard]] Lack lack(size_t index) const noexcept {
        const Waiting &pin = waiting_[index];
        return {pin.range, pin.missing - pin.missing_blank, pin.missing_blank};
    }
    /* Wanted blocks, of both kinds, whose move has not begun. */
    [[nodiscard]] uint32_t unstarted() const noexcept { return unstarted_; }
    [[nodiscard]] bool is_oldest(uint32_t block) const noexcept {
        return !waiting_.empty() && waiting_.front().range.contains(block);
    }
    /* A block in a slot that only younger PINs want: for the oldest, for want of any other. */
    [[nodiscard]] uint32_t take_from_younger() const noexcept;

  private:
    struct Waiting {
        Range range;
        uint32_t missing = 0;        // blocks that are not in slots
        uint32_t missing_blank = 0;  // those of them that were never written
        uint32_t fetch_from = 0;     // no block before it is left to be fetched
        uint32_t zero_from = 0;      // the same for zero-fills
        uint16_t context = 0;
        uint64_t tag = 0;
        uint64_t deadline_ns = 0;
    };

    void wait(const Waiting &pin) noexcept;
    void end(size_t index, kvcpu_status status) noexcept;
    void grant(uint16_t context, Range range) noexcept;
    void rescue(uint32_t block) noexcept;
    void rewind(uint32_t block) noexcept;
    [[nodiscard]] bool has_saturated(Range range) const noexcept;

    Device &d_;
    Placement &placement_;
    Completions &completions_;
    std::vector<Waiting> waiting_;  // oldest first
    uint32_t unstarted_ = 0;
    bool maybe_ready_ = false;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PINS_H
