// SPDX-License-Identifier: GPL-2.0-only
/*
 * The admin ring, and the event queue, in memory of the kernel alone.
 *
 * The ring is for what comes in numbers and need not be waited for one by one: HOLD at a page
 * fault, which may have to wait for a move and then is completed by interrupt, and UNHOLDs, a
 * doorbell write for many. What is rare, and whose caller cannot go on without the answer, is left
 * to the command window: it answers within the register write, whatever the doorbell latency, and
 * needs no slot here.
 */
#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "kvcpu.h"

#define KVCPU_SLOT_MASK (KVCPU_ADMIN_ENTRIES - 1)
static_assert((KVCPU_ADMIN_ENTRIES & KVCPU_SLOT_MASK) == 0);
static_assert(KVCPU_ADMIN_HOLDS < KVCPU_CONTEXT_PENDING_MAX);

#define KVCPU_ENTRY_SIZE_WORDS (KVCPU_ENTRY_BYTES / sizeof(u64))
#define KVCPU_COMPLETION_SIZE_WORDS (KVCPU_COMPLETION_BYTES / sizeof(u64))
#define KVCPU_NOTICE_SIZE_WORDS (KVCPU_NOTICE_BYTES / sizeof(u64))

#define KVCPU_SQ_BYTES (KVCPU_ADMIN_ENTRIES * KVCPU_ENTRY_BYTES)
#define KVCPU_CQ_BYTES (KVCPU_CQ_HEADER_BYTES + KVCPU_ADMIN_ENTRIES * KVCPU_COMPLETION_BYTES)
#define KVCPU_EVENT_BYTES (KVCPU_EVENT_RECORDS * KVCPU_NOTICE_BYTES)

/* Longer than any doorbell latency and any work that a healthy device may have before ours. */
#define KVCPU_ADMIN_PATIENCE (30 * HZ)

/* -- Set-up ----------------------------------------------------------------- */

/**
 * kvcpu_queues_alloc() - get their memory
 * @kd: device, not yet in use
 *
 * devres frees it, after the interrupts.
 *
 * Return: 0 or -ENOMEM.
 */
int kvcpu_queues_alloc(struct kvcpu_device *kd)
{
	struct device *dev = &kd->pdev->dev;
	struct kvcpu_queues *q = &kd->queues;

	q->sq = dmam_alloc_coherent(dev, KVCPU_SQ_BYTES, &q->sq_dma, GFP_KERNEL);
	q->cq = dmam_alloc_coherent(dev, KVCPU_CQ_BYTES, &q->cq_dma, GFP_KERNEL);
	q->events = dmam_alloc_coherent(dev, KVCPU_EVENT_BYTES, &q->events_dma, GFP_KERNEL);
	q->slots = kvcalloc(KVCPU_ADMIN_ENTRIES, sizeof(*q->slots), GFP_KERNEL);
	return q->sq && q->cq && q->events && q->slots ? 0 : -ENOMEM;
}

static void kvcpu_queues_clear(struct kvcpu_queues *q)
{
	int i;

	memset(q->cq, 0, KVCPU_CQ_BYTES);
	memset(q->events, 0, KVCPU_EVENT_BYTES);
	q->tail = 0;
	q->head = 0;
	q->events_head = 0;
	q->holds = 0;
	q->broken = false;
	INIT_LIST_HEAD(&q->free);
	for (i = 0; i < KVCPU_ADMIN_ENTRIES; i++) {
		memset(&q->slots[i], 0, sizeof(q->slots[i]));
		list_add_tail(&q->slots[i].node, &q->free);
	}
}

/**
 * kvcpu_queues_enable() - have a device that was just reset use them
 * @kd: device, entered or not yet in use; nothing interrupts
 *
 * Return: 0; -EIO if the device does not take them.
 */
