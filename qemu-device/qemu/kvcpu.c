/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KV-CPU: a PCIe device that stores an LLM server's KV-cache blocks in two
 * memory tiers, and moves them by hints.
 *
 * The core (../core) implements the device that docs/device-spec.md specifies.
 * This file has the PCI device: BARs, properties, reset and unplug.
 * kvcpu-host.c has the host operations of the core.
 */
#include "qemu/osdep.h"
#include "block/aio.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qemu/timer.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "hw/pci/msix.h"
#include "migration/vmstate.h"
#include "system/reset.h"
#include "system/runstate.h"
#include "system/system.h"
#include "kvcpu-compat.h"
#include "kvcpu.h"
#include "trace.h"

#define KVCPU_FAST_SIZE_DEFAULT (64 * MiB)
/* 65,536 blocks of 4 KiB: as many as the published directory has entries. */
#define KVCPU_SLOW_SIZE_DEFAULT (256 * MiB)

/* -- Lifetime and calls into the core ------------------------------------- */

/*
 * The guest or QMP can unplug the device at any moment, also from inside a
 * call into the core: the device's own DMA can reach the Slot Control register
 * of the port above it. Three rules follow:
 *
 * - Every entry point that calls the core is a pair of kvcpu_enter() and
 *   kvcpu_leave(). kvcpu_enter() fails once the device is unplugged. Then a
 *   register reads as all ones and everything else does nothing. A CPU may
 *   still get here through a memory map that it took before the unplug.
 * - Unplug only marks the device. The core, the event log and the tiers'
 *   memory live until the last call has left. In such a call the timer, DMA,
 *   interrupts and the event log do nothing.
 * - The outermost call holds a reference to the object. After an unplug, a
 *   bottom half drops this reference, as the memory core uses the
 *   MemoryRegion in the object when the call returns.
 */

static void kvcpu_core_reset_now(KvcpuState *s, enum kvcpu_reset_kind kind)
{
    if (kind == KVCPU_RESET_COLD) {
        kvcpu_tier_zero(&s->fast);
        kvcpu_tier_zero(&s->slow);
    }
    s->was_reset = true;
    kvcpu_core_reset(s->core, kind);
}

/* Frees the resources that a call in progress may use. */
static void kvcpu_release(KvcpuState *s)
{
    kvcpu_core_destroy(s->core);
    s->core = NULL;
    kvcpu_log_close(&s->log);
    kvcpu_tier_exit(&s->fast);
    kvcpu_tier_exit(&s->slow);
}

static void kvcpu_unref_later(void *opaque)
{
    object_unref(OBJECT(opaque));
}

static bool kvcpu_enter(KvcpuState *s)
{
    if (s->unplugged || !s->core) {
        return false;
    }
    if (s->calls++ == 0) {
        object_ref(OBJECT(s));
    }
    return true;
}

/*
 * The device's DMA can reach its own configuration space, and so cause an FLR
 * while the core executes a command. The reset waits until the command has
 * ended.
 */
static void kvcpu_leave(KvcpuState *s)
{
    if (--s->calls > 0) {
        return;
    }
    if (s->unplugged) {
        kvcpu_release(s);
        aio_bh_schedule_oneshot(qemu_get_aio_context(), kvcpu_unref_later, s);
        return;
    }
    if (s->reset_waits) {
        s->reset_waits = false;
        kvcpu_core_reset_now(s, s->waiting_reset);
    }
    object_unref(OBJECT(s));
}

/* -- Registers ------------------------------------------------------------ */

static uint64_t kvcpu_read(void *opaque, hwaddr offset, unsigned bytes)
{
    KvcpuState *s = opaque;
    uint64_t value = UINT64_MAX;

    if (kvcpu_enter(s)) {
        value = kvcpu_core_read(s->core, offset, bytes);
        kvcpu_leave(s);
    }
    trace_kvcpu_read(offset, bytes, value);
    return value;
}

static void kvcpu_write(void *opaque, hwaddr offset, uint64_t value,
                        unsigned bytes)
{
    KvcpuState *s = opaque;

    trace_kvcpu_write(offset, bytes, value);
    if (kvcpu_enter(s)) {
        kvcpu_core_write(s->core, offset, value, bytes);
        kvcpu_leave(s);
    }
}

