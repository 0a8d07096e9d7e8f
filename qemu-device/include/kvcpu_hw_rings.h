/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * The KV-CPU's hardware contract, continued: doorbells, rings, and all that the
 * device and its driver or its users share in guest memory. Macros alone, as in
 * kvcpu_hw.h, which has opcodes, flags and status codes.
 *
 * Everything in guest memory is made of 64-bit little-endian words. Indices are
 * free-running: they start at 0 and never wrap in practice; entry i of a ring
 * of n lies at place i mod n.
 */
#ifndef KVCPU_HW_RINGS_H
#define KVCPU_HW_RINGS_H

/* -- Limits --------------------------------------------------------------- */

/* Entries of a submission or completion ring, and records of the event queue: powers of two. */
#define KVCPU_RING_ENTRIES_MIN 2
#define KVCPU_RING_ENTRIES_MAX 4096
/* Alignment of rings, the event queue and parts of a residency map, in bytes. */
#define KVCPU_RING_ALIGN 4096
/* Commands of one context's ring that may be pending. */
#define KVCPU_CONTEXT_PENDING_MAX 1024
/* The cost at which a slice ends, and the time to the next slice after a used-up slice. */
#define KVCPU_RING_BUDGET 4096
#define KVCPU_RING_COPY_COST 16 /* cost of a page that READ or WRITE accesses; a block costs 1 */
#define KVCPU_RING_SLICE_NS 1000
/* Buffers of a context, and bytes of one buffer. */
#define KVCPU_BUFFERS_MAX 64
#define KVCPU_BUFFER_BYTES_MAX 0x10000000000ULL
#define KVCPU_BUFFER_PAGE 4096
/* Blocks of one part of a residency map; parts begin at multiples of it. */
#define KVCPU_RESIDENCY_PART 262144
/* Holds of each kind that a block can have. */
#define KVCPU_HOLDS_MAX 65535
#define KVCPU_COALESCE_COUNT_MAX 4096
#define KVCPU_COALESCE_MAX_NS 1000000000ULL
#define KVCPU_VECTORS_MIN 3
#define KVCPU_VECTORS_MAX 257
#define KVCPU_DOORBELL_LATENCY_MAX_NS 1000000000ULL

/* -- Vectors -------------------------------------------------------------- */

/* KVCPU_VECTOR_COMPLETION, in kvcpu_hw.h, is 0. OPEN selects the vector of a context. */
#define KVCPU_VECTOR_EVENTS 1
#define KVCPU_VECTOR_CONTEXTS 2 /* the first vector that is intended for contexts */

/* -- Doorbells: X(name, offset in the context's page, what) --------------- */

/* One page for each context, in BAR 0. Only 64-bit writes are valid. */
#define KVCPU_DOORBELL_BASE 0x100000
#define KVCPU_DOORBELL_STRIDE 0x1000
#define KVCPU_DOORBELLS(X)                                         \
    X(SQ_TAIL, 0x00, "entries written to the submission ring")     \
    X(CQ_HEAD, 0x08, "completions taken from the completion ring") \
    X(EVQ_HEAD, 0x10, "records taken from the event queue; page 0 alone")

#define KVCPU_DOORBELL_OFFSET_(name, offset, what) KVCPU_DB_##name = (offset),
enum kvcpu_doorbell { KVCPU_DOORBELLS(KVCPU_DOORBELL_OFFSET_) };
#undef KVCPU_DOORBELL_OFFSET_

/* -- Entries of a submission ring ----------------------------------------- */

/* X(name, word, what): as the command window's CMD_* registers. */
#define KVCPU_ENTRY_BYTES 64
#define KVCPU_ENTRY_FIELDS(X)                                         \
    X(FIRST, 0, "first block")                                        \
    X(COUNT, 1, "blocks")                                             \
    X(ARG, 2, "step, deadline or tag, by opcode")                     \
    X(ADDR, 3, "KVCPU_BUF_* fields; in the admin ring a bus address") \
    X(EXTENT, 4, "KVCPU_EXT_* fields")                                \
    X(META, 5, "KVCPU_TAG_* fields")                                  \
    X(TAG, 6, "returned with the completion; bit 63 is zero")         \
    X(CONTROL, 7, "KVCPU_CTL_* fields")

#define KVCPU_ENTRY_WORD_(name, word, what) KVCPU_EW_##name = (word),
enum kvcpu_entry_word { KVCPU_ENTRY_FIELDS(KVCPU_ENTRY_WORD_) KVCPU_ENTRY_WORDS };
#undef KVCPU_ENTRY_WORD_

/* ADDR of a READ or WRITE in a context's ring */
#define KVCPU_BUF_OFFSET_SHIFT 0
#define KVCPU_BUF_OFFSET_MASK 0xffffffffffffULL
#define KVCPU_BUF_ID_SHIFT 48
#define KVCPU_BUF_ID_MASK 0xffffULL

/* -- Admin commands: their words, where they differ from the names above -- */

