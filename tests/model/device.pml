/* SPDX-License-Identifier: MIT */
/*
 * The device: "Commands", "Block states", "Moving" and "Holds and revocation" of
 * docs/device-spec.md, without aspects that do not affect safety: times, rings, the choice by
 * hints. Where the device has a choice, the model tries every choice. The work of the device within
 * one register write or timer tick is one atomic step.
 *
 * States, events, AFTER() and the RULE_* of held blocks are generated from the tables of the
 * specification.
 */

/* The work of a channel or the scrubber on a block. */
#define IDLE 0
#define FETCH 1
#define WRITE_BACK 2
#define SCRUB 3

/* The status of a PIN or HOLD for its issuer. */
#define NO_ANSWER 0
#define GRANTED 1
#define REFUSED 2

#define NO_CONTEXT PROCESSES
#define NOWHERE SLOTS

byte state[BLOCKS];
byte owner[BLOCKS] = NO_CONTEXT;
byte slot[BLOCKS] = NOWHERE;
byte job[BLOCKS];
byte claims[BLOCKS];
bit dirty[BLOCKS];
bit sealed[BLOCKS];
bit read_held[BLOCKS];
bit write_held[BLOCKS];
bit revoking[BLOCKS];
bit occupied[SLOTS];
byte busy; /* busy channels */
bit scrubbing;

/* Contents: whether a copy differs from the owner's latest store, or still has another owner's bytes. */
bit backing_is_stale[BLOCKS];
bit slot_is_old[SLOTS];

/* The pending PIN of each process. Its range is a set: bit b for block b. */
bit waiting[PROCESSES];
byte range[PROCESSES];
byte pin_answer[PROCESSES];
byte oldest; /* the older of two pending PINs */

/* The HOLD of each process. */
bit hold_waits[PROCESSES];
bit hold_for_writing[PROCESSES];
byte hold_block[PROCESSES];
byte hold_answer[PROCESSES];

byte holder[BLOCKS] = NO_CONTEXT; /* the context of the HOLD */

/*
 * The event queue: REVOKEs that were not read yet. Their order does not matter here, so there is a
 * place for each block.
 */
#define NO_RECORD 0
#define RECORD_OF(p) ((p) + 1)
byte record[BLOCKS];

/* When it is set, the device does only work that a pending command needs. So a state in which a
 * command is stuck has no successor, and SPIN finds it. */
bit quiet;

hidden byte cell;
hidden byte after;
hidden byte n;

#if BLOCKS == 1
#define ANY(condition) (condition(0))
#elif BLOCKS == 2
#define ANY(condition) (condition(0) || condition(1))
#elif BLOCKS == 3
#define ANY(condition) (condition(0) || condition(1) || condition(2))
#else
#define ANY(condition) (condition(0) || condition(1) || condition(2) || condition(3))
#endif

#define IN_PLACE(b) (state[b] == FAST || state[b] == WRITING_BACK)
#define HAS_SLOT(b) (IN_PLACE(b) || state[b] == EVICTING)
/* The copy that READ and WRITE use. */
#define IS_OLD(b) \
    (slot[b] == NOWHERE || state[b] == FETCHING -> backing_is_stale[b] : slot_is_old[slot[b]])
#define HELD(b) (read_held[b] || write_held[b])
#define RULE(b, what) \
    (write_held[b] -> WRITE_RULE(what) : (read_held[b] -> READ_RULE(what) : RULE_YES))
#ifdef BROKEN_DEVICE_MOVES_HELD_BLOCKS
#define MAY(b, what) true
#else
#define MAY(b, what) (RULE(b, what) == RULE_YES)
#endif

