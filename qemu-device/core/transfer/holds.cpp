// SPDX-License-Identifier: GPL-2.0-or-later
#include "transfer/holds.h"

namespace kvcpu {

namespace {

/* HOLD is a command of the driver: it comes by the window or by the admin ring. */
constexpr uint32_t places = KVCPU_PENDING_MAX + KVCPU_CONTEXT_PENDING_MAX;

}  // namespace

Holds::Holds(Device &device, Placement &placement, Pins &pins, Mover &mover,
             Completions &completions)
    : d_(device),
      placement_(placement),
      pins_(pins),
      mover_(mover),
      completions_(completions),
      waiting_(places, 1) {}

bool Holds::must_wait(const Block &block) const noexcept {
    return block.state == KVCPU_BS_FETCHING ||
           (block.state == KVCPU_BS_EVICTING && (block.moving || mover_.is_slot_wanted()));
}

kvcpu_status Holds::check(uint32_t block, bool for_writing) const noexcept {
    const Hold &hold = d_.holds[block];
    if (for_writing && d_.at(block).sealed) {
        return KVCPU_SC_SEALED;
    }
    if ((for_writing ? hold.write : hold.read) == KVCPU_HOLDS_MAX) {
        return KVCPU_SC_CLAIM_LIMIT;
    }
    return KVCPU_SC_SUCCESS;
}

Result Holds::hold(const Command &command, uint32_t block) noexcept {
    const bool for_writing = (command.flags & KVCPU_F_WRITE) != 0;
    const kvcpu_status status = check(block, for_writing);
    if (status != KVCPU_SC_SUCCESS) {
        return {status, 0, 0};
    }
    if (!must_wait(d_.at(block))) {
        return grant(command.context, block, for_writing);
    }
    if (!completions_.reserve(command.completion)) {
        return {KVCPU_SC_BUSY, 0, 0};
    }
    d_.count(KVCPU_CNT_HOLDS_WAITED);
    waiting_.add(0, {block, command.context, for_writing, command.completion});
    return {KVCPU_SC_PENDING, 0, 0};
}

Result Holds::grant(uint16_t context, uint32_t block, bool for_writing) noexcept {
    Block &b = d_.at(block);
    Hold &hold = d_.holds[block];
    d_.change(
        block, KVCPU_BE_HOLD,
        b.state == KVCPU_BS_EVICTING ? KVCPU_BS_FAST : b.state); /* the eviction is cancelled */
    if (!b.held) {
        b.held = true;
        hold.context = context;
        ++d_.contexts[context].held;
        ++d_.held;
    }
    ++(for_writing ? hold.write : hold.read);
    if (for_writing) {
        b.write_held = true;
        b.dirty = has_slot_copy(b);
        d_.recount(block);
        if (!b.written) {
            b.written = true;
            pins_.first_written(block);
        }
    }
    placement_.credit_prefetch(block);
    placement_.use(block);
    d_.count(KVCPU_CNT_HOLDS);
    d_.record({.kind = KVCPU_EV_HOLD,
               .detail = for_writing ? uint16_t{1} : uint16_t{0},
               .context = context,
               .first = block,
               .value = has_slot_copy(b) ? b.slot : no_slot});
    mover_.held(block);
    return {KVCPU_SC_SUCCESS, static_cast<uint16_t>(b.generation),
            has_slot_copy(b) ? b.slot : no_slot};
}

Result Holds::unhold(Range range, bool for_writing) noexcept {
    for (uint32_t block = range.first; block < range.end(); ++block) {
        if ((for_writing ? d_.holds[block].write : d_.holds[block].read) == 0) {
            return {KVCPU_SC_NOT_HELD, 0, 0};
        }
    }
    for (uint32_t block = range.first; block < range.end(); ++block) {
        Hold &hold = d_.holds[block];
        --(for_writing ? hold.write : hold.read);
        d_.at(block).write_held = hold.write > 0;
        d_.change(block, KVCPU_BE_UNHOLD, d_.at(block).state);
        if (hold.read == 0 && hold.write == 0) {
            released(block);
        }
    }
    d_.count(KVCPU_CNT_UNHOLDS);
    d_.record({.kind = KVCPU_EV_UNHOLD,
               .detail = for_writing ? uint16_t{1} : uint16_t{0},
               .context = d_.holds[range.first].context,
               .first = range.first,
               .value = range.count});
    return {};
}

void Holds::drop(uint32_t block) noexcept {
    Hold &hold = d_.holds[block];
    hold.read = hold.write = 0;
    d_.at(block).write_held = false;
    released(block);
}

void Holds::released(uint32_t block) noexcept {
    d_.at(block).held = false;
    --d_.contexts[d_.holds[block].context].held;
    --d_.held;
    mover_.released(block);
}

void Holds::end(uint32_t index, const Result &result) noexcept {
    const CompletionTarget completion = waiting_[index].completion;
    waiting_.remove(index);
    completions_.complete(completion, result);
}

void Holds::grant_arrived() noexcept {
    for (uint32_t i = waiting_.first(0); i != WaitPool<Waiting>::none;) {
        const uint32_t next = waiting_.after(i);
        const Waiting hold = waiting_[i];
        if (!must_wait(d_.at(hold.block))) {
            const kvcpu_status status = check(hold.block, hold.for_writing);
            end(i, status == KVCPU_SC_SUCCESS ? grant(hold.context, hold.block, hold.for_writing)
                                              : Result{status, 0, 0});
        }
        i = next;
    }
}

template <typename Predicate>
void Holds::end_where(kvcpu_status status, Predicate predicate) noexcept {
    for (uint32_t i = waiting_.first(0); i != WaitPool<Waiting>::none;) {
        const uint32_t next = waiting_.after(i);
        if (predicate(waiting_[i])) {
            end(i, {status, 0, 0});
        }
        i = next;
    }
}

void Holds::freed(uint32_t block) noexcept {
    end_where(KVCPU_SC_NOT_OWNER, [block](const Waiting &hold) { return hold.block == block; });
}

void Holds::cancel_all(uint16_t context) noexcept {
    end_where(KVCPU_SC_CANCELLED,
              [context](const Waiting &hold) { return hold.context == context; });
}

void Holds::cancel_via(uint16_t via) noexcept {
    end_where(KVCPU_SC_CANCELLED,
              [via](const Waiting &hold) { return hold.completion.via == via; });
}

}  // namespace kvcpu
