// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_COMMANDS_COMMANDS_H
#define KVCPU_CORE_COMMANDS_COMMANDS_H

#include <cstdint>

#include "commands/admin.h"
#include "commands/hints.h"
#include "commands/reclaim.h"
#include "placement/placement.h"
#include "queues/buffers.h"
#include "queues/command.h"
#include "queues/completions.h"
#include "queues/event_queue.h"
#include "queues/queue_pairs.h"
#include "state/device.h"
#include "transfer/fences.h"
#include "transfer/holds.h"
#include "transfer/mover.h"
#include "transfer/pins.h"
#include "util/range.h"

namespace kvcpu {

/* What commands are carried out with. */
struct CommandParts {
    Placement &placement;
    QueuePairs &pairs;
    Completions &completions;
    Fences &fences;
    Buffers &buffers;
    Admin &admin;
    Pins &pins;
    Mover &mover;
    Hints &hints;
    Holds &holds;
    EventQueue &events;
};

/* Executes commands, whichever way they came. */
class Commands {
  public:
    Commands(Device &device, const CommandParts &parts)
        : d_(device), p_(parts), reclaim_(device, parts.placement, parts.events) {}

    void clear() noexcept {
        closing_ = 0;
        reclaim_.clear();
    }
    Result execute(const Command &command) noexcept;
    /* Of a ring's hint: the checks before it, and what is counted. SUCCESS: it may begin. */
    kvcpu_status begin_hint(const Command &command) noexcept;

    /* An entry that names this block is about to come. */
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

    /* A ring that something is wrong with. */
    void stop_ring(uint16_t context) noexcept;
    /* The admin ring is switched off. */
    void close_admin_ring() noexcept;

    /* Contexts are closed in batches, too. */
    void resume_closing() noexcept;
    [[nodiscard]] uint64_t next_batch() const noexcept {
        return closing_ == 0 ? KVCPU_TIMER_OFF : due_ns_;
    }

  private:
    [[nodiscard]] kvcpu_status check_head(const Command &command) const noexcept;
    void account(const Command &command, const Result &result) noexcept;
    void end_waits_of_ring(uint16_t context) noexcept;
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
    Result close(const Command &command) noexcept;

    void hand_out(const Command &command, uint32_t block, uint32_t index) noexcept;
    void give_up(uint32_t block) noexcept;
    [[nodiscard]] kvcpu_dma_result transfer(const Command &command, const Block &block,
                                            bool write) noexcept;
    void written(uint32_t block) noexcept;
    void close_batch(uint16_t context, uint32_t &budget) noexcept;
    void finish_close(uint16_t context) noexcept;

    Device &d_;
    CommandParts p_;
    Reclaim reclaim_;
    uint32_t closing_ = 0;
    uint64_t due_ns_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_COMMANDS_COMMANDS_H
