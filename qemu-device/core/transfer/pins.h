// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_TRANSFER_PINS_H
#define KVCPU_CORE_TRANSFER_PINS_H

#include <cstdint>

#include "placement/placement.h"
#include "queues/completions.h"
#include "queues/event_queue.h"
#include "state/device.h"
#include "transfer/fences.h"
#include "util/indexed_heap.h"
#include "util/range.h"
#include "util/wait_pool.h"

namespace kvcpu {

/*
 * Claims, and the PINs that wait for theirs. A PIN holds no claim while it waits; it gets all of
 * them in the instant in which all its blocks are in slots. Its blocks are wanted until then:
 * none of them is evicted, except by the oldest PIN, which so always gets on.
 */
class Pins {
  public:
    Pins(Device &device, Placement &placement, Completions &completions, Fences &fences,
         EventQueue &events);

    void clear() noexcept;

    /* The range is the context's and at most FAST_SLOTS long. */
    Result pin(uint16_t context, Range range, uint64_t deadline_ns,
               const CompletionTarget &completion) noexcept;
    /* Every block of the range has a claim. */
    void unpin(uint16_t context, Range range) noexcept;
    /* Ends the context's oldest waiting PIN with this tag. */
    bool cancel(uint16_t context, uint64_t tag) noexcept;
    void cancel_all(uint16_t context) noexcept;
    /* Those that came this way. */
    void cancel_via(uint16_t context, uint16_t via) noexcept;

    /* The mover tells: a block is in its slot; its move has begun; it lost its slot. */
    void arrived(uint32_t block) noexcept;
    void started(uint32_t block) noexcept;
    void lost(uint32_t block) noexcept;
    /* It has no hold any more, and can be fetched. */
    void unheld(uint32_t block) noexcept;
    /* A WRITE made a block one that is fetched, no longer zero-filled. */
    void first_written(uint32_t block) noexcept;

    void grant_ready() noexcept;
    void expire() noexcept;
    [[nodiscard]] uint64_t next_deadline() const noexcept {
        return deadlines_.empty() ? KVCPU_TIMER_OFF : deadlines_.top().first;
    }

    /* The block to be fetched (written) or zero-filled (not written) first, or no_block. */
    [[nodiscard]] uint32_t next(bool written) noexcept;
    [[nodiscard]] bool is_any_waiting() const noexcept { return waiting_.count() > 0; }
    [[nodiscard]] uint32_t waiting_of(uint16_t context) const noexcept {
        return waiting_in_[context];
    }
    /* What a waiting PIN lacks; by age, from the oldest on. */
    struct Lack {
        Range range;
        uint32_t written = 0;  // blocks that must be fetched, or are being fetched
        uint32_t blank = 0;    // blocks that must be zero-filled, or are
    };
    static constexpr uint32_t none = IndexLists::none;
    [[nodiscard]] uint32_t oldest() const noexcept { return by_age_.front(0); }
    [[nodiscard]] uint32_t younger(uint32_t pin) const noexcept { return by_age_.after(pin); }
    [[nodiscard]] Lack lack(uint32_t pin) const noexcept {
        const Waiting &w = waiting_[pin];
        return {w.range, w.missing - w.missing_blank, w.missing_blank};
    }
    /* Wanted blocks, of both kinds, whose move has not begun. */
    [[nodiscard]] uint32_t unstarted() const noexcept { return unstarted_; }
    [[nodiscard]] bool is_oldest(uint32_t block) const noexcept {
        const uint32_t first = oldest_pending();
        return first != none && waiting_[first].range.contains(block);
    }
    /* A block in a slot that only younger PINs want: for the oldest, for want of any other. */
    template <typename May>
    [[nodiscard]] uint32_t take_from_younger(May may) const noexcept {
        const uint32_t first = oldest_pending();
        for (uint32_t i = by_age_.back(0); i != first; i = by_age_.before(i)) {
            const Range range = waiting_[i].range;
            for (uint32_t block = range.end(); block-- > range.first;) {
                const Block &b = d_.at(block);
                if ((b.state == KVCPU_BS_FAST || b.state == KVCPU_BS_WRITING_BACK) &&
                    b.claims == 0 && !b.revoking && !waiting_[first].range.contains(block) &&
                    may(block)) {
                    return block;
                }
            }
        }
        return no_block;
    }

  private:
    struct Waiting {
        Range range;
        uint32_t found = 0;          // blocks that were in slots when it was executed
        uint32_t missing = 0;        // blocks that are not in slots
        uint32_t missing_blank = 0;  // those of them that were never written
        uint32_t fetch_from = 0;     // no block before it is left to be fetched
        uint32_t zero_from = 0;      // the same for zero-fills
        uint16_t context = 0;
        CompletionTarget completion;
        uint64_t deadline_ns = 0;
        uint64_t sequence = 0;
    };

    /* But for those whose context is stuck at its maximum. */
    [[nodiscard]] uint32_t oldest_pending() const noexcept;
    void wait(const Waiting &pin) noexcept;
    void end(uint32_t index, kvcpu_status status) noexcept;
    void grant(uint16_t context, Range range) noexcept;
    void rescue(uint32_t block) noexcept;
    void rewind(uint32_t block) noexcept;
    [[nodiscard]] bool has_saturated(Range range) const noexcept;
    /* Calls with each waiting PIN whose range the block is in: they are its owner's. */
    template <typename Function>
    void for_each_wanting(uint32_t block, Function function) noexcept;

    Device &d_;
    Placement &placement_;
    Completions &completions_;
    Fences &fences_;
    EventQueue &events_;
    WaitPool<Waiting> waiting_;
    IndexLists by_age_;  // one list, oldest first
    IndexedHeap::Places deadline_places_;
    IndexedHeap deadlines_;
    std::vector<uint32_t> waiting_in_;  // by context
    uint32_t unstarted_ = 0;
    bool maybe_ready_ = false;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_TRANSFER_PINS_H
