// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings after SETUP: their state, RESTART, interrupts and quota.
 */
#include <linux/eventfd.h>

#include "kvcpu.h"
#include "kvcpu_context.h"
#include "kvcpu_ioctl.h"
#include "kvcpu_limits.h"
#include "kvcpu_rings.h"
#include "kvcpu_struct.h"
#include "kvcpu_window.h"

/* -- State ----------------------------------------------------------------- */

/**
 * kvcpu_ring_state() - read the state of a file's rings
 * @file: open file with a context; its device is entered
 *
 * Return: KVCPU_RS_*.
 */
u32 kvcpu_ring_state(struct kvcpu_file *file)
{
	struct kvcpu_device *kd = file->kd;

	if (!file->rings)
		return KVCPU_RS_NO_RING;
	kvcpu_write(kd, KVCPU_REG_CONTEXT_SELECT, file->context);
	return KVCPU_GET(KVCPU_CXS_RING, kvcpu_read(kd, KVCPU_REG_CONTEXT_STATE));
}

/**
 * kvcpu_ring_ready() - check whether a file's completion ring has a completion to consume
 * @file: open file with a context; its device is entered
 * @stopped: output: the rings are stopped
 *
 * The function reads the state from the device. So a value that a process wrote to its ring has no
 * effect.
 *
 * Return: true if there are completions that CQ_HEAD does not count.
 */
bool kvcpu_ring_ready(struct kvcpu_file *file, bool *stopped)
{
	u32 state = kvcpu_ring_state(file);
	u64 indices;

	*stopped = state != KVCPU_RS_RUNNING && state != KVCPU_RS_NO_RING;
	if (state == KVCPU_RS_NO_RING)
		return false;
	indices = kvcpu_read(file->kd, KVCPU_REG_CONTEXT_CQ);
	return KVCPU_GET(KVCPU_CXR_DEVICE, indices) != KVCPU_GET(KVCPU_CXR_GUEST, indices);
}

/* -- Coalescing ------------------------------------------------------------- */

/**
 * kvcpu_coalesce_valid() - check coalescing settings
 * @count: number of completions that raise an interrupt
 * @ns: time after the first of them that raises an interrupt in any case
 */
bool kvcpu_coalesce_valid(u32 count, u32 ns)
{
	if (count > KVCPU_COALESCE_COUNT_MAX || ns > KVCPU_COALESCE_MAX_NS)
		return false;
	return count ? count == 1 || ns : !ns;
}

/**
 * kvcpu_coalesce_word() - encode coalescing settings for the device
 * @file: open file
 * @rings: rings of the file
 * @count: number of completions
 * @ns: time
 */
u64 kvcpu_coalesce_word(struct kvcpu_file *file, const struct kvcpu_rings *rings, u32 count, u32 ns)
{
	return KVCPU_PUT(KVCPU_CLS_COUNT, count) | KVCPU_PUT(KVCPU_CLS_NS, ns) |
	       KVCPU_PUT(KVCPU_CLS_VECTOR, file->kd->vectors[rings->vector].number);
}

/**
 * kvcpu_rings_lock() - lock a file's rings and buffers against changes
 * @file: open file
 *
 * Return: 0, and kvcpu_rings_unlock() must follow; -ENXIO (the file has no rings), -EIO, -ENODEV,
 * -ERESTARTSYS; -EINTR after a fatal signal.
 */
int kvcpu_rings_lock(struct kvcpu_file *file)
{
	int err = kvcpu_lock(&file->submit);

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

/* Sends the interrupt coalescing settings that are in force to the device. */
static int kvcpu_coalesce_send(struct kvcpu_file *file)
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
	/* Stopped rings may refuse the settings; RESTART sends them again. */
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
	return err ? err : kvcpu_coalesce_send(file);
}

/**
 * kvcpu_ioc_restart() - KVCPU_IOC_RESTART
 * @file: open file
 * @argument: struct kvcpu_restart of the user
 * @size: size of that structure
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
 * kvcpu_rings_arm() - enable or disable an interrupt for the next completion
 * @file: open file
 * @arm: true when a wait begins, false when it ends
 *
 * A completion that CQ_HEAD does not count raises the interrupt at once.
 *
 * Return: 0, -ENXIO (no rings), -EIO, -ENODEV; -EINTR after a fatal signal.
 */
int kvcpu_rings_arm(struct kvcpu_file *file, bool arm)
{
	struct kvcpu_device *kd = file->kd;
	struct kvcpu_rings *rings;
	int err = arm ? kvcpu_enter(kd) : kvcpu_enter_undo(kd);

	if (err)
		return err;
	rings = file->rings;
	if (!rings) {
		err = -ENXIO;
	} else {
		rings->armed += arm ? 1 : -1;
		if (rings->armed == arm && rings->coalesce.count != 1)
			err = kvcpu_coalesce_send(file);
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
 * @size: size of that structure
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
		err = kvcpu_coalesce_send(file);
		kvcpu_leave(file->kd);
	}
	kvcpu_rings_unlock(file);
	return err;
}

/**
 * kvcpu_ioc_eventfd() - KVCPU_IOC_EVENTFD
 * @file: open file
 * @argument: struct kvcpu_eventfd of the user
 * @size: size of that structure
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

/* -- Quota ------------------------------------------------------------------ */

/**
 * kvcpu_ioc_quota() - KVCPU_IOC_QUOTA
 * @file: open file
 * @argument: struct kvcpu_quota of the user
 * @size: size of that structure
 *
 * Return: 0; see struct kvcpu_quota.
 */
long kvcpu_ioc_quota(struct kvcpu_file *file, void __user *argument, size_t size)
{
	struct kvcpu_command_words words = {
		.control = KVCPU_PUT(KVCPU_CTL_OPCODE, KVCPU_OP_QUOTA),
	};
	struct kvcpu_quota quota;
	int err;

	err = kvcpu_struct_in(&quota, sizeof(quota), argument, size);
	if (err)
		return err;
	if (!(file->kd->features & KVCPU_FEATURE_QUOTAS))
		return -EOPNOTSUPP;
	err = kvcpu_quota_allowed(file->kd, quota.slots_min, &quota.slots_max);
	if (err)
		return err;
	words.extent = kvcpu_quota_word(quota.slots_min, quota.slots_max);
	err = kvcpu_rings_lock(file);
	if (err)
		return err;
	err = kvcpu_issue_checked(file, &words);
	kvcpu_rings_unlock(file);
	return err;
}
