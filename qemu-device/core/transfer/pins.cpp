// SPDX-License-Identifier: GPL-2.0-or-later
#include "transfer/pins.h"

#include <algorithm>

namespace kvcpu {

Pins::Pins(Device &device, Placement &placement, Completions &completions, Fences &fences,
           EventQueue &events)
    : d_(device),
      placement_(placement),
      completions_(completions),
      fences_(fences),
      events_(events),
      waiting_(Completions::places(device), static_cast<uint32_t>(device.contexts.size())),
      by_age_(Completions::places(device), 1),
      deadline_places_(Completions::places(device)),
      deadlines_(deadline_places_, Completions::places(device)),
      waiting_in_(device.contexts.size()) {}

void Pins::clear() noexcept {
    waiting_.clear();
    by_age_.clear();
    deadlines_.clear();
    std::fill(waiting_in_.begin(), waiting_in_.end(), 0);
    unstarted_ = 0;
    maybe_ready_ = false;
}

bool Pins::has_saturated(Range range) const noexcept {
    for (uint32_t block = range.first; block < range.end(); ++block) {
        if (d_.at(block).claims == UINT16_MAX) {
            return true;
        }
    }
    return false;
}

template <typename Function>
void Pins::for_each_wanting(uint32_t block, Function function) noexcept {
    const uint16_t owner = d_.at(block).owner;
    for (uint32_t i = waiting_.first(owner); i != none; i = waiting_.after(i)) {
        if (waiting_[i].range.contains(block)) {
            function(waiting_[i]);
        }
    }
}

Result Pins::pin(uint16_t context, Range range, uint64_t deadline_ns,
                 const CompletionTarget &completion) noexcept {
    uint32_t found = 0;
    uint32_t blank = 0;
    for (uint32_t block = range.first; block < range.end(); ++block) {
        const bool in_slot = has_slot_copy(d_.at(block));
        found += in_slot ? 1 : 0;
        blank += in_slot || d_.at(block).written ? 0 : 1;
    }
    const auto aux = static_cast<uint16_t>(found);
    if (has_saturated(range)) {
        return {KVCPU_SC_CLAIM_LIMIT, 0, 0};
    }
    if (found == range.count) {
        grant(context, range);
        return {KVCPU_SC_SUCCESS, aux, 0};
    }
    if (!completions_.reserve(completion)) {
        return {KVCPU_SC_BUSY, 0, 0};
    }
    d_.count(KVCPU_CNT_PINS_WAITED);
    d_.record({.kind = KVCPU_EV_PIN_WAITS,
               .context = context,
               .first = range.first,
               .value = range.count});
    wait({.range = range,
          .found = found,
          .missing = range.count - found,
          .missing_blank = blank,
          .fetch_from = range.first,
          .zero_from = range.first,
          .context = context,
          .completion = completion,
          .deadline_ns = deadline_ns,
          .sequence = ++d_.wait_sequence});
    return {KVCPU_SC_PENDING, aux, 0};
}

void Pins::wait(const Waiting &pin) noexcept {
    const uint32_t index = waiting_.add(pin.context, pin);
    by_age_.push_back(0, index);
    deadlines_.insert({pin.deadline_ns, pin.sequence, index});
    ++waiting_in_[pin.context];
    for (uint32_t block = pin.range.first; block < pin.range.end(); ++block) {
        Block &b = d_.at(block);
        if (placement_.is_queued(block) || (b.state == KVCPU_BS_FETCHING && b.prefetched)) {
            d_.count(KVCPU_CNT_PREFETCH_LATE);
        }
        if (b.wanted++ == 0 && is_in_slow_tier_only(b)) {
            ++unstarted_;
            placement_.policy().missed(block);
        }
        if (b.held && is_in_slow_tier_only(b)) {
            events_.revoke(block, KVCPU_RV_FETCH);
        }
        rescue(block);
        placement_.changed(block);
    }
}

/* A block that a pending PIN needs is not evicted. */
void Pins::rescue(uint32_t block) noexcept {
    const Block &b = d_.at(block);
    d_.cancel_slot_request(block);
    if (b.state == KVCPU_BS_EVICTING) {
        d_.change(block, KVCPU_BE_CLAIM, b.moving ? KVCPU_BS_WRITING_BACK : KVCPU_BS_FAST);
    }
}

void Pins::grant(uint16_t context, Range range) noexcept {
    for (uint32_t block = range.first; block < range.end(); ++block) {
        Block &b = d_.at(block);
        rescue(block);
        d_.change(block, KVCPU_BE_CLAIM, b.state);
        ++b.claims;
        d_.recount(block);
        if (b.hint == Hint::prefetchable || b.hint == Hint::released) {
            b.hint = Hint::none;
        }
        placement_.credit_prefetch(block);
        placement_.use(block, Use::claim);
    }
    d_.count(KVCPU_CNT_PINS);
    d_.record({.kind = KVCPU_EV_PIN_GRANTED,
               .context = context,
               .first = range.first,
               .value = range.count});
}

/*
 * The last block is first, so that the suffix of a prompt is evicted before the prefix that it
 * depends on.
 */
void Pins::unpin(uint16_t context, Range range) noexcept {
    for (uint32_t block = range.end(); block-- > range.first;) {
        --d_.at(block).claims;
        d_.recount(block);
        placement_.end_use(block);
    }
    d_.count(KVCPU_CNT_UNPINS);
    d_.record(
        {.kind = KVCPU_EV_UNPIN, .context = context, .first = range.first, .value = range.count});
}

/* Ends a pending PIN. SUCCESS grants it. */
void Pins::end(uint32_t index, kvcpu_status status) noexcept {
    const Waiting pin = waiting_[index];
    waiting_.remove(index);
    by_age_.remove(index);
    deadlines_.erase(index);
    --waiting_in_[pin.context];
    for (uint32_t block = pin.range.first; block < pin.range.end(); ++block) {
        Block &b = d_.at(block);
        if (--b.wanted == 0 && is_in_slow_tier_only(b)) {
            --unstarted_;
        }
        placement_.changed(block);
    }
    if (status == KVCPU_SC_SUCCESS) {
        grant(pin.context, pin.range);
    } else {
        d_.record({.kind = KVCPU_EV_PIN_ENDED,
                   .context = pin.context,
                   .status = static_cast<uint16_t>(status),
                   .first = pin.range.first,
                   .value = pin.range.count});
    }
    completions_.complete(pin.completion, {status, static_cast<uint16_t>(pin.found), 0});
    fences_.ended(pin.context, pin.sequence);
}

bool Pins::cancel(uint16_t context, uint64_t tag) noexcept {
    for (uint32_t i = waiting_.first(context); i != none; i = waiting_.after(i)) {
        if (waiting_[i].completion.tag == tag) {
            end(i, KVCPU_SC_CANCELLED);
            return true;
        }
    }
    return false;
}

void Pins::cancel_all(uint16_t context) noexcept {
    while (waiting_.first(context) != none) {
        end(waiting_.first(context), KVCPU_SC_CANCELLED);
    }
}

void Pins::cancel_via(uint16_t context, uint16_t via) noexcept {
    for (uint32_t i = waiting_.first(context); i != none;) {
        const uint32_t next = waiting_.after(i);
        if (waiting_[i].completion.via == via) {
            end(i, KVCPU_SC_CANCELLED);
        }
        i = next;
    }
}

void Pins::started(uint32_t block) noexcept {
    if (d_.at(block).wanted > 0) {
        --unstarted_;
    }
}

void Pins::arrived(uint32_t block) noexcept {
    if (d_.at(block).wanted == 0) {
        return;
    }
    const uint32_t blank = d_.at(block).written ? 0 : 1;
    for_each_wanting(block, [this, blank](Waiting &pin) {
        pin.missing_blank -= blank;
        maybe_ready_ = --pin.missing == 0 || maybe_ready_;
    });
}

void Pins::lost(uint32_t block) noexcept {
    if (d_.at(block).wanted == 0) {
        return;
    }
    ++unstarted_;
    const uint32_t blank = d_.at(block).written ? 0 : 1;
    for_each_wanting(block, [blank](Waiting &pin) {
        ++pin.missing;
        pin.missing_blank += blank;
    });
    rewind(block);
}

void Pins::first_written(uint32_t block) noexcept {
    if (d_.at(block).wanted == 0) {
        return;
    }
    if (!has_slot_copy(d_.at(block))) {
        for_each_wanting(block, [](Waiting &pin) { --pin.missing_blank; });
    }
    rewind(block);
}

void Pins::unheld(uint32_t block) noexcept {
    if (d_.at(block).wanted > 0) {
        rewind(block);
    }
}

void Pins::rewind(uint32_t block) noexcept {
    for_each_wanting(block, [block](Waiting &pin) {
        pin.fetch_from = std::min(pin.fetch_from, block);
        pin.zero_from = std::min(pin.zero_from, block);
    });
}

void Pins::grant_ready() noexcept {
    if (!maybe_ready_) {
        return;
    }
    maybe_ready_ = false;
    for (uint32_t i = oldest(); i != none;) {
        const uint32_t next = younger(i);
        if (waiting_[i].missing == 0) {
            end(i, has_saturated(waiting_[i].range) ? KVCPU_SC_CLAIM_LIMIT : KVCPU_SC_SUCCESS);
        }
        i = next;
    }
}

void Pins::expire() noexcept {
    while (next_deadline() <= d_.now) {
        end(deadlines_.top().block, KVCPU_SC_TIMED_OUT);
    }
}

uint32_t Pins::next(bool written) noexcept {
    if (unstarted_ == 0) {
        return no_block;
    }
    for (uint32_t i = oldest(); i != none; i = younger(i)) {
        Waiting &pin = waiting_[i];
        if (d_.contexts[pin.context].stuck) {
            continue;
        }
        uint32_t &from = written ? pin.fetch_from : pin.zero_from;
        for (; from < pin.range.end(); ++from) {
            const Block &b = d_.at(from);
            if (is_in_slow_tier_only(b) && b.written == written && !b.held) {
                return from;
            }
        }
    }
    return no_block;
}

uint32_t Pins::oldest_pending() const noexcept {
    uint32_t first = oldest();
    while (first != none && d_.contexts[waiting_[first].context].stuck) {
        first = younger(first);
    }
    return first;
}

}  // namespace kvcpu
