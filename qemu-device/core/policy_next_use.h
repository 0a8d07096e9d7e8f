// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_POLICY_NEXT_USE_H
#define KVCPU_CORE_POLICY_NEXT_USE_H

#include <array>
#include <vector>

#include "policy.h"
#include "reuse.h"
#include "rings.h"

namespace kvcpu {

/*
 * `next-use`: one key, the step at which a block is expected to be used next. Hints say it for
 * HOT and PREFETCHABLE; for the rest it is learned (reuse.h). The farthest leaves, the nearest is
 * fetched, and nothing leaves for what is needed later than itself.
 */
class NextUsePolicy final : public Policy {
  public:
    explicit NextUsePolicy(const PolicyTools &tools);

    [[nodiscard]] bool uses_hints() const noexcept override { return true; }
    [[nodiscard]] kvcpu_victim_class class_of(const Block &block) const noexcept override;
    void restart() noexcept override;
    void changed(uint32_t block) noexcept override;
    void used(uint32_t block, Use use) noexcept override;
    void unclaimed(uint32_t block) noexcept override;
    void forget(uint32_t block) noexcept override;
    [[nodiscard]] Victim victim(const Want &want) const noexcept override;

    void begin_step(uint16_t context, uint64_t before) noexcept override;
    bool work_step(uint32_t &budget, Evictions &evictions) noexcept override;

  private:
    /* How long a context's steps take. */
    struct StepTime {
        uint64_t last = 0;
        uint64_t mean = 0;

        void count(uint64_t now_ns, uint64_t steps) noexcept;
    };

    void update_victims(uint32_t block) noexcept;
    void update_fetches(uint32_t block) noexcept;
    void leave_cell(uint32_t block) noexcept;
    void rest(uint32_t block) noexcept;
    [[nodiscard]] uint32_t least_dense() const noexcept;
    [[nodiscard]] bool is_sooner(uint32_t block, const Want &want) const noexcept;
    void tick() noexcept;
    void age_some() noexcept;

    PolicyTools t_;
    Device &d_;
    Reuse reuse_;
    Rings candidates_;                 // a list a cell: blocks that may leave, in order
    std::vector<uint16_t> listed_in_;  // by block
    std::array<uint32_t, Reuse::cells> candidates_in_{};
    std::array<uint64_t, (Reuse::cells + 63) / 64> occupied_{};  // by rank: cells with candidates
    std::vector<uint32_t> tokens_max_;                           // by context: of a full block
    std::vector<StepTime> step_ns_;                              // by context
    uint16_t context_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_POLICY_NEXT_USE_H
