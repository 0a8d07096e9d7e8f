// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/policy_min.h"

#include <algorithm>

namespace kvcpu {

MinPolicy::MinPolicy(const PolicyTools &tools)
    : d_(tools.device),
      victims_(tools.victims),
      fetches_(tools.fetches),
      reclaim_(tools.reclaim),
      next_use_(d_.block_count(), never) {}

kvcpu_victim_class MinPolicy::class_of(const Block &block) const noexcept {
    return wants_fast(block) ? KVCPU_VC_PREFETCHED : KVCPU_VC_UNHINTED;
}

void MinPolicy::restart() noexcept {
    std::fill(next_use_.begin(), next_use_.end(), never);
}

/* One heap for all blocks: the oracle gives the next use of hinted blocks as well. */
void MinPolicy::changed(uint32_t block) noexcept {
    const Block &b = d_.at(block);
    if (may_leave(b)) {
        victims_.put(block, KVCPU_VC_UNHINTED, ~next_use_[block], b.last_use);
    } else {
        victims_.remove(block);
    }
    if (is_in_slow_tier_only(b) && wants_fast(b)) {
        fetches_.put(block, next_use_[block], b.fetch_sequence, false);
    } else {
        fetches_.remove(block);
    }
}

Victim MinPolicy::victim(const Want &want) const noexcept {
    const uint32_t farthest = victims_.first(KVCPU_VC_UNHINTED);
    if (farthest == no_block ||
        (want.purpose != SlotPurpose::pin && next_use_[farthest] <= next_use_[want.block])) {
        return {};
    }
    return {farthest, class_of(d_.at(farthest)), false};
}

}  // namespace kvcpu
