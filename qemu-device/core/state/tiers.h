// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_STATE_TIERS_H
#define KVCPU_CORE_STATE_TIERS_H

#include <cstdint>
#include <cstring>

#include "state/host.h"

namespace kvcpu {

/* The bytes of both tiers. Each function that changes bytes notifies the host. */
class Tiers {
  public:
    Tiers(const Host &host, void *fast, void *slow, uint64_t block_size)
        : host_(host),
          fast_(static_cast<uint8_t *>(fast)),
          slow_(static_cast<uint8_t *>(slow)),
          block_size_(block_size) {}

    /* False in a simulation without content. The pointers below are not valid then. */
    [[nodiscard]] bool hold_bytes() const noexcept { return slow_ != nullptr; }
    [[nodiscard]] uint8_t *slot(uint32_t slot) const noexcept { return fast_ + slot * block_size_; }
    [[nodiscard]] uint8_t *backing(uint32_t block) const noexcept {
        return slow_ + block * block_size_;
    }

    void fetch(uint32_t block, uint32_t slot_number) noexcept {
        if (!hold_bytes()) {
            return;
        }
        std::memcpy(slot(slot_number), backing(block), block_size_);
        host_.tier_written(KVCPU_TIER_FAST, slot_number * block_size_, block_size_);
    }
    void write_back(uint32_t slot_number, uint32_t block) noexcept {
        if (!hold_bytes()) {
            return;
        }
        std::memcpy(backing(block), slot(slot_number), block_size_);
        host_.tier_written(KVCPU_TIER_SLOW, block * block_size_, block_size_);
    }
    void zero_slot(uint32_t slot_number) noexcept {
        if (!hold_bytes()) {
            return;
        }
        std::memset(slot(slot_number), 0, block_size_);
        host_.tier_written(KVCPU_TIER_FAST, slot_number * block_size_, block_size_);
    }
    void zero_backing(uint32_t block) noexcept {
        if (!hold_bytes()) {
            return;
        }
        std::memset(backing(block), 0, block_size_);
        host_.tier_written(KVCPU_TIER_SLOW, block * block_size_, block_size_);
    }

  private:
    const Host &host_;
    uint8_t *fast_;
    uint8_t *slow_;
    uint64_t block_size_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_STATE_TIERS_H
