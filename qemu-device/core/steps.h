// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_STEPS_H
#define KVCPU_CORE_STEPS_H

#include <cstdint>

#include "device.h"
#include "mover.h"
#include "number_set.h"
#include "placement.h"
#include "rings.h"

namespace kvcpu {

/*
 * Carries out STEP under `hepc`: ends hints whose time has come, and gives scores their effect.
 * Looks only at blocks of which something changed since, or changes with age at this step; works
 * in portions, as a step may concern every block there is.
 */
class Steps {
  public:
    Steps(Device &device, Placement &placement, Mover &mover);

    void clear() noexcept;
    /* Sets the clock, and begins. None may be under way. */
    void begin(uint16_t context, uint64_t step) noexcept;
    /* Goes on; takes what it does from the budget. Returns true when the step is done. */
    bool work(uint32_t &budget) noexcept;
    /* Forgets what is left of the step under way. */
    void abandon() noexcept;
    /* The block changes owner. */
    void forget(uint32_t block) noexcept { waiting_.remove(block); }

  private:
    enum class Phase : uint8_t { done, scan, due, demote, collect, promote };

    void adopt_weights() noexcept;
    void look_at(uint32_t block) noexcept;
    void look_again_when_needed(uint32_t block) noexcept;
    [[nodiscard]] bool has_hint_ended(const Block &block) const noexcept;
    [[nodiscard]] bool is_demotable(const Block &block) const noexcept;
    [[nodiscard]] bool is_promotable(const Block &block) const noexcept;

    /* Each does one unit of its phase; false when the phase has none left. */
    bool scan_one() noexcept;
    bool look_at_one_due() noexcept;
    bool demote_one() noexcept;
    bool collect_one() noexcept;
    bool promote_one() noexcept;
    bool one() noexcept;

    Device &d_;
    Placement &placement_;
    Mover &mover_;
    NumberSet demotions_;  // of this step
    NumberSet rising_;     // scored high enough at this step, and did not before
    Rings waiting_;        // a list a context: scored high enough, in order; no slot was free yet
    Phase phase_ = Phase::done;
    uint16_t context_ = 0;
    uint32_t scan_next_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_STEPS_H
