/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * The KV-CPU's hardware contract: PCI identity, registers, command layout,
 * status codes, block states and counters. kvcpu_hw_rings.h has rings, doorbells
 * and the structures in guest memory, and kvcpu_hw_log.h has the event log.
 *
 * Only these three headers define the numbers. The device core, the QEMU adapter,
 * the Linux driver, the library and the tests include them, and a test compares
 * docs/device-spec.md with them. They contain only macros, so that C, C++ and
 * kernel code can include them.
 *
 * Lists are X-macros: KVCPU_REGISTERS(X) and the others expand X once for each
 * entry, so that a table in code cannot omit an entry.
 *
 * Every register is 64 bits wide and little-endian.
 */
#ifndef KVCPU_HW_H
#define KVCPU_HW_H

/* -- PCI identity and BARs ------------------------------------------------ */

#define KVCPU_PCI_VENDOR_ID 0x1de5
#define KVCPU_PCI_DEVICE_ID 0x0a10
#define KVCPU_PCI_REVISION 0x01
/* Base class 12h (processing accelerators), sub-class 00h. */
#define KVCPU_PCI_CLASS 0x1200

#define KVCPU_BAR_REGISTERS 0
#define KVCPU_BAR_FAST 2
#define KVCPU_BAR_SLOW 4

#define KVCPU_BAR0_SIZE 0x200000
#define KVCPU_MSIX_TABLE_OFFSET 0x8000
#define KVCPU_MSIX_PBA_OFFSET 0x10000
/*
 * The number of vectors that a driver of only the command window needs; VECTORS has the number of
 * vectors.
 */
#define KVCPU_MSIX_VECTORS 1
/* Raised when an entry is added to the completion FIFO or the admin completion ring. */
#define KVCPU_VECTOR_COMPLETION 0

/* -- Limits --------------------------------------------------------------- */

#define KVCPU_BLOCK_SIZE_MIN 0x1000
#define KVCPU_BLOCK_SIZE_MAX 0x200000
/* Block numbers are 32 bits; all ones is "no slot". */
#define KVCPU_BLOCKS_MAX 0x80000000ULL
#define KVCPU_NO_SLOT 0xffffffffULL
/* Blocks that one command (not a hint) may name. */
#define KVCPU_COMMAND_BLOCKS_MAX 4096
/* Commands of the window that may be pending; each reserves a place in the completion FIFO. */
#define KVCPU_PENDING_MAX 1024
#define KVCPU_CONTEXTS_MAX 256
#define KVCPU_DMA_CHANNELS_MAX 16
#define KVCPU_PIN_DEADLINE_MAX_NS 3600000000000ULL
/* Steps for which a HOT without an `until` protects a block, until HOT_LEASE is written. */
#define KVCPU_HOT_LEASE_DEFAULT 256

/* CLOCK_STOP: never. */
#define KVCPU_CLOCK_RUNS 0
/* Blocks of a hint that are examined within one register write or timer tick. */
#define KVCPU_HINT_BUDGET 4096
/* Hints that may be queued; a further long hint is ignored. */
#define KVCPU_HINT_QUEUE_MAX 64

/* -- Score: values after reset -------------------------------------------- */

#define KVCPU_WEIGHT_R_DEFAULT 1
#define KVCPU_WEIGHT_F_DEFAULT 1
#define KVCPU_WEIGHT_S_DEFAULT 2
#define KVCPU_WEIGHT_D_DEFAULT 200
#define KVCPU_EVICT_THRESH_DEFAULT 0x1000
#define KVCPU_PREFETCH_THRESH_DEFAULT 0xe000

/* -- Registers ------------------------------------------------------------ */

/*
 * X(name, offset, access, reset, what)
 * access: RO, RW, WO. reset: value after reset where it is the same in every
 * configuration, else KVCPU_RESET_CONFIG.
 */
#define KVCPU_RESET_CONFIG 0xffffffffffffffffULL

