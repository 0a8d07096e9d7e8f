/* SPDX-License-Identifier: MIT */
/*
 * Two processes, the driver and the device of docs/device-spec.md. Checked for: nobody waits for
 * what never comes; no access through a mapping to a block that is not there; no store lost;
 * nothing left for the next owner; and only such changes of a block's state as the specification's
 * tables have.
 *
 * check.py sets the sizes and what takes part.
 */
#define PROCESSES 2

#include "transitions.pml"
#include "device.pml"
#include "driver.pml"
#include "process.pml"

#define IS_ASKED_BACK(b) (revoking[b] || record[b] != NO_RECORD)
#define IS_IN_BETWEEN(b) \
    (state[b] == SCRUBBING || state[b] == FETCHING || state[b] == WRITING_BACK || \
     state[b] == EVICTING)
#define CONTEXT_WAITS \
    (pin_sent[0] || pin_sent[1] || hold_sent[0] || hold_sent[1] || kept[0] || kept[1] || \
     dying[0] || dying[1])

/* At any moment everybody stops to ask for anything new. Once nothing goes on any more, everything
 * that was begun has ended: what is stuck shows here. */
proctype Monitor() {
end:
    quiet = 1;
    timeout && !(DEADLINES && (waiting[0] || waiting[1])) -> assert(!CONTEXT_WAITS);
    assert(!ANY(IS_ASKED_BACK));
    assert(!ANY(IS_IN_BETWEEN))
}

init {
    byte b;
    atomic {
        c_code { atexit(print_seen); };
        do
        :: b < BLOCKS -> run Device(b);
            if
            :: !ALLOCATION -> state[b] = SLOW; owner[b] = b % 2
            :: else
            fi;
            b++
        :: else -> break
        od;
        b = 0;
        run Ring(0);
        run Ring(1);
        run Monitor();
#if DEADLINES
        run Deadline(0);
        run Deadline(1);
#endif
#if MAPPINGS
        run Mapper(0);
        run Mapper(1);
#endif
        run Worker();
#if RESETS
        run Resetter()
#endif
    }
}
