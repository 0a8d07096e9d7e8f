// SPDX-License-Identifier: GPL-2.0-or-later
#include "state/transitions.h"

#include <array>

namespace kvcpu {

namespace {

constexpr StateSet never = 0;
constexpr StateSet free_ = states(KVCPU_BS_FREE);
constexpr StateSet scrub = states(KVCPU_BS_SCRUBBING);
constexpr StateSet home = states(KVCPU_BS_HOME);
constexpr StateSet fetch = states(KVCPU_BS_FETCHING);
constexpr StateSet fast = states(KVCPU_BS_FAST);
constexpr StateSet wback = states(KVCPU_BS_WRITING_BACK);
constexpr StateSet leave = states(KVCPU_BS_LEAVING);
constexpr StateSet evicted = home | free_ | leave;
constexpr StateSet kept = fast | wback;

using Row = std::array<StateSet, KVCPU_BLOCK_OCCURRENCE_COUNT>;

/* Columns in the order of KVCPU_BLOCK_OCCURRENCES, rows in that of KVCPU_BLOCK_STATES. */
// clang-format off
constexpr std::array<Row, KVCPU_BLOCK_STATE_COUNT> table = {{
    /*                  ALLOC  FREE   SCRUBBED F.START F.DONE C.START EVICT    W.DONE CLAIM  HOLD   UNHOLD REVOKE */
    /* FREE */        {{home,  never, never,   fetch,  never, never,  never,   never, never, never, never, never}},
    /* SCRUBBING */   {{never, never, free_,   never,  never, never,  never,   never, never, never, scrub, scrub}},
    /* HOME */        {{never, scrub, never,   fetch,  never, never,  never,   never, never, home,  home,  home}},
    /* FETCHING */    {{never, scrub, never,   never,  fast,  never,  never,   never, never, never, never, never}},
    /* FAST */        {{fast,  scrub, never,   never,  never, wback,  evicted, never, fast,  fast,  fast,  fast}},
    /* WRITING_BACK */{{never, scrub, never,   never,  never, never,  leave,   fast,  wback, wback, wback, wback}},
    /* LEAVING */     {{never, scrub, never,   never,  never, never,  never,   home,  kept,  fast,  never, never}},
}};
// clang-format on

}  // namespace

HeldRule held_rule(kvcpu_block_occurrence occurrence, bool for_writing) {
    switch (occurrence) {
        case KVCPU_BO_ALLOC:
        case KVCPU_BO_SCRUBBED:
        case KVCPU_BO_FETCH_DONE:
            return HeldRule::never;
        case KVCPU_BO_FETCH_START:
        case KVCPU_BO_EVICT:
            return HeldRule::revoke;
        case KVCPU_BO_CLEAN_START:
            return for_writing ? HeldRule::revoke : HeldRule::yes;
        default:
            return HeldRule::yes;
    }
}

StateSet states_after(kvcpu_block_state state, kvcpu_block_occurrence occurrence) {
    return table.at(state).at(occurrence);
}

}  // namespace kvcpu