/* Passes every access of the guest to the core, which checks it. */
static const MemoryRegionOps kvcpu_ops = {
    .read = kvcpu_read,
    .write = kvcpu_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

/* -- Timer ---------------------------------------------------------------- */

static void kvcpu_timer(void *opaque)
{
    KvcpuState *s = opaque;

    trace_kvcpu_timer(qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL));
    if (kvcpu_enter(s)) {
        kvcpu_core_timer(s->core);
        kvcpu_leave(s);
    }
}

/* -- The log's end -------------------------------------------------------- */

static void kvcpu_vm_change(void *opaque, bool running, RunState state)
{
    KvcpuState *s = opaque;

    if (!running) {
        kvcpu_log_flush(&s->log);
    }
}

static void kvcpu_at_exit(Notifier *notifier, void *data)
{
    KvcpuState *s = container_of(notifier, KvcpuState, exit_notifier);

    kvcpu_log_flush(&s->log);
}

static char *kvcpu_get_digest(Object *obj, Error **errp)
{
    KvcpuState *s = KVCPU(obj);

    return kvcpu_log_digest(&s->log);
}

/* -- Reset ---------------------------------------------------------------- */

static void kvcpu_machine_reset(void *opaque)
{
    KvcpuState *s = opaque;

    s->is_machine_reset = true;
}

/*
 * QEMU does not notify a device whether the machine or only its function (FLR,
 * secondary bus reset) is reset. The machine's reset calls
 * kvcpu_machine_reset() in its hold phase, so the kind is known here, in the
 * exit phase that follows.
 */
static void kvcpu_reset_exit(Object *obj, ResetType type)
{
    KvcpuState *s = KVCPU(obj);
    bool cold = s->is_machine_reset || !s->was_reset;
    enum kvcpu_reset_kind kind = cold ? KVCPU_RESET_COLD : KVCPU_RESET_FUNCTION;

    trace_kvcpu_reset(cold ? "cold" : "function", s->calls);
    s->is_machine_reset = false;
    if (s->unplugged || !s->core) {
        return;
    }
    if (s->calls) {
        s->reset_waits = true;
        s->waiting_reset = kind;
    } else {
        kvcpu_core_reset_now(s, kind);
    }
}

static void kvcpu_write_config(PCIDevice *pdev, uint32_t address,
                               uint32_t value, int bytes)
{
    pci_default_write_config(pdev, address, value, bytes);
    pcie_cap_flr_write_config(pdev, address, value, bytes);
}

/* -- Realize and unplug --------------------------------------------------- */

static bool kvcpu_make_core(KvcpuState *s, Error **errp)
{
    char message[256];
    const struct kvcpu_config config = {
        .block_size = s->block_size,
        .fast_size = s->fast.size,
        .slow_size = s->slow.size,
        .max_contexts = s->max_contexts,
        .policy = kvcpu_policy_number(s->policy),
        .dma_channels = s->dma_channels,
        .dma_latency_ns = s->dma_latency_ns,
        .dma_bandwidth = s->dma_bandwidth,
        .scrub_bandwidth = s->scrub_bandwidth,
        .vectors = s->vectors,
        .doorbell_latency_ns = s->doorbell_latency_ns,
    };

    s->core = kvcpu_core_create(&config, &kvcpu_host_ops, s,
                                kvcpu_tier_ptr(&s->fast),
                                kvcpu_tier_ptr(&s->slow), message,
                                sizeof(message));
    if (!s->core) {
        error_setg(errp, "%s", message);
    }
    return s->core;
}

/* Checks the configuration before memory is allocated for it. */
static bool kvcpu_check_properties(KvcpuState *s, Error **errp)
{
    char message[256];
    struct kvcpu_config config = {
        .block_size = s->block_size,
        .max_contexts = s->max_contexts,
        .dma_channels = s->dma_channels,
        .dma_latency_ns = s->dma_latency_ns,
        .dma_bandwidth = s->dma_bandwidth,
        .vectors = s->vectors,
        .doorbell_latency_ns = s->doorbell_latency_ns,
    };

    if (!s->policy) {
        s->policy = g_strdup(kvcpu_policy_name(KVCPU_POLICY_DEFAULT));
    }
    if (kvcpu_policy_number(s->policy) < 0) {
#define KVCPU_POLICY_LISTED(name, number, text) " " text
        error_setg(errp, "policy: '%s' is not a policy; there are%s",
                   s->policy, KVCPU_POLICIES(KVCPU_POLICY_LISTED));
#undef KVCPU_POLICY_LISTED
        return false;
    }
    if (!s->vectors) {
        /* The core would use its default. */
        error_setg(errp, "vectors: 0 is not in %d..%d", KVCPU_VECTORS_MIN,
                   KVCPU_VECTORS_MAX);
        return false;
    }
    config.policy = kvcpu_policy_number(s->policy);
    config.fast_size = s->fast.memdev ?
        memory_region_size(host_memory_backend_get_memory(s->fast.memdev)) :
        s->fast.size ?: KVCPU_FAST_SIZE_DEFAULT;
    config.slow_size = s->slow.memdev ?
        memory_region_size(host_memory_backend_get_memory(s->slow.memdev)) :
        s->slow.size ?: KVCPU_SLOW_SIZE_DEFAULT;
    if (!kvcpu_config_check(&config, message, sizeof(message))) {
        error_setg(errp, "%s", message);
        return false;
    }
    return true;
}

