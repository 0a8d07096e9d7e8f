// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_CORE_H
#define KVCPU_CORE_CORE_H

#include <cstdint>

#include "commands/admin.h"
#include "commands/commands.h"
#include "commands/hints.h"
#include "commands/reclaim.h"
#include "commands/ring_scheduler.h"
#include "commands/teardown.h"
#include "kvcpu_core.h"
#include "placement/placement.h"
#include "queues/buffers.h"
#include "queues/completions.h"
#include "queues/event_queue.h"
#include "queues/queue_pairs.h"
#include "register_file.h"
#include "state/device.h"
#include "state/registers.h"
#include "transfer/fences.h"
#include "transfer/holds.h"
#include "transfer/mover.h"
#include "transfer/pins.h"
#include "transfer/steps.h"

namespace kvcpu {

/* The device: the entry points of the C API, virtual time, and reset. */
class Core final : private ResetLine {
  public:
    Core(const kvcpu_config &config, const kvcpu_host_ops &ops, void *opaque, void *fast,
         void *slow);

    uint64_t read(uint64_t offset, unsigned bytes) noexcept;
    void write(uint64_t offset, uint64_t value, unsigned bytes) noexcept;
    void timer() noexcept;
    void reset(kvcpu_reset_kind kind) noexcept;

  private:
    /* Handles, in order, all instants that virtual time has reached. */
    void advance() noexcept;
    void take_new_work() noexcept;
    void arm_timer() noexcept;
    [[nodiscard]] uint64_t next_instant() const noexcept;
    [[nodiscard]] uint64_t next_interrupt() const noexcept;
    [[nodiscard]] uint64_t next_wake_up() const noexcept;

    /* Resets the device after a write of CONTROL bit 0. */
    void reset_by_register() noexcept override { reset(KVCPU_RESET_REGISTER); }
    void reset_blocks(kvcpu_reset_kind kind) noexcept;
    void reset_parts() noexcept;

    void stop_faulty_rings() noexcept;

    Device d_;
    Placement placement_;
    EventQueue events_;
    QueuePairs pairs_;
    Completions completions_;
    Fences fences_;
    Buffers buffers_;
    Admin admin_;
    Pins pins_;
    Mover mover_;
    Holds holds_;
    Steps steps_;
    Hints hints_;
    Reclaim reclaim_;
    Teardown teardown_;
    Commands commands_;
    RingScheduler scheduler_;
    RegisterFile registers_;
    uint64_t armed_ns_ = KVCPU_TIMER_OFF;
    bool entered_ = false;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_CORE_H