/* OPEN: FIRST is the completion ring's bus address, ADDR the submission ring's, EXTENT the
 * quota. COUNT: */
#define KVCPU_OPN_SQ_ENTRIES_SHIFT 0
#define KVCPU_OPN_SQ_ENTRIES_MASK 0xffffULL
#define KVCPU_OPN_CQ_ENTRIES_SHIFT 16
#define KVCPU_OPN_CQ_ENTRIES_MASK 0xffffULL
/* OPEN, COALESCE: ARG */
#define KVCPU_CLS_COUNT_SHIFT 0 /* completions that raise the vector; 0: they never do */
#define KVCPU_CLS_COUNT_MASK 0xffffULL
#define KVCPU_CLS_VECTOR_SHIFT 16
#define KVCPU_CLS_VECTOR_MASK 0xffffULL
#define KVCPU_CLS_NS_SHIFT 32 /* ns after the first of these, the latest time */
#define KVCPU_CLS_NS_MASK 0xffffffffULL
/* OPEN, QUOTA: EXTENT; CONTEXT_QUOTA */
#define KVCPU_QTA_MIN_SHIFT 0
#define KVCPU_QTA_MIN_MASK 0xffffffffULL
#define KVCPU_QTA_MAX_SHIFT 32 /* 0 in EXTENT: all slots */
#define KVCPU_QTA_MAX_MASK 0xffffffffULL
/* BUFFER_ADD: FIRST the buffer's number, COUNT its bytes, ADDR the bus address of its table of
 * pages, ARG the offset of its first byte in the first page. BUFFER_REMOVE: FIRST. */
/* RESIDENCY: FIRST, COUNT (0: remove the part), ADDR. */
/* HOLD: ARG */
#define KVCPU_HLD_GENERATION_SHIFT 0
#define KVCPU_HLD_GENERATION_MASK 0xffffffffULL
#define KVCPU_HLD_CHECK_SHIFT 32 /* 1: the result is STALE unless the block has this generation */
#define KVCPU_HLD_CHECK_MASK 0x1ULL

/* -- Completion ring: a header, then the completions ---------------------- */

/* X(name, word, what); written by the device, each word by a store of its own. */
#define KVCPU_CQ_HEADER_BYTES 64
#define KVCPU_CQ_HEADER_FIELDS(X)                                      \
    X(SQ_HEAD, 0, "entries that the device is done with; stored last") \
    X(STATE, 1, "KVCPU_RS_*: 0 while the ring runs")                   \
    X(FAILED, 2, "commands of this ring that ended in an error status")

#define KVCPU_CQ_HEADER_WORD_(name, word, what) KVCPU_CQH_##name = (word),
enum kvcpu_cq_header_word { KVCPU_CQ_HEADER_FIELDS(KVCPU_CQ_HEADER_WORD_) };
#undef KVCPU_CQ_HEADER_WORD_

/* X(name, word, what) */
#define KVCPU_COMPLETION_BYTES 32
#define KVCPU_COMPLETION_FIELDS(X)     \
    X(RESULT, 0, "KVCPU_RES_* fields") \
    X(TIME, 1, "when, virtual ns")     \
    X(RESERVED, 2, "zero")             \
    X(TAG, 3, "the entry's TAG, and in bit 63 the phase; stored last")

#define KVCPU_COMPLETION_WORD_(name, word, what) KVCPU_CW_##name = (word),
enum kvcpu_completion_word { KVCPU_COMPLETION_FIELDS(KVCPU_COMPLETION_WORD_) };
#undef KVCPU_COMPLETION_WORD_

/*
 * In the last word of completions and event queue records: 1 in the first lap, 0 in the second, and
 * so on.
 */
#define KVCPU_PHASE 0x8000000000000000ULL

/* -- State of a ring: X(name, number, what) ------------------------------- */

#define KVCPU_RING_STATES(X)                                                   \
    X(RUNNING, 0, "entries are executed up to SQ_TAIL")                        \
    X(BAD_TAIL, 1, "stopped: an SQ_TAIL went back, or too far ahead")          \
    X(BAD_HEAD, 2, "stopped: a CQ_HEAD went back, or beyond what was written") \
    X(SQ_FAULT, 3, "stopped: the submission ring cannot be read")              \
    X(CQ_FAULT, 4, "stopped: the completion ring cannot be written")           \
    X(MAP_FAULT, 5, "stopped: the residency map cannot be written")            \
    X(NO_RING, 6, "the context has no ring")

#define KVCPU_RING_STATE_NUMBER_(name, number, what) KVCPU_RS_##name = (number),
enum kvcpu_ring_state { KVCPU_RING_STATES(KVCPU_RING_STATE_NUMBER_) };
#undef KVCPU_RING_STATE_NUMBER_

/* -- Event queue: records for the kernel ---------------------------------- */