static bool kvcpu_make_pci(PCIDevice *pdev, Error **errp)
{
    KvcpuState *s = KVCPU(pdev);

    pci_config_set_vendor_id(pdev->config, s->vendor_id);
    pci_config_set_device_id(pdev->config, s->device_id);
    pci_config_set_interrupt_pin(pdev->config, 0);
    if (pcie_endpoint_cap_init(pdev, 0) < 0) {
        error_setg(errp, "kvcpu: no room for the PCI Express capability");
        return false;
    }
    pcie_cap_flr_init(pdev);

    memory_region_init(&s->bar0, OBJECT(s), "kvcpu.bar0", KVCPU_BAR0_SIZE);
    memory_region_init_io(&s->registers, OBJECT(s), &kvcpu_ops, s,
                          "kvcpu.registers", KVCPU_BAR0_SIZE);
    /*
     * Re-entry is passed to the core, which refuses and counts it; QEMU would
     * only discard it.
     */
    s->registers.disable_reentrancy_guard = true;
    memory_region_add_subregion_overlap(&s->bar0, 0, &s->registers, -1);
    pci_register_bar(pdev, KVCPU_BAR_REGISTERS,
                     PCI_BASE_ADDRESS_SPACE_MEMORY |
                     PCI_BASE_ADDRESS_MEM_TYPE_64, &s->bar0);
    kvcpu_tier_register_bar(s, &s->fast, KVCPU_BAR_FAST);
    kvcpu_tier_register_bar(s, &s->slow, KVCPU_BAR_SLOW);

    if (msix_init(pdev, s->vectors, &s->bar0, KVCPU_BAR_REGISTERS,
                  KVCPU_MSIX_TABLE_OFFSET, &s->bar0, KVCPU_BAR_REGISTERS,
                  KVCPU_MSIX_PBA_OFFSET, 0, errp)) {
        return false;
    }
    for (int vector = 0; vector < s->vectors; vector++) {
        msix_vector_use(pdev, vector);
    }
    return true;
}

static void kvcpu_exit(PCIDevice *pdev)
{
    KvcpuState *s = KVCPU(pdev);

    if (s->vm_change) {
        qemu_del_vm_change_state_handler(s->vm_change);
        qemu_remove_exit_notifier(&s->exit_notifier);
        qemu_unregister_reset(kvcpu_machine_reset, s);
        s->vm_change = NULL;
    }
    if (msix_present(pdev)) {
        msix_uninit(pdev, &s->bar0, &s->bar0);
    }
    if (pdev->exp.exp_cap) {
        pcie_cap_exit(pdev);
    }
    /* Each part of a BAR holds a reference to the device, as the tiers do. */
    if (memory_region_is_mapped(&s->registers)) {
        memory_region_del_subregion(&s->bar0, &s->registers);
    }
    if (s->timer) {
        timer_free(s->timer);
        s->timer = NULL;
    }
    s->unplugged = true;
    if (s->calls == 0) {
        kvcpu_release(s);
    }
}

static void kvcpu_realize(PCIDevice *pdev, Error **errp)
{
    KvcpuState *s = KVCPU(pdev);

    if (!kvcpu_check_properties(s, errp)) {
        return;
    }
    s->unplugged = false;
    s->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, kvcpu_timer, s);
    if (!kvcpu_log_open(&s->log, errp) ||
        !kvcpu_tier_realize(s, &s->fast, "fast", KVCPU_FAST_SIZE_DEFAULT,
                            errp) ||
        !kvcpu_tier_realize(s, &s->slow, "slow", KVCPU_SLOW_SIZE_DEFAULT,
                            errp) ||
        !kvcpu_make_core(s, errp) || !kvcpu_make_pci(pdev, errp)) {
        kvcpu_exit(pdev);
        return;
    }
    s->was_reset = false;
    s->vm_change = qemu_add_vm_change_state_handler(kvcpu_vm_change, s);
    s->exit_notifier.notify = kvcpu_at_exit;
    qemu_add_exit_notifier(&s->exit_notifier);
    qemu_register_reset(kvcpu_machine_reset, s);
}

