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
 * Cached blocks that are dropped to make space. Their owners learn of it when they ask, and are
 * handed out no block before they have: so that no number can mean another block to them than
 * they believe.
 */
class Reclaim {
  public:
    Reclaim(Device &device, Placement &placement, EventQueue &events)
        : d_(device),
          placement_(placement),
          events_(events),
          notices_(device.block_count(), static_cast<uint32_t>(device.contexts.size())) {}

    void clear() noexcept { notices_.clear(); }

    /* The least valuable block, for an ALLOC that lacks space; no_block if there is none. */
    [[nodiscard]] uint32_t next() const noexcept { return placement_.policy().drop_next(); }
    /* The block's owner has lost it: it is being given up. */
    void dropped(uint32_t block, uint16_t owner) noexcept;
    /* The next run of blocks that the context has lost. */
    Result take(uint16_t context) noexcept;
    /* Takes note of all, for a context that is closed; as many as the budget allows. */
    void take_all(uint16_t context, uint32_t &budget) noexcept;

  private:
    void take_one(uint16_t context, uint32_t block) noexcept;

    Device &d_;
    Placement &placement_;
    EventQueue &events_;
    IndexLists notices_;  // a list a context
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_COMMANDS_RECLAIM_H
