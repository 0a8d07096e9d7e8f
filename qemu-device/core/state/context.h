// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_STATE_CONTEXT_H
#define KVCPU_CORE_STATE_CONTEXT_H

#include <algorithm>
#include <cstdint>

#include "state/completion_target.h"

namespace kvcpu {

/* Steps ahead that a lease or target can lie, and that the clock advances at most at once. */
inline constexpr uint64_t step_distance_max = uint64_t{1} << 40;
inline constexpr uint32_t no_maximum = UINT32_MAX;  // of slots

/*
 * An owner of blocks and its course of decode steps.
 *
 * The clock advances with the step and never goes back, so that ages, leases and targets keep
 * their distance over a new epoch. It starts at 1, which leaves 0 for "before".
 */
struct Context {
    uint64_t step = 0;
    uint64_t clock = 1;
    uint32_t owned = 0;
    uint32_t unacknowledged = 0;  // reclaimed blocks that it has not acknowledged
    uint32_t held = 0;            // blocks with holds in its name
    uint32_t map_parts = 0;       // of its residency map
    uint32_t slots_used = 0;      // by its blocks; what is scrubbed is context 0's
    uint32_t slots_evicting = 0;  // those of them that are leaving, or were asked back
    uint32_t slots_min = 0;
    uint32_t slots_max = no_maximum;
    bool stuck =
        false;  // at its maximum with no block to evict; valid during one search of the mover
    uint32_t scored = 0;  // generation of the weights with which all its blocks were looked at
    bool closing = false;
    CompletionTarget close_completion = {};
    uint32_t close_next = 0;  // next block to be looked at

    /* Returns false if this starts a new epoch. */
    bool advance(uint64_t new_step) noexcept {
        const bool forward = new_step >= step;
        if (forward) {
            clock += std::min(new_step - step, step_distance_max);
        }
        step = new_step;
        return forward;
    }

    [[nodiscard]] uint64_t clock_at(uint64_t some_step) const noexcept {
        return some_step > step ? clock + std::min(some_step - step, step_distance_max) : clock;
    }
    [[nodiscard]] uint64_t step_at(uint64_t some_clock) const noexcept {
        return step + (some_clock - clock);
    }
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_STATE_CONTEXT_H
