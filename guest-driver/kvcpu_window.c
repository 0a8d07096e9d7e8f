// SPDX-License-Identifier: GPL-2.0-only
/*
 * Register access, and the command window.
 */
#include <linux/io-64-nonatomic-lo-hi.h>

#include "kvcpu.h"

#ifndef CONFIG_64BIT
/* The device refuses the halves of a 64-bit write: half a command must not execute. */
#error "kvcpu needs a 64-bit kernel"
#endif

/**
 * kvcpu_enter() - begin to use the device's registers
 * @kd: device
 *
 * Sleeps while another user, or a reset of the function, has them.
 *
 * Return: 0, and kvcpu_leave() must follow; -ENODEV if the driver is unbound.
 */
int kvcpu_enter(struct kvcpu_device *kd)
{
	mutex_lock(&kd->window);
	if (!kd->gone)
		return 0;
	mutex_unlock(&kd->window);
	return -ENODEV;
}

/**
 * kvcpu_leave() - end what kvcpu_enter() began
 * @kd: device
 */
void kvcpu_leave(struct kvcpu_device *kd)
{
	mutex_unlock(&kd->window);
}

/**
 * kvcpu_read() - read a register
 * @kd: device, entered
 * @offset: KVCPU_REG_*
 *
 * Return: its value; all ones once the function has left the bus.
 */
u64 kvcpu_read(struct kvcpu_device *kd, u32 offset)
{
	return readq(kd->regs + offset);
}

/**
 * kvcpu_write() - write a register
 * @kd: device, entered
 * @offset: KVCPU_REG_*
 * @value: what the register can take
 */
void kvcpu_write(struct kvcpu_device *kd, u32 offset, u64 value)
{
	writeq(value, kd->regs + offset);
}

#define KVCPU_WORD_FIRST	BIT(0)
#define KVCPU_WORD_COUNT	BIT(1)
#define KVCPU_WORD_ARG		BIT(2)
#define KVCPU_WORD_ADDR		BIT(3)
#define KVCPU_WORD_EXTENT	BIT(4)
#define KVCPU_WORD_META		BIT(5)
#define KVCPU_WORD_TAG		BIT(6)

/* The words that a command looks at. Each one spared is an exit from the guest spared. */
static unsigned int kvcpu_words_of(u16 opcode)
{
	switch (opcode) {
	case KVCPU_OP_ALLOC:
		return KVCPU_WORD_COUNT | KVCPU_WORD_ARG | KVCPU_WORD_META;
	case KVCPU_OP_PIN:
		return KVCPU_WORD_FIRST | KVCPU_WORD_COUNT | KVCPU_WORD_ARG | KVCPU_WORD_TAG;
	case KVCPU_OP_READ:
	case KVCPU_OP_WRITE:
		return KVCPU_WORD_FIRST | KVCPU_WORD_ADDR | KVCPU_WORD_EXTENT;
	case KVCPU_OP_CANCEL:
	case KVCPU_OP_STEP:
		return KVCPU_WORD_ARG;
	case KVCPU_OP_CLOSE:
	case KVCPU_OP_FENCE:
		return KVCPU_WORD_TAG;
	case KVCPU_OP_HOT:
	case KVCPU_OP_PREFETCHABLE:
	case KVCPU_OP_SEAL:
		return KVCPU_WORD_FIRST | KVCPU_WORD_COUNT | KVCPU_WORD_ARG;
	case KVCPU_OP_OPEN:
		return KVCPU_WORD_FIRST | KVCPU_WORD_COUNT | KVCPU_WORD_ARG | KVCPU_WORD_ADDR |
		       KVCPU_WORD_EXTENT;
	case KVCPU_OP_RESTART:
		return 0;
	case KVCPU_OP_COALESCE:
		return KVCPU_WORD_ARG;
	case KVCPU_OP_QUOTA:
		return KVCPU_WORD_EXTENT;
	case KVCPU_OP_BUFFER_ADD:
		return KVCPU_WORD_FIRST | KVCPU_WORD_COUNT | KVCPU_WORD_ARG | KVCPU_WORD_ADDR;
	case KVCPU_OP_BUFFER_REMOVE:
		return KVCPU_WORD_FIRST;
	case KVCPU_OP_RESIDENCY:
		return KVCPU_WORD_FIRST | KVCPU_WORD_COUNT | KVCPU_WORD_ADDR;
	default:
		return KVCPU_WORD_FIRST | KVCPU_WORD_COUNT;
	}
}

