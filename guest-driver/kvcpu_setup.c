// SPDX-License-Identifier: GPL-2.0-only
/*
 * SETUP: a file's queue pair and residency map. After SETUP the process uses them without the
 * driver.
 */
#include <linux/eventfd.h>
#include <linux/log2.h>
#include <linux/slab.h>

#include "kvcpu.h"
#include "kvcpu_context.h"
#include "kvcpu_ioctl.h"
#include "kvcpu_limits.h"
#include "kvcpu_memory.h"
#include "kvcpu_mmap.h"
#include "kvcpu_rings.h"
#include "kvcpu_struct.h"
#include "kvcpu_view.h"

static bool kvcpu_entries_valid(u32 entries)
{
	return is_power_of_2(entries) && entries >= KVCPU_RING_ENTRIES_MIN &&
	       entries <= KVCPU_RING_ENTRIES_MAX;
}

static int kvcpu_parts_alloc(struct kvcpu_file *file, struct kvcpu_rings *rings)
{
	struct kvcpu_device *kd = file->kd;
	u64 left = kd->blocks;
	u64 blocks;
	u32 i;
	int err;

	rings->part_count = DIV_ROUND_UP(kd->blocks, KVCPU_RESIDENCY_PART);
	rings->parts = kvcalloc(rings->part_count, sizeof(*rings->parts), GFP_KERNEL_ACCOUNT);
	if (!rings->parts)
		return -ENOMEM;
	for (i = 0; i < rings->part_count; i++) {
		blocks = min_t(u64, left, KVCPU_RESIDENCY_PART);
		err = kvcpu_area_alloc(&kd->pdev->dev, &rings->parts[i],
				       blocks * KVCPU_RESIDENCY_BYTES);
		if (err)
			return err;
		left -= blocks;
		cond_resched();
	}
	return 0;
}

static void kvcpu_rings_release(struct kvcpu_device *kd, struct kvcpu_rings *rings)
{
	struct device *dev = &kd->pdev->dev;
	u32 i;

	for (i = 0; i < KVCPU_BUFFERS_MAX; i++) {
		if (rings->buffers[i])
			kvcpu_pinned_free(dev, rings->buffers[i]);
	}
	for (i = 0; rings->parts && i < rings->part_count; i++)
		kvcpu_area_free(dev, &rings->parts[i]);
	kvfree(rings->parts);
	kvcpu_area_free(dev, &rings->sq);
	kvcpu_area_free(dev, &rings->cq);
	if (rings->eventfd)
		eventfd_ctx_put(rings->eventfd);
	kfree(rings);
}

static struct kvcpu_rings *kvcpu_rings_alloc(struct kvcpu_file *file,
					     const struct kvcpu_setup *setup)
{
	struct kvcpu_device *kd = file->kd;
	struct device *dev = &kd->pdev->dev;
	struct kvcpu_rings *rings;
	int err;

	rings = kzalloc(sizeof(*rings), GFP_KERNEL_ACCOUNT);
	if (!rings)
		return ERR_PTR(-ENOMEM);
	rings->vector = (file->context - 1) % kd->vector_count;
	rings->coalesce.count = setup->coalesce_count;
	rings->coalesce.ns = setup->coalesce_ns;
	err = kvcpu_area_alloc(dev, &rings->sq, setup->sq_entries * KVCPU_ENTRY_BYTES);
	if (!err)
		err = kvcpu_area_alloc(dev, &rings->cq,
				       KVCPU_CQ_HEADER_BYTES +
				       setup->cq_entries * KVCPU_COMPLETION_BYTES);
	if (!err && setup->flags & KVCPU_SETUP_RESIDENCY)
		err = kvcpu_parts_alloc(file, rings);
	if (err) {
		kvcpu_rings_release(kd, rings);
		return ERR_PTR(err);
	}
	return rings;
}

/* Registers every part of the residency map with the device, or unregisters it with @remove. */
static int kvcpu_parts_register(struct kvcpu_file *file, struct kvcpu_rings *rings, bool remove)
{
	u64 left = file->kd->blocks;
	u64 blocks;
	u32 i;
	int err = 0;

	for (i = 0; i < rings->part_count && !err; i++) {
		struct kvcpu_command_words words = {
			.first = (u64)i * KVCPU_RESIDENCY_PART,
			.addr = rings->parts[i].dma,
			.control = KVCPU_PUT(KVCPU_CTL_OPCODE, KVCPU_OP_RESIDENCY),
		};

		blocks = min_t(u64, left, KVCPU_RESIDENCY_PART);
		words.count = remove ? 0 : blocks;
		left -= blocks;
		err = remove ? kvcpu_issue_undo(file, &words) : kvcpu_issue_checked(file, &words);
	}
	return err;
}