#define KVCPU_REGISTERS(X)                                                                      \
    /* identification and geometry */                                                           \
    X(ID, 0x0000, RO, KVCPU_ID_VALUE, "magic and revision")                                     \
    X(CAPS, 0x0008, RO, KVCPU_CAPS_VALUE, "capabilities")                                       \
    X(BLOCK_SIZE, 0x0010, RO, KVCPU_RESET_CONFIG, "bytes in a block")                           \
    X(BLOCKS, 0x0018, RO, KVCPU_RESET_CONFIG, "blocks in the KV space")                         \
    X(FAST_SLOTS, 0x0020, RO, KVCPU_RESET_CONFIG, "slots in the fast tier")                     \
    X(CONTEXTS, 0x0028, RO, KVCPU_RESET_CONFIG, "contexts, context 0 included")                 \
    X(DMA_CHANNELS, 0x0030, RO, KVCPU_RESET_CONFIG, "channels between the tiers")               \
    X(DMA_LATENCY, 0x0038, RO, KVCPU_RESET_CONFIG, "fixed latency of a move, ns")               \
    X(DMA_BANDWIDTH, 0x0040, RO, KVCPU_RESET_CONFIG, "bytes per second of all channels")        \
    X(SCRUB_BANDWIDTH, 0x0048, RO, KVCPU_RESET_CONFIG, "bytes per second of the scrubber")      \
    X(POLICIES, 0x0050, RO, KVCPU_RESET_CONFIG, "bit n: policy n is available")                 \
    X(TIME, 0x0058, RO, KVCPU_RESET_CONFIG, "the device's virtual time, ns")                    \
    X(VECTORS, 0x0060, RO, KVCPU_RESET_CONFIG, "MSI-X vectors")                                 \
    X(DOORBELL_LATENCY, 0x0068, RO, KVCPU_RESET_CONFIG,                                         \
      "ns from an SQ_TAIL write to the start of its work")                                      \
    /* reference-compatible hints, on context 0 */                                              \
    X(STEP_ADVANCE, 0x0100, RW, 0, "current decode step; the write executes")                   \
    X(BOOST_ADDR, 0x0200, RW, 0, "HOT: first byte")                                             \
    X(BOOST_LEN, 0x0208, RW, 0, "HOT: bytes; the write executes")                               \
    X(IMEVICT_ADDR, 0x0210, RW, 0, "EVICTABLE: first byte")                                     \
    X(IMEVICT_LEN, 0x0218, RW, 0, "EVICTABLE: bytes; the write executes")                       \
    X(PREFETCH_ADDR, 0x0300, RW, 0, "PREFETCHABLE: first byte")                                 \
    X(PREFETCH_LEN, 0x0308, RW, 0, "PREFETCHABLE: bytes")                                       \
    X(PREFETCH_STEP, 0x0310, RW, 0, "PREFETCHABLE: target step; the write executes")            \
    X(SHARE_ADDR, 0x0400, RW, 0, "SHARE: first byte")                                           \
    X(SHARE_LEN, 0x0408, RW, 0, "SHARE: bytes; the write executes")                             \
    X(WEIGHT_R, 0x0500, RW, KVCPU_WEIGHT_R_DEFAULT, "score weight of recency, 32 bits")         \
    X(WEIGHT_F, 0x0508, RW, KVCPU_WEIGHT_F_DEFAULT, "score weight of frequency, 32 bits")       \
    X(WEIGHT_S, 0x0510, RW, KVCPU_WEIGHT_S_DEFAULT, "score weight of step age, 32 bits")        \
    X(WEIGHT_D, 0x0518, RW, KVCPU_WEIGHT_D_DEFAULT, "score weight of sharing, 32 bits")         \
    X(EVICT_THRESH, 0x0520, RW, KVCPU_EVICT_THRESH_DEFAULT, "demote below, 32 bits")            \
    X(PREFETCH_THRESH, 0x0528, RW, KVCPU_PREFETCH_THRESH_DEFAULT, "promote above, 32 bits")     \
    /* administration */                                                                        \
    X(CONTROL, 0x1000, WO, 0, "KVCPU_CONTROL_* bits")                                           \
    X(POLICY, 0x1008, RW, KVCPU_RESET_CONFIG, "current placement policy")                       \
    X(HOT_LEASE, 0x1010, RW, KVCPU_HOT_LEASE_DEFAULT, "steps a HOT without `until` lasts")      \
    X(SHARED_CAP, 0x1018, RW, KVCPU_RESET_CONFIG, "slots reserved for shared prefixes")         \
    X(CLOCK_STOP, 0x1038, RW, KVCPU_CLOCK_RUNS, "time at which the device's clock stops")       \
    X(FAST_FREE, 0x1020, RO, KVCPU_RESET_CONFIG, "slots that hold no block")                    \
    X(BLOCKS_FREE, 0x1028, RO, KVCPU_RESET_CONFIG, "blocks that ALLOC may allocate now")        \
    X(LOG_RECORDS, 0x1030, RO, KVCPU_RESET_CONFIG, "event log records since its restart")       \
    X(BLOCK_SELECT, 0x1080, RW, 0, "selects the block of BLOCK_*")                              \
    X(BLOCK_STATE, 0x1088, RO, KVCPU_RESET_CONFIG, "KVCPU_BST_* fields")                        \
    X(BLOCK_PLACE, 0x1090, RO, KVCPU_RESET_CONFIG, "KVCPU_BPL_* fields")                        \
    X(BLOCK_USE, 0x1098, RO, KVCPU_RESET_CONFIG, "KVCPU_BUS_* fields")                          \
    X(BLOCK_TAG, 0x10a0, RO, KVCPU_RESET_CONFIG, "KVCPU_TAG_* fields")                          \
    X(BLOCK_TOKENS, 0x10a8, RO, KVCPU_RESET_CONFIG, "KVCPU_BTK_* fields")                       \
    X(BLOCK_LAST_STEP, 0x10b0, RO, KVCPU_RESET_CONFIG, "its context's step at its last use")    \
    X(BLOCK_TARGET, 0x10b8, RO, KVCPU_RESET_CONFIG, "PREFETCHABLE's target or HOT's end, step") \
    X(BLOCK_HOLDS, 0x10c0, RO, KVCPU_RESET_CONFIG, "KVCPU_BHD_* fields")                        \
    /* queues and contexts */                                                                   \
    X(ADMIN_SQ_ADDR, 0x1100, RW, 0, "bus address of the admin submission ring")                 \
    X(ADMIN_SQ_ENTRIES, 0x1108, RW, 0, "entries of the admin submission ring")                  \
    X(ADMIN_CQ_ADDR, 0x1110, RW, 0, "bus address of the admin completion ring")                 \
    X(ADMIN_CQ_ENTRIES, 0x1118, RW, 0, "entries of the admin completion ring")                  \
    X(EVQ_ADDR, 0x1120, RW, 0, "bus address of the event queue")                                \
    X(EVQ_ENTRIES, 0x1128, RW, 0, "records of the event queue")                                 \
    X(QUEUE_ENABLE, 0x1130, RW, 0, "KVCPU_QEN_* bits")                                          \
    X(CONTEXT_SELECT, 0x1180, RW, 0, "selects the context of CONTEXT_*")                        \
    X(CONTEXT_STATE, 0x1188, RO, KVCPU_RESET_CONFIG, "KVCPU_CXS_* fields")                      \
    X(CONTEXT_STEP, 0x1190, RO, KVCPU_RESET_CONFIG, "its decode step")                          \
    X(CONTEXT_BLOCKS, 0x1198, RO, KVCPU_RESET_CONFIG, "KVCPU_CXB_* fields")                     \
    X(CONTEXT_WAITS, 0x11a0, RO, KVCPU_RESET_CONFIG, "KVCPU_CXW_* fields")                      \
    X(CONTEXT_QUOTA, 0x11a8, RO, KVCPU_RESET_CONFIG, "KVCPU_QTA_* fields")                      \
    X(CONTEXT_SQ, 0x11b0, RO, KVCPU_RESET_CONFIG, "KVCPU_CXR_* fields of its submission ring")  \
    X(CONTEXT_CQ, 0x11b8, RO, KVCPU_RESET_CONFIG, "KVCPU_CXR_* fields of its completion ring")  \
    /* occupancy, and the history of a block */                                                 \
    X(OCCUPANCY_FREE, 0x1200, RO, KVCPU_RESET_CONFIG, "blocks in FREE")                         \
    X(OCCUPANCY_SCRUBBING, 0x1208, RO, KVCPU_RESET_CONFIG, "blocks in SCRUBBING")               \
    X(OCCUPANCY_SLOW, 0x1210, RO, KVCPU_RESET_CONFIG, "blocks in SLOW")                         \
    X(OCCUPANCY_FETCHING, 0x1218, RO, KVCPU_RESET_CONFIG, "blocks in FETCHING")                 \
    X(OCCUPANCY_CLEAN, 0x1220, RO, KVCPU_RESET_CONFIG,                                          \
      "blocks in FAST or WRITING_BACK: neither pinned nor dirty")                               \
    X(OCCUPANCY_DIRTY, 0x1228, RO, KVCPU_RESET_CONFIG, "the same: dirty, not pinned")           \
    X(OCCUPANCY_PINNED, 0x1230, RO, KVCPU_RESET_CONFIG, "the same: pinned")                     \
    X(OCCUPANCY_EVICTING, 0x1238, RO, KVCPU_RESET_CONFIG, "blocks in EVICTING")                 \
    X(HISTORY_BEFORE, 0x1280, RW, 0,                                                            \
      "seeks the selected block's record before this; then: where to go on")                    \
    X(HISTORY_STATE, 0x1288, RO, 0, "KVCPU_HS_*: result of the search")                         \
    X(HISTORY_SEQUENCE, 0x1290, RO, 0, "record: word 0")                                        \
    X(HISTORY_TIME, 0x1298, RO, 0, "record: word 1")                                            \
    X(HISTORY_WHAT, 0x12a0, RO, 0, "record: word 2")                                            \
    X(HISTORY_FIRST, 0x12a8, RO, 0, "record: word 3")                                           \
    X(HISTORY_VALUE, 0x12b0, RO, 0, "record: word 4")                                           \
    /* command window */                                                                        \
    X(CMD_FIRST, 0x2000, RW, 0, "word 0: first block")                                          \
    X(CMD_COUNT, 0x2008, RW, 0, "word 1: blocks")                                               \
    X(CMD_ARG, 0x2010, RW, 0, "word 2: step, deadline or tag, by opcode")                       \
    X(CMD_ADDR, 0x2018, RW, 0, "word 3: bus address")                                           \
    X(CMD_EXTENT, 0x2020, RW, 0, "word 4: KVCPU_EXT_* fields")                                  \
    X(CMD_META, 0x2028, RW, 0, "word 5: KVCPU_TAG_* fields")                                    \
    X(CMD_TAG, 0x2030, RW, 0, "word 6: returned with the completion")                           \
    X(CMD_CONTROL, 0x2038, RW, 0, "word 7: KVCPU_CTL_* fields; the write executes")             \
    X(CMD_RESULT, 0x2040, RO, 0, "KVCPU_RES_* fields of the last command")                      \
    X(CPL_PENDING, 0x2080, RO, 0, "completions in the FIFO")                                    \
    X(CPL_TAG, 0x2088, RO, 0, "oldest completion: its command's tag")                           \
    X(CPL_RESULT, 0x2090, RO, 0, "oldest completion: KVCPU_RES_* fields")                       \
    X(CPL_TIME, 0x2098, RO, 0, "oldest completion: when, virtual ns")                           \
    X(CPL_POP, 0x20a0, WO, 0, "any write removes the oldest completion")

