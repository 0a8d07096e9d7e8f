// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_STATE_CONTEXT_H
#define KVCPU_CORE_STATE_CONTEXT_H

#include <algorithm>
#include <cstdint>

#include "state/completion_target.h"

namespace kvcpu {

/* The most steps that a lease or target may lie ahead, and that the clock advances at once. */
inline constexpr uint64_t step_distance_max = uint64_t{1} << 40;
inline constexpr uint32_t no_maximum = UINT32_MAX;  // of slots

/*
 * An owner of blocks, with its clock of decode steps.
 *
 * The clock advances with the step and never goes back, so that ages, leases and targets keep
 * their distance over a new epoch. It starts at 1, which leaves 0 for "before".
 */
struct Context {
    uint64_t step = 0;
    uint64_t clock = 1;
    uint32_t owned = 0;
    uint32_t unacknowledged = 0;  // reclaimed blocks that it has not acknowledged
    uint32_t held = 0;            // blocks that it holds
    uint32_t map_parts = 0;       // of its residency map
    uint32_t slots_used = 0;      // slots with its blocks; blocks in scrub count for context 0
    uint32_t slots_evicting = 0;  // of those: in EVICTING, or with a REVOKE pending
    uint32_t slots_min = 0;
    uint32_t slots_max = no_maximum;
    bool stuck =
        false;  // at its maximum with no block to evict; valid during one search of the mover
    uint32_t scored = 0;  // generation of the weights of its blocks' latest scores
    bool closing = false;
    CompletionTarget close_completion = {};
    uint32_t close_next = 0;  // the next block that CLOSE examines

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
