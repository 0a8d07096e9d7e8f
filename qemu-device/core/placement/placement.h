// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_PLACEMENT_PLACEMENT_H
#define KVCPU_CORE_PLACEMENT_PLACEMENT_H

#include <cstdint>
#include <memory>
#include <vector>

#include "placement/policy.h"
#include "placement/policy_queues.h"
#include "placement/quotas.h"
#include "placement/reclaim_queue.h"
#include "placement/score.h"
#include "placement/wheel.h"
#include "state/device.h"

namespace kvcpu {

/*
 * The state that all policies share, and the current policy. The policy decides, and the
 * mover acts on its decisions.
 */
class Placement {
  public:
    explicit Placement(Device &device);

    [[nodiscard]] Policy &policy() noexcept { return *in_force_; }
    [[nodiscard]] const Policy &policy() const noexcept { return *in_force_; }

    /* Must be called after a change of any field of a block that placement uses. */
    void changed(uint32_t block) noexcept {
        reclaim_.changed(block, d_.at(block), policy().uses_hints());
        quotas.changed(block);
        policy().changed(block);
    }
    /* Rebuilds the queues from all blocks, after a reset or a change of policy. */
    void rebuild() noexcept;

    /* A granted PIN, READ, WRITE, TOUCH or HOT. */
    void use(uint32_t block, Use use = Use::access) noexcept;
    /* UNPIN: the use ends. */
    void end_use(uint32_t block) noexcept;
    /* Counts the first PIN, READ, WRITE or HOLD of a prefetched block. */
    void credit_prefetch(uint32_t block) noexcept;
    /* `target` is on the context's clock. It is used for HOT and PREFETCHABLE. */
    void hint(uint32_t block, Hint hint, uint64_t target) noexcept;
    void seal(uint32_t block, uint64_t content) noexcept { policy().sealed(block, content); }
    /* HOT counts as a use as well. */
    void use_and_hint(uint32_t block, Hint hint, uint64_t target) noexcept;
    /* Must be called before the block changes owner. */
    void forget(uint32_t block) noexcept;

    [[nodiscard]] kvcpu_victim_class class_of(const Block &block) const noexcept {
        return block.claims > 0 ? KVCPU_VC_PINNED : policy().class_of(block);
    }
    /* The next block to fetch, or no_block. The block stays in the queue until its fetch starts. */
    [[nodiscard]] uint32_t next_fetch() const noexcept { return fetches_.first(); }
    /* The same for held blocks, which are fetched after their holds have been released. */
    [[nodiscard]] uint32_t next_held_fetch() const noexcept { return fetches_.first_held(); }
    [[nodiscard]] bool is_queued(uint32_t block) const noexcept { return fetches_.contains(block); }
    [[nodiscard]] uint32_t queued() const noexcept { return fetches_.size(); }
    [[nodiscard]] SlotPurpose purpose_of(uint32_t block) const noexcept {
        return wants_fast(d_.at(block)) ? SlotPurpose::hint : SlotPurpose::score;
    }

    /*
     * Prefetches into the CPU cache what a hint of the block accesses: warm_cache() the block's
     * entries, warm_cache_deep() the structures that they point to.
     */
    void warm_cache(uint32_t block) const noexcept {
        __builtin_prefetch(&places_[block], 1);
        wheel_.warm_cache(block);
        reclaim_.warm_cache(block);
        policy().warm_cache(block);
    }
    void warm_cache_deep(uint32_t block) const noexcept {
        victims_.warm_cache(block);
        fetches_.warm_cache(block);
        wheel_.warm_cache_deep(block);
        policy().warm_cache_deep(block);
    }

    Quotas quotas;
    Score score;
    /* Incremented when weights, thresholds or policy change: the score of every block is outdated.
     */
    uint32_t generation = 1;

  private:
    void touch(uint32_t block) noexcept;
    void count_use(uint32_t block, Use use) noexcept;
    void set_hint(uint32_t block, Hint hint, uint64_t target) noexcept;

    Device &d_;
    QueuePlaces places_;
    VictimQueue victims_;
    FetchQueue fetches_;
    ReclaimQueue reclaim_;
    Wheel wheel_;
    std::vector<std::unique_ptr<Policy>> policies_;  // by enum kvcpu_policy
    std::unique_ptr<Policy> bound_;                  // replaces the policies, in a simulator
    Policy *in_force_ = nullptr;                     // the current policy; set by rebuild()
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_PLACEMENT_H
