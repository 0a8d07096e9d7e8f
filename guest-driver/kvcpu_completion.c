// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands that wait in the device, their completions, and who waits for those.
 */
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kvcpu.h"

/* -- Requests -------------------------------------------------------------- */

#define KVCPU_INDEX_MASK (KVCPU_PENDING_MAX - 1)
static_assert((KVCPU_PENDING_MAX & KVCPU_INDEX_MASK) == 0);

/**
 * kvcpu_requests_init() - make the table of requests
 * @kd: device
 *
 * Return: 0 or -ENOMEM.
 */
int kvcpu_requests_init(struct kvcpu_device *kd)
{
	kd->requests = kvcalloc(KVCPU_PENDING_MAX, sizeof(*kd->requests), GFP_KERNEL);
	if (!kd->requests)
		return -ENOMEM;
	kvcpu_requests_reset(kd);
	return 0;
}

/**
 * kvcpu_requests_reset() - forget every request: the device has
 * @kd: device; the caller holds its lock, or nobody else knows the device yet
 */
void kvcpu_requests_reset(struct kvcpu_device *kd)
{
	struct kvcpu_file *file;
	int i;

	list_for_each_entry(file, &kd->files, node) {
		INIT_LIST_HEAD(&file->waiting);
		file->waiting_count = 0;
	}
	INIT_LIST_HEAD(&kd->free);
	for (i = 0; i < KVCPU_PENDING_MAX; i++) {
		memset(&kd->requests[i], 0, sizeof(kd->requests[i]));
		list_add_tail(&kd->requests[i].node, &kd->free);
	}
	kd->pins = 0;
}

static struct kvcpu_request *kvcpu_request_take(struct kvcpu_device *kd)
{
	struct kvcpu_request *request;

	request = list_first_entry_or_null(&kd->free, struct kvcpu_request, node);
	if (!request)
		return NULL;
	list_del_init(&request->node);
	request->tag = ++kd->next_sequence * KVCPU_PENDING_MAX + (request - kd->requests);
	return request;
}

static struct kvcpu_request *kvcpu_request_of(struct kvcpu_device *kd, u64 tag)
{
	struct kvcpu_request *request = &kd->requests[tag & KVCPU_INDEX_MASK];

	return tag && request->tag == tag ? request : NULL;
}

static void kvcpu_request_free(struct kvcpu_device *kd, struct kvcpu_request *request)
{
	if (request->close) {
		kd->contexts_closing--;
		wake_up_all(&kd->context_wait);
	} else {
		kd->pins--;
	}
	if (request->file)
		request->file->waiting_count--;
	list_del(&request->node);
	memset(request, 0, sizeof(*request));
	/* First in, first out: a tag's slot rests for as long as there are others. */
	list_add_tail(&request->node, &kd->free);
}

static u32 kvcpu_ring_used(const struct kvcpu_file *file)
{
	return file->ring_head - file->ring_tail;
}

/**
 * kvcpu_request_pin() - get a tag for a PIN that may have to wait
 * @file: open file whose context the PIN is for
 * @user_data: returned with the completion
 *
 * A file that does not take its completions stops itself and nobody else: what waits and what
 * is not yet taken share KVCPU_PENDING_MAX places of its own.
 *
 * Return: the tag; 0 if the device's or the file's places are all taken.
 */
u64 kvcpu_request_pin(struct kvcpu_file *file, u64 user_data)
{
	struct kvcpu_device *kd = file->kd;
	struct kvcpu_request *request = NULL;
	u64 tag = 0;

	spin_lock_irq(&kd->lock);
	if (kd->pins < kd->pins_max &&
	    file->waiting_count + kvcpu_ring_used(file) < KVCPU_PENDING_MAX)
		request = kvcpu_request_take(kd);
	if (request) {
		request->file = file;
		request->user_data = user_data;
		request->context = file->context;
		list_add_tail(&request->node, &file->waiting);
		file->waiting_count++;
		kd->pins++;
		tag = request->tag;
	}
	spin_unlock_irq(&kd->lock);
	return tag;
}

/**
 * kvcpu_request_close() - get a tag for a CLOSE
 * @kd: device
 * @context: the context to be closed
 *
 * Return: the tag. There always is one: a context is closed once, and pins_max leaves a
 * request for each.
 */
u64 kvcpu_request_close(struct kvcpu_device *kd, u16 context)
{
	struct kvcpu_request *request;
	u64 tag = 0;

	spin_lock_irq(&kd->lock);
	request = kvcpu_request_take(kd);
	if (!WARN_ON_ONCE(!request)) {
		request->context = context;
		request->close = true;
		kd->contexts_closing++;
		tag = request->tag;
	}
	spin_unlock_irq(&kd->lock);
	return tag;
}

