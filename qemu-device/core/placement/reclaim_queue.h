// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_PLACEMENT_RECLAIM_QUEUE_H
#define KVCPU_CORE_PLACEMENT_RECLAIM_QUEUE_H

#include <array>
#include <cstdint>
#include <vector>

#include "state/device.h"
#include "util/index_lists.h"

namespace kvcpu {

/*
 * Cached blocks that may be reclaimed, in three classes: released blocks, unhinted blocks, and
 * blocks with HOT or PREFETCHABLE. Within a class the block whose use ended first comes first.
 */
class ReclaimQueue {
  public:
    enum class Rank : uint8_t { released, other, wanted };

    explicit ReclaimQueue(const Device &device)
        : lists_(device.block_count(), 3), in_(device.block_count()) {}

    void clear() noexcept { lists_.clear(); }
    /* A use of the block ends, or the block changes owner. A call of changed() follows. */
    void remove(uint32_t block) noexcept { lists_.remove(block); }
    /* `hints`: whether the current policy uses hints. */
    void changed(uint32_t block, const Block &b, bool hints) noexcept {
        if (!may_be_reclaimed(b)) {
            lists_.remove(block);
            return;
        }
        const Rank rank = hints ? rank_of(b) : Rank::other;
        if (!lists_.contains(block) || rank != in_[block]) {
            lists_.push_back(static_cast<uint32_t>(rank), block);
            in_[block] = rank;
        }
    }
    void warm_cache(uint32_t block) const noexcept { lists_.warm_cache(block); }
    [[nodiscard]] uint32_t first() const noexcept {
        for (const Rank rank : {Rank::released, Rank::other, Rank::wanted}) {
            if (first(rank) != no_block) {
                return first(rank);
            }
        }
        return no_block;
    }
    [[nodiscard]] uint32_t first(Rank rank) const noexcept {
        return lists_.front(static_cast<uint32_t>(rank));
    }

  private:
    static_assert(IndexLists::none == no_block);

    [[nodiscard]] static Rank rank_of(const Block &b) noexcept {
        if (b.hint == Hint::released) {
            return Rank::released;
        }
        return wants_fast(b) ? Rank::wanted : Rank::other;
    }

    IndexLists lists_;  // by rank
    std::vector<Rank> in_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_RECLAIM_QUEUE_H
