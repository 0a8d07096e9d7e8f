// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVCPU_IOC_SUBMIT: commands that act in the file's context.
 *
 * A command needs one copy in, one use of the command window, and one copy out. A page of commands
 * is copied at once. Memory is allocated only at a file's first SUBMIT and at its first READ or
 * WRITE.
 */
#include <linux/dma-mapping.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kvcpu.h"
#include "kvcpu_completion.h"
#include "kvcpu_context.h"
#include "kvcpu_ioctl.h"
#include "kvcpu_struct.h"
#include "kvcpu_window.h"

/* The longest struct kvcpu_command that any version is expected to have. */
#define KVCPU_COMMAND_SIZE_MAX PAGE_SIZE

static u64 kvcpu_status(u64 result)
{
	return KVCPU_GET(KVCPU_RES_STATUS, result);
}

/* -- One command ----------------------------------------------------------- */

/* The buffer is mapped only while the window is held, so no mapping exists during removal. */
static int kvcpu_issue_dma(struct kvcpu_file *file, struct kvcpu_command_words *words, u32 length,
			   enum dma_data_direction direction, u64 *result)
{
	struct kvcpu_device *kd = file->kd;
	dma_addr_t address;
	int err = kvcpu_enter(kd);

	if (err)
		return err;
	if (file->lost) {
		err = -EIO;
		goto leave;
	}
	address = dma_map_single(&kd->pdev->dev, file->bounce, length, direction);
	if (dma_mapping_error(&kd->pdev->dev, address)) {
		err = -ENOMEM;
		goto leave;
	}
	words->addr = address;
	words->control |= KVCPU_PUT(KVCPU_CTL_CONTEXT, file->context);
	err = kvcpu_execute(kd, words, result);
	dma_unmap_single(&kd->pdev->dev, address, length, direction);
leave:
	kvcpu_leave(kd);
	return err;
}

static int kvcpu_copy(struct kvcpu_file *file, struct kvcpu_command *command,
		      struct kvcpu_command_words *words)
{
	void __user *buffer = u64_to_user_ptr(command->buffer);
	bool to_device = command->opcode == KVCPU_OP_WRITE;
	/* The device refuses a length of 0. One byte is mapped then: a mapping cannot be empty. */
	u32 mapped = max(command->length, 1U);
	int err;

	if (command->count != 1 || command->length > file->kd->block_size)
		return -EINVAL;
	if (!file->bounce)
		file->bounce = alloc_pages_exact(file->kd->block_size,
						 GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN);
	if (!file->bounce)
		return -ENOMEM;
	if (to_device && copy_from_user(file->bounce, buffer, command->length))
		return -EFAULT;
	words->extent = KVCPU_PUT(KVCPU_EXT_OFFSET, command->offset) |
			KVCPU_PUT(KVCPU_EXT_LENGTH, command->length);
	err = kvcpu_issue_dma(file, words, mapped, to_device ? DMA_TO_DEVICE : DMA_FROM_DEVICE,
			      &command->result);
	if (err || to_device || kvcpu_status(command->result) != KVCPU_SC_SUCCESS)
		return err;
	return copy_to_user(buffer, file->bounce, command->length) ? -EFAULT : 0;
}

static int kvcpu_pin(struct kvcpu_file *file, struct kvcpu_command *command,
		     struct kvcpu_command_words *words)
{
	int err;

	/* Before the command: the completion may come before the result is read. */
	words->tag = kvcpu_request_pin(file, command->user_data);
	if (!words->tag) {
		command->result = KVCPU_PUT(KVCPU_RES_STATUS, KVCPU_SC_BUSY);
		return 0;
	}
	err = kvcpu_issue(file, words, &command->result);
	if (err || kvcpu_status(command->result) != KVCPU_SC_PENDING)
		kvcpu_request_done(file->kd, words->tag);
	return err;
}

