// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_PLACEMENT_CELL_LISTS_H
#define KVCPU_CORE_PLACEMENT_CELL_LISTS_H

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "placement/reuse.h"
#include "util/index_lists.h"

namespace kvcpu {

/* Blocks that are not in use, in one list per cell, with a search for the least dense cell. */
class CellLists {
  public:
    CellLists(const Reuse &reuse, uint32_t blocks)
        : reuse_(reuse), lists_(blocks, Reuse::cells), listed_in_(blocks, nowhere) {}

    void clear() noexcept {
        lists_.clear();
        std::fill(listed_in_.begin(), listed_in_.end(), nowhere);
        members_.fill(0);
        occupied_.fill(0);
    }
    /* Appends the block to the list of its cell, unless it is in it already. */
    void put(uint32_t block) noexcept {
        const auto cell = static_cast<uint16_t>(reuse_.cell(block));
        if (cell == listed_in_[block]) {
            return;
        }
        remove(block);
        lists_.push_back(cell, block);
        listed_in_[block] = cell;
        if (members_[cell]++ == 0) {
            occupy(cell);
        }
    }
    /* Does nothing if the block is in no list. */
    void remove(uint32_t block) noexcept {
        const uint16_t cell = listed_in_[block];
        if (cell == nowhere) {
            return;
        }
        lists_.remove(block);
        listed_in_[block] = nowhere;
        if (--members_[cell] == 0) {
            const unsigned rank = reuse_.rank(cell);
            occupied_[rank / 64] &= ~(uint64_t{1} << rank % 64);
        }
    }
    /* Must be called after the order of cells has changed. */
    void reorder() noexcept {
        occupied_.fill(0);
        for (unsigned cell = 0; cell < Reuse::cells; ++cell) {
            if (members_[cell] > 0) {
                occupy(cell);
            }
        }
    }
    void warm_cache(uint32_t block) const noexcept {
        __builtin_prefetch(&listed_in_[block], 1);
        lists_.warm_cache(block);
    }
    void warm_cache_deep(uint32_t block) const noexcept { lists_.warm_neighbours(block); }
    [[nodiscard]] uint32_t first() const noexcept {
        for (unsigned word = 0; word < occupied_.size(); ++word) {
            if (occupied_[word] != 0) {
                const auto bit = static_cast<unsigned>(std::countr_zero(occupied_[word]));
                return lists_.front(reuse_.cell_of_rank(word * 64 + bit));
            }
        }
        return IndexLists::none;
    }

  private:
    static constexpr uint16_t nowhere = UINT16_MAX;

    void occupy(unsigned cell) noexcept {
        const unsigned rank = reuse_.rank(cell);
        occupied_[rank / 64] |= uint64_t{1} << rank % 64;
    }

    const Reuse &reuse_;
    IndexLists lists_;
    std::vector<uint16_t> listed_in_;  // by block
    std::array<uint32_t, Reuse::cells> members_{};
    std::array<uint64_t, (Reuse::cells + 63) / 64> occupied_{};  // by rank: cells with members
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_CELL_LISTS_H