#define WANTS(p, b) (waiting[p] && ((range[p] >> (b)) & 1))
#define WANTED(b) (WANTS(0, b) || WANTS(1, b))
#define LACKED_BY_0(b) (WANTS(0, b) && !HAS_SLOT(b))
#define LACKED_BY_1(b) (WANTS(1, b) && !HAS_SLOT(b))
#define UNSTARTED(b) (WANTED(b) && state[b] == SLOW)
#define FREE_SLOT(s) (!occupied[s])
#if SLOTS == 1
#define SLOT_IS_FREE (!occupied[0])
#else
#define SLOT_IS_FREE (!occupied[0] || !occupied[1])
#endif

/* A PIN waits for a slot. */
#define SLOT_IS_NEEDED (!SLOT_IS_FREE && ANY(UNSTARTED))
#define IS_VICTIM(b) (IN_PLACE(b) && claims[b] == 0 && !WANTED(b))
#define IS_YOUNGERS(b) \
    (IN_PLACE(b) && claims[b] == 0 && WANTS(1 - oldest, b) && !WANTS(oldest, b) && waiting[oldest])
#define OLDEST_IS_UNSTARTED(b) (WANTS(oldest, b) && state[b] == SLOW)
#ifdef BROKEN_DEVICE_SPARES_WHAT_YOUNGER_PINS_WANT
#define MAY_BE_TAKEN_FROM_YOUNGER(b) false
#else
#define MAY_BE_TAKEN_FROM_YOUNGER(b) \
    (IS_YOUNGERS(b) && ANY(OLDEST_IS_UNSTARTED) && !ANY(IS_VICTIM))
#endif

/* Asserts that the tables have each change of a state. */
inline occur(b, what, next) {
    cell = state[b] * BLOCK_EVENTS + what;
    after = next;
    assert((AFTER(state[b], what) >> after) & 1);
    assert(RULE(b, what) == RULE_YES);
    c_code { seen[cell] |= 1 << after; };
    state[b] = after
}

inline raise_revoke(b) {
    occur(b, REVOKE, state[b]);
    revoking[b] = 1;
    record[b] = RECORD_OF(holder[b])
}

/* Marks the bytes as ones that the next owner must not see. */
inline make_old(b) {
    backing_is_stale[b] = CONTENTS;
    if
    :: slot[b] != NOWHERE -> slot_is_old[slot[b]] = CONTENTS
    :: else
    fi
}

inline give_up_slot(b) {
    occupied[slot[b]] = 0;
    slot_is_old[slot[b]] = 0; /* not relevant: overwritten before it is read */
    slot[b] = NOWHERE
}

inline rescue(b) {
    if
    :: state[b] == EVICTING && job[b] == WRITE_BACK -> occur(b, CLAIM, WRITING_BACK)
    :: state[b] == EVICTING && job[b] == IDLE -> occur(b, CLAIM, FAST)
    :: else
    fi
}

inline claim_range(p) {
    n = 0;
    do
    :: n < BLOCKS && ((range[p] >> n) & 1) ->
        rescue(n);
        occur(n, CLAIM, state[n]);
        claims[n]++;
        n++
    :: n < BLOCKS && !((range[p] >> n) & 1) -> n++
    :: n == BLOCKS -> break
    od;
    n = 0;
    waiting[p] = 0;
    range[p] = 0;
    pin_answer[p] = GRANTED
}

inline grant_pins() {
    if
    :: waiting[0] && !ANY(LACKED_BY_0) -> claim_range(0)
    :: else
    fi;
    if
    :: waiting[1] && !ANY(LACKED_BY_1) -> claim_range(1)
    :: else
    fi
}

/* Flaw: a PIN that pins each block when it arrives, which the specification forbids. */
inline claim_piecewise(b) {
#ifdef BROKEN_DEVICE_CLAIMS_PIECEWISE
    if
    :: WANTS(0, b) -> occur(b, CLAIM, state[b]); claims[b]++; range[0] = range[0] & ~(1 << b)
    :: WANTS(1, b) -> occur(b, CLAIM, state[b]); claims[b]++; range[1] = range[1] & ~(1 << b)
    :: else
    fi
#else
    skip
#endif
}

