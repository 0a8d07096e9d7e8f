// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/policy_next_use.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace kvcpu {

namespace {

constexpr uint32_t aged_a_use = 4;
constexpr uint64_t step_ns_max = 1'000'000'000;
constexpr uint64_t ghosts_a_block = 4;
constexpr uint64_t ghosts_max = 1 << 20;

}  // namespace

/* An idle context makes no steps: a longer time is not the duration of a step. */
void NextUsePolicy::StepTime::count(uint64_t now_ns, uint64_t steps) noexcept {
    const uint64_t took = now_ns - std::exchange(last, now_ns);
    if (steps > 0 && took < step_ns_max) {
        mean = mean - mean / 16 + took / steps / 16;
    }
}

NextUsePolicy::NextUsePolicy(const PolicyTools &tools)
    : t_(tools),
      d_(tools.device),
      ghosts_(static_cast<uint32_t>(std::min(d_.block_count() * ghosts_a_block, ghosts_max))),
      reuse_(d_.block_count() + ghosts_.size()),
      contents_(d_.block_count()),
      evictable_(reuse_, d_.block_count()),
      reclaimable_(reuse_, d_.block_count()),
      tokens_max_(d_.contexts.size()),
      step_ns_(d_.contexts.size()) {}

void NextUsePolicy::restart() noexcept {
    ghosts_.clear();
    reuse_.clear();
    std::fill(contents_.begin(), contents_.end(), 0);
    evictable_.clear();
    reclaimable_.clear();
    std::fill(tokens_max_.begin(), tokens_max_.end(), 0);
    std::fill(step_ns_.begin(), step_ns_.end(), StepTime{});
    origin_ = never;
}

void NextUsePolicy::changed(uint32_t block) noexcept {
    /* HOT, PREFETCHABLE and the end of a hint leave the kind of a resting block as it is. */
    const Hint hint = d_.at(block).hint;
    if (hint == Hint::evictable || hint == Hint::released) {
        reuse_.mark(block, kind_of(d_.at(block)));
    }
    update_victims(block);
    update_reclaim(block);
    update_fetches(block);
    const uint64_t ends = hint_ends_at(d_.at(block));
    t_.wheel.forget(block);
    if (ends != UINT64_MAX) {
        t_.wheel.set(block, ends);
    }
}

void NextUsePolicy::update_victims(uint32_t block) noexcept {
    const Block &b = d_.at(block);
    const kvcpu_victim_class now_in = class_of(b);
    if (may_leave(b) && now_in == KVCPU_VC_UNHINTED && reuse_.rests(block)) {
        t_.victims.remove(block);
        evictable_.put(block);
        return;
    }
    evictable_.remove(block);
    if (!may_leave(b)) {
        t_.victims.remove(block);
        return;
    }
    if (now_in == KVCPU_VC_PREFETCHED) {
        t_.victims.put(block, now_in, ~b.target, b.last_use);
    } else {
        t_.victims.put(block, now_in, b.lingering ? 0 : 1, b.last_use);
    }
}

void NextUsePolicy::update_reclaim(uint32_t block) noexcept {
    const Block &b = d_.at(block);
    if (may_be_reclaimed(b) && !wants_fast(b) && reuse_.rests(block)) {
        reclaimable_.put(block);
    } else {
        reclaimable_.remove(block);
    }
}

uint32_t NextUsePolicy::reclaim_next() const noexcept {
    const uint32_t least = reclaimable_.first();
    return least != no_block ? least : t_.reclaim.first();
}

void NextUsePolicy::update_fetches(uint32_t block) noexcept {
    const Block &b = d_.at(block);
    if (is_in_slow_tier_only(b) && wants_fast(b) && !b.lingering) {
        t_.fetches.put(block, target_key(b), b.fetch_sequence, false);
    } else {
        t_.fetches.remove(block);
    }
}

Reuse::Kind NextUsePolicy::kind_of(const Block &block) const noexcept {
    switch (block.hint) {
        case Hint::evictable:
            return Reuse::Kind::evictable;
        case Hint::released:
            return Reuse::Kind::released;
        default:
            return block.tokens < tokens_max_[block.owner] ? Reuse::Kind::tail : Reuse::Kind::body;
    }
}

void NextUsePolicy::rest(uint32_t block) noexcept {
    const Block &b = d_.at(block);
    uint32_t &full = tokens_max_[b.owner];
    full = std::max(full, b.tokens);
    reuse_.rest(block, kind_of(b));
}

