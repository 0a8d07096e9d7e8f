// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be done to rings that are set up: RESTART, and which interrupts they raise.
 */
#include <linux/eventfd.h>
#include <linux/uaccess.h>

#include "kvcpu.h"

/**
 * kvcpu_coalesce_valid() - whether interrupts can be asked for so
 * @count: completions that raise one
 * @ns: after the first of them it is raised in any case
 */
bool kvcpu_coalesce_valid(u32 count, u32 ns)
{
	if (count > KVCPU_COALESCE_COUNT_MAX || ns > KVCPU_COALESCE_MAX_NS)
		return false;
	return count ? count == 1 || ns : !ns;
}

/**
 * kvcpu_coalesce_word() - the same as the device takes it
 * @file: open file
 * @rings: its rings
 * @count: completions
 * @ns: time
 */
u64 kvcpu_coalesce_word(struct kvcpu_file *file, const struct kvcpu_rings *rings, u32 count, u32 ns)
{
	return KVCPU_PUT(KVCPU_CLS_COUNT, count) | KVCPU_PUT(KVCPU_CLS_NS, ns) |
	       KVCPU_PUT(KVCPU_CLS_VECTOR, file->kd->vectors[rings->vector].number);
}

/**
 * kvcpu_rings_lock() - keep a file's rings and buffers as they are
 * @file: open file
 *
 * Return: 0, and kvcpu_rings_unlock() must follow; -ENXIO (it has no rings), -EIO, -ENODEV,
 * -ERESTARTSYS.
 */
int kvcpu_rings_lock(struct kvcpu_file *file)
{
	int err = mutex_lock_interruptible(&file->submit);

	if (err)
		return err;
	err = kvcpu_bind(file);
	if (err)
		goto unlock;
	if (file->rings)
		return 0;
	err = -ENXIO;
	kvcpu_unbind(file);
unlock:
	mutex_unlock(&file->submit);
	return err;
}

/**
 * kvcpu_rings_unlock() - undo kvcpu_rings_lock()
 * @file: open file
 */
void kvcpu_rings_unlock(struct kvcpu_file *file)
{
	kvcpu_unbind(file);
	mutex_unlock(&file->submit);
}

/* Tells the device what raises the context's vector just now. */
static int kvcpu_coalesce_tell(struct kvcpu_file *file)
{
	struct kvcpu_rings *rings = file->rings;
	u32 count = rings->armed ? 1 : rings->coalesce.count;
	u32 ns = rings->armed ? 0 : rings->coalesce.ns;
	struct kvcpu_command_words words = {
		.arg = kvcpu_coalesce_word(file, rings, count, ns),
		.control = KVCPU_PUT(KVCPU_CTL_OPCODE, KVCPU_OP_COALESCE) |
			   KVCPU_PUT(KVCPU_CTL_CONTEXT, file->context),
	};
	u64 result;
	int err;

	if (file->lost)
		return -EIO;
	err = kvcpu_execute(file->kd, &words, &result);
	/* Rings that are stopped may not take it: RESTART tells them. */
	if (err || KVCPU_GET(KVCPU_RES_STATUS, result) == KVCPU_SC_BAD_STATE)
		return err;
	return kvcpu_status_errno(result);
}

static int kvcpu_restart_entered(struct kvcpu_file *file, u32 *stopped)
{
	struct kvcpu_command_words words = {
		.control = KVCPU_PUT(KVCPU_CTL_OPCODE, KVCPU_OP_RESTART) |
			   KVCPU_PUT(KVCPU_CTL_CONTEXT, file->context),
	};
	struct kvcpu_area *cq = &file->rings->cq;
	u64 result;
	int err;

	if (file->lost)
		return -EIO;
	*stopped = kvcpu_ring_state(file);
	if (*stopped == KVCPU_RS_RUNNING)
		return -EBUSY;
	memset(cq->kernel, 0, cq->bytes);
	err = kvcpu_execute(file->kd, &words, &result);
	if (!err)
		err = kvcpu_status_errno(result);
	return err ? err : kvcpu_coalesce_tell(file);
}

