// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_COMMANDS_COMMANDS_H
#define KVCPU_CORE_COMMANDS_COMMANDS_H

#include <cstdint>

#include "commands/admin.h"
#include "commands/hints.h"
#include "commands/reclaim.h"
#include "commands/teardown.h"
#include "placement/placement.h"
#include "queues/buffers.h"
#include "queues/command.h"
#include "state/device.h"
#include "transfer/fences.h"
#include "transfer/holds.h"
#include "transfer/pins.h"
#include "util/range.h"

namespace kvcpu {

/* The parts that execute commands. */
struct CommandParts {
    Placement &placement;
    Fences &fences;
    Buffers &buffers;
    Admin &admin;
    Pins &pins;
    Hints &hints;
    Holds &holds;
    Reclaim &reclaim;
    Teardown &teardown;
};

/* Executes commands from the command window and from rings. */
class Commands {
  public:
    Commands(Device &device, const CommandParts &parts) : d_(device), p_(parts) {}

    Result execute(const Command &command) noexcept;
    /* Checks and counts a hint of a ring. SUCCESS: the hint may begin. */
    kvcpu_status begin_hint(const Command &command) noexcept;

    /* An entry that names this block follows. */
    void warm_cache(uint64_t first) const noexcept {
        if (first < d_.block_count()) {
            __builtin_prefetch(&d_.at(static_cast<uint32_t>(first)), 1);
            p_.placement.warm_cache(static_cast<uint32_t>(first));
        }
    }
    void warm_cache_deep(uint64_t first) const noexcept {
        if (first < d_.block_count()) {
            p_.placement.warm_cache_deep(static_cast<uint32_t>(first));
        }
    }

  private:
    [[nodiscard]] kvcpu_status check_head(const Command &command) const noexcept;
    void account(const Command &command, const Result &result) noexcept;
    Result dispatch(const Command &command) noexcept;
    [[nodiscard]] bool is_in_space(const Command &command, uint64_t count) const noexcept;
    [[nodiscard]] kvcpu_status check_range(const Command &command, uint64_t count,
                                           Range &range) const noexcept;

    Result alloc(const Command &command) noexcept;
    void make_space(uint32_t count) noexcept;
    Result free_blocks(const Command &command) noexcept;
    Result pin(const Command &command) noexcept;
    Result unpin(const Command &command) noexcept;
    Result copy(const Command &command) noexcept;
    Result fence(const Command &command) noexcept;
    Result hold(const Command &command) noexcept;
    Result unhold(const Command &command) noexcept;

    void hand_out(const Command &command, uint32_t block, uint32_t index) noexcept;
    [[nodiscard]] kvcpu_dma_result transfer(const Command &command, const Block &block,
                                            bool write) noexcept;
    void written(uint32_t block) noexcept;

    Device &d_;
    CommandParts p_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_COMMANDS_COMMANDS_H
