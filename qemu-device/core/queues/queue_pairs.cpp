// SPDX-License-Identifier: GPL-2.0-or-later
#include "queues/queue_pairs.h"

#include <algorithm>
#include <bit>

#include "util/words.h"

namespace kvcpu {

bool is_queue_size(uint64_t entries) noexcept {
    return std::has_single_bit(entries) && entries >= KVCPU_RING_ENTRIES_MIN &&
           entries <= KVCPU_RING_ENTRIES_MAX;
}

bool is_queue_address(uint64_t address) noexcept {
    return address % KVCPU_RING_ALIGN == 0;
}

QueuePairs::QueuePairs(Device &device)
    : d_(device),
      pairs_(device.contexts.size()),
      slice_lists_(static_cast<uint32_t>(pairs_.size()), slice_list_count),
      delayed_until_ns_(pairs_.size()),
      faulty_(static_cast<uint32_t>(pairs_.size())),
      changed_(static_cast<uint32_t>(pairs_.size())) {
    clear();
}

void QueuePairs::clear() noexcept {
    std::fill(pairs_.begin(), pairs_.end(), QueuePair{});
    slice_lists_.clear();
    faulty_.clear();
    changed_.clear();
    next_signal_ns_ = KVCPU_TIMER_OFF;
}

/* -- Set-up ---------------------------------------------------------------- */

kvcpu_dma_result QueuePairs::open(uint16_t context, const QueueSetup &setup) noexcept {
    const QueuePair fresh = {.state = KVCPU_RS_RUNNING, .setup = setup};
    constexpr std::array<uint64_t, KVCPU_CQ_HEADER_BYTES / 8> header{};
    std::array<uint8_t, KVCPU_ENTRY_BYTES> entry{};
    kvcpu_dma_result result = store(fresh, 0, header.data(), header.size());
    if (result == KVCPU_DMA_OK) {
        result = d_.host.dma_read(setup.sq_address, entry.data(), entry.size());
    }
    if (result != KVCPU_DMA_OK) {
        d_.count(KVCPU_CNT_DMA_FAULTS);
        return result;
    }
    pairs_[context] = fresh;
    return KVCPU_DMA_OK;
}

void QueuePairs::close(uint16_t context) noexcept {
    set_signal(pairs_[context], KVCPU_TIMER_OFF);
    pairs_[context] = {};
    slice_lists_.remove(context);
    faulty_.erase(context);
    changed_.erase(context);
}

/* -- Doorbells ------------------------------------------------------------- */

bool QueuePairs::advance_tail(uint16_t context, uint64_t tail) noexcept {
    QueuePair &pair = pairs_[context];
    const uint64_t more = tail - pair.tail;
    if (more > pair.setup.sq_entries - (pair.tail - pair.head)) {
        return false;
    }
    pair.tail = tail;
    return true;
}

bool QueuePairs::advance_head(uint16_t context, uint64_t head) noexcept {
    QueuePair &pair = pairs_[context];
    if (head - pair.taken > pair.written - pair.taken) {
        return false;
    }
    pair.taken = head;
    if (pair.taken == pair.written) {
        pair.unsignalled = 0; /* the guest has consumed all completions */
        set_signal(pair, KVCPU_TIMER_OFF);
    }
    return true;
}

/* -- Entries --------------------------------------------------------------- */

uint32_t QueuePairs::fetch(uint16_t context, Entry *to, uint32_t limit) noexcept {
    QueuePair &pair = pairs_[context];
    const auto place = static_cast<uint32_t>(pair.head % pair.setup.sq_entries);
    const uint32_t count = std::min({limit, available(context), pair.setup.sq_entries - place});
    const kvcpu_dma_result result =
        d_.host.dma_read(pair.setup.sq_address + uint64_t{place} * KVCPU_ENTRY_BYTES, to,
                         uint64_t{count} * KVCPU_ENTRY_BYTES);
    if (result != KVCPU_DMA_OK) {
        d_.count(KVCPU_CNT_DMA_FAULTS);
        fail(context, KVCPU_RS_SQ_FAULT);
        return 0;
    }
    for (uint32_t entry = 0; entry < count; ++entry) {
        words_from_memory(to[entry].data(), KVCPU_ENTRY_WORDS);
    }
    return count;
}

bool QueuePairs::reserve_completion(uint16_t context) noexcept {
    QueuePair &pair = pairs_[context];
    if (pair.has_completion_entry()) {
        ++pair.reserved;
        pair.paused = false;
        return true;
    }
    if (!pair.paused) {
        pair.paused = true;
        d_.count(KVCPU_CNT_RING_PAUSES);
    }
    return false;
}

bool QueuePairs::begin_wait(uint16_t context) noexcept {
    QueuePair &pair = pairs_[context];
    if (pair.waiting == KVCPU_CONTEXT_PENDING_MAX) {
        return false;
    }
    ++pair.waiting;
    return true;
}

void QueuePairs::finish(uint16_t context, const CompletionTarget &completion,
                        const Result &result) noexcept {
    QueuePair &pair = pairs_[context];
    if (result.has_failed()) {
        ++pair.failed;
    }
    if (completion.wanted) {
        --pair.reserved;
        if (pair.runs()) {
            write_completion(pair, completion.tag, result);
        }
    }
    if (pair.runs()) {
        changed_.insert(context);
    }
}

/* -- Completions ----------------------------------------------------------- */

kvcpu_dma_result QueuePairs::store(const QueuePair &pair, uint64_t offset, const uint64_t *words,
                                   uint32_t count) noexcept {
    std::array<uint64_t, KVCPU_CQ_HEADER_BYTES / 8> to{};
    std::copy_n(words, count, to.begin());
    words_to_memory(to.data(), count);
    return d_.host.dma_write(pair.setup.cq_address + offset, to.data(), uint64_t{count} * 8);
}

/* The word with the phase is stored last, by a separate store. */
void QueuePairs::write_completion(QueuePair &pair, uint64_t tag, const Result &result) noexcept {
    const uint64_t lap = pair.written / pair.setup.cq_entries;
    const uint64_t offset =
        KVCPU_CQ_HEADER_BYTES + pair.written % pair.setup.cq_entries * KVCPU_COMPLETION_BYTES;
    std::array<uint64_t, 4> words{};
    words[KVCPU_CW_RESULT] = result.encode();
    words[KVCPU_CW_TIME] = d_.now;
    words[KVCPU_CW_TAG] = (tag & ~KVCPU_PHASE) | (lap % 2 == 0 ? KVCPU_PHASE : 0);
    if (store(pair, offset, words.data(), KVCPU_CW_TAG) != KVCPU_DMA_OK ||
        store(pair, offset + uint64_t{8} * KVCPU_CW_TAG, &words[KVCPU_CW_TAG], 1) != KVCPU_DMA_OK) {
        d_.count(KVCPU_CNT_DMA_FAULTS);
        fail(number(pair), KVCPU_RS_CQ_FAULT);
        return;
    }
    ++pair.written;
    ++d_.completions;
    ++pair.unsignalled;
    d_.count(KVCPU_CNT_RING_COMPLETIONS);
    consider_signal(pair);
}

void QueuePairs::store_header(QueuePair &pair) noexcept {
    constexpr std::array<unsigned, 3> order = {KVCPU_CQH_FAILED, KVCPU_CQH_STATE,
                                               KVCPU_CQH_SQ_HEAD};
    std::array<uint64_t, 3> now{};
    now[KVCPU_CQH_FAILED] = pair.failed;
    now[KVCPU_CQH_STATE] = pair.state;
    now[KVCPU_CQH_SQ_HEAD] = pair.head;
    for (const unsigned word : order) {
        if (now.at(word) == pair.stored.at(word)) {
            continue;
        }
        if (store(pair, 8 * uint64_t{word}, &now.at(word), 1) != KVCPU_DMA_OK) {
            d_.count(KVCPU_CNT_DMA_FAULTS);
            fail(number(pair), KVCPU_RS_CQ_FAULT);
            return;
        }
        pair.stored.at(word) = now.at(word);
    }
}

void QueuePairs::store_headers() noexcept {
    for (uint32_t context = changed_.first(); context != NumberSet::none;
         context = changed_.first()) {
        changed_.erase(context);
        if (pairs_[context].runs()) {
            store_header(pairs_[context]);
        }
    }
}

/* -- Stopping -------------------------------------------------------------- */

void QueuePairs::fail(uint16_t context, kvcpu_ring_state reason) noexcept {
    QueuePair &pair = pairs_[context];
    if (pair.runs()) {
        pair.fault = reason;
        faulty_.insert(context);
    }
}

void QueuePairs::stop(uint16_t context) noexcept {
    QueuePair &pair = pairs_[context];
    faulty_.erase(context);
    changed_.erase(context);
    slice_lists_.remove(context);
    set_signal(pair, KVCPU_TIMER_OFF);
    pair.state = pair.fault;
    pair.fault = KVCPU_RS_RUNNING;
    pair.paused = false;
    pair.waiting = pair.reserved = 0;
    store_header(pair);
}

/* -- Rings waiting for a slice ---------------------------------------------- */

void QueuePairs::enqueue_later(uint16_t context) noexcept {
    delayed_until_ns_[context] = d_.now + d_.config.doorbell_latency_ns;
    slice_lists_.push_back(delayed, context);
}

void QueuePairs::enqueue_delayed() noexcept {
    while (next_delayed() <= d_.now) {
        enqueue(static_cast<uint16_t>(slice_lists_.front(delayed)));
    }
}

/* -- Interrupts ------------------------------------------------------------ */

void QueuePairs::coalesce(uint16_t context, const Coalescing &coalescing) noexcept {
    QueuePair &pair = pairs_[context];
    pair.setup.coalescing = coalescing;
    pair.unsignalled = pair.written - pair.taken;
    set_signal(pair, KVCPU_TIMER_OFF);
    if (pair.unsignalled > 0) {
        consider_signal(pair);
    }
}

void QueuePairs::consider_signal(QueuePair &pair) noexcept {
    const Coalescing &when = pair.setup.coalescing;
    if (when.count == 0) {
        return;
    }
    if (pair.unsignalled >= when.count) {
        raise(pair);
    } else if (pair.signal_ns == KVCPU_TIMER_OFF) {
        set_signal(pair, d_.now + when.ns);
    }
}

void QueuePairs::raise(QueuePair &pair) noexcept {
    pair.unsignalled = 0;
    set_signal(pair, KVCPU_TIMER_OFF);
    d_.raise(pair.setup.coalescing.vector);
}

void QueuePairs::set_signal(QueuePair &pair, uint64_t ns) noexcept {
    const uint64_t before = pair.signal_ns;
    pair.signal_ns = ns;
    if (ns <= next_signal_ns_) {
        next_signal_ns_ = ns;
    } else if (before == next_signal_ns_) {
        next_signal_ns_ = KVCPU_TIMER_OFF;
        for (const QueuePair &other : pairs_) {
            next_signal_ns_ = std::min(next_signal_ns_, other.signal_ns);
        }
    }
}

void QueuePairs::signal_due() noexcept {
    if (next_signal_ns_ > d_.now) {
        return;
    }
    for (QueuePair &pair : pairs_) {
        if (pair.signal_ns <= d_.now) {
            raise(pair);
        }
    }
}

}  // namespace kvcpu
