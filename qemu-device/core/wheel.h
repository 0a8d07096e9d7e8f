// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_WHEEL_H
#define KVCPU_CORE_WHEEL_H

#include <cstdint>

#include "device.h"
#include "rings.h"

namespace kvcpu {

/*
 * When which block is to be looked at: a timing wheel a context, turned by its clock. What lies
 * further ahead than a wheel reaches is looked at once a turn, and put back.
 */
class Wheel {
  public:
    explicit Wheel(Device &device)
        : d_(device),
          rings_(device.block_count(),
                 static_cast<uint32_t>(device.contexts.size()) * lists_per_context) {}

    void clear() noexcept { rings_.clear(); }

    // The block is looked at when its context's clock reaches `clock`, or earlier if it was to be.
    void at_or_before(uint32_t block, uint64_t clock) noexcept {
        if (!rings_.contains(block) || d_.at(block).due > clock) {
            set(block, clock);
        }
    }
    // Exactly then; a clock that is past means at the next step.
    void set(uint32_t block, uint64_t clock) noexcept {
        const Context &context = d_.context_of(block);
        const uint64_t next = context.clock + 1;
        const uint64_t due = std::clamp(clock, next, next + reach - 1);
        d_.at(block).due = due;
        rings_.push_back(list(d_.at(block).owner, due % reach), block);
    }
    // To be called before the block changes owner, too.
    void forget(uint32_t block) noexcept { rings_.remove(block); }

    // Collects what came due when the clock went from `before` to its present value.
    void turn(uint16_t context, uint64_t before) noexcept {
        const uint64_t after = d_.contexts[context].clock;
        const uint64_t steps = std::min(after - before, uint64_t{reach});
        for (uint64_t clock = after - steps + 1; clock <= after; ++clock) {
            rings_.splice(list(context, clock % reach), due_list(context));
        }
    }
    // Takes one of what was collected, or returns no_block.
    uint32_t take_due(uint16_t context) noexcept {
        const uint32_t block = rings_.front(due_list(context));
        if (block != Rings::none) {
            rings_.remove(block);
        }
        return block;
    }

  private:
    static constexpr uint32_t reach = 512;  // more than the ages at which a score changes
    static constexpr uint32_t lists_per_context = reach + 1;
    static_assert(Rings::none == no_block);

    [[nodiscard]] static uint32_t list(uint16_t context, uint64_t slot) noexcept {
        return context * lists_per_context + static_cast<uint32_t>(slot);
    }
    [[nodiscard]] static uint32_t due_list(uint16_t context) noexcept {
        return list(context, reach);
    }

    Device &d_;
    Rings rings_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_WHEEL_H
