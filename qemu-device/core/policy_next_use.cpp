// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy_next_use.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace kvcpu {

namespace {

constexpr uint16_t nowhere = UINT16_MAX;
constexpr uint32_t aged_a_use = 4;
constexpr uint64_t step_ns_max = 1'000'000'000;

}  // namespace

/* An idle context makes no steps: what took longer than this was no step. */
void NextUsePolicy::StepTime::count(uint64_t now_ns, uint64_t steps) noexcept {
    const uint64_t took = now_ns - std::exchange(last, now_ns);
    if (steps > 0 && took < step_ns_max) {
        mean = mean - mean / 16 + took / steps / 16;
    }
}

NextUsePolicy::NextUsePolicy(const PolicyTools &tools)
    : t_(tools),
      d_(tools.device),
      reuse_(d_.block_count()),
      candidates_(d_.block_count(), Reuse::cells),
      listed_in_(d_.block_count(), nowhere),
      tokens_max_(d_.contexts.size()),
      step_ns_(d_.contexts.size()) {}

void NextUsePolicy::restart() noexcept {
    reuse_.clear();
    candidates_.clear();
    candidates_in_.fill(0);
    occupied_.fill(0);
    std::fill(listed_in_.begin(), listed_in_.end(), nowhere);
    std::fill(tokens_max_.begin(), tokens_max_.end(), 0);
    std::fill(step_ns_.begin(), step_ns_.end(), StepTime{});
}

kvcpu_victim_class NextUsePolicy::class_of(const Block &block) const noexcept {
    if (block.sharers > 0) {
        return KVCPU_VC_SHARED;
    }
    switch (block.hint) {
        case Hint::none:
            break;
        case Hint::hot:
            return KVCPU_VC_HOT;
        case Hint::evictable:
            return KVCPU_VC_EVICTABLE;
        case Hint::prefetchable:
            return KVCPU_VC_PREFETCHED;
        case Hint::released:
            return KVCPU_VC_RELEASED;
    }
    return KVCPU_VC_UNHINTED;
}

void NextUsePolicy::changed(uint32_t block) noexcept {
    update_victims(block);
    update_fetches(block);
    const uint64_t ends = hint_ends_at(d_.at(block));
    t_.wheel.forget(block);
    if (ends != UINT64_MAX) {
        t_.wheel.set(block, ends);
    }
}

void NextUsePolicy::leave_cell(uint32_t block) noexcept {
    const uint16_t cell = listed_in_[block];
    if (cell == nowhere) {
        return;
    }
    candidates_.remove(block);
    listed_in_[block] = nowhere;
    if (--candidates_in_[cell] == 0) {
        const unsigned rank = reuse_.rank(cell);
        occupied_[rank / 64] &= ~(uint64_t{1} << rank % 64);
    }
}

void NextUsePolicy::update_victims(uint32_t block) noexcept {
    t_.victims.remove(block);
    const Block &b = d_.at(block);
    const kvcpu_victim_class now_in = class_of(b);
    if (!may_leave(b)) {
        leave_cell(block);
        return;
    }
    if (now_in == KVCPU_VC_UNHINTED && reuse_.rests(block)) {
        const auto cell = static_cast<uint16_t>(reuse_.cell(block));
        if (cell == listed_in_[block]) {
            return;
        }
        leave_cell(block);
        candidates_.push_back(cell, block);
        listed_in_[block] = cell;
        ++candidates_in_[cell];
        const unsigned rank = reuse_.rank(cell);
        occupied_[rank / 64] |= uint64_t{1} << rank % 64;
        return;
    }
    leave_cell(block);
    if (now_in == KVCPU_VC_PREFETCHED) {
        t_.victims.put(block, now_in, ~b.target, b.stamp);
    } else {
        t_.victims.put(block, now_in, b.lingering ? 0 : 1, b.stamp);
    }
}

void NextUsePolicy::update_fetches(uint32_t block) noexcept {
    t_.fetches.remove(block);
    const Block &b = d_.at(block);
    if (is_home(b) && wants_fast(b) && !b.lingering) {
        t_.fetches.put(block, target_key(b), b.asked, false);
    }
}

void NextUsePolicy::rest(uint32_t block) noexcept {
    const Block &b = d_.at(block);
    uint32_t &full = tokens_max_[b.owner];
    full = std::max(full, b.tokens);
    reuse_.rest(block, b.tokens < full);
}

void NextUsePolicy::used(uint32_t block, Use use) noexcept {
    /* What READ and WRITE do to a claimed block is part of the use that the claim is. */
    if (use == Use::access && d_.at(block).claims > 0) {
        return;
    }
    age_some();
    reuse_.use(block);
    if (d_.at(block).claims == 0) {
        rest(block);
    }
}

