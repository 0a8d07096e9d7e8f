// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_QUEUES_COMPLETIONS_H
#define KVCPU_CORE_QUEUES_COMPLETIONS_H

#include <array>
#include <cstdint>

#include "queues/queue_pairs.h"
#include "state/completion_target.h"
#include "state/device.h"

namespace kvcpu {

struct Completion {
    uint64_t tag = 0;
    uint64_t result = 0;
    uint64_t time_ns = 0;
};

/*
 * Delivers the completions of pending commands, to the completion FIFO of the command window or to
 * the completion ring of the command's context. A command reserves a place before it becomes
 * pending, so its completion always has one.
 */
class Completions {
  public:
    Completions(Device &device, QueuePairs &pairs) : d_(device), pairs_(pairs) {}

    /* The most commands that can be pending in the device. */
    [[nodiscard]] static uint32_t places(const Device &device) noexcept {
        return KVCPU_PENDING_MAX +
               static_cast<uint32_t>(device.contexts.size()) * KVCPU_CONTEXT_PENDING_MAX;
    }
    void clear() noexcept { first_ = count_ = reserved_ = 0; }

    [[nodiscard]] bool reserve(const CompletionTarget &completion) noexcept {
        if (completion.via != via_window) {
            return pairs_.begin_wait(completion.via);
        }
        if (reserved_ + count_ == KVCPU_PENDING_MAX) {
            return false;
        }
        ++reserved_;
        return true;
    }

    void complete(const CompletionTarget &completion, const Result &result) noexcept {
        d_.counters.add_status(result.status);
        if (result.has_failed()) {
            d_.count(KVCPU_CNT_COMMANDS_FAILED);
        }
        if (completion.via == via_window) {
            push(completion.tag, result);
        } else if (completion.via != via_nowhere) {
            pairs_.end_wait(completion.via);
            pairs_.finish(completion.via, completion, result);
        }
    }

    [[nodiscard]] uint32_t pending() const noexcept { return count_; }
    [[nodiscard]] Completion oldest() const noexcept {
        return count_ == 0 ? Completion{} : fifo_[first_];
    }
    /* The FIFO has a completion. */
    void pop() noexcept {
        first_ = (first_ + 1) % static_cast<uint32_t>(fifo_.size());
        --count_;
    }

  private:
    void push(uint64_t tag, const Result &result) noexcept {
        --reserved_;
        fifo_[(first_ + count_) % fifo_.size()] = {tag, result.encode(), d_.now};
        ++count_;
        ++d_.completions;
        d_.raise(KVCPU_VECTOR_COMPLETION);
    }

    Device &d_;
    QueuePairs &pairs_;
    std::array<Completion, KVCPU_PENDING_MAX> fifo_{};
    uint32_t first_ = 0;
    uint32_t count_ = 0;
    uint32_t reserved_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_QUEUES_COMPLETIONS_H
