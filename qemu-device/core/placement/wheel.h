// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_PLACEMENT_WHEEL_H
#define KVCPU_CORE_PLACEMENT_WHEEL_H

#include <cstdint>

#include "state/device.h"
#include "util/index_lists.h"

namespace kvcpu {

/*
 * The times at which blocks must be examined: one timing wheel per context, advanced by the
 * context's clock. A block whose time is beyond the range of the wheel is examined once per
 * revolution, and inserted again.
 */
class Wheel {
  public:
    explicit Wheel(Device &device)
        : d_(device),
          rings_(device.block_count(),
                 static_cast<uint32_t>(device.contexts.size()) * lists_per_context) {}

    void clear() noexcept {
        rings_.clear();
        for (Block &block : d_.blocks) {
            block.due = false;
        }
    }

    // Has the block examined in its context's next STEP, even if that STEP does not advance the
    // clock.
    void at_next_step(uint32_t block) noexcept {
        Block &b = d_.at(block);
        if (!b.due) {
            b.due = true;
            rings_.push_back(due_list(b.owner), block);
        }
    }
    // Has the block examined when the clock reaches `at`, or at the next STEP if `at` is in the
    // past.
    void set(uint32_t block, uint64_t clock) noexcept {
        d_.at(block).due = false;
        const uint64_t next = d_.context_of(block).clock + 1;
        const uint64_t due = std::clamp(clock, next, next + reach - 1);
        rings_.push_back(list(d_.at(block).owner, due % reach), block);
    }
    // Removes the block. Must also be called before the block changes owner.
    void forget(uint32_t block) noexcept {
        d_.at(block).due = false;
        rings_.remove(block);
    }

    void warm_cache(uint32_t block) const noexcept { rings_.warm_cache(block); }
    void warm_cache_deep(uint32_t block) const noexcept { rings_.warm_neighbours(block); }

    // Collects the blocks that are due after the clock has advanced from `before`.
    void advance(uint16_t context, uint64_t before) noexcept {
        const uint64_t after = d_.contexts[context].clock;
        const uint64_t steps = std::min(after - before, uint64_t{reach});
        for (uint64_t clock = after - steps + 1; clock <= after; ++clock) {
            rings_.splice(list(context, clock % reach), due_list(context));
        }
    }
    // Removes and returns one of the collected blocks, or no_block.
    uint32_t take_due(uint16_t context) noexcept {
        const uint32_t block = rings_.front(due_list(context));
        if (block != IndexLists::none) {
            forget(block);
        }
        return block;
    }

  private:
    static constexpr uint32_t reach = 512;  // more than the ages at which a score changes
    static constexpr uint32_t lists_per_context = reach + 1;
    static_assert(IndexLists::none == no_block);

    [[nodiscard]] static uint32_t list(uint16_t context, uint64_t slot) noexcept {
        return context * lists_per_context + static_cast<uint32_t>(slot);
    }
    [[nodiscard]] static uint32_t due_list(uint16_t context) noexcept {
        return list(context, reach);
    }

    Device &d_;
    IndexLists rings_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_WHEEL_H
