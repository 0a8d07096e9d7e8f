// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVCPU_IOC_WAIT: wait for completions of SUBMIT or of the rings, or for a time.
 */
#include <linux/hrtimer.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "kvcpu.h"
#include "kvcpu_completion.h"
#include "kvcpu_ioctl.h"
#include "kvcpu_rings.h"
#include "kvcpu_struct.h"
#include "kvcpu_window.h"

#define KVCPU_REAP_BATCH 16
/* The clocks of device and guest may drift apart: a long sleep reads the device's clock again. */
#define KVCPU_SLEEP_MAX_NS (10 * NSEC_PER_SEC)

/**
 * kvcpu_has_completions() - check whether a file has completions of SUBMIT to consume
 * @file: open file
 * @count: number of completions
 */
bool kvcpu_has_completions(struct kvcpu_file *file, u32 count)
{
	bool has;

	spin_lock_irq(&file->kd->lock);
	has = kvcpu_ring_used(file) >= count;
	spin_unlock_irq(&file->kd->lock);
	return has;
}

/* Checks whether the wait is over for a reason other than the time. An error is such a reason. */
static bool kvcpu_wait_over(struct kvcpu_file *file, const struct kvcpu_wait *wait, u32 seen,
			    int *err)
{
	bool over;

	spin_lock_irq(&file->kd->lock);
	if (file->kd->gone)
		*err = -ENODEV;
	else if (file->lost)
		*err = -EIO;
	else
		*err = 0;
	over = *err || (wait->min && kvcpu_ring_used(file) >= wait->min);
	if (wait->flags & KVCPU_WAIT_RING && file->interrupts != seen)
		over = true;
	spin_unlock_irq(&file->kd->lock);
	return over;
}

/* Sleeps for @delta_ns, or until kvcpu_wait_over(). */
static int kvcpu_sleep(struct kvcpu_file *file, const struct kvcpu_wait *wait, u32 seen,
		       u64 delta_ns)
{
	ktime_t until = ktime_add_ns(ktime_get(), min_t(u64, delta_ns, KVCPU_SLEEP_MAX_NS));
	DEFINE_WAIT(entry);
	int err, gone;

	for (;;) {
		err = prepare_to_wait_event(&file->wait, &entry, TASK_INTERRUPTIBLE);
		if (err || kvcpu_wait_over(file, wait, seen, &gone))
			break;
		/* No slack: the caller asked for a precise time. */
		if (!schedule_hrtimeout_range(&until, 0, HRTIMER_MODE_ABS))
			break;
	}
	finish_wait(&file->wait, &entry);
	return err;
}

/* Reads the device's time, and checks whether the rings end the wait. */
static int kvcpu_wait_read(struct kvcpu_file *file, struct kvcpu_wait *wait, bool *ready)
{
	struct kvcpu_device *kd = file->kd;
	bool stopped = false;
	int err = kvcpu_enter(kd);

	if (err)
		return err;
	wait->time_ns = kvcpu_read(kd, KVCPU_REG_TIME);
	*ready = false;
	if (wait->flags & KVCPU_WAIT_RING && file->context)
		*ready = kvcpu_ring_ready(file, &stopped) || stopped;
	kvcpu_leave(kd);
	return 0;
}

static int kvcpu_wait_until(struct kvcpu_file *file, struct kvcpu_wait *wait)
{
	bool over, ready;
	int err, failed;
	u32 seen;

	for (;;) {
		/* Read before the device, so that a later interrupt ends the sleep. */
		seen = READ_ONCE(file->interrupts);
		failed = kvcpu_wait_read(file, wait, &ready);
		over = kvcpu_wait_over(file, wait, seen, &err);
		if (failed || err)
			return failed ? failed : err;
		if (ready || wait->time_ns >= wait->until_ns)
			return 0;
		if (over && wait->min && kvcpu_has_completions(file, wait->min))
			return 0;
		err = kvcpu_sleep(file, wait, seen, wait->until_ns - wait->time_ns);
		if (err)
			return err;
	}
}

/* Like kvcpu_wait_until(), with an interrupt for the next completion of the ring. */
static int kvcpu_wait_armed(struct kvcpu_file *file, struct kvcpu_wait *wait)
{
	int err = kvcpu_rings_arm(file, true);

	if (err)
		return err == -ENXIO ? -EINVAL : err;
	err = kvcpu_wait_until(file, wait);
	/* After a reset there is nothing to undo, and the error does not matter. */
	kvcpu_rings_arm(file, false);
	return err;
}

/* Copies at most @capacity completions after the first @seen. Returns their number. */
static u32 kvcpu_peek(struct kvcpu_file *file, struct kvcpu_completion *to, u32 seen, u32 capacity)
{
	u32 count, i;

	spin_lock_irq(&file->kd->lock);
	count = min(kvcpu_ring_used(file) - seen, capacity);
	for (i = 0; i < count; i++)
		to[i] = file->ring[(file->ring_tail + seen + i) & KVCPU_INDEX_MASK];
	spin_unlock_irq(&file->kd->lock);
	return count;
}

static void kvcpu_consume(struct kvcpu_file *file, u32 count)
{
	spin_lock_irq(&file->kd->lock);
	file->ring_tail += count;
	spin_unlock_irq(&file->kd->lock);
}

/* Completions leave the ring only after the user has got them and their number. */
static int kvcpu_reap(struct kvcpu_file *file, struct kvcpu_wait *wait, void __user *argument,
		      size_t size)
{
	struct kvcpu_completion __user *to = u64_to_user_ptr(wait->completions);
	struct kvcpu_completion some[KVCPU_REAP_BATCH];
	u32 count;
	int err;

	err = kvcpu_lock(&file->reap);
	if (err)
		return err;
	while (wait->count < wait->capacity) {
		count = kvcpu_peek(file, some, wait->count,
				   min_t(u32, wait->capacity - wait->count, KVCPU_REAP_BATCH));
		if (!count)
			break;
		if (copy_to_user(to + wait->count, some, count * sizeof(*some))) {
			/* Completions that were copied before are returned. */
			err = wait->count ? 0 : -EFAULT;
			break;
		}
		wait->count += count;
	}
	if (!err)
		err = kvcpu_struct_out(argument, wait, sizeof(*wait), size);
	if (!err)
		kvcpu_consume(file, wait->count);
	mutex_unlock(&file->reap);
	return err;
}

/**
 * kvcpu_ioc_wait() - KVCPU_IOC_WAIT
 * @file: open file
 * @argument: struct kvcpu_wait of the user
 * @size: size of that structure
 *
 * Return: 0; -EINVAL (unknown flag, no rings, @min above @capacity), -E2BIG, -EFAULT, -EIO (the
 * file's resources were lost in a reset), -ENODEV, -ERESTARTSYS.
 */
long kvcpu_ioc_wait(struct kvcpu_file *file, void __user *argument, size_t size)
{
	struct kvcpu_wait wait;
	int err;

	err = kvcpu_struct_in(&wait, sizeof(wait), argument, size);
	if (err)
		return err;
	if (wait.flags & ~KVCPU_WAIT_RING || wait.min > wait.capacity)
		return -EINVAL;
	/* Release the holds of areas that were unmapped: the device may need the slots. */
	err = kvcpu_view_settle(file);
	if (err)
		return err;
	wait.count = 0;
	if (wait.flags & KVCPU_WAIT_RING)
		err = kvcpu_wait_armed(file, &wait);
	else
		err = kvcpu_wait_until(file, &wait);
	if (err)
		return err;
	return kvcpu_reap(file, &wait, argument, size);
}
