// SPDX-License-Identifier: GPL-2.0-or-later
// What `next-use` learns of blocks that nobody said anything about.
#ifndef KVCPU_CORE_REUSE_H
#define KVCPU_CORE_REUSE_H

#include <array>
#include <cstdint>
#include <vector>

#include "rings.h"

namespace kvcpu {

/*
 * When blocks are used again, by what is known of them: how often they were used, whether they are
 * the end of a prompt, and how long ago the last use ended. Every block that is not in use is in
 * the cell of its class and age, wherever it lies: those that left the fast tier go on counting, as
 * those that stayed are no fair sample.
 *
 * A cell's *density* is the largest number of uses a tick that can be had by keeping a block of the
 * cell for some time from now on; its inverse is the expected wait for a use. Keeping the densest
 * blocks gives the most hits for the room.
 *
 * Time is in ticks. A cell's counts are halved when there are many, so that the past fades.
 * All in integers: every compiler and machine decides alike.
 */
class Reuse {
  public:
    static constexpr unsigned use_classes = 6;
    static constexpr unsigned classes = use_classes * 2;
    static constexpr unsigned buckets = 32;
    static constexpr unsigned cells = classes * buckets;
    static constexpr unsigned density_bits = 36;
    static constexpr uint8_t no_cell_bucket = UINT8_MAX;

    explicit Reuse(uint32_t blocks);

    void clear() noexcept;

    /* A use of the block has ended, and it is at the end of a prompt, or not. */
    void rest(uint32_t block, bool tail) noexcept;
    /* It is used; counts it if it rested. */
    void use(uint32_t block) noexcept;
    /* It is gone, or changes owner: neither use nor rest count. */
    void forget(uint32_t block) noexcept;

    /* Time goes on. Returns true if that has changed the order of cells. */
    bool tick() noexcept;
    /* Puts one block that has aged into its next cell; returns it, or Rings::none. */
    uint32_t age_one() noexcept;

    [[nodiscard]] bool rests(uint32_t block) const noexcept {
        return of_[block].bucket != no_cell_bucket;
    }
    /* Of a block that rests. */
    [[nodiscard]] unsigned cell(uint32_t block) const noexcept {
        return unsigned{of_[block].in_class} * buckets + of_[block].bucket;
    }
    /* Cells in the order of density, least first. Changes in tick() alone. */
    [[nodiscard]] const std::array<uint16_t, cells> &order() const noexcept { return order_; }
    [[nodiscard]] unsigned rank(unsigned cell) const noexcept { return rank_[cell]; }
    [[nodiscard]] uint64_t density(unsigned cell) const noexcept { return density_[cell]; }
    /* Ticks until the next use of a block of the cell, if it is worth keeping. */
    [[nodiscard]] uint64_t expected_wait(unsigned cell) const noexcept {
        return (uint64_t{1} << density_bits) / (density_[cell] + 1);
    }
    [[nodiscard]] uint64_t now() const noexcept { return now_; }
    [[nodiscard]] uint8_t uses(uint32_t block) const noexcept { return of_[block].uses; }

  private:
    struct Entry {
        uint64_t since = 0;
        uint8_t uses = 0;
        uint8_t in_class = 0;
        uint8_t bucket = no_cell_bucket;
    };
    struct Cell {
        uint64_t hits = 0;
        uint64_t exposure = 0;  // block-ticks
        uint64_t counted_until = 0;
        uint32_t members = 0;
    };

    [[nodiscard]] static unsigned class_of(uint8_t uses, bool tail) noexcept;
    void enter(uint32_t block, unsigned bucket) noexcept;
    void leave(uint32_t block) noexcept;
    void count(Cell &cell) noexcept;
    void fade() noexcept;
    void learn() noexcept;
    void learn_class(unsigned in_class, const std::array<uint64_t, buckets> &prior) noexcept;

    std::vector<Entry> of_;
    Rings by_age_;  // a list a cell, in the order of `since`
    std::array<Cell, cells> cells_{};
    std::array<uint64_t, cells> density_{};
    std::array<uint16_t, cells> order_{};
    std::array<uint16_t, cells> rank_{};
    uint64_t now_ = 0;
    uint64_t hits_ = 0;
    uint64_t learnt_at_ = 0;
    uint32_t aging_bucket_ = buckets;  // next to be looked at in this tick
    uint32_t aging_class_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_REUSE_H