/**
 * kvcpu_request_done() - give a tag back: its command ended at once, without a completion
 * @kd: device
 * @tag: from kvcpu_request_pin() or kvcpu_request_close()
 */
void kvcpu_request_done(struct kvcpu_device *kd, u64 tag)
{
	struct kvcpu_request *request;

	spin_lock_irq(&kd->lock);
	request = kvcpu_request_of(kd, tag);
	if (request)
		kvcpu_request_free(kd, request);
	spin_unlock_irq(&kd->lock);
}

/**
 * kvcpu_request_find() - the tag of a file's oldest waiting PIN with a user_data
 * @file: open file
 * @user_data: as its PIN had it
 * @after: look only at PINs younger than the one with this tag; 0: at all
 *
 * One that the device has ended already is found too, as long as its interrupt has not come: then
 * the device does not know the tag, and the caller looks for the next.
 *
 * Return: the tag, or 0, which no command ever has. Tags grow and are not used twice, so a PIN
 * that ends right after this is not mistaken for another.
 */
u64 kvcpu_request_find(struct kvcpu_file *file, u64 user_data, u64 after)
{
	struct kvcpu_request *request;
	u64 tag = 0;

	spin_lock_irq(&file->kd->lock);
	list_for_each_entry(request, &file->waiting, node) {
		if (request->user_data == user_data && request->tag > after) {
			tag = request->tag;
			break;
		}
	}
	spin_unlock_irq(&file->kd->lock);
	return tag;
}

/**
 * kvcpu_file_detach() - take a file off its device: no completion reaches it from now on
 * @file: file that nobody has open any more
 */
void kvcpu_file_detach(struct kvcpu_file *file)
{
	struct kvcpu_device *kd = file->kd;
	struct kvcpu_request *request, *next;

	spin_lock_irq(&kd->lock);
	list_for_each_entry_safe(request, next, &file->waiting, node) {
		list_del_init(&request->node);
		request->file = NULL;
	}
	list_del(&file->node);
	spin_unlock_irq(&kd->lock);
}

/* -- Completions ----------------------------------------------------------- */

static void kvcpu_complete(struct kvcpu_device *kd, u64 tag, u64 result, u64 time_ns)
{
	struct kvcpu_request *request;
	struct kvcpu_file *file;

	spin_lock(&kd->lock);
	request = kvcpu_request_of(kd, tag);
	if (!request) {
		dev_warn_ratelimited(&kd->dev, "completion of an unknown command, tag %#llx\n",
				     tag);
		goto unlock;
	}
	file = request->file;
	if (file) {
		file->ring[file->ring_head++ & KVCPU_INDEX_MASK] = (struct kvcpu_completion) {
			.user_data = request->user_data,
			.result = result,
			.time_ns = time_ns,
		};
		wake_up_all(&file->wait);
	}
	if (request->close)
		__clear_bit(request->context, kd->context_map);
	kvcpu_request_free(kd, request);
unlock:
	spin_unlock(&kd->lock);
}

/**
 * kvcpu_interrupt() - the device's completion vector
 * @irq: interrupt number
 * @data: device
 *
 * Empties the completion FIFO, which holds KVCPU_PENDING_MAX entries at the most. The vector is
 * raised whenever one joins, so none is left behind; and an entry may be gone by the time its
 * own interrupt comes, so an empty FIFO is no sign of a spurious one.
 *
 * Return: IRQ_HANDLED.
 */
irqreturn_t kvcpu_interrupt(int irq, void *data)
{
	struct kvcpu_device *kd = data;
	u64 pending, tag, result, time_ns;

	while ((pending = readq(kd->regs + KVCPU_REG_CPL_PENDING)) != 0) {
		/* All ones: the function has left the bus. */
		if (pending > KVCPU_PENDING_MAX)
			break;
		while (pending--) {
			tag = readq(kd->regs + KVCPU_REG_CPL_TAG);
			result = readq(kd->regs + KVCPU_REG_CPL_RESULT);
			time_ns = readq(kd->regs + KVCPU_REG_CPL_TIME);
			/* Before the request is freed: it stands for the place. */
			writeq(1, kd->regs + KVCPU_REG_CPL_POP);
			kvcpu_complete(kd, tag, result, time_ns);
		}
	}
	return IRQ_HANDLED;
}

/* -- KVCPU_IOC_WAIT -------------------------------------------------------- */

#define KVCPU_TAKE 16
/* Device and guest clocks may drift apart: a long sleep looks at the device's in between. */
#define KVCPU_SLEEP_MAX_NS (10 * NSEC_PER_SEC)

/**
 * kvcpu_has_completion() - whether there is a completion to take
 * @file: open file
 */
