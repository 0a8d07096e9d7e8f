// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_TRANSFER_STEPS_H
#define KVCPU_CORE_TRANSFER_STEPS_H

#include <cstdint>

#include "placement/placement.h"
#include "state/device.h"
#include "transfer/mover.h"

namespace kvcpu {

/*
 * Carries out STEP: sets the clock, and has the policy do what follows from it, in batches, as
 * a step may concern every block there is.
 */
class Steps {
  public:
    Steps(Device &device, Placement &placement, Mover &mover)
        : d_(device), placement_(placement), mover_(mover) {}

    /* Sets the clock, and begins. None may be under way. */
    void begin(uint16_t context, uint64_t step) noexcept;
    /* Goes on; takes what it does from the budget. Returns true when the step is done. */
    bool work(uint32_t &budget) noexcept {
        busy_ = !placement_.policy().work_step(budget, mover_);
        return !busy_;
    }
    /* Forgets what is left of the step under way. */
    void abandon() noexcept {
        busy_ = false;
        placement_.policy().abandon_step();
    }
    /* One has begun and is not done. */
    [[nodiscard]] bool is_busy() const noexcept { return busy_; }

  private:
    Device &d_;
    Placement &placement_;
    Mover &mover_;
    bool busy_ = false;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_TRANSFER_STEPS_H