/* X(name, word, what) */
#define KVCPU_NOTICE_BYTES 32
#define KVCPU_NOTICE_FIELDS(X)                                \
    X(HEAD, 0, "KVCPU_NTC_* fields")                          \
    X(BLOCK, 1, "REVOKE, RECLAIMED: block; STOPPED: SQ_HEAD") \
    X(TIME, 2, "when it was written, virtual ns")             \
    X(PHASE, 3, "in bit 63 the phase, else zero; stored last")

#define KVCPU_NOTICE_WORD_(name, word, what) KVCPU_NW_##name = (word),
enum kvcpu_notice_word { KVCPU_NOTICE_FIELDS(KVCPU_NOTICE_WORD_) };
#undef KVCPU_NOTICE_WORD_

#define KVCPU_NTC_KIND_SHIFT 0
#define KVCPU_NTC_KIND_MASK 0xffffULL
#define KVCPU_NTC_DETAIL_SHIFT 16
#define KVCPU_NTC_DETAIL_MASK 0xffffULL
#define KVCPU_NTC_CONTEXT_SHIFT 32
#define KVCPU_NTC_CONTEXT_MASK 0xffffULL

/* X(name, number, what) */
#define KVCPU_NOTICES(X)                                                \
    X(REVOKE, 1, "release all holds of the block; detail: KVCPU_RV_*")  \
    X(STOPPED, 2, "the context's ring was stopped; detail: KVCPU_RS_*") \
    X(RECLAIMED, 3, "cached blocks were reclaimed, this one first; once until acknowledged")

#define KVCPU_NOTICE_NUMBER_(name, number, what) KVCPU_NT_##name = (number),
enum kvcpu_notice { KVCPU_NOTICES(KVCPU_NOTICE_NUMBER_) };
#undef KVCPU_NOTICE_NUMBER_

/* Reasons of a REVOKE: X(name, number, what) */
#define KVCPU_REVOKE_REASONS(X)                                          \
    X(SLOT, 0, "its slot is needed")                                     \
    X(FETCH, 1, "the block is needed in the fast tier")                  \
    X(EVICT, 2, "a hint or its score evicts it")                         \
    X(CLEAN, 3, "the block is to be written back, and has a WRITE hold") \
    X(SEALED, 4, "the block was sealed, and has a WRITE hold")           \
    X(FREED, 5, "the block was freed, and is to be scrubbed")

#define KVCPU_REVOKE_NUMBER_(name, number, what) KVCPU_RV_##name = (number),
enum kvcpu_revoke_reason { KVCPU_REVOKE_REASONS(KVCPU_REVOKE_NUMBER_) };
#undef KVCPU_REVOKE_NUMBER_

/* -- Residency map: one word per block; zero for blocks of other contexts - */

#define KVCPU_RESIDENCY_BYTES 8
#define KVCPU_RSD_OWNED_SHIFT 0
#define KVCPU_RSD_OWNED_MASK 0x1ULL
#define KVCPU_RSD_TIER_SHIFT 4 /* as in BLOCK_STATE */
#define KVCPU_RSD_TIER_MASK 0x3ULL
#define KVCPU_RSD_STATE_SHIFT 8
#define KVCPU_RSD_STATE_MASK 0xffULL
#define KVCPU_RSD_GENERATION_SHIFT 32
#define KVCPU_RSD_GENERATION_MASK 0xffffffffULL

/* -- CONTEXT_* registers -------------------------------------------------- */

/* CONTEXT_STATE */
#define KVCPU_CXS_RING_SHIFT 0 /* KVCPU_RS_* */
#define KVCPU_CXS_RING_MASK 0xffULL
#define KVCPU_CXS_CLOSING_SHIFT 8
#define KVCPU_CXS_CLOSING_MASK 0x1ULL
#define KVCPU_CXS_BUFFERS_SHIFT 16
#define KVCPU_CXS_BUFFERS_MASK 0xffULL
#define KVCPU_CXS_PARTS_SHIFT 32 /* of its residency map */
#define KVCPU_CXS_PARTS_MASK 0xffffULL
/* CONTEXT_BLOCKS */
#define KVCPU_CXB_OWNED_SHIFT 0
#define KVCPU_CXB_OWNED_MASK 0xffffffffULL
#define KVCPU_CXB_SLOTS_SHIFT 32
#define KVCPU_CXB_SLOTS_MASK 0xffffffffULL
/* CONTEXT_WAITS */
#define KVCPU_CXW_WAITING_SHIFT 0 /* pending commands of its ring */
#define KVCPU_CXW_WAITING_MASK 0xffffffffULL
#define KVCPU_CXW_HELD_SHIFT 32 /* blocks with holds whose HOLD command named it */
#define KVCPU_CXW_HELD_MASK 0xffffffffULL
/* CONTEXT_SQ, CONTEXT_CQ: the low halves of the device's and the guest's index */
#define KVCPU_CXR_DEVICE_SHIFT 0
#define KVCPU_CXR_DEVICE_MASK 0xffffffffULL
#define KVCPU_CXR_GUEST_SHIFT 32
#define KVCPU_CXR_GUEST_MASK 0xffffffffULL

#endif /* KVCPU_HW_RINGS_H */