#define KVCPU_REGISTER_OFFSET_(name, offset, access, reset, what) KVCPU_REG_##name = (offset),
enum kvcpu_register { KVCPU_REGISTERS(KVCPU_REGISTER_OFFSET_) };
#undef KVCPU_REGISTER_OFFSET_

/* ID: the magic "KVCP" in the upper half; major and minor revision below. */
#define KVCPU_ID_MAGIC 0x4b564350ULL
#define KVCPU_REVISION_MAJOR 1
#define KVCPU_REVISION_MINOR 1
#define KVCPU_ID_VALUE \
    ((KVCPU_ID_MAGIC << 32) | (KVCPU_REVISION_MAJOR << 16) | KVCPU_REVISION_MINOR)

#define KVCPU_CAP_REFERENCE_HINTS 0x1ULL
#define KVCPU_CAP_COMMAND_WINDOW 0x2ULL
#define KVCPU_CAP_EVENT_LOG 0x4ULL
#define KVCPU_CAP_RINGS 0x8ULL /* admin queue, contexts' rings, buffers, FENCE */
#define KVCPU_CAP_EVENT_QUEUE 0x10ULL
#define KVCPU_CAP_RESIDENCY 0x20ULL
#define KVCPU_CAP_HOLDS 0x40ULL /* needs the event queue */
#define KVCPU_CAP_QUOTAS 0x80ULL
#define KVCPU_CAP_CACHED_BLOCKS 0x100ULL
#define KVCPU_CAP_OCCUPANCY 0x200ULL
#define KVCPU_CAP_HISTORY 0x400ULL
#define KVCPU_CAPS_VALUE                                                               \
    (KVCPU_CAP_REFERENCE_HINTS | KVCPU_CAP_COMMAND_WINDOW | KVCPU_CAP_EVENT_LOG |      \
     KVCPU_CAP_RINGS | KVCPU_CAP_EVENT_QUEUE | KVCPU_CAP_RESIDENCY | KVCPU_CAP_HOLDS | \
     KVCPU_CAP_QUOTAS | KVCPU_CAP_CACHED_BLOCKS | KVCPU_CAP_OCCUPANCY | KVCPU_CAP_HISTORY)

