// SPDX-License-Identifier: GPL-2.0-or-later
#include "commands/ring_scheduler.h"

#include <algorithm>

namespace kvcpu {

/* -- Doorbells ------------------------------------------------------------- */

bool RingScheduler::advance_tail(uint16_t context, uint64_t tail) noexcept {
    const QueuePair &pair = pairs_[context];
    if (!pair.runs()) {
        return false;
    }
    const uint64_t before = pair.tail;
    if (!pairs_.advance_tail(context, tail)) {
        pairs_.fail(context, KVCPU_RS_BAD_TAIL);
        return false;
    }
    if (tail == before) {
        return true;
    }
    d_.count(KVCPU_CNT_DOORBELLS);
    if (pair.paused || pairs_.is_enqueued(context)) {
        return true;
    }
    if (d_.config.doorbell_latency_ns > 0) {
        pairs_.enqueue_later(context);
        return true;
    }
    const bool is_alone = !pairs_.is_any_ready();
    pairs_.enqueue(context);
    if (is_alone) {
        serve();
    }
    return true;
}

bool RingScheduler::advance_head(uint16_t context, uint64_t head) noexcept {
    const QueuePair &pair = pairs_[context];
    if (!pair.runs()) {
        return false;
    }
    if (!pairs_.advance_head(context, head)) {
        pairs_.fail(context, KVCPU_RS_BAD_HEAD);
        return false;
    }
    if (pair.paused && pair.has_completion_entry() && !pairs_.is_enqueued(context)) {
        const bool is_alone = !pairs_.is_any_ready();
        pairs_.enqueue(context);
        if (is_alone) {
            serve();
        }
    }
    return true;
}

/* -- Slices ---------------------------------------------------------------- */

void RingScheduler::resume() noexcept {
    const bool is_idle = !pairs_.is_any_ready();
    pairs_.enqueue_delayed();
    if (pairs_.is_any_ready() && (is_idle || next_slice_ns_ <= d_.now)) {
        serve();
    }
}

bool RingScheduler::has_work(uint16_t context) const noexcept {
    const QueuePair &pair = pairs_[context];
    return pair.runs() && !pair.paused &&
           (pairs_.available(context) > 0 || hints_.is_under_way(context));
}

/*
 * One slice for each queued ring, until the slices have used up a budget. A ring with entries left
 * is queued again behind the others, and so is a ring whose next entry cannot be executed yet.
 */
void RingScheduler::serve() noexcept {
    uint32_t spent = 0;
    uint32_t first_again = IndexLists::none;
    while (pairs_.is_any_ready() && spent < KVCPU_RING_BUDGET) {
        const uint16_t context = pairs_.next_ready();
        if (context == first_again) {
            break;
        }
        pairs_.dequeue(context);
        spent += serve_slice(context);
        if (has_work(context)) {
            pairs_.enqueue_again(context);
            first_again = first_again == IndexLists::none ? context : first_again;
        }
    }
    next_slice_ns_ = d_.now + KVCPU_RING_SLICE_NS;
}

uint32_t RingScheduler::serve_slice(uint16_t context) noexcept {
    uint32_t budget = KVCPU_RING_BUDGET;
    bool goes_on = !hints_.is_under_way(context) || go_on_with_hint(context, budget);
    while (goes_on && budget > 0 && pairs_[context].runs() && pairs_.available(context) > 0) {
        const uint32_t count = pairs_.fetch(context, entries_.data(), batch);
        goes_on = count > 0;
        for (uint32_t i = 0; i < std::min(count, far_ahead); ++i) {
            commands_.warm_cache(entries_[i][KVCPU_EW_FIRST]);
        }
        for (uint32_t i = 0; goes_on && i < count; ++i) {
            if (i + far_ahead < count) {
                commands_.warm_cache(entries_[i + far_ahead][KVCPU_EW_FIRST]);
            }
            if (i + near_ahead < count) {
                commands_.warm_cache_deep(entries_[i + near_ahead][KVCPU_EW_FIRST]);
            }
            goes_on = budget > 0 && pairs_[context].runs() && execute(context, entries_[i], budget);
        }
    }
    pairs_.mark_header_changed(context);
    return KVCPU_RING_BUDGET - budget;
}

uint32_t RingScheduler::cost_of(const Command &command) const noexcept {
    constexpr uint64_t page = KVCPU_BUFFER_PAGE;
    switch (command.opcode) {
        case KVCPU_OP_READ:
        case KVCPU_OP_WRITE:
            return static_cast<uint32_t>(
                (std::min<uint64_t>(command.length(), d_.config.block_size) + page - 1) / page *
                KVCPU_RING_COPY_COST);
        case KVCPU_OP_ALLOC:
        case KVCPU_OP_FREE:
        case KVCPU_OP_PIN:
        case KVCPU_OP_UNPIN:
        case KVCPU_OP_UNHOLD:
        case KVCPU_OP_RESIDENCY:
            return static_cast<uint32_t>(std::min<uint64_t>(command.count, KVCPU_RING_BUDGET));
        case KVCPU_OP_CLOSE:
            return KVCPU_RING_BUDGET;
        default:
            return 1;
    }
}

bool RingScheduler::execute(uint16_t context, const Entry &entry, uint32_t &budget) noexcept {
    if (is_plain_hint(context, entry)) {
        plain_hint(context, entry, budget);
        return true;
    }
    const Command command = Command::from(entry, context);
    if (command.completion.wanted && !pairs_.reserve_completion(context)) {
        return false;
    }
    d_.count(KVCPU_CNT_RING_ENTRIES);
    if (is_hint(command.opcode)) {
        return hint(context, command, budget);
    }
    const Result result = commands_.execute(command);
    budget -= std::min(budget, std::max(1U, cost_of(command)));
    ended(context, command.completion, result);
    return true;
}

void RingScheduler::ended(uint16_t context, const CompletionTarget &completion,
                          const Result &result) noexcept {
    pairs_.consume(context);
    if (result.status != KVCPU_SC_PENDING) {
        pairs_.finish(context, completion, result);
    }
}

/* Opcode HOT to CLEAR, without a completion, a context, a flag or a reserved bit. */
bool RingScheduler::is_plain_hint(uint16_t context, const Entry &entry) const noexcept {
    const uint64_t control = entry[KVCPU_EW_CONTROL];
    const auto opcode = static_cast<uint16_t>(control);
    const auto flags = static_cast<uint16_t>(control >> KVCPU_CTL_FLAGS_SHIFT);
    return context != 0 && control >> KVCPU_CTL_CONTEXT_SHIFT == 0 && opcode >= KVCPU_OP_HOT &&
           opcode <= KVCPU_OP_CLEAR && (flags & ~flags_of(opcode)) == 0 &&
           entry[KVCPU_EW_TAG] >> 63 == 0 && entry[KVCPU_EW_COUNT] == 1 &&
           entry[KVCPU_EW_FIRST] < d_.block_count() && !d_.contexts[context].closing;
}

void RingScheduler::plain_hint(uint16_t context, const Entry &entry, uint32_t &budget) noexcept {
    const uint64_t control = entry[KVCPU_EW_CONTROL];
    d_.count(KVCPU_CNT_RING_ENTRIES);
    d_.count(KVCPU_CNT_COMMANDS);
    d_.counters.add_status(KVCPU_SC_SUCCESS);
    hints_.apply_to_one({.opcode = static_cast<kvcpu_opcode>(control & KVCPU_CTL_OPCODE_MASK),
                         .flags = static_cast<uint16_t>(control >> KVCPU_CTL_FLAGS_SHIFT),
                         .context = context,
                         .first = entry[KVCPU_EW_FIRST],
                         .count = 1,
                         .arg = entry[KVCPU_EW_ARG]});
    pairs_.consume(context);
    --budget;
}

bool RingScheduler::hint(uint16_t context, const Command &command, uint32_t &budget) noexcept {
    const kvcpu_status head = commands_.begin_hint(command);
    if (head != KVCPU_SC_SUCCESS) {
        --budget;
        ended(context, command.completion, {head, 0, 0});
        return true;
    }
    const uint32_t before = budget;
    HintProgress progress = hints_.prepare(command.as_hint());
    if (!hints_.work(progress, budget)) {
        hints_.keep(context, progress, command.completion);
        return false;
    }
    budget -= budget == before ? 1 : 0;
    ended(context, command.completion, hints_.settle(progress));
    return true;
}

bool RingScheduler::go_on_with_hint(uint16_t context, uint32_t &budget) noexcept {
    CompletionTarget completion;
    Result result;
    if (!hints_.go_on(context, budget, completion, result)) {
        return false;
    }
    ended(context, completion, result);
    return true;
}

}  // namespace kvcpu
