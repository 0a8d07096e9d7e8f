// SPDX-License-Identifier: GPL-2.0-only
/*
 * Register access and the command window.
 */
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>

#include "kvcpu.h"
#include "kvcpu_window.h"

#ifndef CONFIG_64BIT
/* The device refuses the halves of a 64-bit write, so that no half of a command executes. */
#error "kvcpu needs a 64-bit kernel"
#endif

/**
 * kvcpu_enter() - begin to use the device's registers
 * @kd: device
 *
 * Sleeps while another thread uses them, and while the device is paused.
 *
 * Return: 0, and kvcpu_leave() must follow; -ENODEV if the driver is unbound; -EINTR after a fatal
 * signal.
 */
int kvcpu_enter(struct kvcpu_device *kd)
{
	for (;;) {
		if (mutex_lock_killable(&kd->window))
			return -EINTR;
		if (!kd->gone && !kd->paused)
			return 0;
		mutex_unlock(&kd->window);
		if (READ_ONCE(kd->gone))
			return -ENODEV;
		if (wait_event_killable(kd->context_wait,
					!READ_ONCE(kd->paused) || READ_ONCE(kd->gone)))
			return -EINTR;
	}
}

/**
 * kvcpu_enter_undo() - like kvcpu_enter(), to undo something in the device
 * @kd: device
 *
 * The wait is short, and a signal does not end it.
 *
 * Return: 0, and kvcpu_leave() must follow; -ENODEV, or -EIO while the device is paused: nothing is
 * left to be undone.
 */
int kvcpu_enter_undo(struct kvcpu_device *kd)
{
	mutex_lock(&kd->window);
	if (!kd->gone && !kd->paused)
		return 0;
	mutex_unlock(&kd->window);
	return READ_ONCE(kd->gone) ? -ENODEV : -EIO;
}

/**
 * kvcpu_leave() - undo kvcpu_enter()
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
 * Return: the value; all ones once the function has left the bus.
 */
u64 kvcpu_read(struct kvcpu_device *kd, u32 offset)
{
	return readq(kd->regs + offset);
}

/**
 * kvcpu_write() - write a register
 * @kd: device, entered
 * @offset: KVCPU_REG_*
 * @value: value that the register accepts
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

/* The words that a command uses. Each word that is not written saves an exit from the guest. */
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
 * READ and WRITE have ended at return. A command that waits is completed by interrupt.
 *
 * Return: 0 with any status in @result; -ENODEV if the function has left the bus.
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
	/* Not relaxed: orders the words, and a buffer that WRITE reads, before this write. */
	writeq(words->control, kd->regs + KVCPU_REG_CMD_CONTROL);
	*result = readq(kd->regs + KVCPU_REG_CMD_RESULT);
	return *result == U64_MAX ? -ENODEV : 0;
}

/**
 * kvcpu_status_errno() - convert the status of a command of the driver to an errno
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
