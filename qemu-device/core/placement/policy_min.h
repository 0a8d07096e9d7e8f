// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_PLACEMENT_POLICY_MIN_H
#define KVCPU_CORE_PLACEMENT_POLICY_MIN_H

#include <cstdint>
#include <vector>

#include "placement/policy.h"

namespace kvcpu {

/*
 * `min`: Belady's MIN, a bound for other policies. An oracle of the host gives the next use of each
 * block, and the block with the farthest next use is evicted. Only a simulator has the oracle.
 */
class MinPolicy final : public Policy {
  public:
    explicit MinPolicy(const PolicyTools &tools);

    [[nodiscard]] bool uses_hints() const noexcept override { return true; }
    [[nodiscard]] kvcpu_victim_class class_of(const Block &block) const noexcept override;
    void restart() noexcept override;
    void changed(uint32_t block) noexcept override;
    void used(uint32_t block, Use) noexcept override { ask(block); }
    void unpinned(uint32_t block) noexcept override { ask(block); }
    void forget(uint32_t block) noexcept override { next_use_[block] = never; }
    [[nodiscard]] uint32_t reclaim_next() const noexcept override { return reclaim_.first(); }
    [[nodiscard]] Victim victim(const Want &want) const noexcept override;

  private:
    static constexpr uint64_t never = UINT64_MAX;

    void ask(uint32_t block) noexcept { next_use_[block] = d_.host.next_use(block); }

    Device &d_;
    VictimQueue &victims_;
    FetchQueue &fetches_;
    ReclaimQueue &reclaim_;
    std::vector<uint64_t> next_use_;  // by block
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_POLICY_MIN_H