int kvcpu_queues_enable(struct kvcpu_device *kd)
{
	struct kvcpu_queues *q = &kd->queues;
	u64 wanted = KVCPU_QEN_ADMIN;

	if (!q->sq)
		return 0;
	if (kd->caps & KVCPU_CAP_EVENT_QUEUE)
		wanted |= KVCPU_QEN_EVENTS;
	kvcpu_queues_clear(q);
	kvcpu_write(kd, KVCPU_REG_ADMIN_SQ_ADDR, q->sq_dma);
	kvcpu_write(kd, KVCPU_REG_ADMIN_SQ_ENTRIES, KVCPU_ADMIN_ENTRIES);
	kvcpu_write(kd, KVCPU_REG_ADMIN_CQ_ADDR, q->cq_dma);
	kvcpu_write(kd, KVCPU_REG_ADMIN_CQ_ENTRIES, KVCPU_ADMIN_ENTRIES);
	kvcpu_write(kd, KVCPU_REG_EVQ_ADDR, q->events_dma);
	kvcpu_write(kd, KVCPU_REG_EVQ_ENTRIES, KVCPU_EVENT_RECORDS);
	kvcpu_write(kd, KVCPU_REG_QUEUE_ENABLE, wanted);
	if (kvcpu_read(kd, KVCPU_REG_QUEUE_ENABLE) != wanted)
		return -EIO;
	spin_lock_irq(&q->lock);
	q->enabled = true;
	spin_unlock_irq(&q->lock);
	return 0;
}

/**
 * kvcpu_queues_disable() - end the admin ring for the driver: the device has forgotten it, or will
 * @kd: device
 *
 * What waited is told. The device itself is not touched.
 */
void kvcpu_queues_disable(struct kvcpu_device *kd)
{
	struct kvcpu_queues *q = &kd->queues;
	int i;

	spin_lock_irq(&q->lock);
	q->enabled = false;
	q->epoch++;
	for (i = 0; q->slots && i < KVCPU_ADMIN_ENTRIES; i++) {
		if (q->slots[i].tag && q->slots[i].done)
			q->slots[i].done(q->slots[i].data, KVCPU_ADMIN_ABORTED);
		q->slots[i].done = NULL;
	}
	spin_unlock_irq(&q->lock);
	wake_up_all(&q->wait);
}

/* -- Completions ------------------------------------------------------------- */

/* The phase is set in the first lap of a ring, which is lap 0, and in every other after that. */
static bool kvcpu_is_new(u64 word, u64 lap)
{
	return ((word & KVCPU_PHASE) != 0) == ((lap & 1) == 0);
}

static void kvcpu_slot_free(struct kvcpu_queues *q, struct kvcpu_admin_slot *slot)
{
	if (slot->hold)
		q->holds--;
	memset(slot, 0, sizeof(*slot));
	list_add_tail(&slot->node, &q->free);
}

static void kvcpu_admin_complete(struct kvcpu_device *kd, u64 tag, u64 result)
{
	struct kvcpu_queues *q = &kd->queues;
	struct kvcpu_admin_slot *slot = &q->slots[tag & KVCPU_SLOT_MASK];

	if (!tag || slot->tag != tag) {
		dev_warn_ratelimited(&kd->dev, "admin completion of an unknown tag %#llx\n", tag);
		return;
	}
	if (slot->done)
		slot->done(slot->data, result);
	kvcpu_slot_free(q, slot);
}

