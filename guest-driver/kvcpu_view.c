// SPDX-License-Identifier: GPL-2.0-only
/*
 * The linear view: page faults on the KV space.
 */
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "kvcpu.h"
#include "kvcpu_compat.h"
#include "kvcpu_queues.h"
#include "kvcpu_view.h"

/**
 * kvcpu_view_bytes() - length of the linear view
 * @kd: device
 *
 * Return: bytes; 0 if the device has no view.
 */
u64 kvcpu_view_bytes(const struct kvcpu_device *kd)
{
	return kd->features & KVCPU_FEATURE_VIEW ? kd->blocks * kd->block_size : 0;
}

static u64 kvcpu_fault_block(const struct kvcpu_file *file, const struct vm_fault *vmf)
{
	return ((u64)vmf->pgoff << PAGE_SHIFT) / file->kd->block_size;
}

/* Finds the range of an area that maps a block. */
static void kvcpu_view_range(const struct vm_area_struct *vma, u64 block, u64 block_size,
			     unsigned long *start, unsigned long *end)
{
	u64 first = block * block_size;
	u64 area = (u64)vma->vm_pgoff << PAGE_SHIFT;

	*start = first > area ? vma->vm_start + (first - area) : vma->vm_start;
	*end = min_t(u64, vma->vm_end, vma->vm_start + (first + block_size - area));
}

/* Maps the whole block, so that the block costs one fault and not one for each page. */
static vm_fault_t kvcpu_view_insert(struct vm_area_struct *vma, struct kvcpu_hold *hold)
{
	struct kvcpu_file *file = vma->vm_file->private_data;
	u64 size = file->kd->block_size;
	u64 slot = KVCPU_GET(KVCPU_RES_VALUE, hold->result);
	pgprot_t protection = vma->vm_page_prot;
	vm_fault_t result = VM_FAULT_NOPAGE;
	unsigned long start, end, at;
	phys_addr_t bytes;
	u64 first;

	bytes = slot == KVCPU_NO_SLOT ? file->kd->bars.slow + hold->block * size :
					file->kd->bars.fast + slot * size;
	kvcpu_view_range(vma, hold->block, size, &start, &end);
	first = (u64)vma->vm_pgoff << PAGE_SHIFT;
	bytes += first + (start - vma->vm_start) - hold->block * size;
	/* Without a WRITE hold the entries are read-only, so that a store calls pfn_mkwrite. */
	if (hold->kinds & KVCPU_HOLD_WRITE)
		protection = pgprot_writecombine(vm_get_page_prot(vma->vm_flags));
	for (at = start; at < end && result == VM_FAULT_NOPAGE; at += PAGE_SIZE)
		result = vmf_insert_pfn_prot(vma, at, PHYS_PFN(bytes + (at - start)), protection);
	return result;
}

/* Waits until the block is not busy, or with @space until the admin ring has space; retries. */
static vm_fault_t kvcpu_view_wait(struct vm_fault *vmf, u64 block, bool space)
{
	struct file *filp = vmf->vma->vm_file;
	struct kvcpu_file *file = filp->private_data;
	bool unlock = vmf->flags & FAULT_FLAG_ALLOW_RETRY;

	if (unlock && vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	if (unlock) {
		/* Without the lock the area may be unmapped, and the file closed. */
		get_file(filp);
		mmap_read_unlock(vmf->vma->vm_mm);
	}
	if (space)
		wait_event_killable(file->kd->queues.wait, kvcpu_admin_has_space(file->kd));
	else
		wait_event_killable(file->view.wait, !kvcpu_hold_busy(&file->view, block));
	if (!unlock)
		return VM_FAULT_NOPAGE;
	fput(filp);
	return VM_FAULT_RETRY;
}

static vm_fault_t kvcpu_view_errno(int err)
{
	switch (err) {
	case -ESTALE:
	case -EINTR:
		/* The access is repeated, unless the process is killed. */
		return VM_FAULT_NOPAGE;
	case -ENOMEM:
		return VM_FAULT_OOM;
	default:
		return VM_FAULT_SIGBUS;
	}
}

/* Maps a block; with @replace, first removes its entries from the page tables of the area. */
static vm_fault_t kvcpu_view_map(struct vm_fault *vmf, bool write, bool replace)
{
	struct vm_area_struct *vma = vmf->vma;
	struct kvcpu_file *file = vma->vm_file->private_data;
	u64 block = kvcpu_fault_block(file, vmf);
	struct kvcpu_hold *hold;
	unsigned long start, end;
	vm_fault_t result;
	int err;

	if (mutex_lock_killable(&file->mapping))
		return VM_FAULT_NOPAGE;
	err = file->dead ? -EIO : kvcpu_hold_get(file, block, write, &hold);
	if (err) {
		result = kvcpu_view_errno(err);
	} else {
		if (replace) {
			kvcpu_view_range(vma, block, file->kd->block_size, &start, &end);
			zap_vma_ptes(vma, start, end - start);
		}
		result = kvcpu_view_insert(vma, hold);
		/* The block stays mapped for min_residency_ns, so that the access succeeds. */
		if (!hold->mapped)
			hold->since = ktime_get();
		hold->mapped = true;
	}
	mutex_unlock(&file->mapping);
	if (err == -EAGAIN || err == -EBUSY)
		return kvcpu_view_wait(vmf, block, err == -EBUSY);
	return result;
}

static vm_fault_t kvcpu_view_fault(struct vm_fault *vmf)
{
	return kvcpu_view_map(vmf, vmf->flags & FAULT_FLAG_WRITE, false);
}

static vm_fault_t kvcpu_view_mkwrite(struct vm_fault *vmf)
{
	/*
	 * The entries become writable here, under the lock. The caller would make them writable
	 * after the lock is released, when the block may have been revoked and mapped again for
	 * reading. NOPAGE prevents that, also together with RETRY.
	 */
	return kvcpu_view_map(vmf, true, true) | VM_FAULT_NOPAGE;
}

static void kvcpu_view_open(struct vm_area_struct *vma)
{
	struct kvcpu_file *file = vma->vm_file->private_data;

	atomic_inc(&file->view.areas);
}

static void kvcpu_view_close(struct vm_area_struct *vma)
{
	struct kvcpu_file *file = vma->vm_file->private_data;

	if (!atomic_dec_and_test(&file->view.areas))
		return;
	atomic_inc(&file->view.idle);
	queue_work(system_unbound_wq, &file->view.work);
}

const struct vm_operations_struct kvcpu_view_ops = {
	.open = kvcpu_view_open,
	.close = kvcpu_view_close,
	.fault = kvcpu_view_fault,
	.pfn_mkwrite = kvcpu_view_mkwrite,
};

/**
 * kvcpu_view_mmap() - map the linear view
 * @file: open file with a context; the caller holds kvcpu_file.mapping
 * @vma: area within the view
 *
 * Return: 0, -ENXIO (the device has no holds) or -ENOMEM.
 */
int kvcpu_view_mmap(struct kvcpu_file *file, struct vm_area_struct *vma)
{
	struct kvcpu_view *view = &file->view;

	if (!(file->kd->features & KVCPU_FEATURE_VIEW))
		return -ENXIO;
	if (!view->words)
		/* A block of a batch may have a hold of each kind. */
		view->words = kmalloc_array(2 * KVCPU_REVOKE_BATCH, sizeof(*view->words),
					    GFP_KERNEL_ACCOUNT);
	if (!view->words)
		return -ENOMEM;
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
	vma->vm_ops = &kvcpu_view_ops;
	atomic_inc(&view->areas);
	return 0;
}
