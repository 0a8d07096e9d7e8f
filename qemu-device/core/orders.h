// SPDX-License-Identifier: GPL-2.0-or-later
// The two orders that a policy keeps: who leaves the fast tier next, and who is fetched next.
#ifndef KVCPU_CORE_ORDERS_H
#define KVCPU_CORE_ORDERS_H

#include <cstdint>
#include <vector>

#include "device.h"
#include "indexed_heap.h"

namespace kvcpu {

/* Blocks in slots that may leave: a heap a victim class below PINNED. */
class VictimOrder {
  public:
    explicit VictimOrder(const Device &device)
        : positions_(device.block_count(), IndexedHeap::nowhere), class_in_(device.block_count()) {
        for (unsigned i = 0; i < KVCPU_VC_PINNED; ++i) {
            classes_.emplace_back(positions_, device.slot_count);
        }
    }

    void clear() noexcept {
        for (IndexedHeap &heap : classes_) {
            heap.clear();
        }
    }
    /* The smallest key leaves first. */
    void put(uint32_t block, kvcpu_victim_class as, uint64_t first, uint64_t second) noexcept {
        class_in_[block] = as;
        classes_[as].insert({first, second, block});
    }
    /* Does nothing if it is in none. */
    void remove(uint32_t block) noexcept {
        if (positions_[block] != IndexedHeap::nowhere) {
            classes_[class_in_[block]].erase(block);
        }
    }
    [[nodiscard]] uint32_t size(kvcpu_victim_class of) const noexcept {
        return classes_[of].size();
    }
    /* Who leaves first, or no_block. */
    [[nodiscard]] uint32_t first(kvcpu_victim_class of) const noexcept {
        return classes_[of].empty() ? no_block : classes_[of].top().block;
    }

  private:
    IndexedHeap::Positions positions_;
    std::vector<IndexedHeap> classes_;
    std::vector<uint8_t> class_in_;  // by block: the heap it is in
};

/*
 * Blocks that are not in slots and should be. Those that are held come in an order of their own:
 * they can be fetched only when they have been given back.
 */
class FetchOrder {
  public:
    explicit FetchOrder(const Device &device)
        : d_(device),
          positions_(device.block_count(), IndexedHeap::nowhere),
          heap_(positions_, device.block_count()),
          held_(positions_, device.block_count()),
          is_promotion_(device.block_count()),
          is_held_(device.block_count()) {}

    void clear() noexcept {
        heap_.clear();
        held_.clear();
        promotions_ = 0;
    }
    /* The smallest rank is fetched first; of one rank, who asked first. */
    void put(uint32_t block, uint64_t rank, uint64_t asked, bool promotion) noexcept {
        is_held_[block] = d_.at(block).held;
        if (d_.at(block).held) {
            if (!d_.at(block).revoking) {
                held_.insert({rank, asked, block});
            }
            return;
        }
        is_promotion_[block] = promotion;
        promotions_ += promotion ? 1 : 0;
        heap_.insert({rank, asked, block});
    }
    void remove(uint32_t block) noexcept {
        if (contains(block) && is_held_[block]) {
            held_.erase(block);
        } else if (contains(block)) {
            promotions_ -= is_promotion_[block] ? 1 : 0;
            heap_.erase(block);
        }
    }
    [[nodiscard]] bool contains(uint32_t block) const noexcept {
        return positions_[block] != IndexedHeap::nowhere;
    }
    [[nodiscard]] uint32_t first() const noexcept {
        return heap_.empty() ? no_block : heap_.top().block;
    }
    [[nodiscard]] uint32_t first_held() const noexcept {
        return held_.empty() ? no_block : held_.top().block;
    }
    /* Of those that can be fetched. */
    [[nodiscard]] uint32_t size() const noexcept { return heap_.size(); }
    /* Those of them that a score asked for, and no hint. */
    [[nodiscard]] uint32_t promotions() const noexcept { return promotions_; }

  private:
    const Device &d_;
    IndexedHeap::Positions positions_;
    IndexedHeap heap_;
    IndexedHeap held_;
    std::vector<bool> is_promotion_;
    std::vector<bool> is_held_;
    uint32_t promotions_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_ORDERS_H
