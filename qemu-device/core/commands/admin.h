// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_COMMANDS_ADMIN_H
#define KVCPU_CORE_COMMANDS_ADMIN_H

#include <cstdint>

#include "placement/quotas.h"
#include "queues/buffers.h"
#include "queues/command.h"
#include "queues/event_queue.h"
#include "queues/queue_pairs.h"
#include "state/device.h"

namespace kvcpu {

/* The admin commands that give a context its rings and memory, and the set-up of the admin ring. */
class Admin {
  public:
    Admin(Device &device, Quotas &quotas, QueuePairs &pairs, Buffers &buffers, EventQueue &events)
        : d_(device), quotas_(quotas), pairs_(pairs), buffers_(buffers), events_(events) {}

    /* OPEN to RESIDENCY; the context exists and is not being closed. */
    Result execute(const Command &command) noexcept;
    /* Whether ADMIN_* describe a valid ring, and the attempt to enable it. */
    [[nodiscard]] bool is_ring_described() const noexcept;
    bool enable_ring() noexcept;

  private:
    Result open(const Command &command) noexcept;
    Result restart(const Command &command) noexcept;
    Result coalesce(const Command &command) noexcept;
    Result quota(const Command &command) noexcept;
    Result residency(const Command &command) noexcept;
    Result attach(uint16_t context, const QueueSetup &setup) noexcept;
    [[nodiscard]] QueueSetup admin_ring() const noexcept;
    struct Quota {
        uint32_t min = 0;
        uint32_t max = no_maximum;
    };
    [[nodiscard]] bool read_quota(uint64_t word, Quota &quota) const noexcept;
    void set_quota(uint16_t context, const Quota &quota) noexcept;
    [[nodiscard]] bool read_coalescing(uint64_t word, Coalescing &coalescing) const noexcept;

    Device &d_;
    Quotas &quotas_;
    QueuePairs &pairs_;
    Buffers &buffers_;
    EventQueue &events_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_COMMANDS_ADMIN_H
