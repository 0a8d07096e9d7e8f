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
 * Concepts. A hold keeps a block in place while a process has it mapped: "Holds and revocation" in
 * the specification. HOLD of a moving block is pending until the move has ended. A REVOKE asks the
 * driver to release the holds of a block.
 */
class Holds {
  public:
    Holds(Device &device, Placement &placement, Pins &pins, Mover &mover, Completions &completions);

    void clear() noexcept { waiting_.clear(); }
    [[nodiscard]] bool is_any_waiting() const noexcept { return waiting_.count() > 0; }

    /* The block belongs to the command's context. */
    Result hold(const Command &command, uint32_t block) noexcept;
    Result unhold(Range range, bool for_writing) noexcept;

    /* Grants the pending HOLDs whose block's move has ended. */
    void grant_arrived() noexcept;
    /* The block is freed: sends a REVOKE if it is held. */
    void freed(uint32_t block) noexcept;
    void cancel_all(uint16_t context) noexcept;
    void cancel_via(uint16_t via) noexcept;
    /* Removes the holds of a block, as the context that holds it is closed. */
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
