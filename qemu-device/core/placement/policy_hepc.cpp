// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/policy_hepc.h"

#include <algorithm>

namespace kvcpu {

HepcPolicy::HepcPolicy(const PolicyTools &tools)
    : t_(tools),
      d_(tools.device),
      demotions_(d_.block_count()),
      rising_(d_.block_count()),
      waiting_(d_.block_count(), static_cast<uint32_t>(d_.contexts.size())) {
    restart();
}

void HepcPolicy::restart() noexcept {
    waiting_.clear();
    abandon_step();
    for (Block &block : d_.blocks) {
        block.promoted = false;
    }
}

void HepcPolicy::changed(uint32_t block) noexcept {
    update_victims(block);
    update_fetches(block);
    if (d_.at(block).state != KVCPU_BS_SCRUBBING) {
        t_.wheel.at_next_step(block);
    }
}

void HepcPolicy::update_victims(uint32_t block) noexcept {
    const Block &b = d_.at(block);
    if (!may_leave(b)) {
        t_.victims.remove(block);
        return;
    }
    const kvcpu_victim_class now_in = class_of(b);
    if (now_in == KVCPU_VC_PREFETCHED) {
        t_.victims.put(block, now_in, ~b.target, b.last_use);
    } else {
        t_.victims.put(block, now_in, b.last_use, 0);
    }
}

void HepcPolicy::update_fetches(uint32_t block) noexcept {
    Block &b = d_.at(block);
    if (b.promoted &&
        (!is_in_slow_tier_only(b) || b.hint == Hint::evictable || b.hint == Hint::released)) {
        b.promoted = false;
    }
    if (!is_in_slow_tier_only(b) || !(wants_fast(b) || b.promoted)) {
        t_.fetches.remove(block);
        return;
    }
    /* HOT first, then PREFETCHABLE by target, then promotions; each by the time of the request. */
    const bool promotion = !wants_fast(b);
    t_.fetches.put(block, promotion ? UINT64_MAX : target_key(b), b.fetch_sequence, promotion);
}

void HepcPolicy::promote(uint32_t block) noexcept {
    Block &b = d_.at(block);
    b.promoted = true;
    b.fetch_sequence = ++d_.fetch_sequence;
    changed(block);
}

Victim HepcPolicy::victim(const Want &want) const noexcept {
    const auto first = [this](kvcpu_victim_class of) { return t_.victims.first(of); };
    if (want.purpose == SlotPurpose::score) {
        return {};
    }
    for (const kvcpu_victim_class of : {KVCPU_VC_RELEASED, KVCPU_VC_EVICTABLE, KVCPU_VC_UNHINTED}) {
        if (first(of) != no_block) {
            return {first(of), of, false};
        }
    }
    const uint32_t shared = first(KVCPU_VC_SHARED);
    if (t_.victims.size(KVCPU_VC_SHARED) > d_.registers[Reg::SHARED_CAP] &&
        (want.purpose == SlotPurpose::pin || yields_slot_to(d_.at(shared), d_.at(want.block)))) {
        return {shared, KVCPU_VC_SHARED, false};
    }
    const uint32_t farthest = first(KVCPU_VC_PREFETCHED);
    if (farthest != no_block && (want.purpose == SlotPurpose::pin ||
                                 d_.at(farthest).target > target_key(d_.at(want.block)))) {
        return {farthest, KVCPU_VC_PREFETCHED, false};
    }
    if (want.purpose == SlotPurpose::pin) {
        for (const kvcpu_victim_class last : {KVCPU_VC_HOT, KVCPU_VC_SHARED}) {
            if (first(last) != no_block) {
                return {first(last), last, true};
            }
        }
    }
    return {};
}

/* -- STEP ------------------------------------------------------------------ */

void HepcPolicy::abandon_step() noexcept {
    demotions_.clear();
    rising_.clear();
    phase_ = Phase::done;
}

void HepcPolicy::adopt_weights() noexcept {
    const auto value = [this](Reg reg) { return static_cast<uint32_t>(d_.registers[reg]); };
    const Weights written = {
        .r = value(Reg::WEIGHT_R),
        .f = value(Reg::WEIGHT_F),
        .s = value(Reg::WEIGHT_S),
        .d = value(Reg::WEIGHT_D),
        .evict_below = value(Reg::EVICT_THRESH),
        .promote_above = value(Reg::PREFETCH_THRESH),
    };
    if (written != t_.score.weights()) {
        t_.score.set_weights(written);
        ++t_.generation;
    }
}

void HepcPolicy::begin_step(uint16_t context, uint64_t before) noexcept {
    Context &c = d_.contexts[context];
    adopt_weights();
    context_ = context;
    phase_ = Phase::due;
    t_.wheel.advance(context, before);
    if (c.scored != t_.generation) {
        c.scored = t_.generation;
        phase_ = Phase::scan;
        scan_next_ = 0;
    }
}

bool HepcPolicy::work_step(uint32_t &budget, Evictions &evictions) noexcept {
    while (phase_ != Phase::done) {
        if (budget == 0) {
            return false;
        }
        if (one(evictions)) {
            --budget;
        } else {
            phase_ = phase_ == Phase::promote
                         ? Phase::done
                         : static_cast<Phase>(static_cast<uint8_t>(phase_) + 1);
        }
    }
    return true;
}

bool HepcPolicy::one(Evictions &evictions) noexcept {
    switch (phase_) {
        case Phase::done:
            break;
        case Phase::scan:
            return scan_one();
        case Phase::due:
            return look_at_one_due();
        case Phase::demote:
            return demote_one(evictions);
        case Phase::collect:
            return collect_one();
        case Phase::promote:
            return promote_one();
    }
    return false;
}

bool HepcPolicy::scan_one() noexcept {
    if (scan_next_ == d_.block_count()) {
        return false;
    }
    if (d_.at(scan_next_).owner == context_) {
        look_at(scan_next_);
    }
    ++scan_next_;
    return true;
}

bool HepcPolicy::look_at_one_due() noexcept {
    const uint32_t block = t_.wheel.take_due(context_);
    if (block == no_block) {
        return false;
    }
    look_at(block);
    return true;
}

void HepcPolicy::look_at(uint32_t block) noexcept {
    Block &b = d_.at(block);
    if (b.state == KVCPU_BS_SCRUBBING) {
        return;
    }
    if (has_hint_ended(b, d_.contexts[context_].clock)) {
        b.hint = Hint::none;
        t_.reclaim.changed(block, b, true);
        changed(block);
    }
    if (is_demotable(b)) {
        demotions_.insert(block);
    } else if (!is_promotable(b)) {
        waiting_.remove(block);
    } else if (!waiting_.contains(block)) {
        rising_.insert(block);
    }
    look_again_when_needed(block);
}

void HepcPolicy::look_again_when_needed(uint32_t block) noexcept {
    const Block &b = d_.at(block);
    const Context &c = d_.context_of(block);
    uint64_t next = t_.score.steps_to_change(b, c);

    next = next == Score::never ? next : c.clock + next;
    next = std::min(next, hint_ends_at(b));
    t_.wheel.forget(block);
    if (next != Score::never) {
        t_.wheel.set(block, next);
    }
}

bool HepcPolicy::is_demotable(const Block &block) const noexcept {
    return may_leave(block) && block.sharers == 0 && !wants_fast(block) &&
           t_.score.verdict(block, d_.contexts[block.owner]).demote;
}

bool HepcPolicy::is_promotable(const Block &block) const noexcept {
    return is_in_slow_tier_only(block) && block.hint == Hint::none && !block.promoted &&
           t_.score.verdict(block, d_.contexts[block.owner]).promote;
}

bool HepcPolicy::demote_one(Evictions &evictions) noexcept {
    const uint32_t block = demotions_.first();
    if (block == NumberSet::none) {
        return false;
    }
    demotions_.erase(block);
    /* The block's state may have changed since an earlier batch examined it. */
    const Block &b = d_.at(block);
    if (b.owner == context_ && is_demotable(b)) {
        d_.count(KVCPU_CNT_DEMOTED_BY_SCORE, evictions.evict(block, class_of(b)) ? 1 : 0);
    }
    return true;
}

bool HepcPolicy::collect_one() noexcept {
    const uint32_t block = rising_.first();
    if (block == NumberSet::none) {
        return false;
    }
    rising_.erase(block);
    if (d_.at(block).owner == context_) {
        waiting_.push_back(context_, block);
    }
    return true;
}

bool HepcPolicy::promote_one() noexcept {
    const uint32_t block = waiting_.front(context_);
    if (block == IndexLists::none || d_.free_slots.count() <= t_.fetches.promotions()) {
        return false;
    }
    waiting_.remove(block);
    const Block &b = d_.at(block);
    if (b.owner == context_ && is_promotable(b)) {
        d_.count(KVCPU_CNT_PROMOTED_BY_SCORE);
        promote(block);
    }
    return true;
}

}  // namespace kvcpu
