// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_TRANSFER_FENCES_H
#define KVCPU_CORE_TRANSFER_FENCES_H

#include <cstdint>

#include "queues/completions.h"
#include "state/device.h"
#include "util/wait_pool.h"

namespace kvcpu {

/*
 * Pending FENCEs. Each command that becomes pending takes a number (Device::wait_sequence), and
 * calls ended() when it completes. A FENCE waits for the commands of its context with lower
 * numbers.
 */
class Fences {
  public:
    Fences(Device &device, Completions &completions)
        : d_(device),
          completions_(completions),
          waiting_(Completions::places(device), static_cast<uint32_t>(device.contexts.size())) {}

    void clear() noexcept { waiting_.clear(); }

    /* Adds a FENCE that waits for `ahead` commands. BUSY if too many commands are pending. */
    Result wait(uint16_t context, uint32_t ahead, const CompletionTarget &completion) noexcept {
        if (!completions_.reserve(completion)) {
            return {KVCPU_SC_BUSY, 0, 0};
        }
        waiting_.add(context, {completion, ahead, ++d_.wait_sequence});
        return {KVCPU_SC_PENDING, 0, 0};
    }

    /* A pending command of the context, with this number, has completed. */
    void ended(uint16_t context, uint64_t sequence) noexcept {
        for (uint32_t i = waiting_.first(context); i != waiting_.none;) {
            const uint32_t next = waiting_.after(i);
            Fence &fence = waiting_[i];
            if (sequence < fence.sequence && --fence.ahead == 0) {
                end(context, i, KVCPU_SC_SUCCESS);
            }
            i = next;
        }
    }

    /* Cancels the context's FENCEs that came by the ring `via`. */
    void cancel(uint16_t context, uint16_t via) noexcept {
        for (uint32_t i = waiting_.first(context); i != waiting_.none;) {
            const uint32_t next = waiting_.after(i);
            if (waiting_[i].completion.via == via) {
                end(context, i, KVCPU_SC_CANCELLED);
            }
            i = next;
        }
    }
    void cancel_all(uint16_t context) noexcept {
        for (uint32_t i = waiting_.first(context); i != waiting_.none;
             i = waiting_.first(context)) {
            end(context, i, KVCPU_SC_CANCELLED);
        }
    }

  private:
    struct Fence {
        CompletionTarget completion;
        uint32_t ahead = 0;
        uint64_t sequence = 0;
    };

    void end(uint16_t context, uint32_t index, kvcpu_status status) noexcept {
        const CompletionTarget completion = waiting_[index].completion;
        waiting_.remove(index);
        d_.record(
            {.kind = KVCPU_EV_FENCE, .context = context, .status = static_cast<uint16_t>(status)});
        completions_.complete(completion, {status, 0, 0});
    }

    Device &d_;
    Completions &completions_;
    WaitPool<Fence> waiting_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_TRANSFER_FENCES_H
