// SPDX-License-Identifier: GPL-2.0-or-later
#include "transfer/victim_search.h"

namespace kvcpu {

namespace {

/* The most blocks of a context, by last use, that find_own() examines. */
constexpr unsigned own_blocks_examined = 64;

}  // namespace

/* The block of the lowest class; of one class, the least recently used block. */
Victim VictimSearch::find_own(uint32_t wanted_by, SlotPurpose purpose) const noexcept {
    const Policy &policy = placement_.policy();
    const Block &wanted = d_.at(wanted_by);
    Victim best;
    if (purpose == SlotPurpose::score || (purpose == SlotPurpose::hint && !policy.uses_hints())) {
        return best;
    }
    uint32_t block = placement_.quotas.first_of(wanted.owner);
    for (unsigned i = 0; i < own_blocks_examined && block != no_block; ++i) {
        const Block &b = d_.at(block);
        const kvcpu_victim_class as = policy.class_of(b);
        const bool is_farther = as == KVCPU_VC_PREFETCHED && b.target > target_key(wanted);
        const bool may_be_taken =
            purpose == SlotPurpose::pin || as <= KVCPU_VC_UNHINTED || is_farther;
        if (may_be_taken && (best.block == no_block || as < best.as)) {
            best = {block, as, as == KVCPU_VC_SHARED || (as == KVCPU_VC_HOT && !b.lingering)};
        }
        block = placement_.quotas.after(block);
    }
    return best;
}

/* Parks each choice of the policy that a minimum protects, until one may be evicted. */
Victim VictimSearch::find(uint32_t wanted_by, SlotPurpose purpose) noexcept {
    const uint16_t context = d_.at(wanted_by).owner;
    Victim victim = placement_.policy().victim({wanted_by, purpose});
    while (victim.block != no_block && placement_.quotas.protects(victim.block, context)) {
        placement_.quotas.park_victim(victim.block);
        placement_.changed(victim.block);
        victim = placement_.policy().victim({wanted_by, purpose});
    }
    if (victim.block == no_block && placement_.quotas.in_use()) {
        victim = find_own(wanted_by, purpose);
    }
    if (victim.block == no_block && purpose == SlotPurpose::pin && pins_.is_oldest(wanted_by)) {
        victim.block = pins_.take_from_younger([this, context](uint32_t block) {
            return !placement_.quotas.protects(block, context);
        });
        victim.as = KVCPU_VC_UNHINTED;
        if (victim.block != no_block) {
            victim.as = placement_.class_of(d_.at(victim.block));
            victim.displaced = victim.as == KVCPU_VC_HOT || victim.as == KVCPU_VC_SHARED;
        }
    }
    return victim;
}

/* Unparks the blocks that the quota no longer protects. */
void VictimSearch::unpark() noexcept {
    for (uint16_t context = 0; context < d_.config.max_contexts; ++context) {
        d_.contexts[context].stuck = false;
        const Quotas &quotas = placement_.quotas;
        if (!quotas.is_at_maximum(context) || quotas.first_of(context) != no_block) {
            const uint32_t block = placement_.quotas.unpark_fetch(context);
            if (block != no_block) {
                placement_.changed(block);
            }
        }
        for (uint32_t spare = quotas.to_spare(context); spare > 0; --spare) {
            const uint32_t block = placement_.quotas.unpark_victim(context);
            if (block == no_block) {
                break;
            }
            placement_.changed(block);
        }
    }
}

/* A hot or shared block that a PIN evicts, as no other block can be evicted. */
void VictimSearch::record_displaced(const Victim &victim) noexcept {
    if (!victim.displaced || d_.at(victim.block).held) {
        return;
    }
    d_.count(KVCPU_CNT_PINS_DISPLACED);
    d_.record({.kind = KVCPU_EV_DISPLACED,
               .detail = static_cast<uint16_t>(victim.as),
               .context = d_.at(victim.block).owner,
               .first = victim.block,
               .value = d_.at(victim.block).slot});
}

}  // namespace kvcpu
