// SPDX-License-Identifier: GPL-2.0-or-later
#include "steps.h"

#include <algorithm>

namespace kvcpu {

Steps::Steps(Device &device, Placement &placement, Mover &mover)
    : d_(device),
      placement_(placement),
      mover_(mover),
      demotions_(device.block_count()),
      rising_(device.block_count()),
      waiting_(device.block_count(), static_cast<uint32_t>(device.contexts.size())) {
    clear();
}

void Steps::clear() noexcept {
    demotions_.clear();
    rising_.clear();
    waiting_.clear();
    phase_ = Phase::done;
}

void Steps::abandon() noexcept {
    demotions_.clear();
    rising_.clear();
    phase_ = Phase::done;
}

void Steps::adopt_weights() noexcept {
    const auto value = [this](Reg reg) { return static_cast<uint32_t>(d_.registers[reg]); };
    const Weights written = {
        .r = value(Reg::WEIGHT_R),
        .f = value(Reg::WEIGHT_F),
        .s = value(Reg::WEIGHT_S),
        .d = value(Reg::WEIGHT_D),
        .evict_below = value(Reg::EVICT_THRESH),
        .promote_above = value(Reg::PREFETCH_THRESH),
    };
    if (written != placement_.score.weights()) {
        placement_.score.set_weights(written);
        ++placement_.generation;
    }
}

void Steps::begin(uint16_t context, uint64_t step) noexcept {
    Context &c = d_.contexts[context];
    const uint64_t before = c.clock;
    const bool forward = c.advance(step);

    d_.record({.kind = KVCPU_EV_STEP, .context = context, .value = step});
    if (!forward) {
        d_.count(KVCPU_CNT_EPOCHS);
        d_.record({.kind = KVCPU_EV_EPOCH, .context = context, .value = step});
    }
    if (!d_.is_hepc()) {
        return;
    }
    adopt_weights();
    context_ = context;
    phase_ = Phase::due;
    placement_.wheel.turn(context, before);
    if (c.scored != placement_.generation) {
        c.scored = placement_.generation;
        phase_ = Phase::scan;
        scan_next_ = 0;
    }
}

bool Steps::work(uint32_t &budget) noexcept {
    while (phase_ != Phase::done) {
        if (budget == 0) {
            return false;
        }
        if (one()) {
            --budget;
        } else {
            phase_ = phase_ == Phase::promote
                         ? Phase::done
                         : static_cast<Phase>(static_cast<uint8_t>(phase_) + 1);
        }
    }
    return true;
}

bool Steps::one() noexcept {
    switch (phase_) {
        case Phase::done:
            break;
        case Phase::scan:
            return scan_one();
        case Phase::due:
            return look_at_one_due();
        case Phase::demote:
            return demote_one();
        case Phase::collect:
            return collect_one();
        case Phase::promote:
            return promote_one();
    }
    return false;
}

bool Steps::scan_one() noexcept {
    if (scan_next_ == d_.block_count()) {
        return false;
    }
    if (d_.at(scan_next_).owner == context_) {
        look_at(scan_next_);
    }
    ++scan_next_;
    return true;
}

bool Steps::look_at_one_due() noexcept {
    const uint32_t block = placement_.wheel.take_due(context_);
    if (block == no_block) {
        return false;
    }
    look_at(block);
    return true;
}

bool Steps::has_hint_ended(const Block &block) const noexcept {
    const uint64_t clock = d_.contexts[context_].clock;
    return (block.hint == Hint::hot && clock >= block.target) ||
           (block.hint == Hint::prefetchable && clock > block.target);
}

void Steps::look_at(uint32_t block) noexcept {
    Block &b = d_.at(block);
    if (b.state == KVCPU_BS_SCRUBBING) {
        return;
    }
    if (has_hint_ended(b)) {
        b.hint = Hint::none;
        placement_.changed(block);
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

void Steps::look_again_when_needed(uint32_t block) noexcept {
    const Block &b = d_.at(block);
    const Context &c = d_.context_of(block);
    uint64_t next = placement_.score.steps_to_change(b, c);

    next = next == Score::never ? next : c.clock + next;
    if (b.hint == Hint::hot) {
        next = std::min(next, b.target);
    } else if (b.hint == Hint::prefetchable) {
        next = std::min(next, b.target + 1);
    }
    placement_.wheel.forget(block);
    if (next != Score::never) {
        placement_.wheel.set(block, next);
    }
}

bool Steps::is_demotable(const Block &block) const noexcept {
    return (block.state == KVCPU_BS_FAST || block.state == KVCPU_BS_WRITING_BACK) &&
           block.claims == 0 && block.wanted == 0 && block.sharers == 0 && !wants_fast(block) &&
           placement_.score.verdict(block, d_.contexts[block.owner]).demote;
}

bool Steps::is_promotable(const Block &block) const noexcept {
    return is_home(block) && block.hint == Hint::none && !block.promoted &&
           placement_.score.verdict(block, d_.contexts[block.owner]).promote;
}

bool Steps::demote_one() noexcept {
    const uint32_t block = demotions_.first();
    if (block == NumberSet::none) {
        return false;
    }
    demotions_.erase(block);
    /* Since it was looked at, in an earlier portion, all may have changed. */
    const Block &b = d_.at(block);
    if (b.owner == context_ && is_demotable(b)) {
        d_.count(KVCPU_CNT_DEMOTED_BY_SCORE);
        mover_.evict(block, d_.class_of(b));
    }
    return true;
}

bool Steps::collect_one() noexcept {
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

bool Steps::promote_one() noexcept {
    const uint32_t block = waiting_.front(context_);
    if (block == Rings::none || d_.free_slots.count() <= placement_.queued_promotions()) {
        return false;
    }
    waiting_.remove(block);
    const Block &b = d_.at(block);
    if (b.owner == context_ && is_promotable(b)) {
        d_.count(KVCPU_CNT_PROMOTED_BY_SCORE);
        placement_.promote(block);
    }
    return true;
}

}  // namespace kvcpu
