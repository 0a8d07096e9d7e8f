// SPDX-License-Identifier: GPL-2.0-or-later
#include "commands/reclaim.h"

namespace kvcpu {

void Reclaim::add(uint32_t block, uint16_t owner) noexcept {
    Block &b = d_.at(block);
    b.reclaimed = true;
    b.unacknowledged = true;
    ++d_.reclaimed;
    if (d_.contexts[owner].unacknowledged++ == 0) {
        events_.reclaimed(owner, block);
    }
    notices_.push_back(owner, block);
    d_.count(KVCPU_CNT_BLOCKS_RECLAIMED);
    d_.record({.kind = KVCPU_EV_RECLAIMED, .context = owner, .first = block});
}

void Reclaim::acknowledge_one(uint16_t context, uint32_t block) noexcept {
    notices_.remove(block);
    --d_.contexts[context].unacknowledged;
    d_.at(block).unacknowledged = false;
    placement_.changed(block);
}

Result Reclaim::acknowledge(uint16_t context) noexcept {
    const uint32_t first = notices_.front(context);
    uint16_t count = 0;
    if (first == IndexLists::none) {
        return {KVCPU_SC_SUCCESS, 0, 0};
    }
    while (count < KVCPU_COMMAND_BLOCKS_MAX && notices_.front(context) == first + count) {
        acknowledge_one(context, first + count);
        ++count;
    }
    return {KVCPU_SC_SUCCESS, count, first};
}

void Reclaim::acknowledge_all(uint16_t context, uint32_t &budget) noexcept {
    for (uint32_t block = notices_.front(context); block != IndexLists::none && budget > 0;
         block = notices_.front(context), --budget) {
        acknowledge_one(context, block);
    }
}

}  // namespace kvcpu
