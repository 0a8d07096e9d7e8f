// SPDX-License-Identifier: GPL-2.0-or-later
#include "commands/reclaim.h"

namespace kvcpu {

void Drops::dropped(uint32_t block, uint16_t owner) noexcept {
    Block &b = d_.at(block);
    b.dropped = true;
    b.unnoticed = true;
    ++d_.dropped;
    if (d_.contexts[owner].unnoticed++ == 0) {
        events_.dropped(owner, block);
    }
    notices_.push_back(owner, block);
    d_.count(KVCPU_CNT_BLOCKS_DROPPED);
    d_.record({.kind = KVCPU_EV_DROPPED, .context = owner, .first = block});
}

void Drops::take_one(uint16_t context, uint32_t block) noexcept {
    notices_.remove(block);
    --d_.contexts[context].unnoticed;
    d_.at(block).unnoticed = false;
    placement_.changed(block);
}

Result Drops::take(uint16_t context) noexcept {
    const uint32_t first = notices_.front(context);
    uint16_t count = 0;
    if (first == Rings::none) {
        return {KVCPU_SC_SUCCESS, 0, 0};
    }
    while (count < KVCPU_COMMAND_BLOCKS_MAX && notices_.front(context) == first + count) {
        take_one(context, first + count);
        ++count;
    }
    return {KVCPU_SC_SUCCESS, count, first};
}

void Drops::take_all(uint16_t context, uint32_t &budget) noexcept {
    for (uint32_t block = notices_.front(context); block != Rings::none && budget > 0;
         block = notices_.front(context), --budget) {
        take_one(context, block);
    }
}

}  // namespace kvcpu
