// SPDX-License-Identifier: GPL-2.0-or-later
#include "state/registers.h"

namespace kvcpu {

namespace {

enum class Access : uint8_t { RO, RW, WO };

struct Entry {
    uint32_t offset;
    Access access;
    uint64_t reset;
};

constexpr std::array<Entry, register_count> table = {{
#define KVCPU_REG_ENTRY_(name, offset, access, reset, what) {offset, Access::access, reset},
    KVCPU_REGISTERS(KVCPU_REG_ENTRY_)
#undef KVCPU_REG_ENTRY_
}};

/* The register of each 8-byte word below the counters. */
constexpr size_t mapped_words = KVCPU_COUNTER_BASE / 8;
constexpr uint8_t unmapped = UINT8_MAX;
static_assert(register_count < unmapped);

constexpr std::array<uint8_t, mapped_words> index_words() {
    std::array<uint8_t, mapped_words> index{};
    index.fill(unmapped);
    for (size_t i = 0; i < table.size(); ++i) {
        index.at(table.at(i).offset / 8) = static_cast<uint8_t>(i);
    }
    return index;
}

constexpr std::array<uint8_t, mapped_words> word_index = index_words();

constexpr bool refused(Access access, Direction direction) {
    return access == (direction == Direction::read ? Access::WO : Access::RO);
}

Decoded decode_counter(uint64_t word, Direction direction) {
    constexpr uint64_t first = KVCPU_COUNTER_BASE / 8;
    constexpr uint64_t first_status = KVCPU_STATUS_COUNTER_BASE / 8;
    const bool counter = word >= first && word < first + KVCPU_COUNTER_COUNT;
    const bool status = word >= first_status && word < first_status + KVCPU_STATUS_COUNT;

    if (!counter && !status) {
        return KVCPU_CNT_BAD_OFFSET;
    }
    if (direction == Direction::write) {
        return KVCPU_CNT_BAD_DIRECTION;
    }
    if (counter) {
        return Target{CounterIndex{static_cast<unsigned>(word - first)}};
    }
    return Target{StatusCounterIndex{static_cast<unsigned>(word - first_status)}};
}

Decoded decode_doorbell(uint64_t offset, Direction direction, uint32_t contexts) {
    const uint64_t context = (offset - KVCPU_DOORBELL_BASE) / KVCPU_DOORBELL_STRIDE;
    const uint64_t which = (offset - KVCPU_DOORBELL_BASE) % KVCPU_DOORBELL_STRIDE;
    const bool is_present = which == KVCPU_DB_SQ_TAIL || which == KVCPU_DB_CQ_HEAD ||
                            (which == KVCPU_DB_EVQ_HEAD && context == 0);
    if (context >= contexts || !is_present) {
        return KVCPU_CNT_BAD_OFFSET;
    }
    if (direction == Direction::read) {
        return KVCPU_CNT_BAD_DIRECTION;
    }
    return Target{Doorbell{static_cast<uint16_t>(context), static_cast<kvcpu_doorbell>(which)}};
}

}  // namespace

Decoded decode_access(uint64_t offset, unsigned bytes, Direction direction,
                      uint32_t contexts) noexcept {
    if (bytes != 8 && (bytes != 4 || direction == Direction::write)) {
        return KVCPU_CNT_BAD_SIZE;
    }
    if (offset % bytes != 0) {
        return KVCPU_CNT_BAD_ALIGNMENT;
    }
    if (offset >= KVCPU_DOORBELL_BASE) {
        return decode_doorbell(offset, direction, contexts);
    }
    const uint64_t word = offset / 8;
    if (word >= mapped_words) {
        return decode_counter(word, direction);
    }
    const uint8_t index = word_index[word];
    if (index == unmapped) {
        return KVCPU_CNT_BAD_OFFSET;
    }
    if (refused(table[index].access, direction)) {
        return KVCPU_CNT_BAD_DIRECTION;
    }
    return Target{static_cast<Reg>(index)};
}

void RegisterValues::reset() noexcept {
    for (size_t i = 0; i < table.size(); ++i) {
        values_[i] = table[i].reset == KVCPU_RESET_CONFIG ? 0 : table[i].reset;
    }
}

}  // namespace kvcpu
