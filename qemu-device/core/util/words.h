// SPDX-License-Identifier: GPL-2.0-or-later
// Little-endian 64-bit words, of which all structures in guest memory are made.
#ifndef KVCPU_CORE_UTIL_WORDS_H
#define KVCPU_CORE_UTIL_WORDS_H

#include <bit>
#include <cstdint>

namespace kvcpu {

inline void words_from_memory(uint64_t *words, uint32_t count) noexcept {
    if constexpr (std::endian::native == std::endian::big) {
        for (uint32_t word = 0; word < count; ++word) {
            words[word] = __builtin_bswap64(words[word]);
        }
    }
}

inline void words_to_memory(uint64_t *words, uint32_t count) noexcept {
    words_from_memory(words, count);
}

}  // namespace kvcpu

#endif  // KVCPU_CORE_UTIL_WORDS_H
