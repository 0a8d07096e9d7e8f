// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_STATE_OCCUPANCY_H
#define KVCPU_CORE_STATE_OCCUPANCY_H

#include <array>
#include <cstdint>
#include <vector>

#include "state/block.h"
#include "state/registers.h"

namespace kvcpu {

[[nodiscard]] constexpr uint8_t occupancy_index(Reg reg) noexcept {
    return static_cast<uint8_t>(static_cast<unsigned>(reg) -
                                static_cast<unsigned>(Reg::OCCUPANCY_FREE));
}

/* The number of blocks by place, one for each OCCUPANCY_* register. The sum is all blocks. */
class Occupancy {
  public:
    explicit Occupancy(std::size_t blocks) : kind_(blocks, occupancy_index(Reg::OCCUPANCY_FREE)) {
        counts_[0] = static_cast<uint32_t>(blocks);
    }

    /* Must be called after a change of the block's state, pin count or dirty flag. */
    void recount(uint32_t block, const Block &now) noexcept {
        const uint8_t kind = kind_of(now);
        if (kind != kind_[block]) {
            --counts_[kind_[block]];
            ++counts_[kind];
            kind_[block] = kind;
        }
    }
    [[nodiscard]] static bool has(Reg reg) noexcept {
        return reg >= Reg::OCCUPANCY_FREE && reg <= Reg::OCCUPANCY_EVICTING;
    }
    [[nodiscard]] uint64_t value(Reg reg) const noexcept { return counts_[occupancy_index(reg)]; }

  private:
    [[nodiscard]] static uint8_t kind_of(const Block &block) noexcept {
        switch (block.state) {
            case KVCPU_BS_SCRUBBING:
                return occupancy_index(Reg::OCCUPANCY_SCRUBBING);
            case KVCPU_BS_SLOW:
                return occupancy_index(Reg::OCCUPANCY_SLOW);
            case KVCPU_BS_FETCHING:
                return occupancy_index(Reg::OCCUPANCY_FETCHING);
            case KVCPU_BS_EVICTING:
                return occupancy_index(Reg::OCCUPANCY_EVICTING);
            case KVCPU_BS_FAST:
            case KVCPU_BS_WRITING_BACK:
                return occupancy_index(block.claims > 0 ? Reg::OCCUPANCY_PINNED
                                       : block.dirty    ? Reg::OCCUPANCY_DIRTY
                                                        : Reg::OCCUPANCY_CLEAN);
            default:
                return occupancy_index(Reg::OCCUPANCY_FREE);
        }
    }

    std::array<uint32_t, occupancy_index(Reg::OCCUPANCY_EVICTING) + 1> counts_{};
    std::vector<uint8_t> kind_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_STATE_OCCUPANCY_H
