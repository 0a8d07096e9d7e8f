// SPDX-License-Identifier: GPL-2.0-or-later
#include "pins.h"

#include <algorithm>

namespace kvcpu {

Pins::Pins(Device &device, Placement &placement, Completions &completions)
    : d_(device), placement_(placement), completions_(completions) {
    waiting_.reserve(KVCPU_PENDING_MAX);
}

void Pins::clear() noexcept {
    waiting_.clear();
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

Result Pins::pin(uint16_t context, Range range, uint64_t deadline_ns, uint64_t tag) noexcept {
    uint32_t found = 0;
    uint32_t blank = 0;
    for (uint32_t block = range.first; block < range.end(); ++block) {
        const bool is_there = has_slot_copy(d_.at(block));
        found += is_there ? 1 : 0;
        blank += is_there || d_.at(block).written ? 0 : 1;
    }
    const auto aux = static_cast<uint16_t>(found);
    if (has_saturated(range)) {
        return {KVCPU_SC_CLAIM_LIMIT, 0, 0};
    }
    if (found == range.count) {
        grant(context, range);
        return {KVCPU_SC_SUCCESS, aux, 0};
    }
    if (!completions_.reserve()) {
        return {KVCPU_SC_BUSY, 0, 0};
    }
    d_.count(KVCPU_CNT_PINS_WAITED);
    d_.record({.kind = KVCPU_EV_PIN_WAITS,
               .context = context,
               .first = range.first,
               .value = range.count});
    wait({.range = range,
          .missing = range.count - found,
          .missing_blank = blank,
          .fetch_from = range.first,
          .zero_from = range.first,
          .context = context,
          .tag = tag,
          .deadline_ns = deadline_ns});
    return {KVCPU_SC_PENDING, aux, 0};
}

void Pins::wait(const Waiting &pin) noexcept {
    waiting_.push_back(pin);
    for (uint32_t block = pin.range.first; block < pin.range.end(); ++block) {
        Block &b = d_.at(block);
        if (placement_.is_queued(block) || (b.state == KVCPU_BS_FETCHING && b.prefetched)) {
            d_.count(KVCPU_CNT_PREFETCH_LATE);
        }
        if (b.wanted++ == 0 && is_home(b)) {
            ++unstarted_;
            placement_.policy().missed(block);
        }
        rescue(block);
        placement_.changed(block);
    }
}

/* A block that is wanted in its slot does not leave it. */
void Pins::rescue(uint32_t block) noexcept {
    const Block &b = d_.at(block);
    if (b.state == KVCPU_BS_LEAVING) {
        d_.change(block, KVCPU_BO_CLAIM, b.moving ? KVCPU_BS_WRITING_BACK : KVCPU_BS_FAST);
    }
}

void Pins::grant(uint16_t context, Range range) noexcept {
    for (uint32_t block = range.first; block < range.end(); ++block) {
        Block &b = d_.at(block);
        rescue(block);
        d_.change(block, KVCPU_BO_CLAIM, b.state);
        ++b.claims;
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

/* Last block first, so that of a prompt's blocks the suffix leaves before the prefix it needs. */
void Pins::unpin(uint16_t context, Range range) noexcept {
    for (uint32_t block = range.end(); block-- > range.first;) {
        --d_.at(block).claims;
        placement_.end_use(block);
    }
    d_.count(KVCPU_CNT_UNPINS);
    d_.record(
        {.kind = KVCPU_EV_UNPIN, .context = context, .first = range.first, .value = range.count});
}

/* SUCCESS grants it. */
void Pins::end(size_t index, kvcpu_status status) noexcept {
    const Waiting pin = waiting_[index];
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index));
    for (uint32_t block = pin.range.first; block < pin.range.end(); ++block) {
        Block &b = d_.at(block);
        if (--b.wanted == 0 && is_home(b)) {
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
    completions_.complete(pin.tag, {status, 0, 0});
}

bool Pins::cancel(uint16_t context, uint64_t tag) noexcept {
    for (size_t i = 0; i < waiting_.size(); ++i) {
        if (waiting_[i].context == context && waiting_[i].tag == tag) {
            end(i, KVCPU_SC_CANCELLED);
            return true;
        }
    }
    return false;
}

void Pins::cancel_all(uint16_t context) noexcept {
    for (size_t i = 0; i < waiting_.size();) {
        if (waiting_[i].context == context) {
            end(i, KVCPU_SC_CANCELLED);
        } else {
            ++i;
        }
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
    for (Waiting &pin : waiting_) {
        if (pin.range.contains(block)) {
            pin.missing_blank -= blank;
            maybe_ready_ = --pin.missing == 0 || maybe_ready_;
        }
    }
}

void Pins::lost(uint32_t block) noexcept {
    if (d_.at(block).wanted == 0) {
        return;
    }
    ++unstarted_;
    const uint32_t blank = d_.at(block).written ? 0 : 1;
    for (Waiting &pin : waiting_) {
        if (pin.range.contains(block)) {
            ++pin.missing;
            pin.missing_blank += blank;
        }
    }
    rewind(block);
}

void Pins::first_written(uint32_t block) noexcept {
    if (d_.at(block).wanted == 0) {
        return;
    }
    for (Waiting &pin : waiting_) {
        if (pin.range.contains(block) && !has_slot_copy(d_.at(block))) {
            --pin.missing_blank;
        }
    }
    rewind(block);
}

void Pins::rewind(uint32_t block) noexcept {
    for (Waiting &pin : waiting_) {
        if (pin.range.contains(block)) {
            pin.fetch_from = std::min(pin.fetch_from, block);
            pin.zero_from = std::min(pin.zero_from, block);
        }
    }
}

void Pins::grant_ready() noexcept {
    if (!maybe_ready_) {
        return;
    }
    maybe_ready_ = false;
    for (size_t i = 0; i < waiting_.size();) {
        if (waiting_[i].missing > 0) {
            ++i;
        } else {
            end(i, has_saturated(waiting_[i].range) ? KVCPU_SC_CLAIM_LIMIT : KVCPU_SC_SUCCESS);
        }
    }
}

void Pins::expire() noexcept {
    for (size_t i = 0; i < waiting_.size();) {
        if (waiting_[i].deadline_ns <= d_.now) {
            end(i, KVCPU_SC_TIMED_OUT);
        } else {
            ++i;
        }
    }
}

uint64_t Pins::next_deadline() const noexcept {
    uint64_t next = KVCPU_TIMER_OFF;
    for (const Waiting &pin : waiting_) {
        next = std::min(next, pin.deadline_ns);
    }
    return next;
}

uint32_t Pins::next(bool written) noexcept {
    if (unstarted_ == 0) {
        return no_block;
    }
    for (Waiting &pin : waiting_) {
        uint32_t &from = written ? pin.fetch_from : pin.zero_from;
        for (; from < pin.range.end(); ++from) {
            const Block &b = d_.at(from);
            if (is_home(b) && b.written == written) {
                return from;
            }
        }
    }
    return no_block;
}

uint32_t Pins::take_from_younger() const noexcept {
    for (size_t i = waiting_.size(); i-- > 1;) {
        const Range range = waiting_[i].range;
        for (uint32_t block = range.end(); block-- > range.first;) {
            const Block &b = d_.at(block);
            if ((b.state == KVCPU_BS_FAST || b.state == KVCPU_BS_WRITING_BACK) && b.claims == 0 &&
                !waiting_.front().range.contains(block)) {
                return block;
            }
        }
    }
    return no_block;
}

}  // namespace kvcpu
