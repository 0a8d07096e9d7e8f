// SPDX-License-Identifier: GPL-2.0-or-later
#include "commands/hints.h"

#include <algorithm>
#include <bit>

#include "queues/command.h"

namespace kvcpu {

namespace {

constexpr kvcpu_counter counter_of(kvcpu_opcode opcode) {
    return static_cast<kvcpu_counter>(
        opcode == KVCPU_OP_STEP ? KVCPU_CNT_STEPS : KVCPU_CNT_HINTS_HOT + (opcode - KVCPU_OP_HOT));
}

/* Every hint of KVCPU_HINTS must be in the range of is_hint(), and have the counter of its name. */
constexpr kvcpu_counter KVCPU_CNT_HINTS_STEP = KVCPU_CNT_STEPS;
#define KVCPU_CHECK_HINT_(name, number, what) \
    static_assert(is_hint(KVCPU_OP_##name) && \
                  counter_of(KVCPU_OP_##name) == KVCPU_CNT_HINTS_##name);
KVCPU_HINTS(KVCPU_CHECK_HINT_)
#undef KVCPU_CHECK_HINT_

constexpr uint8_t reason_bit(kvcpu_hint_reason reason) {
    return static_cast<uint8_t>(reason == KVCPU_HR_NONE ? 0 : 1U << reason);
}

/* Of several reasons, returns the one with the lowest code. */
constexpr kvcpu_hint_reason first_reason(uint8_t bits) {
    return bits == 0 ? KVCPU_HR_NONE : static_cast<kvcpu_hint_reason>(std::countr_zero(bits));
}

}  // namespace

Hints::Hints(Device &device, Placement &placement, Mover &mover, Steps &steps, Fences &fences)
    : d_(device),
      placement_(placement),
      mover_(mover),
      steps_(steps),
      fences_(fences),
      under_way_(device.contexts.size()) {}

void Hints::clear() noexcept {
    count_ = 0;
    std::fill(under_way_.begin(), under_way_.end(), UnderWay{});
}

bool Hints::is_used_by_policy(kvcpu_opcode opcode) const noexcept {
    switch (opcode) {
        case KVCPU_OP_STEP:
        case KVCPU_OP_SHARE:
        case KVCPU_OP_UNSHARE:
        case KVCPU_OP_SEAL:
            return true;
        default:
            return placement_.policy().uses_hints();
    }
}

Result Hints::conclude(const HintRequest &request, kvcpu_hint_outcome outcome,
                       kvcpu_hint_reason reason, uint32_t applied) noexcept {
    const auto aux = static_cast<uint16_t>(outcome | (reason << KVCPU_HINT_REASON_SHIFT));
    d_.count(static_cast<kvcpu_counter>(KVCPU_CNT_HINTS_ACCEPTED + unsigned{outcome}));
    if (request.opcode != KVCPU_OP_STEP || outcome == KVCPU_HO_IGNORED) {
        d_.record({.kind = KVCPU_EV_HINT,
                   .detail = static_cast<uint16_t>(request.opcode),
                   .context = request.context,
                   .status = aux,
                   .first = request.first,
                   .value = request.count});
    }
    return {KVCPU_SC_SUCCESS, aux, applied};
}

/* Sets a reason in `skipped` for a hint that applies to no block, an empty range included. */
HintProgress Hints::prepare(const HintRequest &request) noexcept {
    d_.count(counter_of(request.opcode));
    HintProgress progress = {.request = request};
    if (!is_used_by_policy(request.opcode)) {
        progress.skipped = reason_bit(KVCPU_HR_POLICY);
    } else if (request.opcode == KVCPU_OP_STEP) {
        progress.end = 1; /* one unit of work */
    } else if (request.count == 0) {
        progress.skipped = reason_bit(KVCPU_HR_EMPTY);
    } else if (request.first >= d_.block_count()) {
        progress.skipped = reason_bit(KVCPU_HR_OUTSIDE);
    } else {
        const uint64_t inside = d_.block_count() - request.first;
        progress.next = static_cast<uint32_t>(request.first);
        progress.end = static_cast<uint32_t>(request.first + std::min(request.count, inside));
        progress.skipped = request.count > inside ? reason_bit(KVCPU_HR_OUTSIDE) : uint8_t{0};
    }
    return progress;
}

Result Hints::settle(const HintProgress &progress) noexcept {
    const kvcpu_hint_reason reason = first_reason(progress.skipped);
    kvcpu_hint_outcome outcome = KVCPU_HO_ACCEPTED;
    if (reason != KVCPU_HR_NONE) {
        outcome = progress.applied > 0 ? KVCPU_HO_CLIPPED : KVCPU_HO_IGNORED;
    }
    return conclude(progress.request, outcome, reason, progress.applied);
}

void Hints::abandon(const HintProgress &progress) noexcept {
    if (progress.step != 0 && progress.step == steps_begun_) {
        steps_.abandon();
    }
}

void Hints::apply_to_one(const HintRequest &request) noexcept {
    d_.count(counter_of(request.opcode));
    kvcpu_hint_reason reason = KVCPU_HR_POLICY;
    if (is_used_by_policy(request.opcode)) {
        reason = apply(request, static_cast<uint32_t>(request.first));
        count_block(reason);
    }
    conclude(request, reason == KVCPU_HR_NONE ? KVCPU_HO_ACCEPTED : KVCPU_HO_IGNORED, reason,
             reason == KVCPU_HR_NONE ? 1 : 0);
}

void Hints::count_block(kvcpu_hint_reason reason) noexcept {
    if (reason == KVCPU_HR_NONE) {
        d_.count(KVCPU_CNT_HINT_BLOCKS);
    } else if (reason == KVCPU_HR_FOREIGN) {
        d_.count(KVCPU_CNT_HINT_BLOCKS_FOREIGN);
    }
}

bool Hints::go_on(uint16_t ring, uint32_t &budget, CompletionTarget &completion,
                  Result &result) noexcept {
    UnderWay &hint = under_way_[ring];
    if (!work(hint.progress, budget)) {
        return false;
    }
    completion = hint.completion;
    result = settle(hint.progress);
    hint.is_active = false;
    return true;
}

void Hints::stop(uint16_t ring) noexcept {
    if (under_way_[ring].is_active) {
        abandon(under_way_[ring].progress);
        under_way_[ring].is_active = false;
    }
}

Result Hints::execute(const HintRequest &request) noexcept {
    HintProgress progress = prepare(request);
    if (progress.next == progress.end) {
        return settle(progress);
    }
    if (count_ == queue_.size()) {
        return conclude(request, KVCPU_HO_IGNORED, KVCPU_HR_QUEUE_FULL, 0);
    }
    uint32_t budget = KVCPU_HINT_BUDGET;
    if (count_ > 0 || !work(progress, budget)) {
        push(progress);
        return conclude(request, KVCPU_HO_DEFERRED, first_reason(progress.skipped),
                        progress.applied);
    }
    return settle(progress);
}

void Hints::push(const HintProgress &progress) noexcept {
    if (count_ == 0) {
        due_ns_ = d_.now + batch_interval_ns;
    }
    queue_[count_] = progress;
    queue_[count_++].sequence = ++d_.wait_sequence;
}

void Hints::resume() noexcept {
    if (count_ == 0 || due_ns_ > d_.now) {
        return;
    }
    uint32_t budget = KVCPU_HINT_BUDGET;
    uint32_t done = 0;
    while (done < count_ && work(queue_[done], budget)) {
        fences_.ended(queue_[done].request.context, queue_[done].sequence);
        ++done;
    }
    std::move(queue_.begin() + done, queue_.begin() + count_, queue_.begin());
    count_ -= done;
    due_ns_ = d_.now + batch_interval_ns;
}

uint32_t Hints::waiting_of(uint16_t context) const noexcept {
    return static_cast<uint32_t>(std::count_if(
        queue_.begin(), queue_.begin() + count_,
        [context](const auto &progress) { return progress.request.context == context; }));
}

void Hints::drop(uint16_t context) noexcept {
    if (count_ > 0 && queue_[0].request.context == context) {
        abandon(queue_[0]);
    }
    auto *const end = queue_.begin() + count_;
    auto *const kept = std::remove_if(queue_.begin(), end, [context](const auto &progress) {
        return progress.request.context == context;
    });
    count_ = static_cast<uint32_t>(kept - queue_.begin());
}

/* Only one STEP is in progress at a time. The next one waits for its end. */
bool Hints::work_step(HintProgress &progress, uint32_t &budget) noexcept {
    if (progress.step == 0) {
        if (steps_.is_busy()) {
            return false;
        }
        progress.step = ++steps_begun_;
        steps_.begin(progress.request.context, progress.request.arg);
    }
    /* A change of policy ends a STEP, and the next one may have begun since. */
    return progress.step != steps_begun_ || steps_.work(budget);
}

bool Hints::work(HintProgress &progress, uint32_t &budget) noexcept {
    if (progress.request.opcode == KVCPU_OP_STEP && progress.end > 0) {
        return work_step(progress, budget);
    }
    while (progress.next < progress.end) {
        if (budget == 0) {
            return false;
        }
        --budget;
        const kvcpu_hint_reason reason = apply(progress.request, progress.next);
        progress.applied += reason == KVCPU_HR_NONE ? 1 : 0;
        count_block(reason);
        progress.skipped = static_cast<uint8_t>(progress.skipped | reason_bit(reason));
        ++progress.next;
    }
    return true;
}

/* Returns why the block was skipped. */
kvcpu_hint_reason Hints::apply(const HintRequest &request, uint32_t block) noexcept {
    Block &b = d_.at(block);
    if (b.state == KVCPU_BS_SCRUBBING || b.owner != request.context ||
        (!b.allocated && request.context != 0)) {
        return KVCPU_HR_FOREIGN;
    }
    switch (request.opcode) {
        case KVCPU_OP_HOT:
            apply_hot(request, block);
            break;
        case KVCPU_OP_EVICTABLE:
            apply_evictable(request, block);
            break;
        case KVCPU_OP_PREFETCHABLE:
            placement_.hint(block, Hint::prefetchable, d_.context_of(block).clock_at(request.arg));
            break;
        case KVCPU_OP_RELEASE:
            placement_.hint(block, Hint::released, 0);
            break;
        case KVCPU_OP_SHARE:
            return add_sharers(block, 1) ? KVCPU_HR_NONE : KVCPU_HR_SATURATED;
        case KVCPU_OP_UNSHARE:
            return add_sharers(block, -1) ? KVCPU_HR_NONE : KVCPU_HR_SATURATED;
        case KVCPU_OP_SEAL:
            b.sealed = true;
            if (request.count == 1) {
                placement_.seal(block, request.arg);
            }
            mover_.clean(block);
            break;
        case KVCPU_OP_TOUCH:
            placement_.use(block);
            break;
        default:
            placement_.hint(block, Hint::none, 0);
            break;
    }
    return KVCPU_HR_NONE;
}

void Hints::apply_hot(const HintRequest &request, uint32_t block) noexcept {
    const Context &context = d_.context_of(block);
    const uint64_t until = request.arg == 0 ? context.clock + d_.registers[Reg::HOT_LEASE]
                                            : context.clock_at(request.arg);
    placement_.use_and_hint(block, until > context.clock ? Hint::hot : Hint::none, until);
}

void Hints::apply_evictable(const HintRequest &request, uint32_t block) noexcept {
    placement_.hint(block, Hint::evictable, 0);
    const Block &b = d_.at(block);
    const bool in_place = b.state == KVCPU_BS_FAST || b.state == KVCPU_BS_WRITING_BACK;
    if ((request.flags & KVCPU_F_NOW) != 0 && in_place && b.claims == 0 && b.wanted == 0) {
        mover_.evict_now(block);
    } else {
        mover_.clean(block);
    }
}

/* False if the sharer count is at its maximum. */
bool Hints::add_sharers(uint32_t block, int change) noexcept {
    Block &b = d_.at(block);
    if (b.sharers == (change > 0 ? UINT8_MAX : 0)) {
        return false;
    }
    b.sharers = static_cast<uint8_t>(b.sharers + change);
    b.prefix = true;
    placement_.changed(block);
    return true;
}

}  // namespace kvcpu