static int kvcpu_rings_open(struct kvcpu_file *file, struct kvcpu_rings *rings,
			    const struct kvcpu_setup *setup)
{
	struct kvcpu_command_words words = {
		.first = rings->cq.dma,
		.addr = rings->sq.dma,
		.count = KVCPU_PUT(KVCPU_OPN_SQ_ENTRIES, setup->sq_entries) |
			 KVCPU_PUT(KVCPU_OPN_CQ_ENTRIES, setup->cq_entries),
		.arg = kvcpu_coalesce_word(file, rings, setup->coalesce_count, setup->coalesce_ns),
		.extent = kvcpu_quota_word(setup->slots_min, setup->slots_max),
		.control = KVCPU_PUT(KVCPU_CTL_OPCODE, KVCPU_OP_OPEN),
	};
	int err, undone;

	err = kvcpu_parts_register(file, rings, false);
	if (!err)
		err = kvcpu_issue_checked(file, &words);
	if (!err)
		return 0;
	undone = kvcpu_parts_register(file, rings, true);
	if (undone && undone != -ENODEV && undone != -EIO) {
		dev_err(&file->kd->dev, "the device keeps a residency map, its memory is not freed\n");
		rings->parts = NULL;
	}
	return err;
}

static void kvcpu_rings_set(struct kvcpu_file *file, struct kvcpu_rings *rings)
{
	mutex_lock(&file->mapping);
	spin_lock_irq(&file->kd->lock);
	file->rings = rings;
	spin_unlock_irq(&file->kd->lock);
	mutex_unlock(&file->mapping);
}

/**
 * kvcpu_rings_free() - free a file's rings, residency map and buffers
 * @file: file whose context has ended in the device and that no process maps; the caller holds
 *	kvcpu_device.binding
 */
void kvcpu_rings_free(struct kvcpu_file *file)
{
	struct kvcpu_rings *rings = file->rings;

	if (!rings)
		return;
	kvcpu_rings_set(file, NULL);
	kvcpu_rings_release(file->kd, rings);
}

static void kvcpu_setup_fill(struct kvcpu_file *file, struct kvcpu_setup *setup)
{
	struct kvcpu_device *kd = file->kd;

	setup->context = file->context;
	setup->sq = (struct kvcpu_region) {
		KVCPU_OFFSET_SQ, PAGE_ALIGN(setup->sq_entries * KVCPU_ENTRY_BYTES)
	};
	setup->cq = (struct kvcpu_region) {
		KVCPU_OFFSET_CQ, PAGE_ALIGN(KVCPU_CQ_HEADER_BYTES +
					    setup->cq_entries * KVCPU_COMPLETION_BYTES)
	};
	setup->doorbell = (struct kvcpu_region) { KVCPU_OFFSET_DOORBELL, KVCPU_DOORBELL_STRIDE };
	setup->residency = (struct kvcpu_region) {};
	if (setup->flags & KVCPU_SETUP_RESIDENCY)
		setup->residency = (struct kvcpu_region) {
			KVCPU_OFFSET_RESIDENCY, PAGE_ALIGN(kd->blocks * KVCPU_RESIDENCY_BYTES)
		};
	setup->view = (struct kvcpu_region) { 0, kvcpu_view_bytes(kd) };
}

static int kvcpu_setup_bound(struct kvcpu_file *file, const struct kvcpu_setup *setup)
{
	struct kvcpu_rings *rings;
	int err;

	rings = kvcpu_rings_alloc(file, setup);
	if (IS_ERR(rings))
		return PTR_ERR(rings);
	err = kvcpu_rings_open(file, rings, setup);
	if (err) {
		kvcpu_rings_release(file->kd, rings);
		return err;
	}
	kvcpu_rings_set(file, rings);
	return 0;
}

static int kvcpu_setup_locked(struct kvcpu_file *file, struct kvcpu_setup *setup,
			      void __user *argument, size_t size)
{
	int err;

	if (file->rings)
		return -EBUSY;
	err = kvcpu_context_get(file);
	if (err)
		return err;
	/* The result is copied first: a file has rings only if the process got the result. */
	kvcpu_setup_fill(file, setup);
	err = kvcpu_struct_out(argument, setup, sizeof(*setup), size);
	if (err)
		return err;
	err = kvcpu_bind(file);
	if (err)
		return err;
	err = kvcpu_setup_bound(file, setup);
	kvcpu_unbind(file);
	return err;
}

/**
 * kvcpu_ioc_setup() - KVCPU_IOC_SETUP
 * @file: open file
 * @argument: struct kvcpu_setup of the user
 * @size: size of that structure
 *
 * Return: 0; see struct kvcpu_setup.
 */
long kvcpu_ioc_setup(struct kvcpu_file *file, void __user *argument, size_t size)
{
	struct kvcpu_device *kd = file->kd;
	struct kvcpu_setup setup;
	int err;

	err = kvcpu_struct_in(&setup, sizeof(setup), argument, size);
	if (err)
		return err;
	if (!(kd->features & KVCPU_FEATURE_RINGS) ||
	    (setup.flags & KVCPU_SETUP_RESIDENCY && !(kd->features & KVCPU_FEATURE_RESIDENCY)))
		return -EOPNOTSUPP;
	if (setup.flags & ~KVCPU_SETUP_RESIDENCY || !kvcpu_entries_valid(setup.sq_entries) ||
	    !kvcpu_entries_valid(setup.cq_entries) ||
	    !kvcpu_coalesce_valid(setup.coalesce_count, setup.coalesce_ns))
		return -EINVAL;
	err = kvcpu_quota_allowed(kd, setup.slots_min, &setup.slots_max);
	if (err)
		return err;
	err = kvcpu_lock(&file->submit);
	if (err)
		return err;
	err = kvcpu_setup_locked(file, &setup, argument, size);
	mutex_unlock(&file->submit);
	return err;
}