static int kvcpu_alloc(struct kvcpu_file *file, struct kvcpu_command *command,
		       struct kvcpu_command_words *words)
{
	int err = kvcpu_issue(file, words, &command->result);

	if (!err && kvcpu_status(command->result) == KVCPU_SC_SUCCESS) {
		command->first = KVCPU_GET(KVCPU_RES_VALUE, command->result);
		command->count = KVCPU_GET(KVCPU_RES_AUX, command->result);
	}
	return err;
}

static int kvcpu_cancel(struct kvcpu_file *file, struct kvcpu_command *command,
			struct kvcpu_command_words *words)
{
	u64 user_data = command->arg;
	int err;

	words->arg = 0;
	do {
		words->arg = kvcpu_request_find(file, user_data, words->arg);
		err = kvcpu_issue(file, words, &command->result);
	} while (!err && words->arg && kvcpu_status(command->result) == KVCPU_SC_NOT_FOUND);
	return err;
}

static int kvcpu_run(struct kvcpu_file *file, struct kvcpu_command *command)
{
	struct kvcpu_command_words words = {
		.first = command->first,
		.count = command->count,
		.arg = command->arg,
		.meta = command->meta,
		.control = KVCPU_PUT(KVCPU_CTL_OPCODE, command->opcode) |
			   KVCPU_PUT(KVCPU_CTL_FLAGS, command->flags),
	};

	if (command->reserved)
		return -EINVAL;
	switch (command->opcode) {
	case KVCPU_OP_READ:
	case KVCPU_OP_WRITE:
		return kvcpu_copy(file, command, &words);
	case KVCPU_OP_PIN:
	case KVCPU_OP_FENCE:
		return kvcpu_pin(file, command, &words);
	case KVCPU_OP_ALLOC:
		return kvcpu_alloc(file, command, &words);
	case KVCPU_OP_CANCEL:
		return kvcpu_cancel(file, command, &words);
	case KVCPU_OP_FREE:
	case KVCPU_OP_RECLAIMED:
	case KVCPU_OP_UNPIN:
	case KVCPU_OP_STEP:
	case KVCPU_OP_HOT:
	case KVCPU_OP_EVICTABLE:
	case KVCPU_OP_PREFETCHABLE:
	case KVCPU_OP_RELEASE:
	case KVCPU_OP_SHARE:
	case KVCPU_OP_UNSHARE:
	case KVCPU_OP_SEAL:
	case KVCPU_OP_TOUCH:
	case KVCPU_OP_CLEAR:
		return kvcpu_issue(file, &words, &command->result);
	}
	/* The command window also accepts commands of the driver. A process may not send those. */
	command->result = KVCPU_PUT(KVCPU_RES_STATUS, KVCPU_SC_BAD_OPCODE);
	return 0;
}

/* -- Batches --------------------------------------------------------------- */

static int kvcpu_commands_in(struct kvcpu_command *chunk, const u8 __user *from, u32 count,
			     u32 size)
{
	u32 i;
	int err;

	if (size == sizeof(*chunk))
		return copy_from_user(chunk, from, count * sizeof(*chunk)) ? -EFAULT : 0;
	for (i = 0; i < count; i++) {
		err = kvcpu_struct_in(&chunk[i], sizeof(*chunk), from + (size_t)i * size, size);
		if (err)
			return err;
	}
	return 0;
}

static int kvcpu_commands_out(u8 __user *to, const struct kvcpu_command *chunk, u32 count,
			      u32 size)
{
	u32 i;
	int err;

	if (size == sizeof(*chunk))
		return copy_to_user(to, chunk, count * sizeof(*chunk)) ? -EFAULT : 0;
	for (i = 0; i < count; i++) {
		err = kvcpu_struct_out(to + (size_t)i * size, &chunk[i], sizeof(*chunk), size);
		if (err)
			return err;
	}
	return 0;
}