bool kvcpu_has_completion(struct kvcpu_file *file)
{
	bool has;

	spin_lock_irq(&file->kd->lock);
	has = kvcpu_ring_used(file) > 0;
	spin_unlock_irq(&file->kd->lock);
	return has;
}

/* Whether there is nothing more to wait for, the time apart. Errors count as such. */
static bool kvcpu_wait_over(struct kvcpu_file *file, u32 min, int *err)
{
	bool over;

	spin_lock_irq(&file->kd->lock);
	if (file->kd->gone)
		*err = -ENODEV;
	else if (file->lost)
		*err = -EIO;
	else
		*err = 0;
	over = *err || (min && kvcpu_ring_used(file) >= min);
	spin_unlock_irq(&file->kd->lock);
	return over;
}

/* Sleeps for @delta_ns, or until kvcpu_wait_over(). */
static int kvcpu_sleep(struct kvcpu_file *file, u32 min, u64 delta_ns)
{
	ktime_t until = ktime_add_ns(ktime_get(), min_t(u64, delta_ns, KVCPU_SLEEP_MAX_NS));
	DEFINE_WAIT(entry);
	int err, gone;

	for (;;) {
		err = prepare_to_wait_event(&file->wait, &entry, TASK_INTERRUPTIBLE);
		if (err || kvcpu_wait_over(file, min, &gone))
			break;
		/* No slack: the caller named an instant. */
		if (!schedule_hrtimeout_range(&until, 0, HRTIMER_MODE_ABS))
			break;
	}
	finish_wait(&file->wait, &entry);
	return err;
}

static int kvcpu_wait_until(struct kvcpu_file *file, struct kvcpu_wait *wait)
{
	bool over;
	int err;

	for (;;) {
		int failed = kvcpu_time(file->kd, &wait->time_ns);

		over = kvcpu_wait_over(file, wait->min, &err);
		if (failed || err)
			return failed ? failed : err;
		if (over || wait->time_ns >= wait->until_ns)
			return 0;
		err = kvcpu_sleep(file, wait->min, wait->until_ns - wait->time_ns);
		if (err)
			return err;
	}
}

static u32 kvcpu_peek(struct kvcpu_file *file, struct kvcpu_completion *to, u32 room)
{
	u32 count, i;

	spin_lock_irq(&file->kd->lock);
	count = min(kvcpu_ring_used(file), room);
	for (i = 0; i < count; i++)
		to[i] = file->ring[(file->ring_tail + i) & KVCPU_INDEX_MASK];
	spin_unlock_irq(&file->kd->lock);
	return count;
}

static void kvcpu_consume(struct kvcpu_file *file, u32 count)
{
	spin_lock_irq(&file->kd->lock);
	file->ring_tail += count;
	spin_unlock_irq(&file->kd->lock);
}

/* A completion leaves the ring only once the user has it. */
static int kvcpu_take(struct kvcpu_file *file, struct kvcpu_wait *wait)
{
	struct kvcpu_completion __user *to = u64_to_user_ptr(wait->completions);
	struct kvcpu_completion some[KVCPU_TAKE];
	u32 count;
	int err;

	err = mutex_lock_interruptible(&file->take);
	if (err)
		return err;
	while (wait->count < wait->capacity) {
		count = kvcpu_peek(file, some,
				   min_t(u32, wait->capacity - wait->count, KVCPU_TAKE));
		if (!count)
			break;
		if (copy_to_user(to + wait->count, some, count * sizeof(*some))) {
			/* What was written before counts. */
			err = wait->count ? 0 : -EFAULT;
			break;
		}
		kvcpu_consume(file, count);
		wait->count += count;
	}
	mutex_unlock(&file->take);
	return err;
}

/**
 * kvcpu_ioc_wait() - KVCPU_IOC_WAIT
 * @file: open file
 * @argument: struct kvcpu_wait of the user
 * @size: its size
 *
 * Return: 0; -EINVAL (@reserved set, @min above @capacity), -E2BIG, -EFAULT, -EIO (a reset took
 * what the file owned), -ENODEV, -ERESTARTSYS.
 */
long kvcpu_ioc_wait(struct kvcpu_file *file, void __user *argument, size_t size)
{
	struct kvcpu_wait wait;
	int err;

	err = kvcpu_struct_in(&wait, sizeof(wait), argument, size);
	if (err)
		return err;
	if (wait.reserved || wait.min > wait.capacity)
		return -EINVAL;
	wait.count = 0;
	err = kvcpu_wait_until(file, &wait);
	if (!err)
		err = kvcpu_take(file, &wait);
	if (err)
		return err;
	return kvcpu_struct_out(argument, &wait, sizeof(wait), size);
}
