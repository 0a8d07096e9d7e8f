// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts: how a file gets a context and loses it, the commands that act in it, and the threads
 * that wait for it.
 *
 * A context is the device's unit of ownership. An open file gets one by its first SUBMIT or by
 * SETUP.
 */
#include <linux/eventfd.h>
#include <linux/wait.h>

#include "kvcpu.h"
#include "kvcpu_compat.h"
#include "kvcpu_completion.h"
#include "kvcpu_context.h"
#include "kvcpu_fault.h"
#include "kvcpu_limits.h"
#include "kvcpu_rings.h"
#include "kvcpu_window.h"

/* -- Notification ---------------------------------------------------------- */

/**
 * kvcpu_file_signal() - notify a file's waiters of an interrupt or notice for its rings
 * @file: open file; kvcpu_device.lock is held
 */
void kvcpu_file_signal(struct kvcpu_file *file)
{
	file->interrupts++;
	wake_up_all(&file->wait);
	if (file->rings && file->rings->eventfd)
		kvcpu_eventfd_signal(file->rings->eventfd);
}

/**
 * kvcpu_wake_all() - wake all threads that wait for a device
 * @kd: device that is gone or was reset; kvcpu_device.binding is held for writing, so that no file
 *	is opened or closed
 */
void kvcpu_wake_all(struct kvcpu_device *kd)
{
	struct kvcpu_file *file;

	list_for_each_entry(file, &kd->files, node) {
		spin_lock_irq(&kd->lock);
		kvcpu_file_signal(file);
		spin_unlock_irq(&kd->lock);
		cond_resched();
	}
	wake_up_all(&kd->context_wait);
}

/* -- Commands -------------------------------------------------------------- */

static int kvcpu_issue_entered(struct kvcpu_file *file, struct kvcpu_command_words *words,
			       u64 *result)
{
	words->control &= ~KVCPU_PUT(KVCPU_CTL_CONTEXT, KVCPU_CTL_CONTEXT_MASK);
	words->control |= KVCPU_PUT(KVCPU_CTL_CONTEXT, file->context);
	/* After a reset the number of the context may belong to another file. */
	return file->lost ? -EIO : kvcpu_execute(file->kd, words, result);
}

/**
 * kvcpu_issue() - have the device execute a command in the context of a file
 * @file: open file that has a context
 * @words: the command, without a context
 * @result: KVCPU_RES_* fields
 *
 * Return: 0 with any status; -EIO if the context was lost in a reset, -ENODEV; -EINTR after a fatal
 * signal.
 */
int kvcpu_issue(struct kvcpu_file *file, struct kvcpu_command_words *words, u64 *result)
{
	int err = kvcpu_enter(file->kd);

	if (err)
		return err;
	err = kvcpu_issue_entered(file, words, result);
	kvcpu_leave(file->kd);
	return err;
}

/**
 * kvcpu_issue_checked() - issue a command of the driver and convert its status
 * @file: open file that has a context
 * @words: the command, without a context; the command does not wait
 *
 * Return: 0; -EIO, -ENODEV, -EINTR as kvcpu_issue(); another errno if the device refused the
 * command.
 */
int kvcpu_issue_checked(struct kvcpu_file *file, struct kvcpu_command_words *words)
{
	u64 result;
	int err = kvcpu_issue(file, words, &result);

	return err ? err : kvcpu_status_errno(result);
}

/**
 * kvcpu_issue_undo() - like kvcpu_issue_checked(), for a command that undoes another one
 * @file: open file that has a context
 * @words: the command, without a context; the command does not wait
 *
 * Return: 0; -EIO or -ENODEV if nothing is left to be undone; another errno if the device refused
 * the command.
 */
int kvcpu_issue_undo(struct kvcpu_file *file, struct kvcpu_command_words *words)
{
	u64 result;
	int err = kvcpu_enter_undo(file->kd);

	if (err)
		return err;
	err = kvcpu_issue_entered(file, words, &result);
	kvcpu_leave(file->kd);
	return err ? err : kvcpu_status_errno(result);
}

