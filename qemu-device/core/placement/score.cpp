// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/score.h"

#include <algorithm>

namespace kvcpu {

namespace {

constexpr size_t row_count = size_t{256} * 2;

constexpr size_t row_index(uint8_t frequency, bool prefix) {
    return size_t{frequency} * 2 + (prefix ? 1 : 0);
}

}  // namespace

Score::Score() : rows_(row_count) {}

void Score::set_weights(const Weights &weights) noexcept {
    weights_ = weights;
    for (Row &row : rows_) {
        row.filled = false;
    }
}

uint8_t Score::recency(uint64_t age) noexcept {
    return static_cast<uint8_t>(age < 128 ? 255U >> (age / 16) : 0U);
}

uint16_t Score::value(uint64_t age, uint8_t frequency, bool prefix) const noexcept {
    const uint64_t s = age < 255 ? 255 - age : 0;
    const uint64_t d = prefix ? 255 : 0;
    return static_cast<uint16_t>(weights_.r * uint64_t{recency(age)} +
                                 weights_.f * uint64_t{frequency} + weights_.s * s +
                                 weights_.d * d);
}

uint16_t Score::value(const Block &block, const Context &context) const noexcept {
    if (!block.used) {
        return static_cast<uint16_t>(weights_.d * (block.prefix ? uint64_t{255} : 0));
    }
    return value(context.clock - block.used_at, block.frequency, block.prefix);
}

uint64_t Score::steps_to_change(const Block &block, const Context &context) noexcept {
    const uint64_t age = context.clock - block.used_at;
    if (!block.used || age >= age_max) {
        return never;
    }
    Row &row = rows_[row_index(block.frequency, block.prefix)];
    if (!row.filled) {
        fill(row, block.frequency, block.prefix);
    }
    const uint64_t change = row.changes[age];
    return change == 0 ? never : change - age;
}

void Score::fill(Row &row, uint8_t frequency, bool prefix) const noexcept {
    uint16_t change = 0;
    Verdict later = verdict(value(age_max, frequency, prefix));
    row.changes[age_max] = 0;
    for (size_t age = age_max; age-- > 0;) {
        const Verdict here = verdict(value(age, frequency, prefix));
        if (here != later) {
            change = static_cast<uint16_t>(age + 1);
            later = here;
        }
        row.changes[age] = change;
    }
    row.filled = true;
}

}  // namespace kvcpu
