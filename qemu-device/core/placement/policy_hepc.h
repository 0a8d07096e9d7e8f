// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_PLACEMENT_POLICY_HEPC_H
#define KVCPU_CORE_PLACEMENT_POLICY_HEPC_H

#include "placement/policy.h"
#include "util/index_lists.h"
#include "util/number_set.h"

namespace kvcpu {

/*
 * `hepc`: the published score, level-triggered at every STEP, and explicit hints above it.
 *
 * A STEP ends hints that expire, and demotes and promotes by score. It examines only blocks that
 * have changed since the last STEP, or whose score changes with their age at this step.
 */
class HepcPolicy final : public Policy {
  public:
    explicit HepcPolicy(const PolicyTools &tools);

    [[nodiscard]] bool uses_hints() const noexcept override { return true; }
    [[nodiscard]] kvcpu_victim_class class_of(const Block &block) const noexcept override {
        return class_by_hint(block);
    }
    void restart() noexcept override;
    void changed(uint32_t block) noexcept override;
    void forget(uint32_t block) noexcept override { waiting_.remove(block); }
    [[nodiscard]] uint32_t reclaim_next() const noexcept override { return t_.reclaim.first(); }
    [[nodiscard]] Victim victim(const Want &want) const noexcept override;

    void begin_step(uint16_t context, uint64_t before) noexcept override;
    bool work_step(uint32_t &budget, Evictions &evictions) noexcept override;
    void abandon_step() noexcept override;

  private:
    enum class Phase : uint8_t { done, scan, due, demote, collect, promote };

    void update_victims(uint32_t block) noexcept;
    void update_fetches(uint32_t block) noexcept;
    void promote(uint32_t block) noexcept;

    void adopt_weights() noexcept;
    void look_at(uint32_t block) noexcept;
    void look_again_when_needed(uint32_t block) noexcept;
    [[nodiscard]] bool is_demotable(const Block &block) const noexcept;
    [[nodiscard]] bool is_promotable(const Block &block) const noexcept;

    /* Each does one unit of work of its phase. False when the phase is complete. */
    bool scan_one() noexcept;
    bool look_at_one_due() noexcept;
    bool demote_one(Evictions &evictions) noexcept;
    bool collect_one() noexcept;
    bool promote_one() noexcept;
    bool one(Evictions &evictions) noexcept;

    PolicyTools t_;
    Device &d_;
    NumberSet demotions_;  // blocks to demote in this step
    NumberSet rising_;     // blocks whose score reached the threshold in this step
    IndexLists waiting_;   // by context: promoted blocks that wait for a free slot
    Phase phase_ = Phase::done;
    uint16_t context_ = 0;
    uint32_t scan_next_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_POLICY_HEPC_H
