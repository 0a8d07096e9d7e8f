// SPDX-License-Identifier: GPL-2.0-or-later
#include "life.h"

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

using Row = std::array<StateSet, KVCPU_BLOCK_OCCURRENCE_COUNT>;

/* Columns in the order of KVCPU_BLOCK_OCCURRENCES, rows in that of KVCPU_BLOCK_STATES. */
// clang-format off
constexpr std::array<Row, KVCPU_BLOCK_STATE_COUNT> table = {{
    /*                  ALLOC  FREE   SCRUBBED F.START F.DONE C.START EVICT    W.DONE CLAIM */
    /* FREE */        {{home,  never, never,   fetch,  never, never,  never,   never, never}},
    /* SCRUBBING */   {{never, never, free_,   never,  never, never,  never,   never, never}},
    /* HOME */        {{never, scrub, never,   fetch,  never, never,  never,   never, never}},
    /* FETCHING */    {{never, scrub, never,   never,  fast,  never,  never,   never, never}},
    /* FAST */        {{fast,  scrub, never,   never,  never, wback,  evicted, never, fast}},
    /* WRITING_BACK */{{never, scrub, never,   never,  never, never,  leave,   fast,  wback}},
    /* LEAVING */     {{never, scrub, never,   never,  never, never,  never,   home,  StateSet{fast | wback}}},
}};
// clang-format on

}  // namespace

StateSet life_after(kvcpu_block_state state, kvcpu_block_occurrence occurrence) {
    return table.at(state).at(occurrence);
}

}  // namespace kvcpu
