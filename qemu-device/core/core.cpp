// SPDX-License-Identifier: GPL-2.0-or-later
#include "core.h"

#include <algorithm>

namespace kvcpu {

namespace {

kvcpu_config complete(kvcpu_config config) {
    if (config.scrub_bandwidth == 0) {
        config.scrub_bandwidth = config.dma_bandwidth > UINT64_MAX / KVCPU_SCRUB_FACTOR
                                     ? UINT64_MAX
                                     : config.dma_bandwidth * KVCPU_SCRUB_FACTOR;
    }
    if (config.vectors == 0) {
        config.vectors = KVCPU_VECTORS_DEFAULT;
    }
    return config;
}

}  // namespace

Core::Core(const kvcpu_config &config, const kvcpu_host_ops &ops, void *opaque, void *fast,
           void *slow)
    : d_(complete(config), ops, opaque, fast, slow),
      placement_(d_),
      events_(d_),
      pairs_(d_),
      completions_(d_, pairs_),
      fences_(d_, completions_),
      buffers_(d_),
      admin_(d_, placement_.quotas, pairs_, buffers_, events_),
      pins_(d_, placement_, completions_, fences_, events_),
      mover_(d_, placement_, pins_, events_),
      holds_(d_, placement_, pins_, mover_, completions_),
      steps_(d_, placement_, mover_),
      hints_(d_, placement_, mover_, steps_, fences_),
      reclaim_(d_, placement_, events_),
      teardown_(d_, {.placement = placement_,
                     .pairs = pairs_,
                     .completions = completions_,
                     .fences = fences_,
                     .buffers = buffers_,
                     .pins = pins_,
                     .mover = mover_,
                     .hints = hints_,
                     .holds = holds_,
                     .reclaim = reclaim_,
                     .events = events_}),
      commands_(d_, {.placement = placement_,
                     .fences = fences_,
                     .buffers = buffers_,
                     .admin = admin_,
                     .pins = pins_,
                     .hints = hints_,
                     .holds = holds_,
                     .reclaim = reclaim_,
                     .teardown = teardown_}),
      scheduler_(d_, pairs_, commands_, hints_),
      registers_(d_, {.placement = placement_,
                      .pairs = pairs_,
                      .completions = completions_,
                      .buffers = buffers_,
                      .events = events_,
                      .admin = admin_,
                      .hints = hints_,
                      .commands = commands_,
                      .teardown = teardown_,
                      .scheduler = scheduler_,
                      .reset_line = *this}) {
    reset(KVCPU_RESET_COLD);
}

uint64_t Core::read(uint64_t offset, unsigned bytes) noexcept {
    if (entered_) {
        registers_.refuse(KVCPU_CNT_REENTERED, offset, 0);
        return 0;
    }
    entered_ = true;
    advance();
    const uint64_t value = registers_.read(offset, bytes);
    arm_timer();
    entered_ = false;
    return value;
}

void Core::write(uint64_t offset, uint64_t value, unsigned bytes) noexcept {
    if (entered_) {
        registers_.refuse(KVCPU_CNT_REENTERED, offset, value);
        return;
    }
    entered_ = true;
    advance();
    if (registers_.write(offset, value, bytes)) {
        take_new_work();
    }
    arm_timer();
    entered_ = false;
}

void Core::timer() noexcept {
    if (entered_) {
        return;
    }
    entered_ = true;
    armed_ns_ = KVCPU_TIMER_OFF;
    advance();
    arm_timer();
    entered_ = false;
}

/* -- Time ------------------------------------------------------------------ */

uint64_t Core::next_instant() const noexcept {
    return std::min(mover_.next_end(), next_interrupt());
}

/* When the device next may raise a vector or write to guest memory without a register access. */
uint64_t Core::next_interrupt() const noexcept {
    return std::min({pins_.next_deadline(), hints_.next_batch(), teardown_.next_batch(),
                     scheduler_.next(), pairs_.next_signal()});
}

/*
 * "Moving" in the specification defines the order within an instant. An instant has the time at
 * which it was due, not the time of the call, so that a late timer has no effect.
 */
void Core::advance() noexcept {
    const uint64_t until = d_.clock.now(d_.host.now());
    for (uint64_t next = next_instant(); next <= until; next = next_instant()) {
        const uint64_t completions_before = d_.completions;
        d_.now = next;
        mover_.finish();
        holds_.grant_arrived();
        pins_.grant_ready();
        pins_.expire();
        hints_.resume();
        teardown_.resume();
        scheduler_.resume();
        pairs_.signal_due();
        take_new_work();
        if (d_.clock.may_stand() && d_.completions != completions_before) {
            d_.clock.stop_at(next, next);
            return;
        }
    }
    d_.now = until;
}

/* A write to guest memory may fail and stop a ring, and a stopped ring may release work. */
void Core::take_new_work() noexcept {
    do {
        stop_faulty_rings();
        holds_.grant_arrived();
        pins_.grant_ready();
        mover_.take_work();
        pairs_.store_headers();
        events_.pump();
    } while (pairs_.next_faulty() != NumberSet::none || d_.residency.faults().count() > 0);
}

void Core::stop_faulty_rings() noexcept {
    for (uint32_t context = d_.residency.faults().first(); context != NumberSet::none;
         context = d_.residency.faults().first()) {
        d_.residency.faults().erase(context);
        pairs_.fail(static_cast<uint16_t>(context), KVCPU_RS_MAP_FAULT);
    }
    for (uint32_t context = pairs_.next_faulty(); context != NumberSet::none;
         context = pairs_.next_faulty()) {
        teardown_.stop_ring(static_cast<uint16_t>(context));
    }
}

/*
 * When the host must call kvcpu_core_timer(). This is not every instant: the effect of a move is
 * visible only through registers, and each register access handles all instants that are due. An
 * interrupt must be raised in time, so the earliest grant of a pending PIN counts. The work of one
 * call is bounded, too.
 */
uint64_t Core::next_wake_up() const noexcept {
    const uint64_t next = next_instant();
    const bool shows_moves = d_.residency.has_parts() || d_.held > 0 || holds_.is_any_waiting();
    if (next == KVCPU_TIMER_OFF || shows_moves) {
        return next;
    }
    const uint64_t interrupt = std::min(next_interrupt(), mover_.earliest_grant());
    return std::max(next, std::min(interrupt, next + mover_.batch_ns()));
}

void Core::arm_timer() noexcept {
    const uint64_t next = d_.clock.on_host(next_wake_up());
    if (next != armed_ns_) {
        armed_ns_ = next;
        d_.host.set_timer(next);
    }
}

/* -- Reset ----------------------------------------------------------------- */

void Core::reset(kvcpu_reset_kind kind) noexcept {
    d_.now = d_.clock.now(d_.host.now());
    d_.clock.run();
    if (kind == KVCPU_RESET_COLD) {
        d_.policy = static_cast<kvcpu_policy>(d_.config.policy);
        d_.counters.power_on();
        d_.log.restart(d_.now);
    } else {
        d_.counters.reset();
        d_.count(KVCPU_CNT_RESETS);
    }
    d_.record({.kind = KVCPU_EV_RESET, .detail = static_cast<uint16_t>(kind)});
    d_.registers.reset();
    d_.registers[Reg::SHARED_CAP] = d_.slot_count / 2;
    registers_.clear();
    reset_parts();
    reset_blocks(kind);
    placement_.score.set_weights({});
    placement_.quotas.clear();
    placement_.rebuild();
    std::fill(d_.contexts.begin(), d_.contexts.end(), Context{.scored = placement_.generation});
    for (const Block &block : d_.blocks) {
        d_.count_slot_in(block);
    }
    take_new_work();
    arm_timer();
}

void Core::reset_parts() noexcept {
    events_.clear();
    d_.residency.clear();
    std::fill(d_.holds.begin(), d_.holds.end(), Hold{});
    d_.slots_requested = d_.held = 0;
    holds_.clear();
    pairs_.clear();
    completions_.clear();
    fences_.clear();
    buffers_.clear();
    scheduler_.clear();
    pins_.clear();
    mover_.clear();
    steps_.abandon();
    hints_.clear();
    reclaim_.clear();
    teardown_.clear();
    d_.evicting = 0;
    d_.reclaimed = 0;
}

/* Blocks that had an owner are scrubbed before another context gets them. After a cold reset the
 * memory is zero. */
void Core::reset_blocks(kvcpu_reset_kind kind) noexcept {
    d_.free_blocks.fill();
    d_.free_slots.fill();
    for (uint32_t block = 0; block < d_.block_count(); ++block) {
        Block &b = d_.at(block);
        b = kind == KVCPU_RESET_COLD ? Block{} : block_after_reset(b);
        if (b.state != KVCPU_BS_SCRUBBING) {
            continue;
        }
        d_.free_blocks.erase(block);
        if (b.slot != no_slot) {
            d_.free_slots.erase(b.slot);
        }
        mover_.scrub(block);
    }
    for (uint32_t block = 0; block < d_.block_count(); ++block) {
        d_.recount(block);
    }
}

}  // namespace kvcpu
