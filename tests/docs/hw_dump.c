/* SPDX-License-Identifier: MIT */
/* Prints every list of kvcpu_hw*.h as the compiler sees it, with one "list|field|..." per line. */
#include <stdio.h>

#include "kvcpu_hw.h"
#include "kvcpu_hw_log.h"
#include "kvcpu_hw_rings.h"

#define REGISTER(name, offset, access, reset, what)                              \
    printf("registers|" #name "|0x%04x|" #access "|%s|%s\n", (unsigned)(offset), \
           reset_text(reset), what);
#define NUMBERED(list, name, number, what) \
    printf(list "|" #name "|%u|%s\n", (unsigned)(number), what);
#define COUNTER(name, number, what) NUMBERED("counters", name, number, what)
#define STATUS(name, number, what) NUMBERED("statuses", name, number, what)
#define POLICY(name, number, what) NUMBERED("policies", name, number, what)
#define OUTCOME(name, number, what) NUMBERED("outcomes", name, number, what)
#define REASON(name, number, what) NUMBERED("reasons", name, number, what)
#define CLASS(name, number, what) NUMBERED("classes", name, number, what)
#define STATE(name, number, what) NUMBERED("states", name, number, what)
#define BLOCK_EVENT(name, number, what) NUMBERED("block events", name, number, what)
#define EVENT(name, number, what) NUMBERED("events", name, number, what)
#define COMMAND(name, number, what) NUMBERED("commands", name, number, what)
#define ADMIN(name, number, what) NUMBERED("admin commands", name, number, what)
#define DOORBELL(name, number, what) NUMBERED("doorbells", name, number, what)
#define ENTRY(name, number, what) NUMBERED("entry words", name, number, what)
#define HEADER(name, number, what) NUMBERED("header words", name, number, what)
#define COMPLETION(name, number, what) NUMBERED("completion words", name, number, what)
#define NOTICE_WORD(name, number, what) NUMBERED("notice words", name, number, what)
#define RING_STATE(name, number, what) NUMBERED("ring states", name, number, what)
#define NOTICE(name, number, what) NUMBERED("notices", name, number, what)
#define REVOKE_REASON(name, number, what) NUMBERED("revoke reasons", name, number, what)
#define CAUSE(name, number, what) NUMBERED("eviction causes", name, number, what)
#define HISTORY_STATE(name, number, what) NUMBERED("history states", name, number, what)
#define HINT(name, number, what) NUMBERED("hints", name, number, what)

#define LIMIT(name) printf("limits|" #name "|%llu\n", (unsigned long long)KVCPU_##name);
#define FIELD(reg, prefix, name)                                      \
    printf("fields|" #reg "|" #name "|%llu:%u\n",                     \
           top_bit((unsigned long long)KVCPU_##prefix##_##name##_MASK \
                   << KVCPU_##prefix##_##name##_SHIFT),               \
           (unsigned)KVCPU_##prefix##_##name##_SHIFT);
#define FLAG(name) printf("flags|" #name "|%llu\n", top_bit(KVCPU_BF_##name));

static unsigned long long top_bit(unsigned long long mask) {
    unsigned long long bit = 0;

    while (mask >>= 1)
        bit++;
    return bit;
}

static void dump_layouts(void) {
    FIELD(BLOCK_STATE, BST, STATE)
    FIELD(BLOCK_STATE, BST, CLASS)
    FIELD(BLOCK_STATE, BST, OWNER)
    FIELD(BLOCK_STATE, BST, FLAGS)
    FIELD(BLOCK_STATE, BST, TIER)
    FIELD(BLOCK_PLACE, BPL, SLOT)
    FIELD(BLOCK_PLACE, BPL, CLAIMS)
    FIELD(BLOCK_PLACE, BPL, SHARERS)
    FIELD(BLOCK_USE, BUS, R)
    FIELD(BLOCK_USE, BUS, F)
    FIELD(BLOCK_USE, BUS, P)
    FIELD(BLOCK_USE, BUS, GENERATION)
    FIELD(BLOCK_HOLDS, BHD, READ)
    FIELD(BLOCK_HOLDS, BHD, WRITE)
    FIELD(BLOCK_HOLDS, BHD, CONTEXT)
    FIELD(BLOCK_TAG, TAG, REQUEST)
    FIELD(BLOCK_TAG, TAG, LAYER)
    FIELD(BLOCK_TAG, TAG, HEAD)
    FIELD(BLOCK_TAG, TAG, TOKENS)
    FIELD(BLOCK_TOKENS, BTK, FIRST)
    FIELD(BLOCK_TOKENS, BTK, LAST)
    FIELD(CMD_CONTROL, CTL, OPCODE)
    FIELD(CMD_CONTROL, CTL, FLAGS)
    FIELD(CMD_CONTROL, CTL, CONTEXT)
    FIELD(CMD_EXTENT, EXT, OFFSET)
    FIELD(CMD_EXTENT, EXT, LENGTH)
    FIELD(CMD_RESULT, RES, STATUS)
    FIELD(CMD_RESULT, RES, AUX)
    FIELD(CMD_RESULT, RES, VALUE)
}

static void dump_ring_layouts(void) {
    FIELD(CONTEXT_STATE, CXS, RING)
    FIELD(CONTEXT_STATE, CXS, CLOSING)
    FIELD(CONTEXT_STATE, CXS, BUFFERS)
    FIELD(CONTEXT_STATE, CXS, PARTS)
    FIELD(CONTEXT_BLOCKS, CXB, OWNED)
    FIELD(CONTEXT_BLOCKS, CXB, SLOTS)
    FIELD(CONTEXT_WAITS, CXW, WAITING)
    FIELD(CONTEXT_WAITS, CXW, HELD)
    FIELD(CONTEXT_QUOTA, QTA, MIN)
    FIELD(CONTEXT_QUOTA, QTA, MAX)
    FIELD(CONTEXT_SQ, CXR, DEVICE)
    FIELD(CONTEXT_SQ, CXR, GUEST)
    FIELD(CONTEXT_CQ, CXR, DEVICE)
    FIELD(CONTEXT_CQ, CXR, GUEST)
    FIELD(OPEN_COUNT, OPN, SQ_ENTRIES)
    FIELD(OPEN_COUNT, OPN, CQ_ENTRIES)
    FIELD(OPEN_ARG, CLS, COUNT)
    FIELD(OPEN_ARG, CLS, VECTOR)
    FIELD(OPEN_ARG, CLS, NS)
    FIELD(OPEN_EXTENT, QTA, MIN)
    FIELD(OPEN_EXTENT, QTA, MAX)
    FIELD(HOLD_ARG, HLD, GENERATION)
    FIELD(HOLD_ARG, HLD, CHECK)
    FIELD(ENTRY_ADDR, BUF, OFFSET)
    FIELD(ENTRY_ADDR, BUF, ID)
    FIELD(NOTICE_HEAD, NTC, KIND)
    FIELD(NOTICE_HEAD, NTC, DETAIL)
    FIELD(NOTICE_HEAD, NTC, CONTEXT)
    FIELD(RESIDENCY_WORD, RSD, OWNED)
    FIELD(RESIDENCY_WORD, RSD, TIER)
    FIELD(RESIDENCY_WORD, RSD, STATE)
    FIELD(RESIDENCY_WORD, RSD, GENERATION)
}

static void dump_flags(void) {
    FLAG(ALLOCATED)
    FLAG(WRITTEN)
    FLAG(DIRTY)
    FLAG(SEALED)
    FLAG(PREFIX)
    FLAG(QUEUED)
    FLAG(HELD)
    FLAG(WRITE_HELD)
    FLAG(REVOKING)
    FLAG(CACHED)
}

static void dump_limits(void) {
    LIMIT(BLOCK_SIZE_MIN)
    LIMIT(BLOCK_SIZE_MAX)
    LIMIT(BLOCKS_MAX)
    LIMIT(COMMAND_BLOCKS_MAX)
    LIMIT(PENDING_MAX)
    LIMIT(CONTEXTS_MAX)
    LIMIT(DMA_CHANNELS_MAX)
    LIMIT(PIN_DEADLINE_MAX_NS)
    LIMIT(HINT_BUDGET)
    LIMIT(HINT_QUEUE_MAX)
    LIMIT(RING_ENTRIES_MIN)
    LIMIT(RING_ENTRIES_MAX)
    LIMIT(RING_ALIGN)
    LIMIT(CONTEXT_PENDING_MAX)
    LIMIT(RING_BUDGET)
    LIMIT(RING_COPY_COST)
    LIMIT(RING_SLICE_NS)
    LIMIT(BUFFERS_MAX)
    LIMIT(BUFFER_BYTES_MAX)
    LIMIT(BUFFER_PAGE)
    LIMIT(RESIDENCY_PART)
    LIMIT(HOLDS_MAX)
    LIMIT(COALESCE_COUNT_MAX)
    LIMIT(COALESCE_MAX_NS)
    LIMIT(VECTORS_MIN)
    LIMIT(VECTORS_MAX)
    LIMIT(DOORBELL_LATENCY_MAX_NS)
    LIMIT(HISTORY_RECORDS)
    LIMIT(HISTORY_BUDGET)
}

/* A register's reset value, in the form of the specification. */
static const char *reset_text(unsigned long long reset) {
    static char text[32];

    if (reset == KVCPU_RESET_CONFIG)
        return "configuration";
    snprintf(text, sizeof(text), "%llu", reset);
    return text;
}

int main(void) {
    KVCPU_REGISTERS(REGISTER)
    KVCPU_COUNTERS(COUNTER)
    KVCPU_STATUS_CODES(STATUS)
    KVCPU_POLICIES(POLICY)
    KVCPU_HINT_OUTCOMES(OUTCOME)
    KVCPU_HINT_REASONS(REASON)
    KVCPU_VICTIM_CLASSES(CLASS)
    KVCPU_BLOCK_STATES(STATE)
    KVCPU_BLOCK_EVENTS(BLOCK_EVENT)
    KVCPU_EVENTS(EVENT)
    KVCPU_COMMANDS(COMMAND)
    KVCPU_HINTS(HINT)
    KVCPU_ADMIN_COMMANDS(ADMIN)
    KVCPU_DOORBELLS(DOORBELL)
    KVCPU_ENTRY_FIELDS(ENTRY)
    KVCPU_CQ_HEADER_FIELDS(HEADER)
    KVCPU_COMPLETION_FIELDS(COMPLETION)
    KVCPU_NOTICE_FIELDS(NOTICE_WORD)
    KVCPU_RING_STATES(RING_STATE)
    KVCPU_NOTICES(NOTICE)
    KVCPU_REVOKE_REASONS(REVOKE_REASON)
    KVCPU_EVICTION_CAUSES(CAUSE)
    KVCPU_HISTORY_STATES(HISTORY_STATE)
    dump_layouts();
    dump_ring_layouts();
    dump_flags();
    dump_limits();
    return 0;
}
