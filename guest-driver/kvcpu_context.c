// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts: the device's unit of ownership. An open file has one from its first SUBMIT on.
 */
#include <linux/wait.h>

#include "kvcpu.h"

/* -EAGAIN: none is to be had, but one is being closed, or all are after a reset. */
static int kvcpu_context_try(struct kvcpu_file *file)
{
	struct kvcpu_device *kd = file->kd;
	unsigned long context;
	int err = 0;

	spin_lock_irq(&kd->lock);
	context = find_first_zero_bit(kd->context_map, kd->contexts);
	if (kd->gone) {
		err = -ENODEV;
	} else if (file->lost) {
		err = -EIO;
	} else if (kd->resetting) {
		err = -EAGAIN;
	} else if (context < kd->contexts) {
		__set_bit(context, kd->context_map);
		kd->owners[context] = file;
		file->epoch = kd->queues.epoch;
		WRITE_ONCE(file->context, context);
	} else {
		err = kd->contexts_closing ? -EAGAIN : -EMFILE;
	}
	spin_unlock_irq(&kd->lock);
	return err;
}

/**
 * kvcpu_context_get() - give an open file a context if it has none
 * @file: open file; the caller holds its submit lock
 *
 * A context that is being closed comes free by itself, so this waits for it rather than
 * fail a program that opens the device right after another one has ended.
 *
 * Return: 0; -EMFILE if all contexts belong to open files; -EIO if a reset took the file's;
 * -ENODEV; -ERESTARTSYS.
 */
int kvcpu_context_get(struct kvcpu_file *file)
{
	struct kvcpu_device *kd = file->kd;
	int err, interrupted;

	if (file->context)
		return 0;
	interrupted = wait_event_interruptible(kd->context_wait,
					       (err = kvcpu_context_try(file)) != -EAGAIN);
	if (interrupted || err)
		return interrupted ? interrupted : err;
	return kvcpu_quota_default(file);
}

/**
 * kvcpu_context_put() - close the context of a file that nobody has open any more
 * @file: the file, still in the device's list so that a reset finds it
 *
 * Does not wait: the context comes free when the device completes its CLOSE. From its execution on,
 * the device touches none of the context's memory.
 *
 * Return: whether that is so. If not, the memory must not be freed.
 */
bool kvcpu_context_put(struct kvcpu_file *file)
{
	struct kvcpu_device *kd = file->kd;
	struct kvcpu_command_words words = {};
	u64 result, status;
	bool closed = true;

	/* A device that is gone was reset, or cannot reach memory any more; so if it leaves now. */
	if (kvcpu_enter(kd))
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
		/* Its blocks stay owned, so the number is not given out again before a reset. */
		kvcpu_request_done(kd, words.tag);
		dev_err(&kd->dev, "CLOSE of context %u ended with status %llu: its memory is lost\n",
			file->context, status);
		closed = false;
	}
leave:
	kvcpu_leave(kd);
	return closed;
}

/**
 * kvcpu_bind() - use what a file has mapped for DMA, or make more of it
 * @file: open file; not under the mmap lock
 *
 * Return: 0, and kvcpu_unbind() must follow; -EIO if a reset took the file's context, -ENODEV.
 */
int kvcpu_bind(struct kvcpu_file *file)
{
	struct kvcpu_device *kd = file->kd;
	int err = 0;

	down_read(&kd->binding);
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
 * kvcpu_context_reset() - the device has forgotten, or is about to forget, every context
 * @kd: device, entered, its interrupt off
 *
 * Files that had one are lost; files that had none go on.
 */
void kvcpu_context_reset(struct kvcpu_device *kd)
{
	struct kvcpu_file *file;

	spin_lock_irq(&kd->lock);
	list_for_each_entry(file, &kd->files, node) {
		if (!file->context)
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
