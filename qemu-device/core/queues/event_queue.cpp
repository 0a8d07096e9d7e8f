// SPDX-License-Identifier: GPL-2.0-or-later
#include "queues/event_queue.h"

#include <algorithm>
#include <array>

#include "queues/queue_pairs.h"
#include "util/words.h"

namespace kvcpu {

EventQueue::EventQueue(Device &device)
    : d_(device),
      waiting_(device.block_count() + 2 * static_cast<uint32_t>(device.contexts.size()), 1),
      stops_(device.contexts.size()),
      reclaim_(device.contexts.size()) {}

void EventQueue::clear() noexcept {
    waiting_.clear();
    is_on_ = false;
}

bool EventQueue::is_described() const noexcept {
    return is_queue_size(d_.registers[Reg::EVQ_ENTRIES]) &&
           is_queue_address(d_.registers[Reg::EVQ_ADDR]);
}

/* The driver provides zeroed memory. This write only checks that the memory can be written. */
bool EventQueue::enable() noexcept {
    constexpr uint64_t zero = 0;
    address_ = d_.registers[Reg::EVQ_ADDR];
    entries_ = d_.registers[Reg::EVQ_ENTRIES];
    written_ = taken_ = 0;
    is_on_ = d_.host.dma_write(address_, &zero, sizeof(zero)) == KVCPU_DMA_OK;
    d_.count(KVCPU_CNT_DMA_FAULTS, is_on_ ? 0 : 1);
    return is_on_;
}

/* A driver that reaches the end of the queue has been notified of earlier records only. */
bool EventQueue::advance_head(uint64_t head) noexcept {
    if (!is_on_ || head - taken_ > written_ - taken_) {
        return false;
    }
    taken_ = head;
    if (taken_ != written_) {
        d_.raise(KVCPU_VECTOR_EVENTS);
    }
    return true;
}

void EventQueue::revoke(uint32_t block, kvcpu_revoke_reason reason) noexcept {
    Block &b = d_.at(block);
    if (b.revoking) {
        return;
    }
    b.revoking = true;
    d_.holds[block].reason = reason;
    d_.change(block, KVCPU_BE_REVOKE, b.state);
    d_.count(KVCPU_CNT_REVOKES);
    d_.record({.kind = KVCPU_EV_REVOKE,
               .detail = static_cast<uint16_t>(reason),
               .context = d_.holds[block].context,
               .first = block});
    waiting_.push_back(0, block);
}

void EventQueue::stopped(uint16_t context, kvcpu_ring_state why, uint64_t sq_head) noexcept {
    stops_[context] = {why, sq_head};
    waiting_.push_back(0, node_of(context));
}

void EventQueue::reclaimed(uint16_t context, uint32_t block) noexcept {
    reclaim_[context] = block;
    waiting_.push_back(0, reclaim_node_of(context));
}

bool EventQueue::store(uint64_t offset, const uint64_t *words, uint32_t count) noexcept {
    std::array<uint64_t, KVCPU_NOTICE_BYTES / 8> to{};
    std::copy_n(words, count, to.begin());
    words_to_memory(to.data(), count);
    if (d_.host.dma_write(address_ + offset, to.data(), uint64_t{count} * 8) == KVCPU_DMA_OK) {
        return true;
    }
    d_.count(KVCPU_CNT_DMA_FAULTS);
    is_on_ = false;
    d_.registers[Reg::QUEUE_ENABLE] &= ~KVCPU_QEN_EVENTS;
    d_.record({.kind = KVCPU_EV_QUEUES, .value = d_.registers[Reg::QUEUE_ENABLE]});
    d_.raise(KVCPU_VECTOR_EVENTS);
    return false;
}

bool EventQueue::write(uint64_t head, uint64_t block) noexcept {
    const uint64_t offset = written_ % entries_ * KVCPU_NOTICE_BYTES;
    std::array<uint64_t, KVCPU_NOTICE_BYTES / 8> words{};
    words[KVCPU_NW_HEAD] = head;
    words[KVCPU_NW_BLOCK] = block;
    words[KVCPU_NW_TIME] = d_.now;
    words[KVCPU_NW_PHASE] = written_ / entries_ % 2 == 0 ? KVCPU_PHASE : 0;
    if (!store(offset, words.data(), KVCPU_NW_PHASE) ||
        !store(offset + uint64_t{8} * KVCPU_NW_PHASE, &words[KVCPU_NW_PHASE], 1)) {
        return false;
    }
    d_.count(KVCPU_CNT_NOTICES);
    if (written_++ == taken_) {
        d_.raise(KVCPU_VECTOR_EVENTS);
    }
    return true;
}

namespace {

uint64_t notice_head(kvcpu_notice kind, uint64_t detail, uint64_t context) {
    return uint64_t{kind} << KVCPU_NTC_KIND_SHIFT | detail << KVCPU_NTC_DETAIL_SHIFT |
           context << KVCPU_NTC_CONTEXT_SHIFT;
}

}  // namespace

bool EventQueue::write_of_context(uint32_t node) noexcept {
    const auto contexts = static_cast<uint32_t>(d_.contexts.size());
    const uint32_t context = (node - d_.block_count()) % contexts;
    if (node < d_.block_count() + contexts) {
        const Stop &stop = stops_[context];
        return write(notice_head(KVCPU_NT_STOPPED, stop.why, context), stop.sq_head);
    }
    return d_.contexts[context].unacknowledged == 0 ||
           write(notice_head(KVCPU_NT_RECLAIMED, 0, context), reclaim_[context]);
}

void EventQueue::pump() noexcept {
    while (is_on_ && written_ - taken_ < entries_) {
        const uint32_t node = waiting_.front(0);
        if (node == IndexLists::none) {
            return;
        }
        bool is_written = true;
        if (node >= d_.block_count()) {
            is_written = write_of_context(node);
        } else if (d_.at(node).revoking) {
            const Hold &hold = d_.holds[node];
            is_written = write(notice_head(KVCPU_NT_REVOKE, hold.reason, hold.context), node);
        }
        if (is_written) {
            waiting_.remove(node);
        }
    }
}

}  // namespace kvcpu
