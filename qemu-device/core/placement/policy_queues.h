// SPDX-License-Identifier: GPL-2.0-or-later
// The two queues of a policy: the blocks to evict from the fast tier, and the blocks to fetch.
#ifndef KVCPU_CORE_PLACEMENT_POLICY_QUEUES_H
#define KVCPU_CORE_PLACEMENT_POLICY_QUEUES_H

#include <cstdint>
#include <vector>

#include "state/device.h"
#include "util/indexed_heap.h"

namespace kvcpu {

/*
 * The heap that a block is in. A block in a slot is in at most one heap of victims, and a block in
 * the slow tier in at most one heap of fetches, so both kinds share the array of places.
 */
using QueuePlaces = IndexedHeap::Places;

/* Heaps 0 to PINNED - 1 hold victims, by class. */
inline constexpr uint8_t fetch_heap = KVCPU_VC_PINNED;
inline constexpr uint8_t held_fetch_heap = fetch_heap + 1;

/* Blocks in slots that may be evicted: one heap for each victim class below PINNED. */
class VictimQueue {
  public:
    VictimQueue(const Device &device, QueuePlaces &places) : places_(places) {
        for (uint8_t of = 0; of < KVCPU_VC_PINNED; ++of) {
            classes_.emplace_back(places, device.slot_count, of);
        }
    }

    void clear() noexcept {
        for (IndexedHeap &heap : classes_) {
            heap.clear();
        }
    }
    /* Inserts the block, or changes its key. The smallest key is evicted first. */
    void put(uint32_t block, kvcpu_victim_class as, uint64_t first, uint64_t second) noexcept {
        if (places_[block].heap == as) {
            classes_[as].update({first, second, block});
            return;
        }
        remove(block);
        classes_[as].insert({first, second, block});
    }
    /* Does nothing if it is in none. */
    void remove(uint32_t block) noexcept {
        if (places_[block].heap < classes_.size()) {
            classes_[places_[block].heap].erase(block);
        }
    }
    [[nodiscard]] uint32_t size(kvcpu_victim_class of) const noexcept {
        return classes_[of].size();
    }
    /* The block to evict first, or no_block. */
    [[nodiscard]] uint32_t first(kvcpu_victim_class of) const noexcept {
        return classes_[of].empty() ? no_block : classes_[of].top().block;
    }
    void warm_cache(uint32_t block) const noexcept {
        if (places_[block].heap < classes_.size()) {
            classes_[places_[block].heap].warm_cache(block);
        }
    }

  private:
    QueuePlaces &places_;
    std::vector<IndexedHeap> classes_;
};

/*
 * Blocks that are to be fetched. Held blocks are in a heap of their own: they can be fetched only
 * after their holds have been released.
 */
class FetchQueue {
  public:
    FetchQueue(const Device &device, QueuePlaces &places)
        : d_(device),
          places_(places),
          heap_(places, device.block_count(), fetch_heap),
          held_(places, device.block_count(), held_fetch_heap),
          is_promotion_(device.block_count()) {}

    void clear() noexcept {
        heap_.clear();
        held_.clear();
        promotions_ = 0;
    }
    /* Inserts the block, or changes its rank. The smallest rank is fetched first, and of one rank
     * the oldest request. */
    void put(uint32_t block, uint64_t rank, uint64_t asked, bool promotion) noexcept {
        const HeapKey key = {rank, asked, block};
        const Block &b = d_.at(block);
        if (places_[block].heap == fetch_heap && !b.held && !b.parked && !promotion &&
            !is_promotion_[block]) {
            heap_.update(key);
            return;
        }
        remove(block);
        if (b.parked) {
            return;
        }
        if (b.held) {
            if (!b.revoking) {
                held_.insert(key);
            }
            return;
        }
        is_promotion_[block] = promotion;
        promotions_ += promotion ? 1 : 0;
        heap_.insert(key);
    }
    void remove(uint32_t block) noexcept {
        if (places_[block].heap == held_fetch_heap) {
            held_.erase(block);
        } else if (places_[block].heap == fetch_heap) {
            promotions_ -= is_promotion_[block] ? 1 : 0;
            heap_.erase(block);
        }
    }
    [[nodiscard]] bool contains(uint32_t block) const noexcept {
        return places_[block].heap == fetch_heap || places_[block].heap == held_fetch_heap;
    }
    [[nodiscard]] uint32_t first() const noexcept {
        return heap_.empty() ? no_block : heap_.top().block;
    }
    [[nodiscard]] uint32_t first_held() const noexcept {
        return held_.empty() ? no_block : held_.top().block;
    }
    /* The next block that can be fetched. */
    [[nodiscard]] uint32_t size() const noexcept { return heap_.size(); }
    /* The number of blocks that are to be fetched for their score, not for a hint. */
    [[nodiscard]] uint32_t promotions() const noexcept { return promotions_; }
    void warm_cache(uint32_t block) const noexcept {
        if (places_[block].heap == fetch_heap) {
            heap_.warm_cache(block);
        }
    }

  private:
    const Device &d_;
    QueuePlaces &places_;
    IndexedHeap heap_;
    IndexedHeap held_;
    std::vector<bool> is_promotion_;
    uint32_t promotions_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_POLICY_QUEUES_H
