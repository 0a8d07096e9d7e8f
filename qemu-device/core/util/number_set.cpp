// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/number_set.h"

#include <algorithm>
#include <bit>

namespace kvcpu {

namespace {

constexpr unsigned word_bits = 64;

constexpr uint64_t bit(uint32_t index) {
    return uint64_t{1} << (index % word_bits);
}

}  // namespace

NumberSet::NumberSet(uint32_t size) : size_(size) {
    uint64_t bits = size;
    do {
        bits = (bits + word_bits - 1) / word_bits;
        words_.at(levels_).resize(bits);
        ++levels_;
    } while (bits > 1);
    fill();
}

void NumberSet::fill() noexcept {
    uint64_t bits = size_;
    for (unsigned level = 0; level < levels_; ++level) {
        std::vector<uint64_t> &words = words_[level];
        std::fill(words.begin(), words.end(), UINT64_MAX);
        if (bits % word_bits != 0) {
            words.back() = bit(static_cast<uint32_t>(bits % word_bits)) - 1;
        }
        bits = words.size();
    }
    count_ = size_;
}

void NumberSet::clear() noexcept {
    for (unsigned level = 0; level < levels_; ++level) {
        std::fill(words_[level].begin(), words_[level].end(), 0);
    }
    count_ = 0;
}

void NumberSet::insert(uint32_t number) noexcept {
    if (contains(number)) {
        return;
    }
    ++count_;
    for (unsigned level = 0; level < levels_; ++level) {
        uint64_t &word = words_[level][number / word_bits];
        const bool known = word != 0;
        word |= bit(number);
        if (known) {
            return;
        }
        number /= word_bits;
    }
}

void NumberSet::erase(uint32_t number) noexcept {
    if (!contains(number)) {
        return;
    }
    --count_;
    for (unsigned level = 0; level < levels_; ++level) {
        uint64_t &word = words_[level][number / word_bits];
        word &= ~bit(number);
        if (word != 0) {
            return;
        }
        number /= word_bits;
    }
}

bool NumberSet::contains(uint32_t number) const noexcept {
    return (words_[0][number / word_bits] & bit(number)) != 0;
}

uint32_t NumberSet::first() const noexcept {
    if (count_ == 0) {
        return none;
    }
    uint64_t index = 0;
    for (unsigned level = levels_; level-- > 0;) {
        index = index * word_bits + static_cast<unsigned>(std::countr_zero(words_[level][index]));
    }
    return static_cast<uint32_t>(index);
}

NumberSet::Run NumberSet::lowest_run(uint32_t limit) const noexcept {
    const uint32_t start = first();
    if (start == none || limit == 0) {
        return {0, 0};
    }
    uint64_t length = 0;
    while (length < limit) {
        const uint64_t at = start + length;
        if (at >= size_) {
            break;
        }
        const auto in_word = static_cast<unsigned>(at % word_bits);
        const uint64_t word = words_[0][at / word_bits] >> in_word;
        const auto ones = static_cast<unsigned>(std::countr_one(word));
        length += ones;
        if (ones < word_bits - in_word) {
            break;
        }
    }
    return {start, static_cast<uint32_t>(std::min<uint64_t>(length, limit))};
}

}  // namespace kvcpu
