// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_TRANSFER_VICTIM_SEARCH_H
#define KVCPU_CORE_TRANSFER_VICTIM_SEARCH_H

#include <cstdint>

#include "placement/placement.h"
#include "state/device.h"
#include "transfer/pins.h"

namespace kvcpu {

/*
 * Finds the block to evict when a fetch needs a slot: the policy's choice, within the quotas, and
 * for the oldest PIN also a block of a younger PIN. The mover evicts it.
 */
class VictimSearch {
  public:
    VictimSearch(Device &device, Placement &placement, Pins &pins)
        : d_(device), placement_(placement), pins_(pins) {}

    /* The victim for a fetch of `wanted_by`; its block is no_block if there is none. */
    [[nodiscard]] Victim find(uint32_t wanted_by, SlotPurpose purpose) noexcept;
    /* The same among the blocks of the context that owns `wanted_by`. */
    [[nodiscard]] Victim find_own(uint32_t wanted_by, SlotPurpose purpose) const noexcept;
    /* Unparks the blocks that the quotas no longer protect. */
    void unpark() noexcept;
    /* Counts and records a hot or shared block that a PIN displaces. */
    void record_displaced(const Victim &victim) noexcept;

  private:
    Device &d_;
    Placement &placement_;
    Pins &pins_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_TRANSFER_VICTIM_SEARCH_H
