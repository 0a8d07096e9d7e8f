// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers: memory of a process that READs and WRITEs of its ring may name.
 */
#include <linux/overflow.h>

#include "kvcpu.h"
#include "kvcpu_context.h"
#include "kvcpu_ioctl.h"
#include "kvcpu_memory.h"
#include "kvcpu_rings.h"
#include "kvcpu_struct.h"

static int kvcpu_buffer_number(const struct kvcpu_rings *rings, u32 *id)
{
	u32 i;

	if (*id != KVCPU_BUFFER_ANY)
		return rings->buffers[*id] ? -EEXIST : 0;
	for (i = 0; i < KVCPU_BUFFERS_MAX; i++) {
		if (!rings->buffers[i]) {
			*id = i;
			return 0;
		}
	}
	return -ENOSPC;
}

/* Called with kvcpu_rings_lock(): the function does not wait for user space. */
static int kvcpu_buffer_register(struct kvcpu_file *file, struct kvcpu_pinned *pinned,
				 const struct kvcpu_buffer *buffer)
{
	struct kvcpu_command_words words = {
		.first = buffer->id,
		.count = buffer->length,
		.arg = buffer->address & (KVCPU_BUFFER_PAGE - 1),
		.control = KVCPU_PUT(KVCPU_CTL_OPCODE, KVCPU_OP_BUFFER_ADD),
	};
	u64 skipped = (buffer->address & ~PAGE_MASK) / KVCPU_BUFFER_PAGE;
	int err;

	err = kvcpu_pinned_map(&file->kd->pdev->dev, pinned);
	if (err)
		return err;
	words.addr = pinned->table_dma + skipped * sizeof(*pinned->table);
	err = kvcpu_issue_checked(file, &words);
	if (!err)
		file->rings->buffers[buffer->id] = pinned;
	return err;
}

static int kvcpu_buffer_add(struct kvcpu_file *file, struct kvcpu_buffer *buffer)
{
	struct kvcpu_pinned *pinned;
	int err;

	pinned = kvcpu_pinned_make(buffer->address, buffer->length);
	if (IS_ERR(pinned))
		return PTR_ERR(pinned);
	err = kvcpu_rings_lock(file);
	if (err) {
		kvcpu_pinned_free(NULL, pinned);
		return err;
	}
	err = kvcpu_buffer_number(file->rings, &buffer->id);
	if (!err)
		err = kvcpu_buffer_register(file, pinned, buffer);
	if (err)
		kvcpu_pinned_free(&file->kd->pdev->dev, pinned);
	kvcpu_rings_unlock(file);
	return err;
}

/**
 * kvcpu_ioc_buffer_add() - KVCPU_IOC_BUFFER_ADD
 * @file: open file
 * @argument: struct kvcpu_buffer of the user
 * @size: size of that structure
 *
 * Return: 0; see struct kvcpu_buffer.
 */
long kvcpu_ioc_buffer_add(struct kvcpu_file *file, void __user *argument, size_t size)
{
	struct kvcpu_buffer buffer;
	u64 end;
	int err;

	err = kvcpu_struct_in(&buffer, sizeof(buffer), argument, size);
	if (err)
		return err;
	if (!(file->kd->features & KVCPU_FEATURE_BUFFERS))
		return -EOPNOTSUPP;
	if (buffer.flags || !buffer.length || buffer.length > KVCPU_BUFFER_BYTES_MAX ||
	    (buffer.id >= KVCPU_BUFFERS_MAX && buffer.id != KVCPU_BUFFER_ANY) ||
	    check_add_overflow(buffer.address, buffer.length, &end))
		return -EINVAL;
	/* Check before the pages are pinned, which may take long. */
	err = kvcpu_rings_lock(file);
	if (err)
		return err;
	kvcpu_rings_unlock(file);
	err = kvcpu_buffer_add(file, &buffer);
	return err ? err : kvcpu_struct_out(argument, &buffer, sizeof(buffer), size);
}

/**
 * kvcpu_ioc_buffer_remove() - KVCPU_IOC_BUFFER_REMOVE
 * @file: open file
 * @argument: struct kvcpu_buffer_remove of the user
 * @size: size of that structure
 *
 * Return: 0; see struct kvcpu_buffer_remove.
 */
long kvcpu_ioc_buffer_remove(struct kvcpu_file *file, void __user *argument, size_t size)
{
	struct kvcpu_buffer_remove remove;
	struct kvcpu_command_words words = {
		.control = KVCPU_PUT(KVCPU_CTL_OPCODE, KVCPU_OP_BUFFER_REMOVE),
	};
	struct kvcpu_pinned *pinned;
	int err;

	err = kvcpu_struct_in(&remove, sizeof(remove), argument, size);
	if (err)
		return err;
	if (!(file->kd->features & KVCPU_FEATURE_BUFFERS))
		return -EOPNOTSUPP;
	if (remove.flags || remove.id >= KVCPU_BUFFERS_MAX)
		return -EINVAL;
	err = kvcpu_rings_lock(file);
	if (err)
		return err;
	pinned = file->rings->buffers[remove.id];
	words.first = remove.id;
	err = pinned ? kvcpu_issue_checked(file, &words) : -ENOENT;
	/* If the device refuses to remove the buffer, its pages stay pinned until a reset. */
	if (!err) {
		file->rings->buffers[remove.id] = NULL;
		kvcpu_pinned_free(&file->kd->pdev->dev, pinned);
	}
	kvcpu_rings_unlock(file);
	return err;
}
