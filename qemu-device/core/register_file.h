// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_REGISTER_FILE_H
#define KVCPU_CORE_REGISTER_FILE_H

#include <cstdint>

#include "commands/admin.h"
#include "commands/commands.h"
#include "commands/hints.h"
#include "commands/ring_scheduler.h"
#include "commands/teardown.h"
#include "placement/placement.h"
#include "queues/buffers.h"
#include "queues/completions.h"
#include "queues/event_queue.h"
#include "queues/queue_pairs.h"
#include "state/device.h"
#include "state/registers.h"

namespace kvcpu {

/* Resets the whole device, which the register file is a part of. */
class ResetLine {
  public:
    ResetLine() = default;
    ResetLine(const ResetLine &) = delete;
    ResetLine &operator=(const ResetLine &) = delete;
    virtual void reset_by_register() noexcept = 0;

  protected:
    ~ResetLine() = default;
};

/* The parts that registers show and control. */
struct RegisterParts {
    Placement &placement;
    QueuePairs &pairs;
    Completions &completions;
    Buffers &buffers;
    EventQueue &events;
    Admin &admin;
    Hints &hints;
    Commands &commands;
    Teardown &teardown;
    RingScheduler &scheduler;
    ResetLine &reset_line;
};

/* BAR 0: checks an access, reads a register or counter, and dispatches a write. */
class RegisterFile {
  public:
    RegisterFile(Device &device, const RegisterParts &parts) : d_(device), p_(parts) {}

    void clear() noexcept {
        last_result_ = 0;
        found_ = {};
    }
    /* `offset` is in BAR 0; `bytes` is 4 or 8. An access that is refused reads as 0. */
    uint64_t read(uint64_t offset, unsigned bytes) noexcept;
    /* Returns true if the write may have made work for the device. */
    bool write(uint64_t offset, uint64_t value, unsigned bytes) noexcept;
    /* Counts and records a guest error. */
    void refuse(kvcpu_counter why, uint64_t offset, uint64_t value) noexcept;

  private:
    [[nodiscard]] uint32_t doorbell_pages() const noexcept {
        return static_cast<uint32_t>(d_.contexts.size());
    }
    /* Returns true if the register or doorbell accepted the value. */
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

    Device &d_;
    RegisterParts p_;
    uint64_t last_result_ = 0;
    History::Position found_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_REGISTER_FILE_H
