/* SPDX-License-Identifier: MIT */
/*
 * The part of the driver that maps blocks: page faults, revocation, unmapping, closing, reset.
 * Page-table entries exist only while the driver has holds. They have the place of the block, and
 * only its owner has them.
 *
 * The work of the driver under the mapping lock of a context is one step here. Only the reset keeps
 * the locks for longer.
 */

#define UNMAPPED 0
#define READABLE 1
#define WRITABLE 2

byte mapping[BLOCKS];
byte mapped_at[BLOCKS] = NOWHERE;
byte mapped_by[BLOCKS] = NO_CONTEXT;
/* Commands that were sent, and whose completions were not consumed. */
bit pin_sent[PROCESSES];
bit hold_sent[PROCESSES];
bit kept[PROCESSES];       /* a REVOKE arrived before the HOLD's completion was consumed */
bit orphaned[PROCESSES];   /* the process that sent the HOLD was killed */
bit dying[PROCESSES];
bit resetting;             /* all mapping locks are taken */

/* Page-table entries are removed before the holds are released. */
inline unmap(b) {
    mapping[b] = UNMAPPED;
    mapped_at[b] = NOWHERE;
    mapped_by[b] = NO_CONTEXT;
    unhold(b)
}

/* Consumes the completion of a HOLD. */
inline take_hold(p, b) {
    if
    :: holder[b] == p && (kept[p] || orphaned[p]) -> unmap(b)
    :: !kept[p] && !orphaned[p] && hold_answer[p] == GRANTED ->
        mapping[b] = (hold_for_writing[p] || mapping[b] == WRITABLE -> WRITABLE : READABLE);
        mapped_at[b] = slot[b];
        mapped_by[b] = p
    :: else
    fi;
    kept[p] = 0;
    orphaned[p] = 0;
    hold_sent[p] = 0;
    hold_answer[p] = NO_ANSWER;
    hold_for_writing[p] = 0;
    hold_block[p] = 0 /* last, as `b` may be this variable */
}

#define HOLD_IS_ANSWERED(p) (hold_sent[p] && hold_answer[p] != NO_ANSWER && !resetting)

#define IS_IN_FLIGHT(p, b) (hold_sent[p] && hold_block[p] == b)
/* Handles a REVOKE of a block that is held for p. It may be older than the current holds. */
inline revoke(p, b) {
    if
    :: IS_IN_FLIGHT(p, b) ->
#ifndef BROKEN_DRIVER_DROPS_EARLY_REVOKES
        kept[p] = 1
#else
        skip
#endif
    :: !IS_IN_FLIGHT(p, b) && holder[b] == p -> unmap(b)
    :: else
    fi;
    record[b] = NO_RECORD
}
#define HAS_RECORD(b) (record[b] != NO_RECORD && !resetting)

/* A process ends: first its mappings, then, when no HOLD of it is pending, its context. */
inline kill(p) {
    dying[p] = 1;
    orphaned[p] = hold_sent[p];
    n = 0;
    do
    :: n < BLOCKS && mapped_by[n] == p -> unmap(n); n++
    :: n < BLOCKS && mapped_by[n] != p -> n++
    :: n == BLOCKS -> break
    od;
    n = 0
}

inline close(p) {
    dying[p] = 0;
    waiting[p] = 0;
    range[p] = 0;
    pin_sent[p] = 0;
    pin_answer[p] = NO_ANSWER;
    n = 0;
    do
    :: n < BLOCKS && owner[n] == p -> give_back(n); n++
    :: n < BLOCKS && owner[n] != p -> n++
    :: n == BLOCKS -> break
    od;
    n = 0
}

/* Consumes the completions of killed processes, reads the event queue, closes contexts. */
proctype Worker() {
end:
    do
    :: atomic { orphaned[0] && HOLD_IS_ANSWERED(0) -> take_hold(0, hold_block[0]) }
    :: atomic { orphaned[1] && HOLD_IS_ANSWERED(1) -> take_hold(1, hold_block[1]) }
    :: atomic { dying[0] && !orphaned[0] && !resetting -> close(0) }
    :: atomic { dying[1] && !orphaned[1] && !resetting -> close(1) }
    :: atomic { HAS_RECORD(0) -> revoke(record[0] - RECORD_OF(0), 0) }
#if BLOCKS > 1
    :: atomic { HAS_RECORD(1) -> revoke(record[1] - RECORD_OF(0), 1) }
#endif
    od
}

inline unmap_all() {
    n = 0;
    do
    :: n < BLOCKS ->
        mapping[n] = UNMAPPED;
        mapped_at[n] = NOWHERE;
        mapped_by[n] = NO_CONTEXT;
        n++
    :: else -> break
    od;
    n = 0
}

/* Wakes all waiting threads, as their commands get no completion from the device. */
inline wake_all() {
    if
    :: pin_sent[0] -> pin_answer[0] = REFUSED
    :: else
    fi;
    if
    :: pin_sent[1] -> pin_answer[1] = REFUSED
    :: else
    fi;
    if
    :: hold_sent[0] -> hold_answer[0] = REFUSED
    :: else
    fi;
    if
    :: hold_sent[1] -> hold_answer[1] = REFUSED
    :: else
    fi
}

/* Resets the function at any moment. */
proctype Resetter() {
end:
    do
    :: atomic { RESETS && !quiet -> resetting = 1;
#ifndef BROKEN_DRIVER_RESETS_BEFORE_IT_UNMAPS
                unmap_all() };
        atomic {
                reset_device();
#else
                reset_device() };
        atomic {
                unmap_all();
#endif
#ifndef BROKEN_DRIVER_FORGETS_WAITERS_AT_RESET
                wake_all();
#endif
                resetting = 0 }
    od
}
