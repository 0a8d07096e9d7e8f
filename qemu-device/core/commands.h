// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_COMMANDS_H
#define KVCPU_CORE_COMMANDS_H

#include <cstdint>

#include "completions.h"
#include "device.h"
#include "drops.h"
#include "hints.h"
#include "mover.h"
#include "pins.h"
#include "placement.h"

namespace kvcpu {

/* The words of the command window, taken apart. */
struct Command {
    uint16_t opcode = 0;
    uint16_t flags = 0;
    uint16_t reserved = 0;
    uint16_t context = 0;
    uint64_t first = 0;
    uint64_t count = 0;
    uint64_t arg = 0;
    uint64_t address = 0;
    uint32_t offset = 0;
    uint32_t length = 0;
    uint64_t meta = 0;
    uint64_t tag = 0;

    [[nodiscard]] static Command from(const RegisterValues &registers) noexcept;
};

/* Executes what the command window holds. */
class Commands {
  public:
    Commands(Device &device, Placement &placement, Completions &completions, Pins &pins,
             Mover &mover, Hints &hints);

    void clear() noexcept {
        closing_ = 0;
        drops_.clear();
    }
    Result execute(const Command &command) noexcept;

    /* Contexts are closed in portions, too. */
    void resume_closing() noexcept;
    [[nodiscard]] uint64_t next_portion() const noexcept {
        return closing_ == 0 ? KVCPU_TIMER_OFF : due_ns_;
    }

  private:
    [[nodiscard]] kvcpu_status check_head(const Command &command) const noexcept;
    Result dispatch(const Command &command) noexcept;
    [[nodiscard]] kvcpu_status check_range(const Command &command, uint64_t count,
                                           Range &range) const noexcept;

    Result alloc(const Command &command) noexcept;
    void make_space(uint32_t count) noexcept;
    Result free_blocks(const Command &command) noexcept;
    Result pin(const Command &command) noexcept;
    Result unpin(const Command &command) noexcept;
    Result copy(const Command &command) noexcept;
    Result close(const Command &command) noexcept;

    void hand_out(const Command &command, uint32_t block, uint32_t index) noexcept;
    void give_up(uint32_t block) noexcept;
    [[nodiscard]] kvcpu_dma_result transfer(const Command &command, const Block &block,
                                            bool write) const noexcept;
    void written(uint32_t block) noexcept;
    void close_portion(uint16_t context, uint32_t &budget) noexcept;
    void finish_close(uint16_t context) noexcept;

    Device &d_;
    Placement &placement_;
    Completions &completions_;
    Pins &pins_;
    Mover &mover_;
    Hints &hints_;
    Drops drops_;
    uint32_t closing_ = 0;
    uint64_t due_ns_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_COMMANDS_H