void NextUsePolicy::unclaimed(uint32_t block) noexcept {
    rest(block);
}

void NextUsePolicy::forget(uint32_t block) noexcept {
    leave_cell(block);
    reuse_.forget(block);
}

uint32_t NextUsePolicy::least_dense() const noexcept {
    for (size_t word = 0; word < occupied_.size(); ++word) {
        if (occupied_[word] != 0) {
            const auto rank = word * 64 + static_cast<size_t>(std::countr_zero(occupied_[word]));
            return candidates_.front(reuse_.cell_of_rank(static_cast<unsigned>(rank)));
        }
    }
    return no_block;
}

/* Whether the blocks of a cell are expected to be used before the fetch that wants room. */
bool NextUsePolicy::is_sooner(uint32_t block, const Want &want) const noexcept {
    const Block &b = d_.at(want.block);
    if (want.room == Room::pin || b.hint != Hint::prefetchable) {
        return false;
    }
    const uint64_t clock = d_.contexts[b.owner].clock;
    const uint64_t steps = b.target - std::min(b.target, clock);
    return reuse_.expected_wait_ns(reuse_.cell(block)) / (step_ns_[b.owner].mean + 1) < steps;
}

Victim NextUsePolicy::victim(const Want &want) const noexcept {
    const auto first = [this](kvcpu_victim_class of) { return t_.victims.first(of); };
    const bool pin = want.room == Room::pin;
    for (const kvcpu_victim_class of : {KVCPU_VC_RELEASED, KVCPU_VC_EVICTABLE, KVCPU_VC_UNHINTED}) {
        if (first(of) != no_block) {
            return {first(of), of, false};
        }
    }
    const uint32_t least = least_dense();
    if (least != no_block && !is_sooner(least, want)) {
        return {least, KVCPU_VC_UNHINTED, false};
    }
    const uint32_t hot = first(KVCPU_VC_HOT);
    if (hot != no_block && d_.at(hot).lingering) {
        return {hot, KVCPU_VC_HOT, false};
    }
    if (t_.victims.size(KVCPU_VC_SHARED) > d_.registers[Reg::SHARED_CAP]) {
        return {first(KVCPU_VC_SHARED), KVCPU_VC_SHARED, false};
    }
    const uint32_t farthest = first(KVCPU_VC_PREFETCHED);
    if (farthest != no_block && (pin || d_.at(farthest).target > target_key(d_.at(want.block)))) {
        return {farthest, KVCPU_VC_PREFETCHED, false};
    }
    if (pin) {
        for (const kvcpu_victim_class last : {KVCPU_VC_HOT, KVCPU_VC_SHARED}) {
            if (first(last) != no_block) {
                return {first(last), last, true};
            }
        }
    }
    return {};
}

/* -- Time ------------------------------------------------------------------ */

void NextUsePolicy::begin_step(uint16_t context, uint64_t before) noexcept {
    context_ = context;
    step_ns_[context].count(d_.now, d_.contexts[context].clock - before);
    t_.wheel.turn(context, before);
    tick();
}

void NextUsePolicy::tick() noexcept {
    if (!reuse_.advance(d_.now)) {
        return;
    }
    occupied_.fill(0);
    for (unsigned cell = 0; cell < Reuse::cells; ++cell) {
        if (candidates_in_[cell] > 0) {
            const unsigned rank = reuse_.rank(cell);
            occupied_[rank / 64] |= uint64_t{1} << rank % 64;
        }
    }
}

bool NextUsePolicy::work_step(uint32_t &budget, Evictions & /*evictions*/) noexcept {
    for (;;) {
        if (budget == 0) {
            return false;
        }
        const uint32_t due = t_.wheel.take_due(context_);
        if (due != no_block) {
            --budget;
            Block &b = d_.at(due);
            if (has_hint_ended(b, d_.contexts[context_].clock)) {
                b.hint = Hint::none;
            }
            changed(due);
            continue;
        }
        const uint32_t aged = reuse_.age_one();
        if (aged == Rings::none) {
            return true;
        }
        --budget;
        update_victims(aged);
    }
}

/* Where no steps come, blocks age with uses. */
void NextUsePolicy::age_some() noexcept {
    tick();
    for (uint32_t i = 0; i < aged_a_use; ++i) {
        const uint32_t aged = reuse_.age_one();
        if (aged == Rings::none) {
            break;
        }
        update_victims(aged);
    }
}

}  // namespace kvcpu