void NextUsePolicy::used(uint32_t block, Use use) noexcept {
    /* READ and WRITE of a pinned block are part of the use that the PIN began. */
    if (use == Use::access && d_.at(block).claims > 0) {
        return;
    }
    age_some();
    reuse_.use(block);
    if (d_.at(block).claims == 0) {
        rest(block);
    }
}

void NextUsePolicy::unpinned(uint32_t block) noexcept {
    rest(block);
}

/* A block that is freed while it rests leaves a ghost, if its content is known. */
void NextUsePolicy::forget(uint32_t block) noexcept {
    evictable_.remove(block);
    reclaimable_.remove(block);
    const uint64_t content = std::exchange(contents_[block], 0);
    if (content != 0 && reuse_.rests(block)) {
        reuse_.bequeath(block, ghost_number(ghosts_.add(content)));
    } else {
        reuse_.forget(block);
    }
}

void NextUsePolicy::sealed(uint32_t block, uint64_t content) noexcept {
    contents_[block] = content;
    const uint32_t ghost = content == 0 ? Ghosts::none : ghosts_.find(content);
    if (ghost == Ghosts::none) {
        return;
    }
    d_.count(KVCPU_CNT_GHOSTS_RECALLED);
    ghosts_.remove(ghost);
    reuse_.use(ghost_number(ghost));
    reuse_.recall(block, reuse_.uses(ghost_number(ghost)));
    reuse_.forget(ghost_number(ghost));
}

/* Whether the blocks of a cell are expected to be used before the block that needs a slot. */
bool NextUsePolicy::is_sooner(uint32_t block, const Want &want) const noexcept {
    const Block &b = d_.at(want.block);
    if (want.purpose == SlotPurpose::pin || b.hint != Hint::prefetchable) {
        return false;
    }
    const uint64_t clock = d_.contexts[b.owner].clock;
    const uint64_t steps = b.target - std::min(b.target, clock);
    return reuse_.expected_wait_ns(reuse_.cell(block)) / (step_ns_[b.owner].mean + 1) < steps;
}

Victim NextUsePolicy::victim(const Want &want) const noexcept {
    const auto first = [this](kvcpu_victim_class of) { return t_.victims.first(of); };
    const bool pin = want.purpose == SlotPurpose::pin;
    for (const kvcpu_victim_class of : {KVCPU_VC_RELEASED, KVCPU_VC_EVICTABLE, KVCPU_VC_UNHINTED}) {
        if (first(of) != no_block) {
            return {first(of), of, false};
        }
    }
    const uint32_t least = evictable_.first();
    if (least != no_block && !is_sooner(least, want)) {
        return {least, KVCPU_VC_UNHINTED, false};
    }
    const uint32_t hot = first(KVCPU_VC_HOT);
    if (hot != no_block && d_.at(hot).lingering) {
        return {hot, KVCPU_VC_HOT, false};
    }
    const uint32_t shared = first(KVCPU_VC_SHARED);
    if (t_.victims.size(KVCPU_VC_SHARED) > d_.registers[Reg::SHARED_CAP] &&
        (want.purpose == SlotPurpose::pin || yields_slot_to(d_.at(shared), d_.at(want.block)))) {
        return {shared, KVCPU_VC_SHARED, false};
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
    step_ns_[context].count(elapsed_ns(), d_.contexts[context].clock - before);
    t_.wheel.advance(context, before);
    tick();
}

/* The time since the first use or step, so that statistics do not depend on when that was. */
uint64_t NextUsePolicy::elapsed_ns() noexcept {
    origin_ = std::min(origin_, d_.now);
    return d_.now - origin_;
}

void NextUsePolicy::tick() noexcept {
    if (reuse_.advance(elapsed_ns())) {
        evictable_.reorder();
        reclaimable_.reorder();
    }
}

/* A ghost is only in the list of its age. */
void NextUsePolicy::aged(uint32_t block) noexcept {
    if (block < d_.block_count()) {
        update_victims(block);
        update_reclaim(block);
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
                t_.reclaim.changed(due, b, true);
            }
            changed(due);
            continue;
        }
        const uint32_t older = reuse_.age_one();
        if (older == IndexLists::none) {
            return true;
        }
        --budget;
        aged(older);
    }
}

/* Uses age blocks as well, as a context may make no steps. */
void NextUsePolicy::age_some() noexcept {
    tick();
    for (uint32_t i = 0; i < aged_a_use; ++i) {
        const uint32_t older = reuse_.age_one();
        if (older == IndexLists::none) {
            break;
        }
        aged(older);
    }
}

}  // namespace kvcpu
