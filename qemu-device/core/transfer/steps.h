// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_TRANSFER_STEPS_H
#define KVCPU_CORE_TRANSFER_STEPS_H

#include <cstdint>

#include "placement/placement.h"
#include "state/device.h"
#include "transfer/mover.h"

namespace kvcpu {

/*
 * Executes STEP: advances the clock, and calls the policy for the work of the step. The policy
 * works in batches, as a step may concern every block.
 */
class Steps {
  public:
    Steps(Device &device, Placement &placement, Mover &mover)
        : d_(device), placement_(placement), mover_(mover) {}

    /* Advances the clock, and starts the step. No step may be in progress. */
    void begin(uint16_t context, uint64_t step) noexcept;
    /* Continues the step within the budget. Returns true when the step is done. */
    bool work(uint32_t &budget) noexcept {
        busy_ = !placement_.policy().work_step(budget, mover_);
        return !busy_;
    }
    /* Discards the rest of the step in progress. */
    void abandon() noexcept {
        busy_ = false;
        placement_.policy().abandon_step();
    }
    /* Whether a step is in progress. */
    [[nodiscard]] bool is_busy() const noexcept { return busy_; }

  private:
    Device &d_;
    Placement &placement_;
    Mover &mover_;
    bool busy_ = false;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_TRANSFER_STEPS_H