/**
 * kvcpu_execute() - have the device execute a command
 * @kd: device, entered
 * @words: the command
 * @result: KVCPU_RES_* fields
 *
 * READ and WRITE have ended when this returns; what waits is completed by interrupt.
 *
 * Return: 0, whatever the status in @result; -ENODEV if the function has left the bus.
 */
int kvcpu_execute(struct kvcpu_device *kd, const struct kvcpu_command_words *words, u64 *result)
{
	unsigned int used = kvcpu_words_of(KVCPU_GET(KVCPU_CTL_OPCODE, words->control));

	if (used & KVCPU_WORD_FIRST)
		writeq_relaxed(words->first, kd->regs + KVCPU_REG_CMD_FIRST);
	if (used & KVCPU_WORD_COUNT)
		writeq_relaxed(words->count, kd->regs + KVCPU_REG_CMD_COUNT);
	if (used & KVCPU_WORD_ARG)
		writeq_relaxed(words->arg, kd->regs + KVCPU_REG_CMD_ARG);
	if (used & KVCPU_WORD_ADDR)
		writeq_relaxed(words->addr, kd->regs + KVCPU_REG_CMD_ADDR);
	if (used & KVCPU_WORD_EXTENT)
		writeq_relaxed(words->extent, kd->regs + KVCPU_REG_CMD_EXTENT);
	if (used & KVCPU_WORD_META)
		writeq_relaxed(words->meta, kd->regs + KVCPU_REG_CMD_META);
	if (used & KVCPU_WORD_TAG)
		writeq_relaxed(words->tag, kd->regs + KVCPU_REG_CMD_TAG);
	/* Not relaxed: the words, and a buffer that WRITE reads, come before it. */
	writeq(words->control, kd->regs + KVCPU_REG_CMD_CONTROL);
	*result = readq(kd->regs + KVCPU_REG_CMD_RESULT);
	return *result == U64_MAX ? -ENODEV : 0;
}

/**
 * kvcpu_issue() - have the device execute a command in a file's context
 * @file: open file that has one
 * @words: the command, without a context
 * @result: KVCPU_RES_* fields
 *
 * Return: 0, whatever the status; -EIO if a reset took the context, -ENODEV.
 */
int kvcpu_issue(struct kvcpu_file *file, struct kvcpu_command_words *words, u64 *result)
{
	struct kvcpu_device *kd = file->kd;
	int err = kvcpu_enter(kd);

	if (err)
		return err;
	words->control &= ~KVCPU_PUT(KVCPU_CTL_CONTEXT, KVCPU_CTL_CONTEXT_MASK);
	words->control |= KVCPU_PUT(KVCPU_CTL_CONTEXT, file->context);
	/* A reset since the caller looked: the context may be another file's by now. */
	err = file->lost ? -EIO : kvcpu_execute(kd, words, result);
	kvcpu_leave(kd);
	return err;
}

/**
 * kvcpu_status_errno() - what a driver's own command's status is to a user
 * @result: KVCPU_RES_* fields
 *
 * Return: 0 or a negative errno.
 */
int kvcpu_status_errno(u64 result)
{
	switch (KVCPU_GET(KVCPU_RES_STATUS, result)) {
	case KVCPU_SC_SUCCESS:
		return 0;
	case KVCPU_SC_BAD_FIELD:
	case KVCPU_SC_BAD_RANGE:
		return -EINVAL;
	case KVCPU_SC_NO_SLOTS:
		return -ENOSPC;
	case KVCPU_SC_BAD_STATE:
	case KVCPU_SC_BUSY:
		return -EBUSY;
	case KVCPU_SC_UNSUPPORTED:
		return -EOPNOTSUPP;
	default:
		return -EREMOTEIO;
	}
}

/**
 * kvcpu_order() - have the device execute a command of the driver's own in a file's context
 * @file: open file that has one
 * @words: the command, without a context; not one that waits
 *
 * Return: 0; -EIO, -ENODEV as kvcpu_issue(); another errno where the device refused it.
 */
int kvcpu_order(struct kvcpu_file *file, struct kvcpu_command_words *words)
{
	u64 result;
	int err = kvcpu_issue(file, words, &result);

	return err ? err : kvcpu_status_errno(result);
}

/**
 * kvcpu_ring_state() - the state of a file's rings
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
 * kvcpu_ring_ready() - whether a file's completion ring has something to take, or never will have
 * @file: open file with a context; its device is entered
 * @stopped: whether the rings are stopped
 *
 * The device is asked: what a process may have written to its ring does not matter.
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
