// SPDX-License-Identifier: GPL-2.0-or-later
// The table of states and events: "Block states" in docs/device-spec.md.
#ifndef KVCPU_CORE_STATE_TRANSITIONS_H
#define KVCPU_CORE_STATE_TRANSITIONS_H

#include <cstdint>

#include "kvcpu_hw.h"

namespace kvcpu {

/* A set of states, one bit each. */
using StateSet = uint8_t;

constexpr StateSet states(auto... state) {
    return static_cast<StateSet>((0U | ... | (1U << static_cast<unsigned>(state))));
}

/* The states that may follow an event; empty if the event cannot occur in this state. */
[[nodiscard]] StateSet states_after(kvcpu_block_state state, kvcpu_block_event event);

[[nodiscard]] inline bool is_transition_allowed(kvcpu_block_state from, kvcpu_block_event event,
                                                kvcpu_block_state to) {
    return (states_after(from, event) & states(to)) != 0;
}

/*
 * Whether the event may occur while the block is held ("Holds and revocation" in the
 * specification): yes, only after the hold is released, or never.
 */
enum class HeldRule : uint8_t { yes, revoke, never };
[[nodiscard]] HeldRule held_rule(kvcpu_block_event event, bool for_writing);

}  // namespace kvcpu

#endif  // KVCPU_CORE_STATE_TRANSITIONS_H