inline hold(p, b) {
    if
    :: owner[b] != p || state[b] == SCRUBBING -> hold_waits[p] = 0; hold_answer[p] = REFUSED
    :: else ->
        if
        :: sealed[b] && hold_for_writing[p] -> hold_waits[p] = 0; hold_answer[p] = REFUSED
        :: else ->
            if
            :: state[b] == FETCHING ||
               (state[b] == EVICTING && (job[b] != IDLE || SLOT_IS_NEEDED)) ->
                hold_waits[p] = 1
            :: else ->
                if
                :: state[b] == EVICTING -> occur(b, HOLD, FAST)
                :: else -> occur(b, HOLD, state[b])
                fi;
                if
                :: hold_for_writing[p] ->
                    write_held[b] = 1;
#ifndef BROKEN_DEVICE_THINKS_WRITE_HELD_BLOCKS_CLEAN
                    dirty[b] = (slot[b] != NOWHERE -> 1 : dirty[b])
#endif
                :: else -> read_held[b] = 1
                fi;
                holder[b] = p;
                hold_waits[p] = 0;
                hold_answer[p] = GRANTED
            fi
        fi
    fi
}

inline grant_holds() {
    if
    :: hold_waits[0] -> hold(0, hold_block[0])
    :: else
    fi;
    if
    :: hold_waits[1] -> hold(1, hold_block[1])
    :: else
    fi
}

inline unhold(b) {
    if
    :: HELD(b) ->
        occur(b, UNHOLD, state[b]);
        read_held[b] = 0;
        write_held[b] = 0;
        holder[b] = NO_CONTEXT;
        revoking[b] = 0
    :: else
    fi
}

inline alloc(p, b) {
    if
    :: state[b] == FAST -> occur(b, ALLOC, FAST)
    :: else -> occur(b, ALLOC, SLOW)
    fi;
    owner[b] = p;
    assert(!IS_OLD(b)) /* no bytes of the last owner */
}

inline give_back(b) {
    occur(b, FREE_, SCRUBBING);
    make_old(b);
    owner[b] = NO_CONTEXT;
    claims[b] = 0;
    sealed[b] = 0;
    dirty[b] = 0;
    if
    :: HELD(b) && !revoking[b] -> raise_revoke(b)
    :: else
    fi;
    grant_holds()
}

inline start_move(b, what) {
    job[b] = what;
    busy++
}

inline start_fetch(b) {
    if
    :: !occupied[0] -> slot[b] = 0
    :: else -> slot[b] = SLOTS - 1
    fi;
    occupied[slot[b]] = 1;
    occur(b, FETCH_START, FETCHING);
    start_move(b, FETCH)
}

inline end_move(b) {
    busy--;
    if
    :: state[b] == SCRUBBING -> job[b] = IDLE /* aborted: no byte has changed */
    :: state[b] == FETCHING ->
        job[b] = IDLE;
        slot_is_old[slot[b]] = backing_is_stale[b];
        dirty[b] = 0;
        occur(b, FETCH_DONE, FAST);
        claim_piecewise(b)
    :: state[b] == WRITING_BACK ->
        job[b] = IDLE;
        backing_is_stale[b] = slot_is_old[slot[b]];
        dirty[b] = write_held[b];
        occur(b, WRITE_BACK_DONE, FAST)
    :: state[b] == EVICTING ->
        job[b] = IDLE;
        backing_is_stale[b] = slot_is_old[slot[b]];
        dirty[b] = 0;
        occur(b, WRITE_BACK_DONE, SLOW);
        give_up_slot(b)
    fi;
    grant_holds();
    grant_pins()
}

inline evict(b) {
    if
    :: dirty[b] -> occur(b, EVICT, EVICTING)
    :: else ->
        if
        :: owner[b] == NO_CONTEXT -> occur(b, EVICT, FREE)
        :: else -> occur(b, EVICT, SLOW)
        fi;
        give_up_slot(b)
    fi
}

