// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_PLACEMENT_POLICY_LRU_H
#define KVCPU_CORE_PLACEMENT_POLICY_LRU_H

#include "placement/policy.h"

namespace kvcpu {

/* `lru`: least recently used. It ignores hints, and fetches only what PINs need. */
class LruPolicy final : public Policy {
  public:
    explicit LruPolicy(const PolicyTools &tools)
        : d_(tools.device), victims_(tools.victims), reclaim_(tools.reclaim) {}

    [[nodiscard]] bool uses_hints() const noexcept override { return false; }
    [[nodiscard]] kvcpu_victim_class class_of(const Block &) const noexcept override {
        return KVCPU_VC_UNHINTED;
    }
    void changed(uint32_t block) noexcept override {
        if (may_leave(d_.at(block))) {
            victims_.put(block, KVCPU_VC_UNHINTED, d_.at(block).last_use, 0);
        } else {
            victims_.remove(block);
        }
    }
    [[nodiscard]] uint32_t reclaim_next() const noexcept override { return reclaim_.first(); }
    [[nodiscard]] Victim victim(const Want &want) const noexcept override {
        return {want.purpose == SlotPurpose::pin ? victims_.first(KVCPU_VC_UNHINTED) : no_block};
    }

  private:
    Device &d_;
    VictimQueue &victims_;
    ReclaimQueue &reclaim_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_POLICY_LRU_H