/* Takes what is there. Returns whether there was something. */
static bool kvcpu_admin_take(struct kvcpu_device *kd)
{
	struct kvcpu_queues *q = &kd->queues;
	u64 before = q->head;

	for (;;) {
		__le64 *at = q->cq + KVCPU_CQ_HEADER_BYTES / sizeof(u64) +
			     (q->head & KVCPU_SLOT_MASK) * KVCPU_COMPLETION_SIZE_WORDS;
		u64 tag = le64_to_cpu(READ_ONCE(at[KVCPU_CW_TAG]));

		if (!kvcpu_is_new(tag, q->head / KVCPU_ADMIN_ENTRIES))
			break;
		/* The other words were stored before the one with the phase. */
		dma_rmb();
		kvcpu_admin_complete(kd, tag & ~KVCPU_PHASE,
				     le64_to_cpu(READ_ONCE(at[KVCPU_CW_RESULT])));
		q->head++;
	}
	if (q->head == before)
		return false;
	writeq(q->head, kd->regs + KVCPU_DOORBELL_BASE + KVCPU_DB_CQ_HEAD);
	return true;
}

/**
 * kvcpu_admin_reap() - take the admin ring's completions: its interrupt
 * @kd: device
 */
void kvcpu_admin_reap(struct kvcpu_device *kd)
{
	struct kvcpu_queues *q = &kd->queues;
	unsigned long flags;
	bool took;

	spin_lock_irqsave(&q->lock, flags);
	took = q->enabled && kvcpu_admin_take(kd);
	spin_unlock_irqrestore(&q->lock, flags);
	if (took)
		wake_up_all(&q->wait);
}

/* -- Submission --------------------------------------------------------------- */

static u64 kvcpu_admin_room(const struct kvcpu_queues *q)
{
	u64 head = le64_to_cpu(READ_ONCE(q->cq[KVCPU_CQH_SQ_HEAD]));

	return KVCPU_ADMIN_ENTRIES - (q->tail - head);
}

static void kvcpu_admin_put(struct kvcpu_queues *q, const struct kvcpu_command_words *words)
{
	__le64 *at = q->sq + (q->tail++ & KVCPU_SLOT_MASK) * KVCPU_ENTRY_SIZE_WORDS;

	at[KVCPU_EW_FIRST] = cpu_to_le64(words->first);
	at[KVCPU_EW_COUNT] = cpu_to_le64(words->count);
	at[KVCPU_EW_ARG] = cpu_to_le64(words->arg);
	at[KVCPU_EW_ADDR] = cpu_to_le64(words->addr);
	at[KVCPU_EW_EXTENT] = cpu_to_le64(words->extent);
	at[KVCPU_EW_META] = cpu_to_le64(words->meta);
	at[KVCPU_EW_TAG] = cpu_to_le64(words->tag);
	at[KVCPU_EW_CONTROL] = cpu_to_le64(words->control);
}

/*
 * Sends @count commands; @done hears of the last one, and so of all before it that do not wait. May
 * be before this returns.
 * -EAGAIN: no room now. -EIO: the ring has ended, or begun anew, since @epoch.
 */
static int kvcpu_admin_post(struct kvcpu_device *kd, u64 epoch, struct kvcpu_command_words *words,
			    u32 count, const struct kvcpu_admin_slot *wanted, u64 *tag)
{
	struct kvcpu_queues *q = &kd->queues;
	struct kvcpu_admin_slot *slot;
	int err = 0;
	u32 i;

	spin_lock_irq(&q->lock);
	slot = list_first_entry_or_null(&q->free, struct kvcpu_admin_slot, node);
	if (!q->enabled || q->broken || q->epoch != epoch) {
		err = -EIO;
		goto unlock;
	}
	if (!slot || kvcpu_admin_room(q) < count ||
	    (wanted->hold && q->holds >= KVCPU_ADMIN_HOLDS)) {
		err = -EAGAIN;
		goto unlock;
	}
	list_del(&slot->node);
	*slot = *wanted;
	slot->tag = ++q->next_sequence * KVCPU_ADMIN_ENTRIES + (slot - q->slots);
	q->holds += slot->hold;
	*tag = slot->tag;
	words[count - 1].tag = slot->tag;
	words[count - 1].control |= KVCPU_PUT(KVCPU_CTL_FLAGS, KVCPU_F_COMPLETE);
	for (i = 0; i < count; i++)
		kvcpu_admin_put(q, &words[i]);
	/* Orders the entries before it. */
	writeq(q->tail, kd->regs + KVCPU_DOORBELL_BASE + KVCPU_DB_SQ_TAIL);
	/* Most commands have ended within that write. */
	kvcpu_admin_take(kd);
unlock:
	spin_unlock_irq(&q->lock);
	return err;
}

