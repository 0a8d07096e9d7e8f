// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_COMMANDS_TEARDOWN_H
#define KVCPU_CORE_COMMANDS_TEARDOWN_H

#include <cstdint>

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

namespace kvcpu {

/* The parts that hold resources of a block, ring or context. */
struct TeardownParts {
    Placement &placement;
    QueuePairs &pairs;
    Completions &completions;
    Fences &fences;
    Buffers &buffers;
    Pins &pins;
    Mover &mover;
    Hints &hints;
    Holds &holds;
    Reclaim &reclaim;
    EventQueue &events;
};

/*
 * Ends blocks, rings and contexts. A context is closed in batches, as it may own every block; until
 * the last batch its number is not used again.
 */
class Teardown {
  public:
    Teardown(Device &device, const TeardownParts &parts) : d_(device), p_(parts) {}

    void clear() noexcept { closing_ = 0; }

    /* Takes a block from its owner, for FREE, CLOSE and reclaim. The block must not be pinned. */
    void free_block(uint32_t block) noexcept;
    /* Stops a ring after an error; the kernel is notified. */
    void stop_ring(uint16_t context) noexcept;
    void close_admin_ring() noexcept;
    /* Executes CLOSE: PENDING, or BUSY if there is no place for its completion. */
    Result close(const Command &command) noexcept;

    /* Executes the next batch of the contexts that are being closed, once it is due. */
    void resume() noexcept;
    /* When the next batch is due, in virtual ns. */
    [[nodiscard]] uint64_t next_batch() const noexcept {
        return closing_ == 0 ? KVCPU_TIMER_OFF : due_ns_;
    }

  private:
    void end_waits_of_ring(uint16_t context) noexcept;
    void close_batch(uint16_t context, uint32_t &budget) noexcept;
    void finish_close(uint16_t context) noexcept;

    Device &d_;
    TeardownParts p_;
    uint32_t closing_ = 0;  // contexts that are being closed
    uint64_t due_ns_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_COMMANDS_TEARDOWN_H
