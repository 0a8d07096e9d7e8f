// SPDX-License-Identifier: GPL-2.0-or-later
// A set of block or slot numbers with a fast search for the lowest member.
#ifndef KVCPU_CORE_UTIL_NUMBER_SET_H
#define KVCPU_CORE_UTIL_NUMBER_SET_H

#include <array>
#include <cstdint>
#include <vector>

namespace kvcpu {

/*
 * A set of numbers below a size fixed at construction: a bitmap with summary levels. Bit i of a
 * level is set if word i of the level below has a bit set. The search for the lowest member reads
 * one word a level, whatever the number of members.
 */
class NumberSet {
  public:
    static constexpr uint32_t none = UINT32_MAX;

    struct Run {
        uint32_t first;
        uint32_t count;
    };

    // Every number is a member.
    explicit NumberSet(uint32_t size);

    void insert(uint32_t number) noexcept;
    void erase(uint32_t number) noexcept;
    [[nodiscard]] bool contains(uint32_t number) const noexcept;
    [[nodiscard]] uint32_t count() const noexcept { return count_; }

    // Lowest member, or `none`.
    [[nodiscard]] uint32_t first() const noexcept;
    // The run that starts at the lowest member, cut at `limit`; count 0 if the set is empty.
    [[nodiscard]] Run lowest_run(uint32_t limit) const noexcept;
    // Every number is a member, as after construction.
    void fill() noexcept;
    // No number is a member.
    void clear() noexcept;

  private:
    // 64^6 exceeds the 2^32 block numbers there are.
    static constexpr unsigned levels_max = 6;

    uint32_t size_;
    uint32_t count_ = 0;
    unsigned levels_ = 0;
    std::array<std::vector<uint64_t>, levels_max> words_;  // [0]: one bit per number
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_UTIL_NUMBER_SET_H
