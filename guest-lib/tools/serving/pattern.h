// SPDX-License-Identifier: MIT
#ifndef KVCPU_SERVING_PATTERN_H
#define KVCPU_SERVING_PATTERN_H

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace kvcpu::serving {

/*
 * The content of a block: words that no other block has. Every word depends on the block's identity
 * and on its place, so that a misplaced, shifted or half-written block is detected.
 */
class Pattern {
  public:
    Pattern(uint64_t identity, uint64_t seed) noexcept
        : base_(mix(identity + mix(seed))), stride_(mix(base_) | 1) {}

    /* Sizes are multiples of 8. */
    void write(std::span<std::byte> into) const noexcept {
        uint64_t word = base_;
        for (std::size_t at = 0; at < into.size(); at += sizeof(word)) {
            std::memcpy(into.data() + at, &word, sizeof(word));
            word += stride_;
        }
    }

    [[nodiscard]] bool matches(std::span<const std::byte> bytes) const noexcept {
        uint64_t expected = base_;
        uint64_t difference = 0;
        for (std::size_t at = 0; at < bytes.size(); at += sizeof(expected)) {
            uint64_t word = 0;
            std::memcpy(&word, bytes.data() + at, sizeof(word));
            difference |= word ^ expected;
            expected += stride_;
        }
        return difference == 0;
    }

  private:
    /* The finalizer of splitmix64 (Steele, Lea and Flood, 2014): every bit depends on every. */
    static uint64_t mix(uint64_t value) noexcept {
        value += 0x9e3779b97f4a7c15;
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
        value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
        return value ^ (value >> 31);
    }

    uint64_t base_;
    uint64_t stride_;
};

}  // namespace kvcpu::serving

#endif  // KVCPU_SERVING_PATTERN_H