/* CONTROL */
#define KVCPU_CONTROL_RESET 0x1ULL       /* reset as by an FLR */
#define KVCPU_CONTROL_LOG_RESTART 0x2ULL /* restart of the event log */

/* QUEUE_ENABLE: a change of a bit from 0 to 1 sets the queue up from the registers */
#define KVCPU_QEN_ADMIN 0x1ULL
#define KVCPU_QEN_EVENTS 0x2ULL

/* -- Placement policies: X(name, number, "property value") ---------------- */

#define KVCPU_POLICIES(X)      \
    X(LRU, 0, "lru")           \
    X(HEPC, 1, "hepc")         \
    X(NEXT_USE, 2, "next-use") \
    X(ARC, 3, "arc")

#define KVCPU_POLICY_NUMBER_(name, number, text) KVCPU_POLICY_##name = (number),
enum kvcpu_policy { KVCPU_POLICIES(KVCPU_POLICY_NUMBER_) };
#undef KVCPU_POLICY_NUMBER_
/* The default of the property `policy`. */
#define KVCPU_POLICY_DEFAULT KVCPU_POLICY_NEXT_USE

/* -- Counters: X(name, index, what), at KVCPU_COUNTER_BASE + 8 * index ---- */

#define KVCPU_COUNTER_BASE 0x3000
#define KVCPU_COUNTERS(X)                                                                       \
    X(STEPS, 0, "STEP hints")                                                                   \
    X(EPOCHS, 1, "STEP hints to a smaller step")                                                \
    X(HINTS_HOT, 2, "HOT hints")                                                                \
    X(HINTS_EVICTABLE, 3, "EVICTABLE hints")                                                    \
    X(HINTS_PREFETCHABLE, 4, "PREFETCHABLE hints")                                              \
    X(HINTS_RELEASE, 5, "RELEASE hints")                                                        \
    X(HINTS_SHARE, 6, "SHARE hints")                                                            \
    X(HINTS_UNSHARE, 7, "UNSHARE hints")                                                        \
    X(HINTS_SEAL, 8, "SEAL hints")                                                              \
    X(HINTS_TOUCH, 9, "TOUCH hints")                                                            \
    X(HINTS_CLEAR, 10, "CLEAR hints")                                                           \
    X(HINTS_ACCEPTED, 11, "hints whose outcome was accepted")                                   \
    X(HINTS_DEFERRED, 12, "hints whose outcome was deferred")                                   \
    X(HINTS_CLIPPED, 13, "hints whose outcome was clipped")                                     \
    X(HINTS_IGNORED, 14, "hints whose outcome was ignored")                                     \
    X(HINT_BLOCKS, 15, "blocks that hints applied to")                                          \
    X(HINT_BLOCKS_FOREIGN, 16, "blocks in hints that another context owns")                     \
    X(COMMANDS, 17, "commands, hints through window and rings included")                        \
    X(COMMANDS_FAILED, 18, "commands that ended in an error status")                            \
    X(BLOCKS_ALLOCATED, 19, "blocks allocated by ALLOC")                                        \
    X(BLOCKS_FREED, 20, "blocks freed by FREE and CLOSE")                                       \
    X(PINS, 21, "PIN commands granted")                                                         \
    X(PINS_WAITED, 22, "PIN commands that had to wait")                                         \
    X(PINS_DISPLACED, 23, "hot or shared blocks displaced for a PIN")                           \
    X(UNPINS, 24, "UNPIN commands done")                                                        \
    X(READS, 25, "READ commands done")                                                          \
    X(WRITES, 26, "WRITE commands done")                                                        \
    X(FETCHES_DEMAND, 27, "moves slow to fast for a PIN, completed")                            \
    X(FETCHES_PREFETCH, 28, "moves slow to fast for a hint or score, completed")                \
    X(FETCHES_ABORTED, 29, "moves slow to fast whose block was freed meanwhile")                \
    X(WRITE_BACKS, 30, "moves fast to slow, completed")                                         \
    X(WRITE_BACKS_ABORTED, 31, "moves fast to slow whose block was freed meanwhile")            \
    X(ZERO_FILLS, 32, "slots zeroed for a block that was never written")                        \
    X(SCRUBS, 33, "blocks zeroed after they were freed")                                        \
    X(EVICTED_RELEASED, 34, "released blocks evicted")                                          \
    X(EVICTED_EVICTABLE, 35, "evictable blocks evicted")                                        \
    X(EVICTED_UNHINTED, 36, "unhinted blocks evicted")                                          \
    X(EVICTED_PREFETCHED, 37, "prefetchable blocks evicted")                                    \
    X(EVICTED_HOT, 38, "hot blocks evicted")                                                    \
    X(EVICTED_SHARED, 39, "shared blocks evicted")                                              \
    X(DEMOTED_BY_SCORE, 40, "blocks evicted because of their score")                            \
    X(PROMOTED_BY_SCORE, 41, "fetches queued because of a score")                               \
    X(PREFETCH_USED, 42, "prefetched blocks that a PIN, READ, WRITE or HOLD used")              \
    X(PREFETCH_UNUSED, 43, "prefetched blocks evicted before use")                              \
    X(PREFETCH_LATE, 44, "blocks that a PIN needed while their prefetch was pending")           \
    X(LINK_BUSY_NS, 45, "channel-nanoseconds spent on completed moves")                         \
    X(BAD_OFFSET, 46, "register accesses at an offset without a register")                      \
    X(BAD_SIZE, 47, "register accesses of an invalid size")                                     \
    X(BAD_ALIGNMENT, 48, "misaligned register accesses")                                        \
    X(BAD_DIRECTION, 49, "writes to RO and reads of WO registers")                              \
    X(BAD_VALUE, 50, "invalid register values")                                                 \
    X(REENTERED, 51, "register accesses made by the device's own DMA")                          \
    X(DMA_FAULTS, 52, "bus addresses that could not be read or written")                        \
    X(RESETS, 53, "resets since power-on; the only counter a reset keeps")                      \
    X(BAD_DOORBELL, 54, "invalid doorbell values, and doorbells of rings that are not running") \
    X(DOORBELLS, 55, "SQ_TAIL writes that added entries")                                       \
    X(RING_ENTRIES, 56, "entries consumed from rings, including the admin ring")                \
    X(RING_COMPLETIONS, 57, "completions written to rings")                                     \
    X(RING_PAUSES, 58, "times a ring paused because its completion ring was full")              \
    X(RINGS_STOPPED, 59, "rings stopped, for any reason")                                       \
    X(HOLDS, 60, "HOLD commands done")                                                          \
    X(HOLDS_WAITED, 61, "HOLD commands that had to wait for a move")                            \
    X(UNHOLDS, 62, "UNHOLD commands done")                                                      \
    X(REVOKES, 63, "blocks whose holders were asked to release them")                           \
    X(NOTICES, 64, "records written to the event queue")                                        \
    X(RESIDENCY_WRITES, 65, "entries of residency maps written")                                \
    X(INTERRUPTS, 66, "vectors raised")                                                         \
    X(QUOTA_EVICTIONS, 67, "blocks evicted because their context was at its quota maximum")     \
    X(BLOCKS_RECLAIMED, 68, "cached blocks that the device reclaimed")                          \
    X(GHOSTS_RECALLED, 69, "sealed blocks whose content had been freed or reclaimed before")

