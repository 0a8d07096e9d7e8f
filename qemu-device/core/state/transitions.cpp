// SPDX-License-Identifier: GPL-2.0-or-later
#include "state/transitions.h"

#include <array>

namespace kvcpu {

namespace {

constexpr StateSet never = 0;
constexpr StateSet free_ = states(KVCPU_BS_FREE);
constexpr StateSet scrub = states(KVCPU_BS_SCRUBBING);
constexpr StateSet slow = states(KVCPU_BS_SLOW);
constexpr StateSet fetch = states(KVCPU_BS_FETCHING);
constexpr StateSet fast = states(KVCPU_BS_FAST);
constexpr StateSet wback = states(KVCPU_BS_WRITING_BACK);
constexpr StateSet leave = states(KVCPU_BS_EVICTING);
constexpr StateSet evicted = slow | free_ | leave;
constexpr StateSet kept = fast | wback;

using Row = std::array<StateSet, KVCPU_BLOCK_EVENT_COUNT>;

/* Columns in the order of KVCPU_BLOCK_EVENTS, rows in that of KVCPU_BLOCK_STATES. */
// clang-format off
constexpr std::array<Row, KVCPU_BLOCK_STATE_COUNT> table = {{
    /*                  ALLOC  FREE   SCRUBBED F.START F.DONE C.START EVICT    W.DONE CLAIM  HOLD   UNHOLD REVOKE */
    /* FREE */        {{slow,  never, never,   fetch,  never, never,  never,   never, never, never, never, never}},
    /* SCRUBBING */   {{never, never, free_,   never,  never, never,  never,   never, never, never, scrub, scrub}},
    /* SLOW */        {{never, scrub, never,   fetch,  never, never,  never,   never, never, slow,  slow,  slow}},
    /* FETCHING */    {{never, scrub, never,   never,  fast,  never,  never,   never, never, never, never, never}},
    /* FAST */        {{fast,  scrub, never,   never,  never, wback,  evicted, never, fast,  fast,  fast,  fast}},
    /* WRITING_BACK */{{never, scrub, never,   never,  never, never,  leave,   fast,  wback, wback, wback, wback}},
    /* EVICTING */     {{never, scrub, never,   never,  never, never,  never,   slow,  kept,  fast,  never, never}},
}};
// clang-format on

}  // namespace

HeldRule held_rule(kvcpu_block_event event, bool for_writing) {
    switch (event) {
        case KVCPU_BE_ALLOC:
        case KVCPU_BE_SCRUBBED:
        case KVCPU_BE_FETCH_DONE:
            return HeldRule::never;
        case KVCPU_BE_FETCH_START:
        case KVCPU_BE_EVICT:
            return HeldRule::revoke;
        case KVCPU_BE_CLEAN_START:
            return for_writing ? HeldRule::revoke : HeldRule::yes;
        default:
            return HeldRule::yes;
    }
}

StateSet states_after(kvcpu_block_state state, kvcpu_block_event event) {
    return table.at(state).at(event);
}

}  // namespace kvcpu
