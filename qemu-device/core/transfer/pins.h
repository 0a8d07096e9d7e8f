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
 * Concepts. A granted PIN adds one to the pin count (`claims`) of each of its blocks; a block with
 * a pin count is not evicted. A pending PIN holds no pins. It gets all of them in the instant in
 * which all its blocks are in slots. Until then its blocks are *wanted*: only the oldest PIN may
 * evict them, so the oldest PIN always makes progress.
 */
class Pins {
  public:
    Pins(Device &device, Placement &placement, Completions &completions, Fences &fences,
         EventQueue &events);

    void clear() noexcept;

    /* The range belongs to the context, and is at most FAST_SLOTS long. */
    Result pin(uint16_t context, Range range, uint64_t deadline_ns,
               const CompletionTarget &completion) noexcept;
    /* Every block of the range has a pin count above 0. */
    void unpin(uint16_t context, Range range) noexcept;
    /* Cancels the context's oldest pending PIN with this tag. */
    bool cancel(uint16_t context, uint64_t tag) noexcept;
    void cancel_all(uint16_t context) noexcept;
    /* Cancels the context's PINs that came by the ring `via`. */
    void cancel_via(uint16_t context, uint16_t via) noexcept;

    /* The mover calls these: the block is in its slot; its move has started; it lost its slot. */
    void arrived(uint32_t block) noexcept;
    void started(uint32_t block) noexcept;
    void lost(uint32_t block) noexcept;
    /* The block's last hold was released, so it can be fetched. */
    void unheld(uint32_t block) noexcept;
    /* The block was written for the first time. From now on it is fetched, and not zero-filled. */
    void first_written(uint32_t block) noexcept;

    void grant_ready() noexcept;
    void expire() noexcept;
    [[nodiscard]] uint64_t next_deadline() const noexcept {
        return deadlines_.empty() ? KVCPU_TIMER_OFF : deadlines_.top().first;
    }

    /* The next block to fetch (written) or to zero-fill (not written), or no_block. */
    [[nodiscard]] uint32_t next(bool written) noexcept;
    [[nodiscard]] bool is_any_waiting() const noexcept { return waiting_.count() > 0; }
    [[nodiscard]] uint32_t waiting_of(uint16_t context) const noexcept {
        return waiting_in_[context];
    }
    /* The blocks that pending PINs lack, by PIN, oldest first. */
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
    /* The number of wanted blocks of both kinds whose move has not started. */
    [[nodiscard]] uint32_t unstarted() const noexcept { return unstarted_; }
    [[nodiscard]] bool is_oldest(uint32_t block) const noexcept {
        const uint32_t first = oldest_pending();
        return first != none && waiting_[first].range.contains(block);
    }
    /*
     * Takes a block in a slot that only younger PINs need. The oldest PIN evicts it if no other
     * block can be evicted.
     */
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
        uint32_t fetch_from = 0;     // no block before it is still to be fetched
        uint32_t zero_from = 0;      // the same for zero-fills
        uint16_t context = 0;
        CompletionTarget completion;
        uint64_t deadline_ns = 0;
        uint64_t sequence = 0;
    };

    /* Skips PINs whose context is at its quota maximum. */
    [[nodiscard]] uint32_t oldest_pending() const noexcept;
    void wait(const Waiting &pin) noexcept;
    void end(uint32_t index, kvcpu_status status) noexcept;
    void grant(uint16_t context, Range range) noexcept;
    void rescue(uint32_t block) noexcept;
    void rewind(uint32_t block) noexcept;
    [[nodiscard]] bool has_saturated(Range range) const noexcept;
    /* Calls `function` with each pending PIN of the owner whose range includes the block. */
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
