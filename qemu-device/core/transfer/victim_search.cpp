// SPDX-License-Identifier: GPL-2.0-or-later
// The mover's search for slots: whose block leaves, within what quotas allow.
#include "transfer/mover.h"

namespace kvcpu {

/* -- Of the context's own -------------------------------------------------- */

namespace {

/* Of its blocks, in the order of last use, so many are looked at for the one to give. */
constexpr unsigned own_blocks_examined = 64;

kvcpu_eviction_cause cause_of(SlotPurpose purpose) {
    switch (purpose) {
        case SlotPurpose::pin:
            return KVCPU_EC_PIN;
        case SlotPurpose::hint:
            return KVCPU_EC_HINT;
        default:
            return KVCPU_EC_SCORE;
    }
}

}  // namespace

/* The one of the lowest class; of one class, that which was used longest ago. */
Victim Mover::own_victim(uint32_t wanted_by, SlotPurpose purpose) const noexcept {
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
        const bool may_be_taken = purpose == SlotPurpose::pin || as <= KVCPU_VC_UNHINTED || is_farther;
        if (may_be_taken && (best.block == no_block || as < best.as)) {
            best = {block, as, as == KVCPU_VC_SHARED || (as == KVCPU_VC_HOT && !b.lingering)};
        }
        block = placement_.quotas.after(block);
    }
    return best;
}

/* True if the context is below its maximum now; else what it gives is on its way, if it can. */
bool Mover::exchange(uint32_t wanted_by, SlotPurpose purpose) noexcept {
    const uint16_t context = d_.at(wanted_by).owner;
    while (placement_.quotas.must_evict(context)) {
        const Victim victim = own_victim(wanted_by, purpose);
        if (victim.block == no_block) {
            return false;
        }
        d_.count(KVCPU_CNT_QUOTA_EVICTIONS);
        displace(victim);
        evict_for(victim.block, victim.as, {KVCPU_EC_QUOTA, KVCPU_RV_SLOT, wanted_by});
    }
    return !placement_.quotas.is_at_maximum(context);
}

/* A quota keeps back what it kept back before only if it still does. */
void Mover::look_again() noexcept {
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

/* The PINs' next block that there is a slot for. Who is at his maximum holds up nobody else. */
uint32_t Mover::next_for_pins(bool written) noexcept {
    for (;;) {
        const uint32_t block = pins_.next(written);
        if (block == no_block || make_slot_free(block, SlotPurpose::pin)) {
            return block;
        }
        if (!placement_.quotas.is_at_maximum(d_.at(block).owner)) {
            return no_block;
        }
        d_.context_of(block).stuck = true;
    }
}

/* -- Freeing a slot ----------------------------------------------------------- */

/* What a minimum protects is out of the policy's orders once it has been met there. */
Victim Mover::find_victim(uint32_t wanted_by, SlotPurpose purpose) noexcept {
    const uint16_t context = d_.at(wanted_by).owner;
    Victim victim = placement_.policy().victim({wanted_by, purpose});
    while (victim.block != no_block && placement_.quotas.protects(victim.block, context)) {
        placement_.quotas.park_victim(victim.block);
        placement_.changed(victim.block);
        victim = placement_.policy().victim({wanted_by, purpose});
    }
    if (victim.block == no_block && placement_.quotas.in_use()) {
        victim = own_victim(wanted_by, purpose);
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

/*
 * True if a slot is free now. A dirty victim starts on its way instead, unless as many are on
 * their way already as there is work for.
 */
bool Mover::make_slot_free(uint32_t wanted_by, SlotPurpose purpose) noexcept {
    if (placement_.quotas.is_at_maximum(d_.at(wanted_by).owner) && !exchange(wanted_by, purpose)) {
        return false;
    }
    const uint32_t slots_wanted = pins_.unstarted() + (purpose == SlotPurpose::pin ? 0 : placement_.queued());
    while (d_.free_slots.count() == 0 && d_.evicting + d_.slots_requested < slots_wanted) {
        const Victim victim = find_victim(wanted_by, purpose);
        if (victim.block == no_block) {
            return false;
        }
        displace(victim);
        evict_for(victim.block, victim.as, {cause_of(purpose), KVCPU_RV_SLOT, wanted_by});
    }
    return d_.free_slots.count() > 0;
}

/* What a PIN takes though it is hot or shared, for want of another. */
void Mover::displace(const Victim &victim) noexcept {
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