/* -- Begin and end --------------------------------------------------------- */

/*
 * Reserves the number of a context. -EAGAIN: no context is free, but one is being closed or a reset
 * is in progress. kvcpu_device.lock is held.
 */
static int kvcpu_context_find(struct kvcpu_file *file, unsigned long *context)
{
	struct kvcpu_device *kd = file->kd;

	*context = find_first_zero_bit(kd->context_map, kd->contexts);
	if (kd->gone)
		return -ENODEV;
	if (file->lost)
		return -EIO;
	if (kd->resetting)
		return -EAGAIN;
	if (*context < kd->contexts)
		return 0;
	return kd->contexts_closing ? -EAGAIN : -EMFILE;
}

static bool kvcpu_context_must_wait(struct kvcpu_file *file)
{
	unsigned long context;
	bool wait;

	spin_lock_irq(&file->kd->lock);
	wait = kvcpu_context_find(file, &context) == -EAGAIN;
	spin_unlock_irq(&file->kd->lock);
	return wait;
}

/* Sends the default maximum of slots for a context. A new context has no quota. */
static int kvcpu_context_limit(struct kvcpu_device *kd, unsigned long context)
{
	struct kvcpu_command_words words = {
		.control = KVCPU_PUT(KVCPU_CTL_OPCODE, KVCPU_OP_QUOTA) |
			   KVCPU_PUT(KVCPU_CTL_CONTEXT, context),
	};
	u32 max = 0;
	u64 result;
	int err;

	if (!(kd->features & KVCPU_FEATURE_QUOTAS))
		return 0;
	err = kvcpu_quota_allowed(kd, 0, &max);
	if (err || !max)
		return err;
	if (kvcpu_fault(KVCPU_FAULT_QUOTA))
		return -EREMOTEIO;
	words.extent = kvcpu_quota_word(0, max);
	err = kvcpu_execute(kd, &words, &result);
	return err ? err : kvcpu_status_errno(result);
}

/*
 * Assigns a context. The file gets it after its quota is in force, so that no file has a context
 * without its quota, whatever fails. The device is entered, so no reset comes in between.
 */
static int kvcpu_context_assign(struct kvcpu_file *file)
{
	struct kvcpu_device *kd = file->kd;
	unsigned long context;
	int err;

	spin_lock_irq(&kd->lock);
	err = kvcpu_context_find(file, &context);
	if (!err)
		__set_bit(context, kd->context_map);
	spin_unlock_irq(&kd->lock);
	if (err)
		return err;
	err = kvcpu_context_limit(kd, context);
	spin_lock_irq(&kd->lock);
	if (err) {
		__clear_bit(context, kd->context_map);
		wake_up_all(&kd->context_wait);
	} else {
		kd->owners[context] = file;
		file->epoch = kd->queues.epoch;
		WRITE_ONCE(file->context, context);
	}
	spin_unlock_irq(&kd->lock);
	dev_dbg(&kd->dev, "context %lu: assigned, status %d\n", context, err);
	return err;
}

/**
 * kvcpu_context_get() - assign a context to an open file that has none
 * @file: open file; the caller holds kvcpu_file.submit
 *
 * If no context is free but a context is being closed, the function waits for that context. So a
 * program can open the device right after another program has ended.
 *
 * Return: 0; -EMFILE if all contexts belong to open files; -EIO if the context was lost in a
 * reset; -ENODEV; -ERESTARTSYS; another errno if the device refuses the default quota. The file has
 * no context after an error.
 */
int kvcpu_context_get(struct kvcpu_file *file)
{
	struct kvcpu_device *kd = file->kd;
	int err;

	if (file->context)
		return 0;
	do {
		err = wait_event_interruptible(kd->context_wait, !kvcpu_context_must_wait(file));
		if (!err)
			err = kvcpu_enter(kd);
		if (err)
			return err;
		err = kvcpu_context_assign(file);
		kvcpu_leave(kd);
		/* Another file was faster. */
	} while (err == -EAGAIN);
	return err;
}

