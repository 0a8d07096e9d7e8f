/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The C interface between the KV-CPU's core and its host: QEMU's adapter, unit
 * tests, the library's loopback transport, the simulator.
 *
 * The core is a state machine without a thread or a clock. Its only memory is its directory. The
 * host provides time, timer, guest memory and interrupts through `struct kvcpu_host_ops`, and tier
 * memory at creation.
 *
 * Threads: one core is used by one thread at a time; the host serializes. Several
 * cores are independent of each other.
 * Errors: no exception crosses this header. Guest mistakes never fail a call; they
 * are counted and logged as docs/device-spec.md specifies.
 * Re-entry: a call into the core from within one of its host operations (DMA that
 * reaches the device's own registers) is refused and counted: a read returns 0, a
 * write does nothing.
 * Ownership: the host owns tier memory and `opaque`, and keeps both until
 * kvcpu_core_destroy() has returned.
 */
#ifndef KVCPU_CORE_H
#define KVCPU_CORE_H

/* C reads this too. NOLINTBEGIN(modernize-deprecated-headers) */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* NOLINTEND(modernize-deprecated-headers) */

#ifdef __cplusplus
extern "C" {
#endif

struct kvcpu_core;

/* Sizes in bytes, times in virtual nanoseconds, bandwidths in bytes per second. */
struct kvcpu_config {
    uint64_t block_size;      /* power of two, KVCPU_BLOCK_SIZE_MIN..MAX */
    uint64_t fast_size;       /* multiple of block_size, at least one block, at most slow_size */
    uint64_t slow_size;       /* multiple of block_size, at most KVCPU_BLOCKS_MAX blocks */
    uint32_t max_contexts;    /* 1..KVCPU_CONTEXTS_MAX, context 0 included */
    uint32_t policy;          /* enum kvcpu_policy */
    uint32_t dma_channels;    /* 1..KVCPU_DMA_CHANNELS_MAX */
    uint64_t dma_latency_ns;  /* added to every move, at most one second */
    uint64_t dma_bandwidth;   /* of all channels together; a channel has an equal share; >= 1 */
    uint64_t scrub_bandwidth; /* of the scrubber; 0: KVCPU_SCRUB_FACTOR * dma_bandwidth */
    uint32_t vectors;         /* KVCPU_VECTORS_MIN..MAX; 0: KVCPU_VECTORS_DEFAULT */
    uint64_t doorbell_latency_ns; /* at most KVCPU_DOORBELL_LATENCY_MAX_NS */
};

#define KVCPU_SCRUB_FACTOR 32
#define KVCPU_VECTORS_DEFAULT 18

enum kvcpu_tier { KVCPU_TIER_FAST, KVCPU_TIER_SLOW };

enum kvcpu_dma_result {
    KVCPU_DMA_OK,
    KVCPU_DMA_FAULT,       /* no memory has this bus address, or bus mastering is disabled */
    KVCPU_DMA_OWN_ADDRESS, /* the address lies in this device's own BARs */
};

enum kvcpu_reset_kind {
    KVCPU_RESET_COLD, /* power-on, or bus reset of the whole machine; the host itself zeroes tier
                         memory */
    KVCPU_RESET_FUNCTION, /* FLR and secondary bus reset */
    KVCPU_RESET_REGISTER, /* KVCPU_CONTROL_RESET; made by the core itself */
};

/* One record of the event log, in host byte order; kvcpu_hw_log.h defines the fields. */
struct kvcpu_event {
    uint64_t sequence;
    uint64_t time_ns; /* since the log's restart */
    uint16_t kind;    /* enum kvcpu_event_kind */
    uint16_t detail;
    uint16_t context;
    uint16_t status;
    uint64_t first;
    uint64_t value;
};

#define KVCPU_EVENT_BYTES 40

/* Timer deadline that means "no timer". */
#define KVCPU_TIMER_OFF UINT64_MAX

/*
 * Operations of the host. All except next_use are required. The core calls them only within a call
 * into the core.
 */
struct kvcpu_host_ops {
    /* Returns the virtual time, which never decreases. */
    uint64_t (*now)(void *opaque);
    /*
     * Arms the core's only timer for an absolute virtual time, and replaces an earlier time. The
     * host calls kvcpu_core_timer() at or after this time. A time in the past means "as soon as the
     * current call has returned".
     */
    void (*set_timer)(void *opaque, uint64_t deadline_ns);
    /*
     * Access guest memory. 8 bytes at a multiple of 8 are read or written by one access. Such a
     * write is not visible before earlier writes.
     */
    enum kvcpu_dma_result (*dma_read)(void *opaque, uint64_t address, void *to, uint64_t bytes);
    enum kvcpu_dma_result (*dma_write)(void *opaque, uint64_t address, const void *from,
                                       uint64_t bytes);
    /* Raises an MSI-X vector (edge). */
    void (*notify)(void *opaque, unsigned vector);
    /* Notifies the host that the core has changed tier memory. */
    void (*tier_written)(void *opaque, enum kvcpu_tier tier, uint64_t offset, uint64_t bytes);
    /* Stores one event log record. KVCPU_EV_LOG_RESTART is the first record of a new log. */
    void (*event)(void *opaque, const struct kvcpu_event *event);
    /*
     * NULL except in a simulator. Returns the next use of the block, in any unit that grows with
     * time; UINT64_MAX: never. With this operation the core ignores POLICY and evicts the block
     * with the farthest next use (Belady's MIN), as a bound for other policies. No guest can select
     * this.
     */
    uint64_t (*next_use)(void *opaque, uint32_t block);
};

/*
 * Checks a configuration. Returns true if it is valid, and does not write to `message` then.
 * Otherwise writes a message that begins with the name of the invalid QEMU property ("block-size:
 * ...") and contains its value and range.
 */
bool kvcpu_config_check(const struct kvcpu_config *config, char *message, size_t size);

/*
 * Creates a core in its power-on state. `fast` and `slow` are fast_size and slow_size bytes of
 * zeroed memory. If both are NULL, blocks have no content, and READ and WRITE copy no bytes;
 * everything else works as with memory (for simulation). `ops` is copied. Returns NULL if the
 * configuration is invalid or memory is short; `message` then has the reason.
 */
struct kvcpu_core *kvcpu_core_create(const struct kvcpu_config *config,
                                     const struct kvcpu_host_ops *ops, void *opaque, void *fast,
                                     void *slow, char *message, size_t size);
/* NULL is allowed. Calls no host operation. */
void kvcpu_core_destroy(struct kvcpu_core *core);

/* Executes a register access of any offset, size and alignment. */
uint64_t kvcpu_core_read(struct kvcpu_core *core, uint64_t offset, unsigned bytes);
void kvcpu_core_write(struct kvcpu_core *core, uint64_t offset, uint64_t value, unsigned bytes);

/* The timer armed by set_timer has expired. */
void kvcpu_core_timer(struct kvcpu_core *core);

void kvcpu_core_reset(struct kvcpu_core *core, enum kvcpu_reset_kind kind);

/* Writes the canonical form of a record: KVCPU_EVENT_WORDS little-endian words. */
void kvcpu_event_encode(const struct kvcpu_event *event, uint8_t out[KVCPU_EVENT_BYTES]);

/* Convert a policy to its property value and back; return NULL or -1 for an unknown one. */
const char *kvcpu_policy_name(uint32_t policy);
int kvcpu_policy_number(const char *name);

#ifdef __cplusplus
}
#endif

#endif /* KVCPU_CORE_H */
