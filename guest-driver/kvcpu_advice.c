// SPDX-License-Identifier: GPL-2.0-only
/*
 * Advice on a view becomes hints: posix_fadvise(), madvise(MADV_WILLNEED), and addresses of the
 * reference interface that lie in a view.
 */
#include <linux/fadvise.h>
#include <linux/file.h>
#include <linux/mm.h>

#include "kvcpu.h"
#include "kvcpu_advice.h"
#include "kvcpu_context.h"
#include "kvcpu_view.h"
#include "kvcpu_window.h"

/* Sets the blocks of a command to those that a range of a view touches. */
static void kvcpu_range_words(const struct kvcpu_device *kd, u64 offset, u64 length,
			      struct kvcpu_command_words *words)
{
	words->first = offset / kd->block_size;
	words->count = (offset + length - 1) / kd->block_size - words->first + 1;
}

static int kvcpu_next_step(struct kvcpu_file *file, u64 *step)
{
	struct kvcpu_device *kd = file->kd;
	int err = kvcpu_enter(kd);

	if (err)
		return err;
	kvcpu_write(kd, KVCPU_REG_CONTEXT_SELECT, READ_ONCE(file->context));
	*step = kvcpu_read(kd, KVCPU_REG_CONTEXT_STEP) + 1;
	kvcpu_leave(kd);
	return 0;
}

/**
 * kvcpu_fadvise() - implement the file operation fadvise
 * @filp: open file
 * @offset: first byte of the view
 * @length: bytes; 0: up to the end of the view
 * @advice: POSIX_FADV_*
 *
 * The kernel also calls it for madvise(MADV_WILLNEED), without the mmap lock.
 *
 * Return: 0 with any outcome of the hint; -EINVAL, -ENXIO (no context), -EIO, -ENODEV.
 */
int kvcpu_fadvise(struct file *filp, loff_t offset, loff_t length, int advice)
{
	struct kvcpu_file *file = filp->private_data;
	u64 capacity = file->kd->blocks * file->kd->block_size;
	struct kvcpu_command_words words = {};
	u16 opcode;
	u64 result;
	int err = 0;

	/* The kernel does not check the arguments. */
	if (offset < 0 || length < 0)
		return -EINVAL;
	switch (advice) {
	case POSIX_FADV_WILLNEED:
		opcode = KVCPU_OP_PREFETCHABLE;
		err = kvcpu_next_step(file, &words.arg);
		break;
	case POSIX_FADV_DONTNEED:
		opcode = KVCPU_OP_EVICTABLE;
		break;
	case POSIX_FADV_NORMAL:
		opcode = KVCPU_OP_CLEAR;
		break;
	case POSIX_FADV_RANDOM:
	case POSIX_FADV_SEQUENTIAL:
	case POSIX_FADV_NOREUSE:
		return 0;
	default:
		return -EINVAL;
	}
	if (err)
		return err;
	if (READ_ONCE(file->lost))
		return -EIO;
	if (!READ_ONCE(file->context))
		return -ENXIO;
	if (offset >= capacity)
		return 0;
	if (!length || length > capacity - offset)
		length = capacity - offset;
	kvcpu_range_words(file->kd, offset, length, &words);
	words.control = KVCPU_PUT(KVCPU_CTL_OPCODE, opcode);
	return kvcpu_issue(file, &words, &result);
}

/* -- Addresses of the reference interface -------------------------------------------- */

/* Finds the view that an address lies in, and the offset there. Returns its file, or NULL. */
static struct file *kvcpu_view_at(struct kvcpu_device *kd, u64 va, u64 *length, u64 *offset)
{
	struct vm_area_struct *vma;
	struct kvcpu_file *file;
	struct file *filp = NULL;

	/* A program may send any number. */
	if (va >= TASK_SIZE || mmap_read_lock_killable(current->mm))
		return NULL;
	vma = vma_lookup(current->mm, va);
	if (vma && vma->vm_ops == &kvcpu_view_ops) {
		file = vma->vm_file->private_data;
		if (file->kd == kd) {
			filp = get_file(vma->vm_file);
			*offset = ((u64)vma->vm_pgoff << PAGE_SHIFT) + (va - vma->vm_start);
			*length = min_t(u64, *length, vma->vm_end - va);
		}
	}
	mmap_read_unlock(current->mm);
	return filp;
}

/**
 * kvcpu_advise_address() - execute a hint of the reference interface whose address is in a view
 * @kd: device
 * @cmd: KV_CPU_*
 * @va: address
 * @length: bytes; the range is cut at the end of the mapping
 * @step: target step
 * @err: output: result of the hint; only set if the function returns true
 *
 * The hint acts in the context of the view.
 *
 * Return: false if the address lies in no view of this device.
 */
bool kvcpu_advise_address(struct kvcpu_device *kd, unsigned int cmd, u64 va, u64 length, u64 step,
			  int *err)
{
	struct kvcpu_command_words words = {};
	u64 opcode, offset, result;
	struct kvcpu_file *file;
	struct file *filp;
	u16 flags = 0;

	switch (cmd) {
	case KV_CPU_MARK_HOT:
		opcode = KVCPU_OP_HOT;
		break;
	case KV_CPU_EVICT:
		opcode = KVCPU_OP_EVICTABLE;
		flags = KVCPU_F_NOW;
		break;
	case KV_CPU_PREFETCH:
		opcode = KVCPU_OP_PREFETCHABLE;
		words.arg = step;
		break;
	default:
		opcode = KVCPU_OP_SHARE;
	}
	filp = kvcpu_view_at(kd, va, &length, &offset);
	if (!filp)
		return false;
	file = filp->private_data;
	kvcpu_range_words(kd, offset, length, &words);
	words.control = KVCPU_PUT(KVCPU_CTL_OPCODE, opcode) | KVCPU_PUT(KVCPU_CTL_FLAGS, flags);
	*err = kvcpu_issue(file, &words, &result);
	/* A view that was lost in a reset shows no block: the hint has no effect. */
	if (*err == -EIO)
		*err = 0;
	fput(filp);
	return true;
}
