// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_PLACEMENT_POLICY_NEXT_USE_H
#define KVCPU_CORE_PLACEMENT_POLICY_NEXT_USE_H

#include <cstdint>
#include <vector>

#include "placement/cell_lists.h"
#include "placement/ghosts.h"
#include "placement/policy.h"
#include "placement/reuse.h"

namespace kvcpu {

/*
 * `next-use`: orders blocks by one key, the step of their expected next use. HOT and PREFETCHABLE
 * give it; for other blocks it is learned (reuse.h). The block with the farthest next use is
 * evicted, and the block with the nearest is fetched. No block is evicted for a block that is
 * needed later.
 */
class NextUsePolicy final : public Policy {
  public:
    explicit NextUsePolicy(const PolicyTools &tools);

    [[nodiscard]] bool uses_hints() const noexcept override { return true; }
    [[nodiscard]] kvcpu_victim_class class_of(const Block &block) const noexcept override {
        return class_by_hint(block);
    }
    void restart() noexcept override;
    void changed(uint32_t block) noexcept override;
    void used(uint32_t block, Use use) noexcept override;
    void unpinned(uint32_t block) noexcept override;
    void forget(uint32_t block) noexcept override;
    void sealed(uint32_t block, uint64_t content) noexcept override;
    [[nodiscard]] uint32_t reclaim_next() const noexcept override;
    void warm_cache(uint32_t block) const noexcept override {
        reuse_.warm_cache(block);
        evictable_.warm_cache(block);
        reclaimable_.warm_cache(block);
    }
    void warm_cache_deep(uint32_t block) const noexcept override {
        reuse_.warm_cache_deep(block);
        evictable_.warm_cache_deep(block);
        reclaimable_.warm_cache_deep(block);
    }
    [[nodiscard]] Victim victim(const Want &want) const noexcept override;

    void begin_step(uint16_t context, uint64_t before) noexcept override;
    bool work_step(uint32_t &budget, Evictions &evictions) noexcept override;

  private:
    /* The duration of a context's steps. */
    struct StepTime {
        uint64_t last = 0;
        uint64_t mean = 0;

        void count(uint64_t now_ns, uint64_t steps) noexcept;
    };

    void update_victims(uint32_t block) noexcept;
    void update_fetches(uint32_t block) noexcept;
    [[nodiscard]] Reuse::Kind kind_of(const Block &block) const noexcept;
    void rest(uint32_t block) noexcept;
    void update_reclaim(uint32_t block) noexcept;
    [[nodiscard]] uint32_t ghost_number(uint32_t ghost) const noexcept {
        return d_.block_count() + ghost;
    }
    [[nodiscard]] bool is_sooner(uint32_t block, const Want &want) const noexcept;
    [[nodiscard]] uint64_t elapsed_ns() noexcept;
    void tick() noexcept;
    void aged(uint32_t block) noexcept;
    void age_some() noexcept;

    PolicyTools t_;
    Device &d_;
    Ghosts ghosts_;
    Reuse reuse_;                       // of blocks, followed by ghosts
    std::vector<uint64_t> contents_;    // by block: its content at SEAL
    CellLists evictable_;               // blocks in slots: UNHINTED, and may be evicted
    CellLists reclaimable_;             // cached blocks that may be reclaimed
    std::vector<uint32_t> tokens_max_;  // by context: tokens of a full block
    std::vector<StepTime> step_ns_;     // by context
    static constexpr uint64_t never = UINT64_MAX;
    uint64_t origin_ = never;  // time 0 of elapsed_ns()
    uint16_t context_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_POLICY_NEXT_USE_H
