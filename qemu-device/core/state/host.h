// SPDX-License-Identifier: GPL-2.0-or-later
// The core's interface to its host.
#ifndef KVCPU_CORE_STATE_HOST_H
#define KVCPU_CORE_STATE_HOST_H

#include <cstdint>

#include "kvcpu_core.h"

namespace kvcpu {

/* The host operations, with the opaque pointer bound. */
class Host {
  public:
    Host(const kvcpu_host_ops &ops, void *opaque) : ops_(ops), opaque_(opaque) {}

    [[nodiscard]] uint64_t now() const noexcept { return ops_.now(opaque_); }
    void set_timer(uint64_t deadline_ns) const noexcept { ops_.set_timer(opaque_, deadline_ns); }
    kvcpu_dma_result dma_read(uint64_t address, void *to, uint64_t bytes) const noexcept {
        return ops_.dma_read(opaque_, address, to, bytes);
    }
    kvcpu_dma_result dma_write(uint64_t address, const void *from, uint64_t bytes) const noexcept {
        return ops_.dma_write(opaque_, address, from, bytes);
    }
    void notify(unsigned vector) const noexcept { ops_.notify(opaque_, vector); }
    void tier_written(kvcpu_tier tier, uint64_t offset, uint64_t bytes) const noexcept {
        ops_.tier_written(opaque_, tier, offset, bytes);
    }
    /* Only a simulator has this operation. */
    [[nodiscard]] bool knows_the_future() const noexcept { return ops_.next_use != nullptr; }
    [[nodiscard]] uint64_t next_use(uint32_t block) const noexcept {
        return ops_.next_use(opaque_, block);
    }
    void event(const kvcpu_event &event) const noexcept { ops_.event(opaque_, &event); }

  private:
    kvcpu_host_ops ops_;
    void *opaque_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_STATE_HOST_H
