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

/**
 * kvcpu_time() - the device's virtual time
 * @kd: device, not entered
 * @time_ns: result
 *
 * Return: 0 or -ENODEV.
 */
int kvcpu_time(struct kvcpu_device *kd, u64 *time_ns)
{
	int err = kvcpu_enter(kd);

	if (err)
		return err;
	*time_ns = kvcpu_read(kd, KVCPU_REG_TIME);
	kvcpu_leave(kd);
	return 0;
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
		return KVCPU_WORD_TAG;
	case KVCPU_OP_HOT:
	case KVCPU_OP_PREFETCHABLE:
		return KVCPU_WORD_FIRST | KVCPU_WORD_COUNT | KVCPU_WORD_ARG;
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