inline end_scrub(b) {
    backing_is_stale[b] = 0;
    if
    :: slot[b] != NOWHERE -> slot_is_old[slot[b]] = 0; give_up_slot(b)
    :: else
    fi;
    job[b] = IDLE;
    scrubbing = 0;
    occur(b, SCRUBBED, FREE)
}

/* A reset ends registers, pins, holds, pending commands and moves at once. Owned blocks are
 * scrubbed. Pending commands get no completion. */
inline reset_device() {
    n = 0;
    do
    :: n < BLOCKS ->
        if
        :: owner[n] != NO_CONTEXT || state[n] == SCRUBBING -> state[n] = SCRUBBING; make_old(n)
        :: else ->
            state[n] = FREE;
            if
            :: slot[n] != NOWHERE -> give_up_slot(n)
            :: else
            fi
        fi;
        owner[n] = NO_CONTEXT;
        job[n] = IDLE;
        claims[n] = 0;
        dirty[n] = 0;
        sealed[n] = 0;
        read_held[n] = 0;
        write_held[n] = 0;
        holder[n] = NO_CONTEXT;
        revoking[n] = 0;
        record[n] = NO_RECORD;
        n++
    :: else -> break
    od;
    n = 0;
    busy = 0;
    scrubbing = 0;
    waiting[0] = 0;
    waiting[1] = 0;
    range[0] = 0;
    range[1] = 0;
    hold_waits[0] = 0;
    hold_waits[1] = 0
}

#define BY_ITSELF (AUTONOMOUS && !quiet)

/* What the device does with block b without a command. */
proctype Device(byte b) {
end:
    do
    /* a channel, the scrubber */
    :: atomic { (state[b] == SLOW || state[b] == FREE) && busy < CHANNELS && SLOT_IS_FREE &&
                (WANTED(b) || BY_ITSELF) && MAY(b, FETCH_START) -> start_fetch(b) }
    :: atomic { IN_PLACE(b) && job[b] == IDLE && dirty[b] && busy < CHANNELS &&
                (sealed[b] || BY_ITSELF) && MAY(b, CLEAN_START) ->
                    occur(b, CLEAN_START, WRITING_BACK); start_move(b, WRITE_BACK) }
    :: atomic { state[b] == EVICTING && job[b] == IDLE && busy < CHANNELS ->
                    start_move(b, WRITE_BACK) }
    :: atomic { job[b] == FETCH || job[b] == WRITE_BACK -> end_move(b) }
#ifdef BROKEN_DEVICE_SCRUBS_HELD_BLOCKS
    :: atomic { state[b] == SCRUBBING && job[b] == IDLE && !scrubbing ->
#else
    :: atomic { state[b] == SCRUBBING && job[b] == IDLE && !scrubbing && !HELD(b) ->
#endif
                    job[b] = SCRUB; scrubbing = 1 }
    :: atomic { job[b] == SCRUB -> end_scrub(b) }
    /* a slot is needed */
    :: atomic { ((IS_VICTIM(b) && (SLOT_IS_NEEDED || BY_ITSELF)) || MAY_BE_TAKEN_FROM_YOUNGER(b)) &&
                MAY(b, EVICT) -> evict(b) }
    /* moves that a hold delays */
    :: atomic { state[b] == SLOW && (WANTED(b) || BY_ITSELF) && !revoking[b] &&
                !MAY(b, FETCH_START) -> raise_revoke(b) }
    :: atomic { ((IS_VICTIM(b) && (SLOT_IS_NEEDED || BY_ITSELF)) || MAY_BE_TAKEN_FROM_YOUNGER(b)) &&
                !revoking[b] && !MAY(b, EVICT) -> raise_revoke(b) }
    :: atomic { state[b] == FAST && dirty[b] && claims[b] == 0 && (sealed[b] || BY_ITSELF) &&
                !revoking[b] && !MAY(b, CLEAN_START) -> raise_revoke(b) }
    od
}