#define KVCPU_COUNTER_INDEX_(name, index, what) KVCPU_CNT_##name = (index),
enum kvcpu_counter { KVCPU_COUNTERS(KVCPU_COUNTER_INDEX_) KVCPU_COUNTER_COUNT };
#undef KVCPU_COUNTER_INDEX_

/* One further counter for each status code: the number of commands that ended with it. */
#define KVCPU_STATUS_COUNTER_BASE 0x3800

/* -- Status codes: X(name, number, what) ---------------------------------- */

#define KVCPU_STATUS_CODES(X)                                                                  \
    X(SUCCESS, 0, "done")                                                                      \
    X(PENDING, 1, "accepted; a completion with the command's tag follows")                     \
    X(BAD_OPCODE, 2, "no such command")                                                        \
    X(BAD_FIELD, 3, "a reserved field is not zero, or a value is out of range")                \
    X(BAD_CONTEXT, 4, "no such context")                                                       \
    X(BAD_RANGE, 5, "the range is empty, too long, or leaves the KV space")                    \
    X(NOT_OWNER, 6, "a block of the range is not this context's, or not allocated")            \
    X(NO_SPACE, 7, "no block is free")                                                         \
    X(NO_SLOTS, 8, "more slots are requested than the context can ever have")                  \
    X(BUSY, 9, "too many commands are pending, or the context is being closed")                \
    X(TIMED_OUT, 10, "the deadline passed first")                                              \
    X(CANCELLED, 11, "ended by CANCEL or CLOSE")                                               \
    X(NOT_FOUND, 12, "no pending command has this tag")                                        \
    X(NOT_PINNED, 13, "a block of the range is not pinned")                                    \
    X(PINNED, 14, "a block of the range is pinned")                                            \
    X(SEALED, 15, "the block is sealed")                                                       \
    X(DMA_FAULT, 16, "the bus address cannot be read or written")                              \
    X(OWN_ADDRESS, 17, "the bus address lies in this device's own BARs")                       \
    X(UNSUPPORTED, 18, "a feature that is not in CAPS")                                        \
    X(CLAIM_LIMIT, 19, "a block's pin count or hold count is at its maximum")                  \
    X(NOT_HELD, 20, "a block of the range has no such hold")                                   \
    X(STALE, 21, "generation mismatch")                                                        \
    X(BAD_BUFFER, 22, "no such buffer, or the range leaves it; BUFFER_ADD: the buffer exists") \
    X(BAD_STATE, 23, "the context's ring is in the wrong state: open, absent or not stopped")  \
    X(AGAIN, 24, "blocks were reclaimed: acknowledge those of this context, and try again")

