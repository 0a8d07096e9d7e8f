// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_PLACEMENT_POLICY_ARC_H
#define KVCPU_CORE_PLACEMENT_POLICY_ARC_H

#include <cstdint>
#include <vector>

#include "placement/policy.h"
#include "util/index_lists.h"

namespace kvcpu {

/*
 * `arc`: the adaptive replacement cache of Megiddo and Modha (FAST 2003), which ignores hints. T1
 * holds blocks that were used once since their fetch, T2 blocks that were used again. B1 and B2 are
 * their ghosts. A miss in B1 increases the share of T1, a miss in B2 decreases it.
 *
 * The device differs from the paper's cache in two points. A pinned block cannot be evicted, so the
 * next block is. A use lasts from the first PIN to the last UNPIN.
 */
class ArcPolicy final : public Policy {
  public:
    explicit ArcPolicy(const PolicyTools &tools);

    [[nodiscard]] bool uses_hints() const noexcept override { return false; }
    [[nodiscard]] kvcpu_victim_class class_of(const Block &) const noexcept override {
        return KVCPU_VC_UNHINTED;
    }
    void restart() noexcept override;
    void changed(uint32_t block) noexcept override;
    void missed(uint32_t block) noexcept override;
    void used(uint32_t block, Use use) noexcept override;
    void entered(uint32_t block) noexcept override;
    void left(uint32_t block) noexcept override;
    void forget(uint32_t block) noexcept override;
    [[nodiscard]] uint32_t reclaim_next() const noexcept override { return reclaim_.first(); }
    [[nodiscard]] Victim victim(const Want &want) const noexcept override;

  private:
    enum class Place : uint8_t { nowhere, once, again, left_once, left_again };
    static constexpr unsigned share_bits = 16;
    static constexpr uint32_t ghosts_once = 0;   // B1
    static constexpr uint32_t ghosts_again = 1;  // B2

    struct Entry {
        Place place = Place::nowhere;
        bool fresh = false;  // fetched, and not used yet
    };

    void put(uint32_t block, Place place) noexcept;
    void trim_ghosts() noexcept;
    [[nodiscard]] uint64_t size(Place place) const noexcept {
        return sizes_[static_cast<size_t>(place)];
    }

    Device &d_;
    VictimQueue &victims_;
    ReclaimQueue &reclaim_;
    IndexLists ghosts_;
    std::vector<Entry> of_;  // by block
    std::array<uint32_t, 5> sizes_{};
    uint64_t share_ = 0;  // slots that T1 should have, in fixed point
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_POLICY_ARC_H
