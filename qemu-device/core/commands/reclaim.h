// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_COMMANDS_RECLAIM_H
#define KVCPU_CORE_COMMANDS_RECLAIM_H

#include <cstdint>

#include "placement/placement.h"
#include "queues/event_queue.h"
#include "state/completion_target.h"
#include "state/device.h"
#include "util/index_lists.h"

namespace kvcpu {

/*
 * Cached blocks that are reclaimed when ALLOC needs space. A context acknowledges its reclaimed
 * blocks by RECLAIMED commands. Until then its ALLOC ends as AGAIN, so that it does not get a new
 * block whose number it still takes for an older block.
 */
class Reclaim {
  public:
    Reclaim(Device &device, Placement &placement, EventQueue &events)
        : d_(device),
          placement_(placement),
          events_(events),
          notices_(device.block_count(), static_cast<uint32_t>(device.contexts.size())) {}

    void clear() noexcept { notices_.clear(); }

    /* The block to reclaim next when ALLOC needs space; no_block if no block may be reclaimed. */
    [[nodiscard]] uint32_t next() const noexcept { return placement_.policy().reclaim_next(); }
    /* Records that the block was reclaimed from its owner. */
    void add(uint32_t block, uint16_t owner) noexcept;
    /* Returns the next run of blocks reclaimed from the context, and acknowledges it. */
    Result acknowledge(uint16_t context) noexcept;
    /* For a context that is being closed: acknowledges all, as far as the budget allows. */
    void acknowledge_all(uint16_t context, uint32_t &budget) noexcept;

  private:
    void acknowledge_one(uint16_t context, uint32_t block) noexcept;

    Device &d_;
    Placement &placement_;
    EventQueue &events_;
    IndexLists notices_;  // one list per context
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_COMMANDS_RECLAIM_H
