// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_CORE_H
#define KVCPU_CORE_CORE_H

#include <cstdint>

#include "commands/admin.h"
#include "queues/buffers.h"
#include "commands/commands.h"
#include "state/device.h"
#include "queues/event_queue.h"
#include "transfer/fences.h"
#include "commands/hints.h"
#include "transfer/holds.h"
#include "kvcpu_core.h"
#include "transfer/mover.h"
#include "transfer/pins.h"
#include "placement/placement.h"
#include "queues/queue_pairs.h"
#include "state/registers.h"
#include "queues/completions.h"
#include "transfer/steps.h"
#include "commands/ring_scheduler.h"

namespace kvcpu {

/* The device: entry points of the seam, what registers mean, and the course of time. */
class Core {
  public:
    Core(const kvcpu_config &config, const kvcpu_host_ops &ops, void *opaque, void *fast,
         void *slow);

    uint64_t read(uint64_t offset, unsigned bytes) noexcept;
    void write(uint64_t offset, uint64_t value, unsigned bytes) noexcept;
    void timer() noexcept;
    void reset(kvcpu_reset_kind kind) noexcept;

  private:
    /* Works off, instant by instant, what virtual time has brought until now. */
    void advance() noexcept;
    void take_new_work() noexcept;
    void arm_timer() noexcept;
    [[nodiscard]] uint64_t next_instant() const noexcept;
    [[nodiscard]] uint64_t next_interrupt() const noexcept;
    [[nodiscard]] uint32_t doorbell_pages() const noexcept {
        return static_cast<uint32_t>(d_.contexts.size());
    }
    [[nodiscard]] uint64_t next_wake_up() const noexcept;

    void reset_blocks(kvcpu_reset_kind kind) noexcept;
    void reset_parts() noexcept;

    void stop_faulty_rings() noexcept;

    void refuse(kvcpu_counter why, uint64_t offset, uint64_t value) noexcept;
    /* Returns whether the register or doorbell took it. */
    bool write_target(const Target &target, uint64_t offset, uint64_t value) noexcept;
    [[nodiscard]] bool ring_doorbell(const Doorbell &doorbell, uint64_t value) noexcept;
    void enable_queues(uint64_t value) noexcept;
    [[nodiscard]] uint64_t read_target(const Target &target) const noexcept;
    [[nodiscard]] uint64_t read_register(Reg reg) const noexcept;
    [[nodiscard]] uint64_t read_geometry(Reg reg) const noexcept;
    [[nodiscard]] uint64_t read_block(Reg reg) const noexcept;
    [[nodiscard]] uint64_t read_context(Reg reg) const noexcept;
    [[nodiscard]] uint64_t read_history(Reg reg) const noexcept;
    [[nodiscard]] bool is_acceptable(Reg reg, uint64_t value) const noexcept;
    void write_register(Reg reg, uint64_t value) noexcept;
    void hint_bytes(kvcpu_opcode opcode, uint16_t flags, uint64_t address, uint64_t length,
                    uint64_t arg) noexcept;
    void control(uint64_t value) noexcept;
    void set_policy(uint64_t value) noexcept;

    Device d_;
    Placement placement_;
    EventQueue events_;
    QueuePairs pairs_;
    Replies replies_;
    Fences fences_;
    Buffers buffers_;
    Admin admin_;
    Pins pins_;
    Mover mover_;
    Holds holds_;
    Steps steps_;
    Hints hints_;
    Commands commands_;
    Turns turns_;
    uint64_t last_result_ = 0;
    History::Position found_;
    uint64_t armed_ns_ = KVCPU_TIMER_OFF;
    bool entered_ = false;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_CORE_H
