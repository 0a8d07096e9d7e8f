// SPDX-License-Identifier: GPL-2.0-or-later
#include "transfer/mover.h"

#include <algorithm>

namespace kvcpu {

namespace {

/* Nanoseconds for some bytes, rounded up; 128 bits, as bytes x 10^9 exceeds 64. */
uint64_t transfer_ns(uint64_t bytes, uint64_t bytes_per_second) {
    __extension__ using Wide = unsigned __int128;
    const Wide scaled = Wide{bytes} * 1'000'000'000U;
    return static_cast<uint64_t>((scaled + bytes_per_second - 1) / bytes_per_second);
}

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

Mover::Mover(Device &device, Placement &placement, Pins &pins, EventQueue &events)
    : d_(device),
      placement_(placement),
      pins_(pins),
      events_(events),
      victims_(device, placement, pins),
      jobs_(device.block_count(), job_lists),
      channels_(device.config.dma_channels),
      move_ns_(device.config.dma_latency_ns +
               transfer_ns(device.config.block_size * device.config.dma_channels,
                           device.config.dma_bandwidth)),
      scrub_ns_(transfer_ns(device.config.block_size, device.config.scrub_bandwidth)) {}

void Mover::clear() noexcept {
    jobs_.clear();
    fetches_requested_ = 0;
    std::fill(channels_.begin(), channels_.end(), Engine{});
    scrubber_ = {};
}

void Mover::record_move(kvcpu_event_kind kind, const Engine &engine) noexcept {
    d_.record({.kind = kind,
               .detail = engine.reason,
               .context = d_.at(engine.block).owner,
               .first = engine.block,
               .value = d_.at(engine.block).slot});
}

/* -- Leaving the fast tier ------------------------------------------------- */

/* Records the choice of a victim. `kvctl why` reads it. */
void Mover::record_choice(uint32_t block, kvcpu_victim_class as, const Cause &cause) noexcept {
    const Block &b = d_.at(block);
    const uint64_t age = std::min<uint64_t>(d_.context_of(block).clock - b.used_at, UINT32_MAX);
    const auto detail = uint64_t{as} << KVCPU_CHO_CLASS_SHIFT | uint64_t{cause.cause}
                                                                    << KVCPU_CHO_CAUSE_SHIFT;
    d_.record(
        {.kind = KVCPU_EV_CHOSEN,
         .detail = static_cast<uint16_t>(detail),
         .context = b.owner,
         .status = static_cast<uint16_t>(d_.policy),
         .first = block,
         .value = uint64_t{cause.wanted_by} << KVCPU_CHW_FOR_SHIFT | age << KVCPU_CHW_AGE_SHIFT});
}

bool Mover::evict_for(uint32_t block, kvcpu_victim_class as, const Cause &cause) noexcept {
    Block &b = d_.at(block);
    record_choice(block, as, cause);
    b.eviction_class = as;
    if (b.held) {
        d_.request_slot(block);
        revoke(block, cause.revoke);
        return false;
    }
    if (!b.dirty) {
        leave_slot(block, KVCPU_BE_EVICT);
        return true;
    }
    d_.change(block, KVCPU_BE_EVICT, KVCPU_BS_EVICTING);
    if (!b.moving) {
        jobs_.push_back(eviction_jobs, block);
    }
    placement_.changed(block);
    return true;
}

void Mover::leave_slot(uint32_t block, kvcpu_block_event event) noexcept {
    Block &b = d_.at(block);
    d_.count(static_cast<kvcpu_counter>(KVCPU_CNT_EVICTED_RELEASED + unsigned{b.eviction_class}));
    d_.record({.kind = KVCPU_EV_EVICTED,
               .detail = static_cast<uint16_t>(b.eviction_class),
               .context = b.owner,
               .first = block,
               .value = b.slot});
    if (b.prefetched) {
        b.prefetched = false;
        d_.count(KVCPU_CNT_PREFETCH_UNUSED);
    }
    jobs_.remove(block);
    placement_.quotas.forget(block);
    --d_.context_of(block).slots_used;
    d_.free_slots.insert(b.slot);
    b.slot = no_slot;
    d_.change(block, event, Device::rest_state(b));
    pins_.lost(block);
    placement_.policy().left(block);
    placement_.changed(block);
}

void Mover::clean(uint32_t block) noexcept {
    const Block &b = d_.at(block);
    const bool is_dirty = b.dirty && b.state == KVCPU_BS_FAST;
    if (b.write_held && (is_dirty || b.sealed)) {
        revoke(block, b.sealed ? KVCPU_RV_SEALED : KVCPU_RV_CLEAN);
    } else if (is_dirty) {
        jobs_.push_back(clean_jobs, block);
    }
}

void Mover::abort_and_scrub(uint32_t block) noexcept {
    const Block &b = d_.at(block);
    jobs_.remove(block);
    d_.cancel_slot_request(block);
    clear_fetch_request(block);
    d_.change(block, KVCPU_BE_FREE, KVCPU_BS_SCRUBBING);
    placement_.changed(block);
    if (b.held) {
        revoke(block, KVCPU_RV_FREED);
    }
    if (!b.moving) {
        scrub(block);
        return;
    }
    const auto abort = [block](Engine &engine) {
        engine.aborted = engine.aborted || (engine.kind != Kind::idle && engine.block == block);
    };
    std::for_each(channels_.begin(), channels_.end(), abort);
    abort(scrubber_);
}

/* -- Freeing a slot --------------------------------------------------------- */

/* Whether the context is below its maximum. If it is not, starts the eviction of a block of its
 * own. */
bool Mover::exchange(uint32_t wanted_by, SlotPurpose purpose) noexcept {
    const uint16_t context = d_.at(wanted_by).owner;
    while (placement_.quotas.must_evict(context)) {
        const Victim victim = victims_.find_own(wanted_by, purpose);
        if (victim.block == no_block) {
            return false;
        }
        d_.count(KVCPU_CNT_QUOTA_EVICTIONS);
        victims_.record_displaced(victim);
        evict_for(victim.block, victim.as, {KVCPU_EC_QUOTA, KVCPU_RV_SLOT, wanted_by});
    }
    return !placement_.quotas.is_at_maximum(context);
}

/* The next block of a PIN that can get a slot. A context at its quota maximum does not block other
 * contexts. */
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

/*
 * Returns whether a slot is free now. Otherwise evicts a victim. A dirty victim frees its slot
 * later, so the number of evictions is limited to the number of waiting fetches.
 */
bool Mover::make_slot_free(uint32_t wanted_by, SlotPurpose purpose) noexcept {
    if (placement_.quotas.is_at_maximum(d_.at(wanted_by).owner) && !exchange(wanted_by, purpose)) {
        return false;
    }
    const uint32_t slots_wanted =
        pins_.unstarted() + (purpose == SlotPurpose::pin ? 0 : placement_.queued());
    while (d_.free_slots.count() == 0 && d_.evicting + d_.slots_requested < slots_wanted) {
        const Victim victim = victims_.find(wanted_by, purpose);
        if (victim.block == no_block) {
            return false;
        }
        victims_.record_displaced(victim);
        evict_for(victim.block, victim.as, {cause_of(purpose), KVCPU_RV_SLOT, wanted_by});
    }
    return d_.free_slots.count() > 0;
}

/* -- Held blocks ----------------------------------------------------------- */

/* A block has one REVOKE at a time. The reason of the latest request decides what follows. */
void Mover::revoke(uint32_t block, kvcpu_revoke_reason why) noexcept {
    if (d_.at(block).revoking && why == KVCPU_RV_EVICT) {
        d_.holds[block].reason = why;
    }
    events_.revoke(block, why);
    placement_.changed(block);
}

void Mover::held(uint32_t block) noexcept {
    if (d_.at(block).wanted > 0 && is_in_slow_tier_only(d_.at(block))) {
        revoke(block, KVCPU_RV_FETCH);
    }
}

void Mover::clear_fetch_request(uint32_t block) noexcept {
    fetches_requested_ -= d_.at(block).fetch_requested ? 1 : 0;
    d_.at(block).fetch_requested = false;
}

/* The fetch that needed the slot is chosen again, as another may be more urgent by now. */
void Mover::released(uint32_t block) noexcept {
    Block &b = d_.at(block);
    const kvcpu_revoke_reason why = d_.holds[block].reason;
    const bool was_asked = b.revoking;
    b.revoking = false;
    d_.cancel_slot_request(block);
    clear_fetch_request(block);
    if (b.state == KVCPU_BS_SCRUBBING) {
        if (!b.moving) {
            scrub(block);
        }
        return;
    }
    pins_.unheld(block);
    placement_.changed(block);
    const bool in_place = b.state == KVCPU_BS_FAST || b.state == KVCPU_BS_WRITING_BACK;
    if (was_asked && why == KVCPU_RV_EVICT && b.hint == Hint::evictable && in_place &&
        b.claims == 0 && b.wanted == 0) {
        evict_now(block);
    } else if (b.sealed || (was_asked && why == KVCPU_RV_CLEAN)) {
        clean(block);
    }
}

/* For hints only: a PIN sends the REVOKEs of all its blocks at once. */
void Mover::revoke_for_fetches() noexcept {
    for (uint32_t block = placement_.next_held_fetch();
         block != no_block && fetches_requested_ < channels_.size();
         block = placement_.next_held_fetch()) {
        const SlotPurpose purpose = placement_.purpose_of(block);
        const bool at_maximum = placement_.quotas.is_at_maximum(d_.at(block).owner);
        const Victim victim =
            at_maximum ? victims_.find_own(block, purpose) : victims_.find(block, purpose);
        if ((at_maximum || d_.free_slots.count() == 0) && victim.block == no_block) {
            return;
        }
        d_.at(block).fetch_requested = true;
        ++fetches_requested_;
        revoke(block, KVCPU_RV_FETCH);
    }
}

/* -- Taking work ----------------------------------------------------------- */

void Mover::begin(Engine &engine, Kind kind, uint32_t block, uint16_t reason) noexcept {
    const bool scrubbing = kind == Kind::zero_fill || kind == Kind::scrub;
    engine = {.kind = kind,
              .reason = reason,
              .aborted = false,
              .block = block,
              .end_ns = d_.now + (scrubbing ? scrub_ns_ : move_ns_)};
    d_.at(block).moving = true;
}

void Mover::begin_fetch(Engine &engine, Kind kind, uint32_t block, uint16_t reason) noexcept {
    Block &b = d_.at(block);
    placement_.quotas.forget(block);
    b.slot = d_.free_slots.first();
    d_.free_slots.erase(b.slot);
    ++d_.context_of(block).slots_used;
    b.prefetched = reason == KVCPU_MOVE_PREFETCH;
    d_.change(block, KVCPU_BE_FETCH_START, KVCPU_BS_FETCHING);
    pins_.started(block);
    begin(engine, kind, block, reason);
    placement_.policy().entered(block);
    placement_.changed(block);
    record_move(KVCPU_EV_FETCH_START, engine);
}

bool Mover::begin_eviction(Engine &channel, uint16_t reason) noexcept {
    for (;;) {
        const uint32_t block = jobs_.front(eviction_jobs);
        if (block == IndexLists::none) {
            return false;
        }
        jobs_.remove(block);
        if (d_.at(block).state == KVCPU_BS_EVICTING) {
            begin(channel, Kind::write_back, block, reason);
            record_move(KVCPU_EV_WRITE_BACK_START, channel);
            return true;
        }
        /* A PIN keeps the block in its slot. A sealed block still needs its write-back. */
        if (d_.at(block).sealed) {
            clean(block);
        }
    }
}

uint32_t Mover::evictions_on_channels() const noexcept {
    return static_cast<uint32_t>(
        std::count_if(channels_.begin(), channels_.end(), [this](const Engine &channel) {
            return channel.kind != Kind::idle && d_.at(channel.block).state == KVCPU_BS_EVICTING;
        }));
}

bool Mover::take_demand(Engine &channel) noexcept {
    if (pins_.unstarted() == 0) {
        return false;
    }
    const uint32_t block = next_for_pins(true);
    if (block != no_block) {
        begin_fetch(channel, Kind::fetch, block, KVCPU_MOVE_DEMAND);
        return true;
    }
    return d_.free_slots.count() == 0 && evictions_on_channels() < pins_.unstarted() &&
           begin_eviction(channel, KVCPU_MOVE_DEMAND);
}

bool Mover::take_prefetch(Engine &channel) noexcept {
    revoke_for_fetches();
    SlotPurpose purpose = SlotPurpose::score;
    for (;;) {
        const uint32_t block = placement_.next_fetch();
        if (block == no_block) {
            return false;
        }
        purpose = placement_.purpose_of(block);
        if (make_slot_free(block, purpose)) {
            begin_fetch(channel, Kind::fetch, block, KVCPU_MOVE_PREFETCH);
            return true;
        }
        if (!placement_.quotas.is_at_maximum(d_.at(block).owner)) {
            break;
        }
        placement_.quotas.park_fetch(block);
        placement_.changed(block);
    }
    return purpose == SlotPurpose::hint &&
           evictions_on_channels() < pins_.unstarted() + placement_.queued() &&
           begin_eviction(channel, KVCPU_MOVE_PREFETCH);
}

bool Mover::take_clean(Engine &channel) noexcept {
    if (begin_eviction(channel, KVCPU_MOVE_CLEAN)) {
        return true;
    }
    for (;;) {
        const uint32_t block = jobs_.front(clean_jobs);
        if (block == IndexLists::none) {
            return false;
        }
        jobs_.remove(block);
        if (d_.at(block).write_held) {
            clean(block);
        } else if (d_.at(block).state == KVCPU_BS_FAST && d_.at(block).dirty) {
            d_.change(block, KVCPU_BE_CLEAN_START, KVCPU_BS_WRITING_BACK);
            begin(channel, Kind::write_back, block, KVCPU_MOVE_CLEAN);
            placement_.changed(block);
            record_move(KVCPU_EV_WRITE_BACK_START, channel);
            return true;
        }
    }
}

bool Mover::take_zero_fill() noexcept {
    const uint32_t block = next_for_pins(false);
    if (block == no_block) {
        return false;
    }
    begin_fetch(scrubber_, Kind::zero_fill, block, KVCPU_MOVE_DEMAND);
    return true;
}

bool Mover::take_scrub() noexcept {
    const uint32_t block = jobs_.front(scrub_jobs);
    if (block == IndexLists::none) {
        return false;
    }
    jobs_.remove(block);
    begin(scrubber_, Kind::scrub, block, KVCPU_MOVE_DEMAND);
    return true;
}

void Mover::take_work() noexcept {
    if (placement_.quotas.in_use()) {
        victims_.unpark();
    }
    if (scrubber_.kind == Kind::idle && !take_zero_fill()) {
        take_scrub();
    }
    for (Engine &channel : channels_) {
        if (channel.kind == Kind::idle && !take_demand(channel) && !take_prefetch(channel) &&
            !take_clean(channel)) {
            return;
        }
    }
}

/* -- Ending it ------------------------------------------------------------- */

void Mover::finish() noexcept {
    for (Engine &channel : channels_) {
        if (channel.kind != Kind::idle && channel.end_ns <= d_.now) {
            end(channel);
        }
    }
    if (scrubber_.kind != Kind::idle && scrubber_.end_ns <= d_.now) {
        end(scrubber_);
    }
}

uint64_t Mover::next_end() const noexcept {
    const auto end_of = [](const Engine &engine) {
        return engine.kind == Kind::idle ? KVCPU_TIMER_OFF : engine.end_ns;
    };
    uint64_t next = end_of(scrubber_);
    for (const Engine &channel : channels_) {
        next = std::min(next, end_of(channel));
    }
    return next;
}

uint64_t Mover::earliest_grant() const noexcept {
    uint64_t earliest = KVCPU_TIMER_OFF;
    for (uint32_t pin = pins_.oldest(); pin != Pins::none; pin = pins_.younger(pin)) {
        earliest = std::min(earliest, earliest_end(pins_.lack(pin)));
    }
    return earliest;
}

/*
 * A PIN is granted after the moves of its blocks have ended. Moves that have not started need at
 * least this many rounds of an engine, from the time at which the first engine of their kind is
 * free.
 */
uint64_t Mover::earliest_end(Pins::Lack lack) const noexcept {
    uint64_t end = d_.now;
    uint64_t channel_free = KVCPU_TIMER_OFF;
    const auto count_in = [&](const Engine &engine) {
        if ((engine.kind == Kind::fetch || engine.kind == Kind::zero_fill) && !engine.aborted &&
            lack.range.contains(engine.block)) {
            --(d_.at(engine.block).written ? lack.written : lack.blank);
            end = std::max(end, engine.end_ns);
        }
    };
    for (const Engine &channel : channels_) {
        count_in(channel);
        channel_free = std::min(channel_free, channel.kind == Kind::idle ? d_.now : channel.end_ns);
    }
    count_in(scrubber_);
    if (lack.written > 0) {
        const uint64_t rounds = (lack.written + channels_.size() - 1) / channels_.size();
        end = std::max(end, channel_free + rounds * move_ns_);
    }
    if (lack.blank > 0) {
        const uint64_t scrubber_free = scrubber_.kind == Kind::idle ? d_.now : scrubber_.end_ns;
        end = std::max(end, scrubber_free + lack.blank * scrub_ns_);
    }
    return end;
}

void Mover::end(Engine &engine) noexcept {
    const Engine done = engine;
    engine = {};
    d_.at(done.block).moving = false;
    if (done.aborted) {
        end_aborted(done);
        return;
    }
    switch (done.kind) {
        case Kind::idle:
            break;
        case Kind::fetch:
        case Kind::zero_fill:
            end_fetch(done);
            break;
        case Kind::write_back:
            end_write_back(done);
            break;
        case Kind::scrub:
            end_scrub(done.block);
            break;
    }
}

void Mover::end_aborted(const Engine &engine) noexcept {
    d_.count(engine.kind == Kind::write_back ? KVCPU_CNT_WRITE_BACKS_ABORTED
                                             : KVCPU_CNT_FETCHES_ABORTED);
    scrub(engine.block);
}

void Mover::end_fetch(const Engine &engine) noexcept {
    Block &b = d_.at(engine.block);
    /* The block may have been written in the slow tier since its zero-fill started. */
    if (engine.kind == Kind::fetch || b.written) {
        d_.tiers.fetch(engine.block, b.slot);
    } else {
        d_.tiers.zero_slot(b.slot);
    }
    b.dirty = false;
    if (engine.kind == Kind::zero_fill) {
        d_.count(KVCPU_CNT_ZERO_FILLS);
        record_move(KVCPU_EV_ZERO_FILLED, engine);
    } else {
        d_.count(engine.reason == KVCPU_MOVE_DEMAND ? KVCPU_CNT_FETCHES_DEMAND
                                                    : KVCPU_CNT_FETCHES_PREFETCH);
        d_.count(KVCPU_CNT_LINK_BUSY_NS, move_ns_);
        record_move(KVCPU_EV_FETCH_DONE, engine);
    }
    d_.change(engine.block, KVCPU_BE_FETCH_DONE, KVCPU_BS_FAST);
    placement_.changed(engine.block);
    pins_.arrived(engine.block);
}

void Mover::end_write_back(const Engine &engine) noexcept {
    Block &b = d_.at(engine.block);
    d_.tiers.write_back(b.slot, engine.block);
    b.dirty = b.write_held; /* the device does not see stores through a mapping */
    d_.count(KVCPU_CNT_WRITE_BACKS);
    d_.count(KVCPU_CNT_LINK_BUSY_NS, move_ns_);
    record_move(KVCPU_EV_WRITE_BACK_DONE, engine);
    if (b.state == KVCPU_BS_EVICTING) {
        leave_slot(engine.block, KVCPU_BE_WRITE_BACK_DONE);
    } else {
        d_.change(engine.block, KVCPU_BE_WRITE_BACK_DONE, KVCPU_BS_FAST);
        placement_.changed(engine.block);
    }
}

void Mover::end_scrub(uint32_t block) noexcept {
    Block &b = d_.at(block);
    if (b.written) {
        d_.tiers.zero_backing(block);
    }
    if (b.slot != no_slot) {
        d_.tiers.zero_slot(b.slot);
        d_.free_slots.insert(b.slot);
        --d_.context_of(block).slots_used;
    }
    clear_scrubbed(b);
    d_.count(KVCPU_CNT_SCRUBS);
    d_.record({.kind = KVCPU_EV_SCRUBBED, .first = block});
    d_.change(block, KVCPU_BE_SCRUBBED, KVCPU_BS_FREE);
}

}  // namespace kvcpu
