// SPDX-License-Identifier: GPL-2.0-or-later
// What `next-use` learns about blocks without a hint.
#ifndef KVCPU_CORE_PLACEMENT_REUSE_H
#define KVCPU_CORE_PLACEMENT_REUSE_H

#include <array>
#include <cstdint>
#include <vector>

#include "util/index_lists.h"

namespace kvcpu {

/*
 * Statistics of reuse, by three properties of a block: its number of uses, whether it is the end of
 * a prompt, and the time since its last use. A block that is not in use *rests*: it is in the cell
 * of its class and age. This holds in both tiers, as the blocks of the fast tier alone would be a
 * biased sample.
 *
 * The *density* of a cell is the largest rate of uses that keeping a block of the cell can give,
 * over all times for which it may be kept (a Gittins index). Its inverse is the expected time to
 * the next use. Keeping the densest blocks gives the most hits per slot.
 *
 * The counts of a cell are halved when they are large, so that old observations fade. All
 * arithmetic is in integers, so that results are equal on every machine.
 */
class Reuse {
  public:
    /* Properties of a block beside its uses. The hits of cells show the value of each. */
    enum class Kind : uint8_t { body, tail, evictable, released };
    static constexpr unsigned kinds = 4;
    /* Products of counts, times and fractions exceed 64 bits. */
    __extension__ using Wide = unsigned __int128;
    static constexpr unsigned use_classes = 6;
    static constexpr unsigned classes = use_classes * kinds;
    static constexpr unsigned buckets = 48;
    static constexpr unsigned cells = classes * buckets;
    /* A tick is 2^16 ns, 65.5 us. */
    static constexpr unsigned tick_bits = 16;

    explicit Reuse(uint32_t blocks);

    void clear() noexcept;

    /* A use of the block has ended. */
    void rest(uint32_t block, Kind kind) noexcept;
    /* Changes the kind of a resting block. */
    void mark(uint32_t block, Kind kind) noexcept;
    /* A use of the block begins. It is counted if the block rested. */
    void use(uint32_t block) noexcept;
    /* The block is freed or changes owner. Neither a use nor a rest is counted. */
    void forget(uint32_t block) noexcept;
    /* `heir` replaces a resting block, and takes over its history. */
    void bequeath(uint32_t block, uint32_t heir) noexcept;
    /* Restores the number of uses of a block that had been freed. */
    void recall(uint32_t block, uint8_t uses) noexcept { of_[block].uses = uses; }
    [[nodiscard]] uint8_t uses(uint32_t block) const noexcept { return of_[block].uses; }

    /* Advances the time. Returns true if the order of cells has changed. */
    bool advance(uint64_t now_ns) noexcept;
    /* Moves one block that has aged to its next cell. Returns the block, or IndexLists::none. */
    uint32_t age_one() noexcept;

    /* Prefetches what use() and rest() access into the CPU cache, in two steps. */
    void warm_cache(uint32_t block) const noexcept {
        __builtin_prefetch(&of_[block], 1);
        by_age_.warm_cache(block);
    }
    void warm_cache_deep(uint32_t block) const noexcept { by_age_.warm_neighbours(block); }

    [[nodiscard]] bool rests(uint32_t block) const noexcept {
        return of_[block].bucket != no_bucket;
    }
    /* The cell of a resting block. */
    [[nodiscard]] unsigned cell(uint32_t block) const noexcept {
        return unsigned{of_[block].in_class} * buckets + of_[block].bucket;
    }
    /* Cells by density, lowest first. Only advance() changes the order. */
    [[nodiscard]] unsigned cell_of_rank(unsigned rank) const noexcept { return order_[rank]; }
    [[nodiscard]] unsigned rank(unsigned cell) const noexcept { return rank_[cell]; }
    /* The expected time to the next use of a block of the cell. */
    [[nodiscard]] uint64_t expected_wait_ns(unsigned cell) const noexcept {
        return (UINT64_MAX >> 1) / (density_[cell] + 1);
    }

  private:
    static constexpr uint8_t no_bucket = UINT8_MAX;

    struct Entry {
        uint32_t since = 0;  // tick at which its last use ended; wraps after 78 hours
        uint8_t uses = 0;
        uint8_t in_class = 0;
        uint8_t bucket = no_bucket;
    };
    struct Cell {
        uint64_t hits = 0;
        uint64_t exposure = 0;  // block-ticks
        uint64_t counted_until = 0;
        uint64_t members = 0;
    };
    [[nodiscard]] uint64_t age(uint32_t block) const noexcept {
        return static_cast<uint32_t>(now_) - of_[block].since;
    }
    using ByAge = std::array<Cell, buckets>;

    void enter(uint32_t block) noexcept;
    void leave(uint32_t block) noexcept;
    void count(Cell &cell) const noexcept;
    void fade() noexcept;
    void learn() noexcept;
    /* The number of blocks that reached an age, and of those that were used at that age. */
    struct Passages {
        Wide hits = 0;
        Wide all = 0;
    };
    using PassagesByAge = std::array<Passages, buckets>;
    [[nodiscard]] static PassagesByAge smoothed(const Cell *of_class) noexcept;
    void learn_class(unsigned in_class, const PassagesByAge &of_kind) noexcept;
    void sort() noexcept;

    std::vector<Entry> of_;
    IndexLists by_age_;  // one list per cell, in the order of `since`
    std::array<Cell, cells> cells_{};
    std::array<uint64_t, cells> density_{};
    std::array<uint16_t, cells> order_{};
    std::array<uint16_t, cells> rank_{};
    std::array<uint64_t, buckets> looked_at_{};  // tick at which its blocks were last aged
    uint64_t nothing_due_before_ = 0;            // no block ages before this tick
    uint64_t now_ = 0;
    uint64_t uses_ = 0;  // since learn()
    unsigned aging_cell_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_REUSE_H