#define KVCPU_STATUS_NUMBER_(name, number, what) KVCPU_SC_##name = (number),
enum kvcpu_status { KVCPU_STATUS_CODES(KVCPU_STATUS_NUMBER_) KVCPU_STATUS_COUNT };
#undef KVCPU_STATUS_NUMBER_

/* -- Commands and hints: X(name, number, what) ---------------------------- */

#define KVCPU_COMMANDS(X)                                                                       \
    X(ALLOC, 0x01, "allocate up to `count` free blocks in one run; result: first and how many") \
    X(FREE, 0x02, "free blocks; they are scrubbed")                                             \
    X(PIN, 0x03, "pin blocks in the fast tier; ARG: deadline, ns from now")                     \
    X(UNPIN, 0x04, "unpin blocks")                                                              \
    X(READ, 0x05, "copy from a block to memory")                                                \
    X(WRITE, 0x06, "copy from memory to a block")                                               \
    X(CANCEL, 0x07, "cancel the pending PIN whose tag is ARG")                                  \
    X(FENCE, 0x09, "completes when the PINs and deferred hints pending now have completed")     \
    X(RECLAIMED, 0x0a, "acknowledge reclaimed cached blocks; result: first and how many")

/* Valid only in the command window and in the admin ring; so is CLOSE. */
#define KVCPU_ADMIN_COMMANDS(X)                                                         \
    X(CLOSE, 0x08, "cancel a context's pending commands, and free its pins and blocks") \
    X(OPEN, 0x40, "set up a context's rings")                                           \
    X(RESTART, 0x41, "restart a stopped context's rings, both empty")                   \
    X(COALESCE, 0x42, "interrupt coalescing settings of a context")                     \
    X(QUOTA, 0x43, "a context's minimum and maximum number of slots")                   \
    X(BUFFER_ADD, 0x44, "register a buffer for a context's READ and WRITE")             \
    X(BUFFER_REMOVE, 0x45, "remove a registered buffer")                                \
    X(RESIDENCY, 0x46, "set the memory of a part of a context's residency map")         \
    X(HOLD, 0x47, "keep a block in place while it is mapped")                           \
    X(UNHOLD, 0x48, "release holds")

#define KVCPU_HINTS(X)                                                       \
    X(STEP, 0x20, "set the context's decode step to ARG")                    \
    X(HOT, 0x21, "keep in the fast tier until step ARG; 0: HOT_LEASE steps") \
    X(EVICTABLE, 0x22, "evict before other blocks; with F_NOW at once")      \
    X(PREFETCHABLE, 0x23, "fetch into the fast tier by step ARG")            \
    X(RELEASE, 0x24, "the block will not be accessed again")                 \
    X(SHARE, 0x25, "add a sharer of a prefix")                               \
    X(UNSHARE, 0x26, "remove a sharer of a prefix")                          \
    X(SEAL, 0x27, "no more writes; written back in the background")          \
    X(TOUCH, 0x28, "record a use now")                                       \
    X(CLEAR, 0x29, "forget HOT, EVICTABLE, PREFETCHABLE and RELEASE")

#define KVCPU_OPCODE_NUMBER_(name, number, what) KVCPU_OP_##name = (number),
enum kvcpu_opcode {
    KVCPU_COMMANDS(KVCPU_OPCODE_NUMBER_) KVCPU_HINTS(KVCPU_OPCODE_NUMBER_)
        KVCPU_ADMIN_COMMANDS(KVCPU_OPCODE_NUMBER_)
};
#undef KVCPU_OPCODE_NUMBER_

/* CMD_CONTROL: the word that is written last. Bits 63:48 are reserved and must be zero. */
#define KVCPU_CTL_OPCODE_SHIFT 0
#define KVCPU_CTL_OPCODE_MASK 0xffffULL
#define KVCPU_CTL_FLAGS_SHIFT 16
#define KVCPU_CTL_FLAGS_MASK 0xffffULL
#define KVCPU_CTL_CONTEXT_SHIFT 32
#define KVCPU_CTL_CONTEXT_MASK 0xffffULL

/* Flags of CMD_CONTROL */
#define KVCPU_F_NOW 0x0001      /* EVICTABLE: evict at once, also if no slot is needed */
#define KVCPU_F_COMPLETE 0x0002 /* entry of a ring: write a completion */
#define KVCPU_F_WRITE 0x0004    /* HOLD, UNHOLD: a hold for writing */
#define KVCPU_F_CACHED 0x0008   /* ALLOC: the device may reclaim the blocks */