/* Executes at most @count commands of the chunk. @done: how many. Returns 1 to stop after them. */
static int kvcpu_run_chunk(struct kvcpu_file *file, u32 count, bool go_on, u32 *done)
{
	u64 status;
	int err;

	for (*done = 0; *done < count;) {
		if (fatal_signal_pending(current))
			return -EINTR;
		err = kvcpu_run(file, &file->chunk[*done]);
		if (err)
			return err;
		status = kvcpu_status(file->chunk[*done].result);
		++*done;
		if (status != KVCPU_SC_SUCCESS && status != KVCPU_SC_PENDING && !go_on)
			return 1;
		cond_resched();
	}
	return 0;
}

static int kvcpu_run_all(struct kvcpu_file *file, struct kvcpu_submit *submit)
{
	u8 __user *at = u64_to_user_ptr(submit->commands);
	bool go_on = submit->flags & KVCPU_SUBMIT_CONTINUE;
	int end = 0, failed;
	u32 count, done;

	while (!end && submit->done < submit->count) {
		count = min_t(u32, submit->count - submit->done, KVCPU_CHUNK);
		end = kvcpu_commands_in(file->chunk, at, count, submit->command_size);
		if (end)
			break;
		end = kvcpu_run_chunk(file, count, go_on, &done);
		failed = kvcpu_commands_out(at, file->chunk, done, submit->command_size);
		if (failed && end >= 0)
			end = failed;
		submit->done += done;
		at += (size_t)done * submit->command_size;
	}
	return min(end, 0);
}

static int kvcpu_submit_alloc(struct kvcpu_file *file)
{
	struct kvcpu_completion *ring;

	if (file->chunk)
		return 0;
	ring = kvcalloc(KVCPU_PENDING_MAX, sizeof(*ring), GFP_KERNEL_ACCOUNT);
	if (!ring)
		return -ENOMEM;
	file->chunk = kmalloc_array(KVCPU_CHUNK, sizeof(*file->chunk), GFP_KERNEL_ACCOUNT);
	if (!file->chunk) {
		kvfree(ring);
		return -ENOMEM;
	}
	file->ring = ring;
	return 0;
}

/**
 * kvcpu_submit_free() - free the memory that SUBMIT allocated for a file
 * @file: file that no process has open and that is detached from its device
 */
void kvcpu_submit_free(struct kvcpu_file *file)
{
	kfree(file->chunk);
	kvfree(file->ring);
	if (file->bounce)
		free_pages_exact(file->bounce, file->kd->block_size);
}

/**
 * kvcpu_ioc_submit() - KVCPU_IOC_SUBMIT
 * @file: open file
 * @argument: struct kvcpu_submit of the user
 * @size: size of that structure
 *
 * Commands before the one that fails the call have been executed. @done counts them.
 *
 * Return: 0; -EINVAL (see struct kvcpu_submit), -EMFILE (no context is free), -EIO (the file's
 * resources were lost in a reset), -ENOMEM, -E2BIG, -EFAULT, -ENODEV, -EINTR (killed), -ERESTARTSYS
 * (a signal before the first command).
 */
long kvcpu_ioc_submit(struct kvcpu_file *file, void __user *argument, size_t size)
{
	struct kvcpu_submit submit;
	int err;

	err = kvcpu_struct_in(&submit, sizeof(submit), argument, size);
	if (err)
		return err;
	if (submit.count > KVCPU_SUBMIT_MAX || submit.flags & ~KVCPU_SUBMIT_CONTINUE ||
	    submit.command_size < sizeof(struct kvcpu_command) ||
	    submit.command_size > KVCPU_COMMAND_SIZE_MAX)
		return -EINVAL;
	submit.done = 0;
	err = kvcpu_lock(&file->submit);
	if (err)
		return err;
	err = kvcpu_submit_alloc(file);
	if (!err)
		err = kvcpu_context_get(file);
	if (!err)
		err = kvcpu_run_all(file, &submit);
	mutex_unlock(&file->submit);
	if (kvcpu_struct_out(argument, &submit, sizeof(submit), size))
		return -EFAULT;
	return err;
}
