/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KV-CPU: the QEMU device. The device's behaviour is in the core behind
 * kvcpu_core.h; this adapter is the core's host.
 */
#ifndef HW_KVCPU_H
#define HW_KVCPU_H

#include "hw/pci/pci_device.h"
#include "system/hostmem.h"
#include "qom/object.h"
#include "../core/kvcpu_core.h"
#include "../include/kvcpu_hw.h"
#include "../include/kvcpu_hw_log.h"
#include "../include/kvcpu_hw_rings.h"

#define TYPE_KVCPU "kvcpu"
OBJECT_DECLARE_SIMPLE_TYPE(KvcpuState, KVCPU)

/* A memory tier: the RAM of BAR 2 or 4. */
typedef struct KvcpuTier {
    HostMemoryBackend *memdev;
    uint64_t size;
    /*
     * The BAR. Its size is a power of two. The RAM is at offset 0; the rest
     * reads as zeros.
     */
    MemoryRegion bar;
    MemoryRegion pad;
    MemoryRegion own_ram; /* used without a memdev */
    MemoryRegion *ram;
} KvcpuTier;

/* Creates the tier's memory and its BAR. `name` is "fast" or "slow". */
bool kvcpu_tier_realize(KvcpuState *s, KvcpuTier *tier, const char *name,
                        uint64_t default_size, Error **errp);
void kvcpu_tier_register_bar(KvcpuState *s, KvcpuTier *tier, int bar);
void kvcpu_tier_exit(KvcpuTier *tier);
void *kvcpu_tier_ptr(KvcpuTier *tier);
void kvcpu_tier_zero(KvcpuTier *tier);

/*
 * The event log's file and digest. Without either, a record costs nothing. The
 * file ends at the last record that max_bytes leaves space for; the digest is
 * of all records.
 */
typedef struct KvcpuLog {
    char *path; /* property event-log */
    uint64_t max_bytes; /* property event-log-max; 0: no limit */
    bool wants_digest; /* property event-log-digest; implied by path */
    FILE *file;
    uint64_t file_bytes;
    bool is_full;
    GChecksum *digest;
    uint8_t pending[64][KVCPU_EVENT_BYTES];
    unsigned count;
} KvcpuLog;

bool kvcpu_log_open(KvcpuLog *log, Error **errp);
void kvcpu_log_close(KvcpuLog *log);
void kvcpu_log_append(KvcpuLog *log, const struct kvcpu_event *event);
void kvcpu_log_flush(KvcpuLog *log);
/*
 * Hexadecimal SHA-256 of the records since the log's restart, or an empty
 * string if there is no digest. The caller frees it.
 */
char *kvcpu_log_digest(KvcpuLog *log);

struct KvcpuState {
    PCIDevice parent_obj;

    MemoryRegion bar0;
    MemoryRegion registers;
    KvcpuTier fast;
    KvcpuTier slow;
    QEMUTimer *timer;
    VMChangeStateEntry *vm_change;
    Notifier exit_notifier;
    KvcpuLog log;
    struct kvcpu_core *core;

    /* The kind of the next reset; see kvcpu_reset_exit(). */
    bool is_machine_reset;
    bool was_reset;

    /* Calls into the core in progress, and a reset that waits for their end. */
    unsigned calls;
    bool unplugged; /* set by exit; see kvcpu_enter() */
    bool reset_waits;
    enum kvcpu_reset_kind waiting_reset;

    /*
     * Properties, beside the tiers' and the log's:
     * fast-memdev, slow-memdev: a memory backend each, or
     * fast-size, slow-size:     bytes of memory of the device's own
     * event-log:                file for the event log's records
     * event-log-max:            limit of this file in bytes
     * event-log-digest:         compute the digest without a file as well
     */
    uint16_t vendor_id;
    uint16_t device_id;
    uint64_t block_size;
    uint32_t max_contexts;
    char *policy;
    uint32_t dma_channels;
    uint64_t dma_latency_ns;
    uint64_t dma_bandwidth;
    uint64_t scrub_bandwidth;
    uint32_t vectors;
    uint64_t doorbell_latency_ns;
};

/* The operations that the core calls; `opaque` is the KvcpuState. */
extern const struct kvcpu_host_ops kvcpu_host_ops;

#endif /* HW_KVCPU_H */