static const VMStateDescription kvcpu_vmstate = {
    .name = TYPE_KVCPU,
    .unmigratable = 1,
};

static const Property kvcpu_properties[] = {
    DEFINE_PROP_UINT16("vendor-id", KvcpuState, vendor_id,
                       KVCPU_PCI_VENDOR_ID),
    DEFINE_PROP_UINT16("device-id", KvcpuState, device_id,
                       KVCPU_PCI_DEVICE_ID),
    DEFINE_PROP_LINK("fast-memdev", KvcpuState, fast.memdev,
                     TYPE_MEMORY_BACKEND, HostMemoryBackend *),
    DEFINE_PROP_LINK("slow-memdev", KvcpuState, slow.memdev,
                     TYPE_MEMORY_BACKEND, HostMemoryBackend *),
    DEFINE_PROP_SIZE("fast-size", KvcpuState, fast.size, 0),
    DEFINE_PROP_SIZE("slow-size", KvcpuState, slow.size, 0),
    DEFINE_PROP_SIZE("block-size", KvcpuState, block_size, 4 * KiB),
    DEFINE_PROP_UINT32("max-contexts", KvcpuState, max_contexts, 64),
    DEFINE_PROP_STRING("policy", KvcpuState, policy),
    DEFINE_PROP_UINT32("dma-channels", KvcpuState, dma_channels, 2),
    DEFINE_PROP_UINT64("dma-latency-ns", KvcpuState, dma_latency_ns, 1000),
    DEFINE_PROP_UINT64("dma-bandwidth", KvcpuState, dma_bandwidth,
                       64000000000),
    DEFINE_PROP_UINT64("scrub-bandwidth", KvcpuState, scrub_bandwidth, 0),
    DEFINE_PROP_UINT32("vectors", KvcpuState, vectors, KVCPU_VECTORS_DEFAULT),
    DEFINE_PROP_UINT64("doorbell-latency-ns", KvcpuState, doorbell_latency_ns,
                       0),
    DEFINE_PROP_STRING("event-log", KvcpuState, log.path),
    DEFINE_PROP_SIZE("event-log-max", KvcpuState, log.max_bytes, 1 * GiB),
    DEFINE_PROP_BOOL("event-log-digest", KvcpuState, log.wants_digest, false),
};

static void kvcpu_class_init(ObjectClass *klass, KVCPU_CLASS_DATA *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);
    ResettableClass *rc = RESETTABLE_CLASS(klass);

    pc->realize = kvcpu_realize;
    pc->exit = kvcpu_exit;
    pc->config_write = kvcpu_write_config;
    pc->vendor_id = KVCPU_PCI_VENDOR_ID;
    pc->device_id = KVCPU_PCI_DEVICE_ID;
    pc->revision = KVCPU_PCI_REVISION;
    pc->class_id = KVCPU_PCI_CLASS;
    rc->phases.exit = kvcpu_reset_exit;
    dc->desc = "KV-CPU: two-tier store for KV-cache blocks";
    dc->vmsd = &kvcpu_vmstate;
    device_class_set_props(dc, kvcpu_properties);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    object_class_property_add_str(klass, "event-log-sha256", kvcpu_get_digest,
                                  NULL);
    object_class_property_set_description(klass, "event-log-sha256",
        "SHA-256 of the event log's records since its restart; empty unless "
        "event-log or event-log-digest is set");
}

static void kvcpu_register_types(void)
{
    static KVCPU_INTERFACES interfaces[] = {
        { INTERFACE_PCIE_DEVICE },
        { },
    };
    static const TypeInfo info = {
        .name = TYPE_KVCPU,
        .parent = TYPE_PCI_DEVICE,
        .instance_size = sizeof(KvcpuState),
        .class_init = kvcpu_class_init,
        .interfaces = interfaces,
    };

    type_register_static(&info);
}
type_init(kvcpu_register_types)
