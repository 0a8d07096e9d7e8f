// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_COMMANDS_RING_SCHEDULER_H
#define KVCPU_CORE_COMMANDS_RING_SCHEDULER_H

#include <array>
#include <cstdint>

#include "commands/commands.h"
#include "commands/hints.h"
#include "queues/queue_pairs.h"
#include "state/device.h"

namespace kvcpu {

/*
 * Serves the rings: accepts doorbells, gives each ring slices in round-robin order, executes its
 * entries, and stops it after an error. See "Queue pairs" in the specification.
 */
class RingScheduler {
  public:
    RingScheduler(Device &device, QueuePairs &pairs, Commands &commands, Hints &hints)
        : d_(device), pairs_(pairs), commands_(commands), hints_(hints) {}

    void clear() noexcept { next_slice_ns_ = 0; }

    /* False if the value is invalid, or the ring is not running. */
    bool advance_tail(uint16_t context, uint64_t tail) noexcept;
    bool advance_head(uint16_t context, uint64_t head) noexcept;

    void resume() noexcept;
    [[nodiscard]] uint64_t next() const noexcept {
        return std::min(pairs_.next_delayed(),
                        pairs_.is_any_ready() ? next_slice_ns_ : KVCPU_TIMER_OFF);
    }

  private:
    /* The most entries that are copied at once. */
    static constexpr uint32_t batch = 64;
    /*
     * How many entries ahead of execution a block is prefetched into the CPU cache: first the
     * block's entry, then the structures that it points to.
     */
    static constexpr uint32_t far_ahead = 16;
    static constexpr uint32_t near_ahead = 8;

    void serve() noexcept;
    /* Returns the cost of the slice. */
    uint32_t serve_slice(uint16_t context) noexcept;
    /* False: the ring pauses, or the entry is not complete yet. */
    bool execute(uint16_t context, const Entry &entry, uint32_t &budget) noexcept;
    bool hint(uint16_t context, const Command &command, uint32_t &budget) noexcept;
    /* The most frequent entry: a valid hint of one block. */
    [[nodiscard]] bool is_plain_hint(uint16_t context, const Entry &entry) const noexcept;
    void plain_hint(uint16_t context, const Entry &entry, uint32_t &budget) noexcept;
    bool go_on_with_hint(uint16_t context, uint32_t &budget) noexcept;
    void ended(uint16_t context, const CompletionTarget &completion, const Result &result) noexcept;
    [[nodiscard]] uint32_t cost_of(const Command &command) const noexcept;
    [[nodiscard]] bool has_work(uint16_t context) const noexcept;

    Device &d_;
    QueuePairs &pairs_;
    Commands &commands_;
    Hints &hints_;
    std::array<Entry, batch> entries_{};
    uint64_t next_slice_ns_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_COMMANDS_RING_SCHEDULER_H
