// SPDX-License-Identifier: MIT
// Prints the core's state x event table as tests/docs compares it with the specification:
// "transitions|STATE|BLOCK_EVENT|STATES", a dash where it cannot happen; and what a hold changes of
// it: "held|BLOCK_EVENT|READ holds alone|a WRITE hold".
#include <cstdio>
#include <string>

#include "state/transitions.h"

int main() {
    const char *const states[] = {
#define NAME(name, number, what) #name,
        KVCPU_BLOCK_STATES(NAME)};
    const char *const events[] = {KVCPU_BLOCK_EVENTS(NAME)
#undef NAME
    };
    /* The specification names SLOW first, as most blocks are allocated. */
    const unsigned order[] = {KVCPU_BS_SLOW,     KVCPU_BS_FREE, KVCPU_BS_SCRUBBING,
                              KVCPU_BS_FETCHING, KVCPU_BS_FAST, KVCPU_BS_WRITING_BACK,
                              KVCPU_BS_EVICTING};
    for (unsigned from = 0; from < KVCPU_BLOCK_STATE_COUNT; ++from) {
        for (unsigned what = 0; what < KVCPU_BLOCK_EVENT_COUNT; ++what) {
            const unsigned allowed = kvcpu::states_after(static_cast<kvcpu_block_state>(from),
                                                         static_cast<kvcpu_block_event>(what));
            std::string cell;
            for (const unsigned to : order) {
                if ((allowed & (1U << to)) != 0) {
                    cell += (cell.empty() ? "" : ", ") + std::string(states[to]);
                }
            }
            std::printf("transitions|%s|%s|%s\n", states[from], events[what],
                        cell.empty() ? "-" : cell.c_str());
        }
    }
    const auto rule = [](unsigned what, bool for_writing) {
        const char *const names[] = {"yes", "REVOKE", "-"};
        return names[static_cast<unsigned>(
            kvcpu::held_rule(static_cast<kvcpu_block_event>(what), for_writing))];
    };
    for (unsigned what = 0; what < KVCPU_BLOCK_EVENT_COUNT; ++what) {
        std::printf("held|%s|%s|%s\n", events[what], rule(what, false), rule(what, true));
    }
    return 0;
}
