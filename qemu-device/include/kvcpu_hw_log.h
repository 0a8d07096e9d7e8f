/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/* The KV-CPU's hardware contract, continued: the records of its event log. */
#ifndef KVCPU_HW_LOG_H
#define KVCPU_HW_LOG_H

/* -- The event log: X(name, number, what) --------------------------------- */

/*
 * A record is five 64-bit little-endian words:
 *   0 sequence number since the log's restart
 *   1 virtual nanoseconds since the log's restart
 *   2 kind (bits 15:0), detail (31:16), context (47:32), status (63:48)
 *   3 first block, or register offset
 *   4 blocks, step, or value
 */
#define KVCPU_EVENT_WORDS 5
#define KVCPU_EVENTS(X)                                                                 \
    X(LOG_RESTART, 0, "the log starts here")                                            \
    X(RESET, 1, "detail: kind of reset")                                                \
    X(POLICY, 2, "word 4: current policy")                                              \
    X(STEP, 3, "word 4: step")                                                          \
    X(EPOCH, 4, "a step back; word 4: step")                                            \
    X(HINT, 5, "detail: opcode; status: AUX of its result; words 3, 4: range")          \
    X(COMMAND_FAILED, 6, "detail: opcode; status: why; words 3, 4: range")              \
    X(ALLOC, 7, "words 3, 4: range")                                                    \
    X(FREE, 8, "words 3, 4: range")                                                     \
    X(SCRUBBED, 9, "word 3: block")                                                     \
    X(READ, 10, "word 3: block; word 4: bytes")                                         \
    X(WRITE, 11, "word 3: block; word 4: bytes")                                        \
    X(PIN_WAITS, 12, "words 3, 4: range")                                               \
    X(PIN_GRANTED, 13, "words 3, 4: range")                                             \
    X(PIN_ENDED, 14, "status: reason; words 3, 4: range")                               \
    X(UNPIN, 15, "words 3, 4: range")                                                   \
    X(FETCH_START, 16, "detail: KVCPU_MOVE_*; word 3: block; word 4: slot")             \
    X(FETCH_DONE, 17, "detail: KVCPU_MOVE_*; word 3: block; word 4: slot")              \
    X(WRITE_BACK_START, 18, "detail: KVCPU_MOVE_*; word 3: block; word 4: slot")        \
    X(WRITE_BACK_DONE, 19, "detail: KVCPU_MOVE_*; word 3: block; word 4: slot")         \
    X(ZERO_FILLED, 20, "word 3: block; word 4: slot")                                   \
    X(EVICTED, 21, "detail: victim class; word 3: block; word 4: its old slot")         \
    X(DISPLACED, 22, "a hot or shared block was evicted for a PIN; as EVICTED")         \
    X(CLOSED, 23, "the context is closed and owns no blocks")                           \
    X(GUEST_ERROR, 24, "detail: counter index; word 3: register offset; word 4: value") \
    X(QUEUES, 25, "word 4: QUEUE_ENABLE now")                                           \
    X(RING_OPENED, 26, "OPEN or RESTART; words 3, 4: entries of the two rings")         \
    X(RING_STOPPED, 27, "status: KVCPU_RS_*; word 3: SQ_HEAD")                          \
    X(BUFFER, 28, "word 3: buffer; word 4: its bytes, 0 where it was removed")          \
    X(MAP, 29, "words 3, 4: range of RESIDENCY; 0 blocks: the range is removed")        \
    X(HOLD, 30, "detail: 1 for WRITE; word 3: block; word 4: slot or all ones")         \
    X(UNHOLD, 31, "detail: 1 for WRITE; words 3, 4: range")                             \
    X(REVOKE, 32, "detail: KVCPU_RV_*; word 3: block")                                  \
    X(FENCE, 33, "a pending FENCE has completed")                                       \
    X(QUOTA, 34, "word 3: minimum; word 4: maximum")                                    \
    X(RECLAIMED, 35, "word 3: cached block that was reclaimed")                         \
    X(CHOSEN, 36, "chosen as a victim: KVCPU_CHO_*; word 3: block; status: policy")

#define KVCPU_EVENT_NUMBER_(name, number, what) KVCPU_EV_##name = (number),
enum kvcpu_event_kind { KVCPU_EVENTS(KVCPU_EVENT_NUMBER_) KVCPU_EVENT_COUNT };
#undef KVCPU_EVENT_NUMBER_

/* The reasons of a move, most urgent first. */
#define KVCPU_MOVE_DEMAND 0
#define KVCPU_MOVE_PREFETCH 1
#define KVCPU_MOVE_CLEAN 2 /* write-back in the background */

/* -- Why a block was evicted: X(name, number, what) ------------------ */

#define KVCPU_EVICTION_CAUSES(X)                                                  \
    X(PIN, 0, "a PIN waits for a block that needs the slot")                      \
    X(HINT, 1, "a hinted block is to be fetched")                                 \
    X(SCORE, 2, "a block is to be fetched because of its score")                  \
    X(NOW, 3, "an EVICTABLE hint with F_NOW")                                     \
    X(DEMOTED, 4, "the policy demoted it, whether or not a block needs the slot") \
    X(QUOTA, 5, "its context is at its quota maximum, and needs a slot")

#define KVCPU_EVICTION_CAUSE_NUMBER_(name, number, what) KVCPU_EC_##name = (number),
enum kvcpu_eviction_cause { KVCPU_EVICTION_CAUSES(KVCPU_EVICTION_CAUSE_NUMBER_) };
#undef KVCPU_EVICTION_CAUSE_NUMBER_

/* Detail of CHOSEN. */
#define KVCPU_CHO_CLASS_SHIFT 0
#define KVCPU_CHO_CLASS_MASK 0xffULL
#define KVCPU_CHO_CAUSE_SHIFT 8
#define KVCPU_CHO_CAUSE_MASK 0xffULL
/* Word 4 of CHOSEN: the block that needs the slot, all ones for none; steps since its last use. */
#define KVCPU_CHW_FOR_SHIFT 0
#define KVCPU_CHW_FOR_MASK 0xffffffffULL
#define KVCPU_CHW_AGE_SHIFT 32
#define KVCPU_CHW_AGE_MASK 0xffffffffULL

/* -- The history: the latest records, searched a block at a time ----------- */

#define KVCPU_HISTORY_RECORDS 65536
/* Records that one write of HISTORY_BEFORE examines. */
#define KVCPU_HISTORY_BUDGET 4096

/* HISTORY_STATE */
#define KVCPU_HISTORY_STATES(X)                              \
    X(END, 0, "no older record is kept")                     \
    X(FOUND, 1, "the other HISTORY registers hold a record") \
    X(GO_ON, 2, "none yet: write what HISTORY_BEFORE now reads")

#define KVCPU_HISTORY_STATE_NUMBER_(name, number, what) KVCPU_HS_##name = (number),
enum kvcpu_history_state { KVCPU_HISTORY_STATES(KVCPU_HISTORY_STATE_NUMBER_) };
#undef KVCPU_HISTORY_STATE_NUMBER_

#endif /* KVCPU_HW_LOG_H */