/* CMD_EXTENT: the bytes of a READ or WRITE within its block */
#define KVCPU_EXT_OFFSET_SHIFT 0
#define KVCPU_EXT_OFFSET_MASK 0xffffffffULL
#define KVCPU_EXT_LENGTH_SHIFT 32
#define KVCPU_EXT_LENGTH_MASK 0xffffffffULL

/*
 * CMD_META of ALLOC, and BLOCK_TAG: the tag in the directory. The token range of the n-th block of
 * an ALLOC starts n * TOKENS after the ARG of the ALLOC.
 */
#define KVCPU_TAG_REQUEST_SHIFT 0
#define KVCPU_TAG_REQUEST_MASK 0xffffULL
#define KVCPU_TAG_LAYER_SHIFT 16
#define KVCPU_TAG_LAYER_MASK 0xffULL
#define KVCPU_TAG_HEAD_SHIFT 24
#define KVCPU_TAG_HEAD_MASK 0xffULL
#define KVCPU_TAG_TOKENS_SHIFT 32
#define KVCPU_TAG_TOKENS_MASK 0xffffffffULL
/* CMD_ARG of ALLOC: the first block's first token, 32 bits */
#define KVCPU_TOKEN_MASK 0xffffffffULL

/* CMD_RESULT and CPL_RESULT. AUX and VALUE by opcode:
 *   ALLOC        AUX blocks allocated          VALUE first block
 *   RECLAIMED    AUX blocks in the run         VALUE first block
 *   PIN          AUX blocks found in slots     VALUE 0
 *   HOLD         AUX generation, low 16 bits   VALUE slot, or KVCPU_NO_SLOT: in the slow tier
 *   a hint       AUX outcome and reason        VALUE blocks it was applied to so far
 *   others       AUX 0                         VALUE 0 */
#define KVCPU_RES_STATUS_SHIFT 0
#define KVCPU_RES_STATUS_MASK 0xffffULL
#define KVCPU_RES_AUX_SHIFT 16
#define KVCPU_RES_AUX_MASK 0xffffULL
#define KVCPU_RES_VALUE_SHIFT 32
#define KVCPU_RES_VALUE_MASK 0xffffffffULL

/* -- What became of a hint (AUX): outcome in bits 3:0, reason in bits 15:4 - */

#define KVCPU_HINT_OUTCOMES(X)                                           \
    X(ACCEPTED, 0, "applied to the whole range")                         \
    X(DEFERRED, 1, "applied in part; the rest follows by itself")        \
    X(CLIPPED, 2, "applied to a part; the reason says what was skipped") \
    X(IGNORED, 3, "applied to nothing; the reason says why")

#define KVCPU_HINT_REASONS(X)                                               \
    X(NONE, 0, "nothing was skipped")                                       \
    X(OUTSIDE, 1, "outside the KV space")                                   \
    X(FOREIGN, 2, "another context's blocks")                               \
    X(POLICY, 3, "the current policy does not use this hint")               \
    X(EMPTY, 4, "an empty range")                                           \
    X(QUEUE_FULL, 5, "KVCPU_HINT_QUEUE_MAX long hints are pending already") \
    X(SATURATED, 6, "a sharer count is at its maximum")

#define KVCPU_HINT_OUTCOME_MASK 0xf
#define KVCPU_HINT_REASON_SHIFT 4

#define KVCPU_OUTCOME_NUMBER_(name, number, what) KVCPU_HO_##name = (number),
enum kvcpu_hint_outcome { KVCPU_HINT_OUTCOMES(KVCPU_OUTCOME_NUMBER_) };
#undef KVCPU_OUTCOME_NUMBER_
#define KVCPU_REASON_NUMBER_(name, number, what) KVCPU_HR_##name = (number),
enum kvcpu_hint_reason { KVCPU_HINT_REASONS(KVCPU_REASON_NUMBER_) };
#undef KVCPU_REASON_NUMBER_

/* -- Block states and events: X(name, number, what) ----------------------- */

#define KVCPU_BLOCK_STATES(X)                                                               \
    X(FREE, 0, "no owner, zero, in the slow tier; context 0 may hint it")                   \
    X(SCRUBBING, 1, "freed, not yet zeroed")                                                \
    X(SLOW, 2, "in the slow tier")                                                          \
    X(FETCHING, 3, "being copied to a slot; its bytes are in its backing block until then") \
    X(FAST, 4, "in a slot")                                                                 \
    X(WRITING_BACK, 5, "in a slot, being written back; keeps the slot")                     \
    X(EVICTING, 6, "in a slot, being written back; frees the slot then")

/*
 * Events that may change the state of a block. The specification's table has a cell for each state
 * and event.
 */
#define KVCPU_BLOCK_EVENTS(X)                                                             \
    X(ALLOC, 0, "allocated by ALLOC")                                                     \
    X(FREE, 1, "freed by FREE or CLOSE, or reclaimed")                                    \
    X(SCRUBBED, 2, "its scrub ended")                                                     \
    X(FETCH_START, 3, "a channel starts its fetch, or the scrubber its zero-fill")        \
    X(FETCH_DONE, 4, "its fetch or zero-fill ended")                                      \
    X(CLEAN_START, 5, "a channel starts its write-back, and the block stays in its slot") \
    X(EVICT, 6, "its slot is needed, or its score or a hint evicts it")                   \
    X(WRITE_BACK_DONE, 7, "its write-back ended")                                         \
    X(CLAIM, 8, "a PIN is granted, or waits for the rest of its range")                   \
    X(HOLD, 9, "a HOLD is granted")                                                       \
    X(UNHOLD, 10, "a hold is released")                                                   \
    X(REVOKE, 11, "its holders are asked to release their holds")

