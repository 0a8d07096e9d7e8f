// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_TRANSFER_HOLDS_H
#define KVCPU_CORE_TRANSFER_HOLDS_H

#include <cstdint>

#include "placement/placement.h"
#include "queues/command.h"
#include "queues/completions.h"
#include "state/device.h"
#include "transfer/mover.h"
#include "transfer/pins.h"
#include "util/range.h"
#include "util/wait_pool.h"

namespace kvcpu {

/*
 * Mapping holds: section 19 of the specification. A held block stays where it is; one that is on
 * its way is held once it has arrived.
 */
class Holds {
  public:
    Holds(Device &device, Placement &placement, Pins &pins, Mover &mover, Completions &completions);

    void clear() noexcept { waiting_.clear(); }
    [[nodiscard]] bool is_any_waiting() const noexcept { return waiting_.count() > 0; }

    /* The block is the context's. */
    Result hold(const Command &command, uint32_t block) noexcept;
    Result unhold(Range range, bool for_writing) noexcept;

    /* Of those that wait, the ones whose block has arrived. */
    void grant_arrived() noexcept;
    /* The block's owner gives it up. */
    void freed(uint32_t block) noexcept;
    void cancel_all(uint16_t context) noexcept;
    void cancel_via(uint16_t via) noexcept;
    /* Its holds are forgotten, as its context is closed. */
    void drop(uint32_t block) noexcept;

  private:
    struct Waiting {
        uint32_t block = no_block;
        uint16_t context = 0;
        bool for_writing = false;
        CompletionTarget completion;
    };

    [[nodiscard]] bool must_wait(const Block &block) const noexcept;
    [[nodiscard]] kvcpu_status check(uint32_t block, bool for_writing) const noexcept;
    Result grant(uint16_t context, uint32_t block, bool for_writing) noexcept;
    void released(uint32_t block) noexcept;
    void end(uint32_t index, const Result &result) noexcept;
    template <typename Predicate>
    void end_where(kvcpu_status status, Predicate predicate) noexcept;

    Device &d_;
    Placement &placement_;
    Pins &pins_;
    Mover &mover_;
    Completions &completions_;
    WaitPool<Waiting> waiting_;  // one list
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_TRANSFER_HOLDS_H