/**
 * kvcpu_admin_hold() - send a HOLD
 * @kd: device
 * @epoch: of the context it is for
 * @words: the command
 * @done: called when it has ended, perhaps before this returns
 * @data: its argument
 *
 * Return: 0; -EAGAIN (no room; kvcpu_queues.wait is woken when there may be some); -EIO (the device
 * was reset, or is gone).
 */
int kvcpu_admin_hold(struct kvcpu_device *kd, u64 epoch, struct kvcpu_command_words *words,
		     kvcpu_admin_done_t done, void *data)
{
	struct kvcpu_admin_slot wanted = { .done = done, .data = data, .hold = true };
	u64 tag;

	return kvcpu_admin_post(kd, epoch, words, 1, &wanted, &tag);
}

/**
 * kvcpu_admin_has_room() - whether a HOLD would find a place
 * @kd: device
 *
 * Return: true also if the ring has ended.
 */
bool kvcpu_admin_has_room(struct kvcpu_device *kd)
{
	struct kvcpu_queues *q = &kd->queues;
	bool has;

	spin_lock_irq(&q->lock);
	has = !q->enabled || q->broken ||
	      (!list_empty(&q->free) && kvcpu_admin_room(q) && q->holds < KVCPU_ADMIN_HOLDS);
	spin_unlock_irq(&q->lock);
	return has;
}

/**
 * kvcpu_admin_forget() - nobody wants to hear of a HOLD any more
 * @kd: device
 * @data: as kvcpu_admin_hold() had it
 */
void kvcpu_admin_forget(struct kvcpu_device *kd, const void *data)
{
	struct kvcpu_queues *q = &kd->queues;
	int i;

	spin_lock_irq(&q->lock);
	for (i = 0; i < KVCPU_ADMIN_ENTRIES; i++) {
		if (q->slots[i].tag && q->slots[i].data == data)
			q->slots[i].done = NULL;
	}
	spin_unlock_irq(&q->lock);
}

/**
 * struct kvcpu_admin_batch - commands that somebody waits for
 * @epoch: of what they are about
 * @words: the commands
 * @count: how many
 * @tag: of the last one
 * @done: its end
 * @result: its result
 */
struct kvcpu_admin_batch {
	u64 epoch;
	struct kvcpu_command_words *words;
	u32 count;
	u64 tag;
	struct completion done;
	u64 result;
};

static void kvcpu_batch_done(void *data, u64 result)
{
	struct kvcpu_admin_batch *batch = data;

	batch->result = result;
	complete(&batch->done);
}

static int kvcpu_batch_post(struct kvcpu_device *kd, struct kvcpu_admin_batch *batch)
{
	struct kvcpu_admin_slot wanted = { .done = kvcpu_batch_done, .data = batch };

	return kvcpu_admin_post(kd, batch->epoch, batch->words, batch->count, &wanted,
				&batch->tag);
}

/* No answer: what was sent cannot be taken back, so nothing more is sent. */
static int kvcpu_batch_give_up(struct kvcpu_device *kd, struct kvcpu_admin_batch *batch)
{
	struct kvcpu_queues *q = &kd->queues;
	bool done;

	spin_lock_irq(&q->lock);
	done = completion_done(&batch->done);
	if (!done) {
		q->slots[batch->tag & KVCPU_SLOT_MASK].done = NULL;
		q->broken = true;
	}
	spin_unlock_irq(&q->lock);
	if (done)
		return 0;
	dev_err(&kd->dev, "the admin ring does not answer: no more mappings until a reset\n");
	wake_up_all(&q->wait);
	return -ETIMEDOUT;
}

