// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_PLACEMENT_GHOSTS_H
#define KVCPU_CORE_PLACEMENT_GHOSTS_H

#include <algorithm>
#include <cstdint>
#include <vector>

namespace kvcpu {

/*
 * A set-associative table of the contents of freed blocks. A ghost is a number below size(). A
 * search reads one set of eight ghosts, so no choice of contents by a guest can make it slower.
 */
class Ghosts {
  public:
    static constexpr uint32_t none = UINT32_MAX;
    static constexpr uint32_t ways = 8;

    /* `size` is the minimum number of ghosts. */
    explicit Ghosts(uint32_t blocks)
        : sets_((blocks + ways - 1) / ways), contents_(uint64_t{sets_} * ways), next_(sets_) {}

    [[nodiscard]] uint32_t size() const noexcept { return sets_ * ways; }
    void clear() noexcept {
        std::fill(contents_.begin(), contents_.end(), 0);
        std::fill(next_.begin(), next_.end(), uint8_t{0});
    }
    /* The ghost of this content, or none. The content must not be 0. */
    [[nodiscard]] uint32_t find(uint64_t content) const noexcept {
        const uint32_t first = set(content) * ways;
        for (uint32_t ghost = first; ghost < first + ways; ++ghost) {
            if (contents_[ghost] == content) {
                return ghost;
            }
        }
        return none;
    }
    void remove(uint32_t ghost) noexcept { contents_[ghost] = 0; }
    /* Adds a ghost of this content. It replaces the oldest of its set if the set is full. */
    uint32_t add(uint64_t content) noexcept {
        uint32_t ghost = find(content);
        if (ghost == none) {
            ghost = find_free(set(content));
        }
        contents_[ghost] = content;
        return ghost;
    }

  private:
    [[nodiscard]] uint32_t set(uint64_t content) const noexcept {
        const uint64_t mixed = (content ^ content >> 32) * 0x9e3779b97f4a7c15;
        return static_cast<uint32_t>((mixed >> 32) * sets_ >> 32);
    }
    uint32_t find_free(uint32_t set) noexcept {
        const uint32_t first = set * ways;
        for (uint32_t ghost = first; ghost < first + ways; ++ghost) {
            if (contents_[ghost] == 0) {
                return ghost;
            }
        }
        return first + next_[set]++ % ways;
    }

    uint32_t sets_;
    std::vector<uint64_t> contents_;  // by ghost; 0: free
    std::vector<uint8_t> next_;       // by set: index of the next ghost to replace
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_GHOSTS_H