/**
 * kvcpu_context_put() - close the context of a file that no process has open
 * @file: file that is still in kvcpu_device.files, so that a reset finds it
 *
 * The function does not wait. The context becomes free when the device completes the CLOSE. After
 * CLOSE was executed the device does not access the memory of the context.
 *
 * Return: true if CLOSE was executed. If false, the memory must not be freed.
 */
bool kvcpu_context_put(struct kvcpu_file *file)
{
	struct kvcpu_device *kd = file->kd;
	struct kvcpu_command_words words = {};
	u64 result, status;
	bool closed = true;

	/* A device that is gone, leaves now or is paused does not access memory. */
	if (kvcpu_enter_undo(kd))
		return true;
	if (!file->context)
		goto leave;
	words.tag = kvcpu_request_close(kd, file->context);
	words.control = KVCPU_PUT(KVCPU_CTL_OPCODE, KVCPU_OP_CLOSE) |
			KVCPU_PUT(KVCPU_CTL_CONTEXT, file->context);
	if (kvcpu_execute(kd, &words, &result))
		goto leave;
	status = KVCPU_GET(KVCPU_RES_STATUS, result);
	if (status != KVCPU_SC_PENDING) {
		/* The blocks stay owned, so the number is not reused before a reset. */
		kvcpu_request_done(kd, words.tag);
		dev_err(&kd->dev, "CLOSE of context %u ended with status %llu, its memory is not freed\n",
			file->context, status);
		closed = false;
	}
leave:
	kvcpu_leave(kd);
	return closed;
}

/**
 * kvcpu_bind() - begin to make or use a file's memory that is mapped for DMA
 * @file: open file; the caller does not hold the mmap lock
 *
 * Return: 0, and kvcpu_unbind() must follow; -EIO if the context was lost in a reset, -ENODEV;
 * -EINTR after a fatal signal.
 */
int kvcpu_bind(struct kvcpu_file *file)
{
	struct kvcpu_device *kd = file->kd;
	int err = 0;

	if (down_read_killable(&kd->binding))
		return -EINTR;
	if (kd->gone)
		err = -ENODEV;
	else if (file->lost)
		err = -EIO;
	if (err)
		up_read(&kd->binding);
	return err;
}

/**
 * kvcpu_unbind() - undo kvcpu_bind()
 * @file: open file
 */
void kvcpu_unbind(struct kvcpu_file *file)
{
	up_read(&file->kd->binding);
}

/**
 * kvcpu_file_detach() - detach a file from its device: no completion reaches the file afterwards
 * @file: file that no process has open
 */
void kvcpu_file_detach(struct kvcpu_file *file)
{
	struct kvcpu_device *kd = file->kd;

	spin_lock_irq(&kd->lock);
	kvcpu_requests_detach(file);
	list_del(&file->node);
	/* No notice reaches it either. Another file may have the context already. */
	if (kd->owners[file->context] == file)
		kd->owners[file->context] = NULL;
	spin_unlock_irq(&kd->lock);
}

/**
 * kvcpu_context_reset() - end every context, as a function-level reset does
 * @kd: device, paused, with its interrupts disabled; kvcpu_device.binding is held for writing
 *
 * Files that have a context become lost. Other files are not affected.
 */
void kvcpu_context_reset(struct kvcpu_device *kd)
{
	struct kvcpu_file *file;
	u32 context;

	spin_lock_irq(&kd->lock);
	for (context = 1; context < kd->contexts; context++) {
		file = kd->owners[context];
		if (!file)
			continue;
		WRITE_ONCE(file->context, 0);
		WRITE_ONCE(file->lost, true);
	}
	memset(kd->owners, 0, sizeof(kd->owners));
	kvcpu_requests_reset(kd);
	bitmap_zero(kd->context_map, KVCPU_CONTEXTS_MAX);
	__set_bit(0, kd->context_map);
	kd->contexts_closing = 0;
	spin_unlock_irq(&kd->lock);
	kvcpu_wake_all(kd);
}
