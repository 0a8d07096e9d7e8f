// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands of the command window that wait in the device, and their completions.
 */
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/slab.h>

#include "kvcpu.h"
#include "kvcpu_completion.h"

/* -- Requests -------------------------------------------------------------- */

static_assert((KVCPU_PENDING_MAX & KVCPU_INDEX_MASK) == 0);

/**
 * kvcpu_requests_init() - allocate the table of requests
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
 * kvcpu_requests_reset() - free every request, as a reset of the device does
 * @kd: device; the caller holds kvcpu_device.lock, or the device is not in use yet
 */
void kvcpu_requests_reset(struct kvcpu_device *kd)
{
	struct kvcpu_file *file;
	int i;

	INIT_LIST_HEAD(&kd->free);
	for (i = 0; i < KVCPU_PENDING_MAX; i++) {
		file = kd->requests[i].file;
		if (file) {
			INIT_LIST_HEAD(&file->waiting);
			file->waiting_count = 0;
		}
		memset(&kd->requests[i], 0, sizeof(kd->requests[i]));
		list_add_tail(&kd->requests[i].node, &kd->free);
	}
	kd->pins = 0;
}

static struct kvcpu_request *kvcpu_request_new(struct kvcpu_device *kd)
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
	/* First in, first out: a place of the table is reused as late as possible. */
	list_add_tail(&request->node, &kd->free);
}

/**
 * kvcpu_ring_used() - count the completions that were not copied to the user yet
 * @file: open file; kvcpu_device.lock is held
 */
u32 kvcpu_ring_used(const struct kvcpu_file *file)
{
	return file->ring_head - file->ring_tail;
}

/**
 * kvcpu_request_pin() - get a tag for a PIN that may have to wait
 * @file: open file that has the context of the PIN
 * @user_data: returned with the completion
 *
 * Each file has KVCPU_PENDING_MAX places for its waiting PINs and its completions that were not
 * copied to the user yet. So a file whose completions are not consumed blocks no other file.
 *
 * Return: the tag; 0 if all places of the device or of the file are in use.
 */
u64 kvcpu_request_pin(struct kvcpu_file *file, u64 user_data)
{
	struct kvcpu_device *kd = file->kd;
	struct kvcpu_request *request = NULL;
	u64 tag = 0;

	spin_lock_irq(&kd->lock);
	if (kd->pins < kd->pins_max &&
	    file->waiting_count + kvcpu_ring_used(file) < KVCPU_PENDING_MAX)
		request = kvcpu_request_new(kd);
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
 * @context: context to be closed
 *
 * Return: the tag. A request is always free: a context is closed once, and pins_max reserves a
 * request for each context.
 */
u64 kvcpu_request_close(struct kvcpu_device *kd, u16 context)
{
	struct kvcpu_request *request;
	u64 tag = 0;

	spin_lock_irq(&kd->lock);
	request = kvcpu_request_new(kd);
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
 * kvcpu_request_done() - free the tag of a command that ended at once, without a completion
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
 * kvcpu_request_find() - find the tag of a file's oldest waiting PIN with a user_data
 * @file: open file
 * @user_data: user_data of the PIN
 * @after: consider only PINs that are younger than the PIN with this tag; 0: all
 *
 * A PIN that the device has completed is found too until its interrupt is handled. The device does
 * not know the tag then, and the caller looks for the next PIN.
 *
 * Return: the tag, or 0, which no command has. Tags grow and are not used twice, so the tag of a
 * PIN that ends right after this call is not the tag of another PIN.
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
 * kvcpu_requests_detach() - have no completion of a file's requests reach the file
 * @file: open file; kvcpu_device.lock is held
 */
void kvcpu_requests_detach(struct kvcpu_file *file)
{
	struct kvcpu_request *request, *next;

	list_for_each_entry_safe(request, next, &file->waiting, node) {
		list_del_init(&request->node);
		request->file = NULL;
	}
}

/* Without a request the FIFO is empty, and no register access is needed. */
static bool kvcpu_requests_any(struct kvcpu_device *kd)
{
	bool any;

	spin_lock(&kd->lock);
	any = kd->pins || kd->contexts_closing;
	spin_unlock(&kd->lock);
	return any;
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

/* Entries of the FIFO that are consumed with interrupts disabled at once. */
#define KVCPU_FIFO_BATCH 32

/* Consumes at most a batch of entries. Returns whether there are more. kd->fifo is held. */
static bool kvcpu_fifo_reap(struct kvcpu_device *kd)
{
	u64 pending, tag, result, time_ns;
	u32 i, count;

	if (!kvcpu_requests_any(kd))
		return false;
	pending = readq(kd->regs + KVCPU_REG_CPL_PENDING);
	/* All ones: the function has left the bus. */
	if (pending > KVCPU_PENDING_MAX)
		return false;
	count = min_t(u64, pending, KVCPU_FIFO_BATCH);
	for (i = 0; i < count; i++) {
		tag = readq(kd->regs + KVCPU_REG_CPL_TAG);
		result = readq(kd->regs + KVCPU_REG_CPL_RESULT);
		time_ns = readq(kd->regs + KVCPU_REG_CPL_TIME);
		/* Before the request is freed: the request reserves the entry. */
		writeq(1, kd->regs + KVCPU_REG_CPL_POP);
		kvcpu_complete(kd, tag, result, time_ns);
	}
	return pending > count;
}

/**
 * kvcpu_completions_reap() - consume a batch of the completion FIFO
 * @kd: device
 *
 * Called by the interrupt handler of the FIFO and by its thread. The FIFO holds at most
 * KVCPU_PENDING_MAX entries. The device raises the vector for each entry, so no entry is left
 * behind. An earlier interrupt may already have consumed the entry, so an empty FIFO does not mean
 * a spurious interrupt.
 *
 * Return: whether there are more entries.
 */
bool kvcpu_completions_reap(struct kvcpu_device *kd)
{
	unsigned long flags;
	bool more;

	spin_lock_irqsave(&kd->fifo, flags);
	more = kvcpu_fifo_reap(kd);
	spin_unlock_irqrestore(&kd->fifo, flags);
	return more;
}
