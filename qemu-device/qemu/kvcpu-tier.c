/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KV-CPU: memory of a tier, and the BAR that shows it.
 */
#include "qemu/osdep.h"
#include "qemu/host-utils.h"
#include "qapi/error.h"
#include "exec/cpu-common.h"
#include "migration/vmstate.h"
#include "kvcpu.h"

/* The rest of a BAR behind a tier whose size is not a power of two. */
static uint64_t kvcpu_pad_read(void *opaque, hwaddr offset, unsigned bytes)
{
    return 0;
}

static void kvcpu_pad_write(void *opaque, hwaddr offset, uint64_t value,
                            unsigned bytes)
{
}

static const MemoryRegionOps kvcpu_pad_ops = {
    .read = kvcpu_pad_read,
    .write = kvcpu_pad_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

static bool kvcpu_tier_use_memdev(KvcpuTier *tier, const char *name,
                                  Error **errp)
{
    if (tier->size) {
        error_setg(errp, "%s-size: not together with %s-memdev", name, name);
        return false;
    }
    if (host_memory_backend_is_mapped(tier->memdev)) {
        error_setg(errp, "%s-memdev: '%s' is in use already", name,
                   object_get_canonical_path_component(OBJECT(tier->memdev)));
        return false;
    }
    if (memory_region_is_rom(host_memory_backend_get_memory(tier->memdev))) {
        error_setg(errp, "%s-memdev: '%s' is read-only", name,
                   object_get_canonical_path_component(OBJECT(tier->memdev)));
        return false;
    }
    tier->ram = host_memory_backend_get_memory(tier->memdev);
    tier->size = memory_region_size(tier->ram);
    return true;
}

bool kvcpu_tier_realize(KvcpuState *s, KvcpuTier *tier, const char *name,
                        uint64_t default_size, Error **errp)
{
    g_autofree char *ram_name = g_strdup_printf("kvcpu.%s", name);
    g_autofree char *bar_name = g_strdup_printf("kvcpu.%s-bar", name);

    if (tier->memdev) {
        if (!kvcpu_tier_use_memdev(tier, name, errp)) {
            return false;
        }
    } else {
        tier->size = tier->size ?: default_size;
        if (!memory_region_init_ram(&tier->own_ram, OBJECT(s), ram_name,
                                    tier->size, errp)) {
            error_prepend(errp, "%s-size: ", name);
            return false;
        }
        tier->ram = &tier->own_ram;
    }

    memory_region_init(&tier->bar, OBJECT(s), bar_name, pow2ceil(tier->size));
    memory_region_init_io(&tier->pad, OBJECT(s), &kvcpu_pad_ops, NULL,
                          "kvcpu.pad", pow2ceil(tier->size));
    memory_region_add_subregion_overlap(&tier->bar, 0, &tier->pad, -1);
    memory_region_add_subregion(&tier->bar, 0, tier->ram);
    if (tier->memdev) {
        vmstate_register_ram(tier->ram, DEVICE(s));
        host_memory_backend_set_mapped(tier->memdev, true);
    }
    return true;
}

void kvcpu_tier_register_bar(KvcpuState *s, KvcpuTier *tier, int bar)
{
    pci_register_bar(PCI_DEVICE(s), bar,
                     PCI_BASE_ADDRESS_SPACE_MEMORY |
                     PCI_BASE_ADDRESS_MEM_TYPE_64 |
                     PCI_BASE_ADDRESS_MEM_PREFETCH, &tier->bar);
}

void kvcpu_tier_exit(KvcpuTier *tier)
{
    if (!tier->ram) {
        return;
    }
    memory_region_del_subregion(&tier->bar, tier->ram);
    memory_region_del_subregion(&tier->bar, &tier->pad);
    /*
     * RCU may keep this RAM for some time after the device has been removed.
     * Its name must be free by then, for a device that is plugged into the
     * same slot.
     */
    vmstate_unregister_ram(tier->ram, NULL);
    if (tier->memdev) {
        host_memory_backend_set_mapped(tier->memdev, false);
    }
    tier->ram = NULL;
}

void *kvcpu_tier_ptr(KvcpuTier *tier)
{
    return memory_region_get_ram_ptr(tier->ram);
}

/*
 * Discards the pages if this zeroes them. A backend may have any content at
 * first. A private mapping of a file (share=off) must not change the file.
 * While another device of the machine has disabled discards (VFIO, RDMA),
 * pages are pinned, and a discard would separate the guest's view from the
 * pinned pages.
 */
void kvcpu_tier_zero(KvcpuTier *tier)
{
    bool is_private_file = memory_region_get_fd(tier->ram) >= 0 &&
                           !qemu_ram_is_shared(tier->ram->ram_block);

    if (is_private_file || ram_block_discard_is_disabled() ||
        ram_block_discard_range(tier->ram->ram_block, 0, tier->size)) {
        memset(kvcpu_tier_ptr(tier), 0, tier->size);
    }
    memory_region_set_dirty(tier->ram, 0, tier->size);
}
