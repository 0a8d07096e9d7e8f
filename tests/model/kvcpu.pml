/* SPDX-License-Identifier: MIT */
/*
 * Two processes, the driver and the device of docs/device-spec.md. SPIN checks that no command
 * waits for ever, that no access through a mapping reaches a wrong place, that no store is lost,
 * that a new owner sees no old bytes, and that each change of a block's state is in the
 * specification's tables.
 *
 * check.py sets the sizes and the parts of each scene.
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

/* At any moment all processes may stop to request anything new. When no step is possible any more,
 * every command must have ended. A stuck command is found here. */
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
