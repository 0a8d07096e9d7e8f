/* SPDX-License-Identifier: MIT */
/* A process: one thread uses the ring, the other the mapping. */

#define MINE(b) (owner[b] == p && !dying[p])

inline pick(b) {
    b = 0;
    do
    :: b < BLOCKS - 1 -> b++
    :: break
    od
}

/* Takes a step with any block that allows it. */
#define WITH(b, can, step) \
    atomic { !quiet && ANY(can) -> pick(b); if :: can(b) -> step :: else fi; b = 0 }

inline store(b) {
    if
    :: slot[b] == NOWHERE || state[b] == FETCHING -> backing_is_stale[b] = 0
    :: else -> slot_is_old[slot[b]] = 0; backing_is_stale[b] = 1
    fi
}

/* Any set of its own blocks that are not pinned by it. */
inline choose_range(p) {
    range[p] = 0;
    n = 0;
    do
    :: n < BLOCKS && owner[n] == p && claims[n] == 0 -> range[p] = range[p] | (1 << n); n++
    :: n < BLOCKS -> n++
    :: n == BLOCKS -> break
    od;
    n = 0
}

inline claim_if_present(b) {
#ifdef BROKEN_DEVICE_CLAIMS_PIECEWISE
    if
    :: IN_PLACE(b) -> claim_piecewise(b)
    :: else
    fi
#else
    skip
#endif
}

inline begin_pin(p) {
    pin_sent[p] = 1;
    waiting[p] = 1;
    oldest = (waiting[1 - p] -> 1 - p : p);
    n = 0;
    do
    :: n < BLOCKS && WANTS(p, n) -> rescue(n); claim_if_present(n); n++
    :: n < BLOCKS && !WANTS(p, n) -> n++
    :: n == BLOCKS -> break
    od;
    n = 0;
    grant_pins();
#ifndef BROKEN_DEVICE_FORGETS_HOLDS_OF_WHAT_STAYS
    /* A HOLD waited for the end of an eviction; now the block stays. */
    grant_holds()
#endif
}

inline seal(b) {
    sealed[b] = 1;
    if
    :: write_held[b] && !revoking[b] -> raise_revoke(b)
    :: else
    fi
}

#define SIZE(set) (((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1) + (((set) >> 3) & 1))
#define MAY_ALLOCATE(b) (owner[b] == NO_CONTEXT && (state[b] == FREE || state[b] == FAST) && !dying[p])
#define CAN_GIVE_BACK(b) (MINE(b) && claims[b] == 0 && !WANTED(b))
#define CAN_STORE(b) (MINE(b) && !sealed[b])
#define IS_CLAIMED_BY_ME(b) (MINE(b) && claims[b] > 0)
#if POLITE
/* Requests nothing while it has pins, and releases what it has. */
#define MAY_PIN (!ANY(IS_CLAIMED_BY_ME))
#define MAY_UNPIN (!pin_sent[p])
#else
#define MAY_PIN true
#define MAY_UNPIN (!quiet)
#endif
#define CAN_UNPIN(b) (IS_CLAIMED_BY_ME(b) && MAY_UNPIN)

proctype Ring(byte p) {
    byte b;
end:
    do
#if ALLOCATION
    :: WITH(b, MAY_ALLOCATE, alloc(p, b))
    :: WITH(b, CAN_GIVE_BACK, give_back(b))
#endif
#if CONTENTS
    :: WITH(b, CAN_STORE, store(b); dirty[b] = (HAS_SLOT(b) -> 1 : dirty[b]))
    :: WITH(b, MINE, assert(!IS_OLD(b)))
    :: WITH(b, CAN_STORE, seal(b))
#endif
#if PINS
    :: atomic { !quiet && !pin_sent[p] && ANY(MINE) && MAY_PIN ->
                    choose_range(p);
                    if
                    :: range[p] != 0 && SIZE(range[p]) <= SLOTS -> begin_pin(p)
                    :: else -> range[p] = 0
                    fi }
    :: atomic { pin_sent[p] && pin_answer[p] != NO_ANSWER ->
                    pin_answer[p] = NO_ANSWER; pin_sent[p] = 0 }
    :: atomic { ANY(CAN_UNPIN) -> pick(b); if :: CAN_UNPIN(b) -> claims[b]-- :: else fi; b = 0 }
#endif
#if KILLS
    :: atomic { !quiet && !dying[p] && !resetting -> kill(p) }
#endif
    od
}

/* A deadline may pass at any moment, or only when no other step is possible. */
proctype Deadline(byte p) {
end:
    do
    :: atomic { waiting[p] && (ANY_DEADLINE || timeout) ->
                    waiting[p] = 0; range[p] = 0; pin_answer[p] = REFUSED }
    od
}

#define IS_MAPPED(b) (mapped_by[b] == p)
/* Asserts that a mapping shows the whole block at its current place. */
#define IS_PRESENT(b) \
    (HELD(b) && holder[b] == p && mapped_at[b] == slot[b] && state[b] != FETCHING && \
     state[b] != FREE && job[b] != SCRUB && (owner[b] == p || owner[b] == NO_CONTEXT))

inline access(p, b) {
    assert(IS_PRESENT(b));
    assert(!IS_OLD(b) || owner[b] == NO_CONTEXT);
    if
    :: CONTENTS && mapping[b] == WRITABLE && !sealed[b] && owner[b] != NO_CONTEXT -> store(b)
    :: true
    fi
}

#define CAN_FAULT(b) (MINE(b) && mapping[b] != WRITABLE && !hold_sent[p] && !resetting)
inline fault(p, b) {
    if
    :: hold_for_writing[p] = 1
    :: mapping[b] == UNMAPPED -> hold_for_writing[p] = 0
    fi;
    hold_sent[p] = 1;
    hold_block[p] = b;
    hold(p, b)
}
#define CAN_UNMAP(b) (IS_MAPPED(b) && !hold_sent[p] && !resetting)

proctype Mapper(byte p) {
    byte b;
end:
    do
    :: WITH(b, IS_MAPPED, access(p, b))
    :: WITH(b, CAN_FAULT, fault(p, b))
    :: WITH(b, CAN_UNMAP, unmap(b))
    :: atomic { HOLD_IS_ANSWERED(p) && !orphaned[p] -> take_hold(p, hold_block[p]) }
    od
}