#define KVCPU_STATE_NUMBER_(name, number, what) KVCPU_BS_##name = (number),
enum kvcpu_block_state { KVCPU_BLOCK_STATES(KVCPU_STATE_NUMBER_) KVCPU_BLOCK_STATE_COUNT };
#undef KVCPU_STATE_NUMBER_
#define KVCPU_BLOCK_EVENT_NUMBER_(name, number, what) KVCPU_BE_##name = (number),
enum kvcpu_block_event { KVCPU_BLOCK_EVENTS(KVCPU_BLOCK_EVENT_NUMBER_) KVCPU_BLOCK_EVENT_COUNT };
#undef KVCPU_BLOCK_EVENT_NUMBER_

/* Victim classes. The class with the lowest number is evicted first. */
#define KVCPU_VICTIM_CLASSES(X)                                                    \
    X(RELEASED, 0, "RELEASE")                                                      \
    X(EVICTABLE, 1, "EVICTABLE")                                                   \
    X(UNHINTED, 2, "no hint, or one that ended")                                   \
    X(PREFETCHED, 3, "PREFETCHABLE, its target not passed; farthest target first") \
    X(HOT, 4, "HOT, its lease not ended")                                          \
    X(SHARED, 5, "a prefix with a sharer left, within SHARED_CAP")                 \
    X(PINNED, 6, "pinned: never evicted")

#define KVCPU_CLASS_NUMBER_(name, number, what) KVCPU_VC_##name = (number),
enum kvcpu_victim_class { KVCPU_VICTIM_CLASSES(KVCPU_CLASS_NUMBER_) };
#undef KVCPU_CLASS_NUMBER_

/* BLOCK_STATE */
#define KVCPU_BST_STATE_SHIFT 0
#define KVCPU_BST_STATE_MASK 0xffULL
#define KVCPU_BST_CLASS_SHIFT 8
#define KVCPU_BST_CLASS_MASK 0xffULL
#define KVCPU_BST_OWNER_SHIFT 16
#define KVCPU_BST_OWNER_MASK 0xffffULL
#define KVCPU_BST_FLAGS_SHIFT 32
#define KVCPU_BST_FLAGS_MASK 0xffffULL
/* The two-bit tier of the published directory: 0 HBM (the fast tier), 2 DRAM (the slow tier) */
#define KVCPU_BST_TIER_SHIFT 48
#define KVCPU_BST_TIER_MASK 0x3ULL
#define KVCPU_TIER_HBM 0
#define KVCPU_TIER_DRAM 2

/* Flags of BLOCK_STATE */
#define KVCPU_BF_ALLOCATED 0x0001 /* the block is allocated */
#define KVCPU_BF_WRITTEN 0x0002   /* written since ALLOC; otherwise it reads as zeros */
#define KVCPU_BF_DIRTY 0x0004     /* its slot has data that its backing block does not have */
#define KVCPU_BF_SEALED 0x0008
#define KVCPU_BF_PREFIX 0x0010 /* shared at least once: D of the score is 255 */
#define KVCPU_BF_QUEUED 0x0020 /* a fetch of it waits for a channel or for a slot */
#define KVCPU_BF_HELD 0x0040   /* has a hold */
#define KVCPU_BF_WRITE_HELD 0x0080
#define KVCPU_BF_REVOKING 0x0100 /* the driver was asked to release its holds */
#define KVCPU_BF_CACHED 0x0200   /* the device may reclaim it */

/* BLOCK_PLACE */
#define KVCPU_BPL_SLOT_SHIFT 0
#define KVCPU_BPL_SLOT_MASK 0xffffffffULL
#define KVCPU_BPL_CLAIMS_SHIFT 32
#define KVCPU_BPL_CLAIMS_MASK 0xffffULL
#define KVCPU_BPL_SHARERS_SHIFT 48
#define KVCPU_BPL_SHARERS_MASK 0xffULL

/* BLOCK_USE: recency, frequency and score as of the context's current step */
#define KVCPU_BUS_R_SHIFT 0
#define KVCPU_BUS_R_MASK 0xffULL
#define KVCPU_BUS_F_SHIFT 8
#define KVCPU_BUS_F_MASK 0xffULL
#define KVCPU_BUS_P_SHIFT 16
#define KVCPU_BUS_P_MASK 0xffffULL
#define KVCPU_BUS_GENERATION_SHIFT 32
#define KVCPU_BUS_GENERATION_MASK 0xffffffffULL

/* BLOCK_TOKENS */
#define KVCPU_BTK_FIRST_SHIFT 0
#define KVCPU_BTK_FIRST_MASK 0xffffffffULL
#define KVCPU_BTK_LAST_SHIFT 32
#define KVCPU_BTK_LAST_MASK 0xffffffffULL

/* BLOCK_HOLDS */
#define KVCPU_BHD_READ_SHIFT 0
#define KVCPU_BHD_READ_MASK 0xffffULL
#define KVCPU_BHD_WRITE_SHIFT 16
#define KVCPU_BHD_WRITE_MASK 0xffffULL
#define KVCPU_BHD_CONTEXT_SHIFT 32
#define KVCPU_BHD_CONTEXT_MASK 0xffffULL

#endif /* KVCPU_HW_H */
