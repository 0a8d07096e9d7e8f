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
 * When blocks are used again, by what is known of them: how often they were used, whether they are
 * the end of a prompt, and how long ago the last use ended. Every block that is not in use is in
 * the cell of its class and age, wherever it lies: those that left the fast tier go on counting, as
 * those that stayed are no fair sample.
 *
 * A cell's *density* is the largest number of uses in a unit of time that can be had by keeping a
 * block of the cell for some while from now on (an index of Gittins' kind); its inverse is the wait
 * that is expected. Keeping the densest blocks gives the most hits per slot.
 *
 * A cell's counts are halved when there are many, so that the past fades. All in integers: every
 * compiler and machine decides alike.
 */
class Reuse {
  public:
    /* What is said of a block beside its uses. A cell's hits decide what each is worth. */
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
    /* Something new is said of a block that rests. */
    void mark(uint32_t block, Kind kind) noexcept;
    /* It is used; counts it if it rested. */
    void use(uint32_t block) noexcept;
    /* It is gone, or changes owner: neither use nor rest count. */
    void forget(uint32_t block) noexcept;
    /* `heir` rests from now on in the place of a block that rests; what was known of it counts. */
    void bequeath(uint32_t block, uint32_t heir) noexcept;
    /* It is a block that had been given up after so many uses. */
    void recall(uint32_t block, uint8_t uses) noexcept { of_[block].uses = uses; }
    [[nodiscard]] uint8_t uses(uint32_t block) const noexcept { return of_[block].uses; }

    /* It is so late. Returns true if that has changed the order of cells. */
    bool advance(uint64_t now_ns) noexcept;
    /* Puts a block that has aged into its next cell; returns it, or IndexLists::none. */
    uint32_t age_one() noexcept;

    /* What use() and rest() will touch comes nearer, in two steps. */
    void warm_cache(uint32_t block) const noexcept {
        __builtin_prefetch(&of_[block], 1);
        by_age_.warm_cache(block);
    }
    void warm_cache_deep(uint32_t block) const noexcept { by_age_.warm_neighbours(block); }

    [[nodiscard]] bool rests(uint32_t block) const noexcept {
        return of_[block].bucket != no_bucket;
    }
    /* Of a block that rests. */
    [[nodiscard]] unsigned cell(uint32_t block) const noexcept {
        return unsigned{of_[block].in_class} * buckets + of_[block].bucket;
    }
    /* Cells by density, least first. Changes in advance() alone. */
    [[nodiscard]] unsigned cell_of_rank(unsigned rank) const noexcept { return order_[rank]; }
    [[nodiscard]] unsigned rank(unsigned cell) const noexcept { return rank_[cell]; }
    /* Until the next use of a block of the cell, if it is worth keeping. */
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
    /* Blocks that reached an age, and were used in it, or not. */
    struct Passages {
        Wide hits = 0;
        Wide all = 0;
    };
    using PassagesByAge = std::array<Passages, buckets>;
    [[nodiscard]] static PassagesByAge smoothed(const Cell *of_class) noexcept;
    void learn_class(unsigned in_class, const PassagesByAge &of_kind) noexcept;
    void sort() noexcept;

    std::vector<Entry> of_;
    IndexLists by_age_;  // a list a cell, in the order of `since`
    std::array<Cell, cells> cells_{};
    std::array<uint64_t, cells> density_{};
    std::array<uint16_t, cells> order_{};
    std::array<uint16_t, cells> rank_{};
    std::array<uint64_t, buckets> looked_at_{};  // tick at which its blocks were made to age
    uint64_t nothing_due_before_ = 0;            // tick until which no block need be looked at
    uint64_t now_ = 0;
    uint64_t uses_ = 0;  // since learn()
    unsigned aging_cell_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_REUSE_H
