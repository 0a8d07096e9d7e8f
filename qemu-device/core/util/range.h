// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_UTIL_RANGE_H
#define KVCPU_CORE_UTIL_RANGE_H

#include <cstdint>

namespace kvcpu {

/* A range of blocks. The range of a command has been checked to lie in the KV space. */
struct Range {
    uint32_t first = 0;
    uint32_t count = 0;

    [[nodiscard]] uint32_t end() const noexcept { return first + count; }
    [[nodiscard]] bool contains(uint32_t block) const noexcept { return block - first < count; }
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_UTIL_RANGE_H