/**
 * kvcpu_admin_run() - send commands that do not wait in the device, and wait for their end
 * @kd: device
 * @epoch: of what they are about
 * @words: the commands; their order is kept
 * @count: how many, at most KVCPU_ADMIN_ENTRIES
 *
 * Return: 0, whatever the statuses; -EIO (the device was reset, or is gone: then what they would
 * have done is done); -ETIMEDOUT.
 */
int kvcpu_admin_run(struct kvcpu_device *kd, u64 epoch, struct kvcpu_command_words *words,
		    u32 count)
{
	struct kvcpu_admin_batch batch = { .epoch = epoch, .words = words, .count = count };
	int err;

	init_completion(&batch.done);
	wait_event_timeout(kd->queues.wait, (err = kvcpu_batch_post(kd, &batch)) != -EAGAIN,
			   KVCPU_ADMIN_PATIENCE);
	if (err)
		return err == -EAGAIN ? -ETIMEDOUT : err;
	if (!wait_for_completion_timeout(&batch.done, KVCPU_ADMIN_PATIENCE)) {
		err = kvcpu_batch_give_up(kd, &batch);
		if (err)
			return err;
	}
	return batch.result == KVCPU_ADMIN_ABORTED ? -EIO : 0;
}

/* -- Event queue ----------------------------------------------------------------- */

static void kvcpu_event(struct kvcpu_device *kd, u64 head, u64 block)
{
	u64 context = KVCPU_GET(KVCPU_NTC_CONTEXT, head);
	struct kvcpu_file *file;

	if (context >= KVCPU_CONTEXTS_MAX)
		return;
	spin_lock_irq(&kd->lock);
	file = kd->owners[context];
	if (!file)
		goto unlock;
	switch (KVCPU_GET(KVCPU_NTC_KIND, head)) {
	case KVCPU_NT_REVOKE:
		kvcpu_view_revoke(file, block);
		break;
	case KVCPU_NT_STOPPED:
	case KVCPU_NT_DROPPED:
		kvcpu_file_signal(file);
		break;
	}
unlock:
	spin_unlock_irq(&kd->lock);
}

/**
 * kvcpu_events_interrupt() - the event queue's vector, in a thread
 * @irq: interrupt number
 * @data: device
 *
 * Return: IRQ_HANDLED.
 */
irqreturn_t kvcpu_events_interrupt(int irq, void *data)
{
	struct kvcpu_device *kd = data;
	struct kvcpu_queues *q = &kd->queues;
	u64 before = q->events_head;

	for (;;) {
		__le64 *at = q->events + (q->events_head % KVCPU_EVENT_RECORDS) *
					 KVCPU_NOTICE_SIZE_WORDS;
		u64 phase = le64_to_cpu(READ_ONCE(at[KVCPU_NW_PHASE]));

		if (!kvcpu_is_new(phase, q->events_head / KVCPU_EVENT_RECORDS))
			break;
		/* The other words were stored before the one with the phase. */
		dma_rmb();
		kvcpu_event(kd, le64_to_cpu(READ_ONCE(at[KVCPU_NW_HEAD])),
			    le64_to_cpu(READ_ONCE(at[KVCPU_NW_BLOCK])));
		q->events_head++;
		cond_resched();
	}
	if (q->events_head != before) {
		writeq(q->events_head, kd->regs + KVCPU_DOORBELL_BASE + KVCPU_DB_EVQ_HEAD);
		return IRQ_HANDLED;
	}
	/* Raised for nothing new: the device may have lost its way to our memory. */
	if (!(readq(kd->regs + KVCPU_REG_QUEUE_ENABLE) & KVCPU_QEN_EVENTS))
		dev_err_ratelimited(&kd->dev, "the event queue has stopped\n");
	return IRQ_HANDLED;
}