/**
 * kvcpu_ioc_restart() - KVCPU_IOC_RESTART
 * @file: open file
 * @argument: struct kvcpu_restart of the user
 * @size: its size
 *
 * Return: 0; see struct kvcpu_restart.
 */
long kvcpu_ioc_restart(struct kvcpu_file *file, void __user *argument, size_t size)
{
	struct kvcpu_restart restart;
	int err;

	err = kvcpu_struct_in(&restart, sizeof(restart), argument, size);
	if (err)
		return err;
	if (restart.flags)
		return -EINVAL;
	err = kvcpu_rings_lock(file);
	if (err)
		return err;
	err = kvcpu_enter(file->kd);
	if (!err) {
		err = kvcpu_restart_entered(file, &restart.stopped);
		kvcpu_leave(file->kd);
	}
	kvcpu_rings_unlock(file);
	return err ? err : kvcpu_struct_out(argument, &restart, sizeof(restart), size);
}

/**
 * kvcpu_rings_arm() - have the device raise an interrupt for the next completion, or as before
 * @file: open file
 * @arm: whether somebody waits, or does so no more
 *
 * Completions that are there and not taken count as the next.
 *
 * Return: 0, -ENXIO (no rings), -EIO, -ENODEV.
 */
int kvcpu_rings_arm(struct kvcpu_file *file, bool arm)
{
	struct kvcpu_device *kd = file->kd;
	struct kvcpu_rings *rings;
	int err = kvcpu_enter(kd);

	if (err)
		return err;
	rings = file->rings;
	if (!rings) {
		err = -ENXIO;
	} else {
		rings->armed += arm ? 1 : -1;
		if (rings->armed == arm && rings->coalesce.count != 1)
			err = kvcpu_coalesce_tell(file);
		if (err && arm)
			rings->armed--;
	}
	kvcpu_leave(kd);
	return err;
}

/**
 * kvcpu_ioc_coalesce() - KVCPU_IOC_COALESCE
 * @file: open file
 * @argument: struct kvcpu_coalesce of the user
 * @size: its size
 *
 * Return: 0; see struct kvcpu_coalesce.
 */
long kvcpu_ioc_coalesce(struct kvcpu_file *file, void __user *argument, size_t size)
{
	struct kvcpu_coalesce coalesce;
	int err;

	err = kvcpu_struct_in(&coalesce, sizeof(coalesce), argument, size);
	if (err)
		return err;
	if (!kvcpu_coalesce_valid(coalesce.count, coalesce.ns))
		return -EINVAL;
	err = kvcpu_rings_lock(file);
	if (err)
		return err;
	err = kvcpu_enter(file->kd);
	if (!err) {
		file->rings->coalesce = coalesce;
		err = kvcpu_coalesce_tell(file);
		kvcpu_leave(file->kd);
	}
	kvcpu_rings_unlock(file);
	return err;
}

/**
 * kvcpu_ioc_eventfd() - KVCPU_IOC_EVENTFD
 * @file: open file
 * @argument: struct kvcpu_eventfd of the user
 * @size: its size
 *
 * Return: 0; see struct kvcpu_eventfd.
 */
long kvcpu_ioc_eventfd(struct kvcpu_file *file, void __user *argument, size_t size)
{
	struct eventfd_ctx *context = NULL;
	struct kvcpu_eventfd eventfd;
	int err;

	err = kvcpu_struct_in(&eventfd, sizeof(eventfd), argument, size);
	if (err)
		return err;
	if (eventfd.flags || eventfd.fd < -1)
		return -EINVAL;
	if (eventfd.fd >= 0)
		context = eventfd_ctx_fdget(eventfd.fd);
	if (IS_ERR(context))
		return PTR_ERR(context);
	err = kvcpu_rings_lock(file);
	if (!err) {
		spin_lock_irq(&file->kd->lock);
		swap(file->rings->eventfd, context);
		spin_unlock_irq(&file->kd->lock);
		kvcpu_rings_unlock(file);
	}
	if (context)
		eventfd_ctx_put(context);
	return err;
}
