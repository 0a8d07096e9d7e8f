/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KV-CPU: the host operations of the core: virtual time, DMA, interrupts,
 * event log. kvcpu.c has the rules for an unplugged device.
 */
#include "qemu/osdep.h"
#include "qemu/range.h"
#include "qemu/timer.h"
#include "hw/pci/msix.h"
#include "kvcpu.h"
#include "trace.h"

static uint64_t kvcpu_host_now(void *opaque)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

static void kvcpu_host_set_timer(void *opaque, uint64_t deadline_ns)
{
    KvcpuState *s = opaque;

    trace_kvcpu_set_timer(deadline_ns);
    if (s->unplugged) {
        return;
    }
    if (deadline_ns == KVCPU_TIMER_OFF) {
        timer_del(s->timer);
    } else {
        timer_mod_ns(s->timer, MIN(deadline_ns, INT64_MAX));
    }
}

static bool kvcpu_is_own_address(KvcpuState *s, uint64_t address,
                                 uint64_t bytes)
{
    static const int bars[] = {
        KVCPU_BAR_REGISTERS, KVCPU_BAR_FAST, KVCPU_BAR_SLOW
    };

    for (int i = 0; i < ARRAY_SIZE(bars); i++) {
        const PCIIORegion *region = &PCI_DEVICE(s)->io_regions[bars[i]];

        if (region->addr != PCI_BAR_UNMAPPED &&
            ranges_overlap(address, bytes, region->addr, region->size)) {
            return true;
        }
    }
    return false;
}

/*
 * A word is stored by one store, after all earlier stores, so that a polling
 * guest that sees the word also sees the rest of the record.
 */
static MemTxResult kvcpu_transfer(KvcpuState *s, uint64_t address,
                                  void *buffer, uint64_t bytes,
                                  DMADirection direction)
{
    PCIDevice *pdev = PCI_DEVICE(s);

    if (direction == DMA_DIRECTION_FROM_DEVICE && bytes == 8 &&
        QEMU_IS_ALIGNED(address, 8)) {
        smp_wmb(); /* the rest of the record is stored before */
        return stq_le_pci_dma(pdev, address, ldq_le_p(buffer),
                              MEMTXATTRS_UNSPECIFIED);
    }
    return pci_dma_rw(pdev, address, buffer, bytes, direction,
                      MEMTXATTRS_UNSPECIFIED);
}

static enum kvcpu_dma_result kvcpu_dma(KvcpuState *s, uint64_t address,
                                       void *buffer, uint64_t bytes,
                                       DMADirection direction)
{
    const char *verb = direction == DMA_DIRECTION_TO_DEVICE ? "read" : "write";

    if (s->unplugged) {
        trace_kvcpu_dma_failed(verb, address, bytes, "unplugged");
        return KVCPU_DMA_FAULT;
    }
    /* pci_dma_rw() would also fail, but would zero the buffer first. */
    if (!(pci_get_word(PCI_DEVICE(s)->config + PCI_COMMAND) &
          PCI_COMMAND_MASTER)) {
        trace_kvcpu_dma_failed(verb, address, bytes, "bus mastering is off");
        return KVCPU_DMA_FAULT;
    }
    if (address > UINT64_MAX - (bytes - 1)) {
        trace_kvcpu_dma_failed(verb, address, bytes, "wraps");
        return KVCPU_DMA_FAULT;
    }
    if (kvcpu_is_own_address(s, address, bytes)) {
        trace_kvcpu_dma_failed(verb, address, bytes, "own BAR");
        return KVCPU_DMA_OWN_ADDRESS;
    }
    if (kvcpu_transfer(s, address, buffer, bytes, direction) != MEMTX_OK) {
        trace_kvcpu_dma_failed(verb, address, bytes, "bus error");
        return KVCPU_DMA_FAULT;
    }
    trace_kvcpu_dma(verb, address, bytes);
    return KVCPU_DMA_OK;
}

static enum kvcpu_dma_result kvcpu_host_dma_read(void *opaque,
                                                 uint64_t address, void *to,
                                                 uint64_t bytes)
{
    return kvcpu_dma(opaque, address, to, bytes, DMA_DIRECTION_TO_DEVICE);
}

static enum kvcpu_dma_result kvcpu_host_dma_write(void *opaque,
                                                  uint64_t address,
                                                  const void *from,
                                                  uint64_t bytes)
{
    return kvcpu_dma(opaque, address, (void *)from, bytes,
                     DMA_DIRECTION_FROM_DEVICE);
}

static void kvcpu_host_notify(void *opaque, unsigned vector)
{
    KvcpuState *s = opaque;
    PCIDevice *pdev = PCI_DEVICE(s);
    bool enabled = !s->unplugged && msix_enabled(pdev);

    trace_kvcpu_notify(vector, enabled);
    if (enabled) {
        msix_notify(pdev, vector);
    }
}

static void kvcpu_host_tier_written(void *opaque, enum kvcpu_tier tier,
                                    uint64_t offset, uint64_t bytes)
{
    KvcpuState *s = opaque;

    memory_region_set_dirty(tier == KVCPU_TIER_FAST ? s->fast.ram : s->slow.ram,
                            offset, bytes);
}

#define KVCPU_NAME_(name, ...) #name,
static const char *const kvcpu_event_names[] = { KVCPU_EVENTS(KVCPU_NAME_) };
static const char *const kvcpu_counter_names[] = {
    KVCPU_COUNTERS(KVCPU_NAME_)
};
static const char *const kvcpu_status_names[] = {
    KVCPU_STATUS_CODES(KVCPU_NAME_)
};
static const char *const kvcpu_ring_states[] = {
    KVCPU_RING_STATES(KVCPU_NAME_)
};
static const char *const kvcpu_revoke_reasons[] = {
    KVCPU_REVOKE_REASONS(KVCPU_NAME_)
};
#undef KVCPU_NAME_

static void kvcpu_host_event(void *opaque, const struct kvcpu_event *event)
{
    KvcpuState *s = opaque;

    if (!s->unplugged) {
        kvcpu_log_append(&s->log, event);
    }
    trace_kvcpu_event(event->sequence, event->time_ns,
                      kvcpu_event_names[event->kind], event->detail,
                      event->context, event->status, event->first,
                      event->value);
    switch (event->kind) {
    case KVCPU_EV_GUEST_ERROR:
        trace_kvcpu_guest_error(kvcpu_counter_names[event->detail],
                                event->first, event->value);
        break;
    case KVCPU_EV_COMMAND_FAILED:
        trace_kvcpu_command_failed(event->detail, event->context,
                                   kvcpu_status_names[event->status]);
        break;
    case KVCPU_EV_RING_STOPPED:
        trace_kvcpu_ring_stopped(event->context,
                                 kvcpu_ring_states[event->status],
                                 event->first);
        break;
    case KVCPU_EV_REVOKE:
        trace_kvcpu_revoke(event->first, event->context,
                           kvcpu_revoke_reasons[event->detail]);
        break;
    default:
        break;
    }
}

const struct kvcpu_host_ops kvcpu_host_ops = {
    .now = kvcpu_host_now,
    .set_timer = kvcpu_host_set_timer,
    .dma_read = kvcpu_host_dma_read,
    .dma_write = kvcpu_host_dma_write,
    .notify = kvcpu_host_notify,
    .tier_written = kvcpu_host_tier_written,
    .event = kvcpu_host_event,
};
