// SPDX-License-Identifier: GPL-2.0-only
/*
 * The admin ring, and the memory of the event queue. Only the kernel maps this memory.
 *
 * The ring is for commands that are frequent: HOLD at a page fault, which may wait for a move and
 * is then completed by interrupt, and UNHOLDs, of which one doorbell write sends many. Rare
 * commands whose result the caller needs at once use the command window: it returns the result
 * within the register write and needs no slot of the ring.
 */
#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "kvcpu.h"
#include "kvcpu_fault.h"
#include "kvcpu_queues.h"
#include "kvcpu_window.h"

#define KVCPU_SLOT_MASK (KVCPU_ADMIN_ENTRIES - 1)
static_assert((KVCPU_ADMIN_ENTRIES & KVCPU_SLOT_MASK) == 0);
static_assert(KVCPU_ADMIN_HOLDS < KVCPU_CONTEXT_PENDING_MAX);

#define KVCPU_ENTRY_SIZE_WORDS (KVCPU_ENTRY_BYTES / sizeof(u64))
#define KVCPU_COMPLETION_SIZE_WORDS (KVCPU_COMPLETION_BYTES / sizeof(u64))

#define KVCPU_SQ_BYTES (KVCPU_ADMIN_ENTRIES * KVCPU_ENTRY_BYTES)
#define KVCPU_CQ_BYTES (KVCPU_CQ_HEADER_BYTES + KVCPU_ADMIN_ENTRIES * KVCPU_COMPLETION_BYTES)
#define KVCPU_EVENT_BYTES (KVCPU_EVENT_RECORDS * KVCPU_NOTICE_BYTES)

/* Longer than any doorbell latency and any earlier work of a healthy device. */
#define KVCPU_ADMIN_TIMEOUT (30 * HZ)

/* -- Set-up ----------------------------------------------------------------- */

/**
 * kvcpu_queues_alloc() - allocate the admin ring and the event queue
 * @kd: device, not yet in use
 *
 * devres frees the memory after it has freed the interrupts.
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
 * kvcpu_queues_enable() - enable the queues of a device that was just reset
 * @kd: device, entered or not in use yet, with its interrupts disabled
 *
 * Return: 0; -EIO if the device does not enable them.
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
	if (kvcpu_read(kd, KVCPU_REG_QUEUE_ENABLE) != wanted || kvcpu_fault(KVCPU_FAULT_QUEUES))
		return -EIO;
	spin_lock_irq(&q->lock);
	q->enabled = true;
	spin_unlock_irq(&q->lock);
	return 0;
}

/**
 * kvcpu_queues_disable() - end the use of the admin ring before or after a reset of the device
 * @kd: device
 *
 * Every pending command completes with KVCPU_ADMIN_ABORTED. The function does not access the
 * device.
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

/* Consumes all new completions. Returns whether there was one. */
static bool kvcpu_admin_advance_head(struct kvcpu_device *kd)
{
	struct kvcpu_queues *q = &kd->queues;
	u64 before = q->head;

	for (;;) {
		__le64 *at = q->cq + KVCPU_CQ_HEADER_BYTES / sizeof(u64) +
			     (q->head & KVCPU_SLOT_MASK) * KVCPU_COMPLETION_SIZE_WORDS;
		u64 tag = le64_to_cpu(READ_ONCE(at[KVCPU_CW_TAG]));

		if (!kvcpu_phase_is_new(tag, q->head / KVCPU_ADMIN_ENTRIES))
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
 * kvcpu_admin_reap() - consume the completions of the admin ring
 * @kd: device
 *
 * Called by the interrupt handler of the admin ring.
 */
void kvcpu_admin_reap(struct kvcpu_device *kd)
{
	struct kvcpu_queues *q = &kd->queues;
	unsigned long flags;
	bool took;

	spin_lock_irqsave(&q->lock, flags);
	took = q->enabled && kvcpu_admin_advance_head(kd);
	spin_unlock_irqrestore(&q->lock, flags);
	if (took)
		wake_up_all(&q->wait);
}

/* -- Submission --------------------------------------------------------------- */

static u64 kvcpu_admin_space(const struct kvcpu_queues *q)
{
	u64 head = le64_to_cpu(READ_ONCE(q->cq[KVCPU_CQH_SQ_HEAD]));

	return KVCPU_ADMIN_ENTRIES - (q->tail - head);
}

static void kvcpu_admin_write_entry(struct kvcpu_queues *q, const struct kvcpu_command_words *words)
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
 * Sends @count commands. The completion of the last one, which may come before this function
 * returns, calls @wanted->done: all commands before it that do not wait have completed then.
 * -EAGAIN: the ring is full. -EIO: the ring was disabled or reset after @epoch.
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
	if (!slot || kvcpu_admin_space(q) < count ||
	    (wanted->hold && (q->holds >= KVCPU_ADMIN_HOLDS || kvcpu_fault(KVCPU_FAULT_HOLD)))) {
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
		kvcpu_admin_write_entry(q, &words[i]);
	/* Orders the entries before the doorbell. */
	writeq(q->tail, kd->regs + KVCPU_DOORBELL_BASE + KVCPU_DB_SQ_TAIL);
	/* The device executes most commands within that write. */
	kvcpu_admin_advance_head(kd);
unlock:
	spin_unlock_irq(&q->lock);
	return err;
}

/**
 * kvcpu_admin_hold() - send a HOLD
 * @kd: device
 * @epoch: epoch of the context
 * @words: the command
 * @done: called when the command has ended, perhaps before this function returns
 * @data: argument of @done
 * @owner: object that @data belongs to; it calls kvcpu_admin_detach() before it frees @data
 *
 * Return: 0; -EAGAIN (the ring is full; kvcpu_queues.wait is woken when it may have space); -EIO
 * (the device was reset or is gone).
 */
int kvcpu_admin_hold(struct kvcpu_device *kd, u64 epoch, struct kvcpu_command_words *words,
		     kvcpu_admin_done_t done, void *data, const void *owner)
{
	struct kvcpu_admin_slot wanted = {
		.done = done, .data = data, .owner = owner, .hold = true
	};
	u64 tag;

	return kvcpu_admin_post(kd, epoch, words, 1, &wanted, &tag);
}

/**
 * kvcpu_admin_has_space() - check whether the ring has space for a HOLD
 * @kd: device
 *
 * Return: true also if the ring is disabled or broken.
 */
bool kvcpu_admin_has_space(struct kvcpu_device *kd)
{
	struct kvcpu_queues *q = &kd->queues;
	bool has;

	spin_lock_irq(&q->lock);
	has = !q->enabled || q->broken ||
	      (!list_empty(&q->free) && kvcpu_admin_space(q) && q->holds < KVCPU_ADMIN_HOLDS);
	spin_unlock_irq(&q->lock);
	return has;
}

/**
 * kvcpu_admin_detach() - discard the results of an owner's HOLDs
 * @kd: device
 * @owner: argument of kvcpu_admin_hold()
 *
 * No callback with data of @owner runs at return, and none will run later.
 */
void kvcpu_admin_detach(struct kvcpu_device *kd, const void *owner)
{
	struct kvcpu_queues *q = &kd->queues;
	int i;

	spin_lock_irq(&q->lock);
	for (i = 0; q->slots && i < KVCPU_ADMIN_ENTRIES; i++) {
		if (q->slots[i].owner == owner)
			q->slots[i].done = NULL;
	}
	spin_unlock_irq(&q->lock);
}

/**
 * struct kvcpu_admin_batch - commands whose completion a thread waits for
 * @epoch: epoch of their context
 * @words: the commands
 * @count: number of @words
 * @tag: tag of the last command
 * @done: completed when the last command has ended
 * @result: result of the last command
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

/* Commands that were sent cannot be cancelled. So the ring is not used until the next reset. */
static int kvcpu_batch_abandon(struct kvcpu_device *kd, struct kvcpu_admin_batch *batch)
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
	dev_err(&kd->dev, "the admin ring timed out, no more mappings until a reset\n");
	wake_up_all(&q->wait);
	return -ETIMEDOUT;
}

/**
 * kvcpu_admin_run() - send commands that do not wait in the device, and wait for their completion
 * @kd: device
 * @epoch: epoch of their context
 * @words: the commands; the device executes them in this order
 * @count: number of @words, at most KVCPU_ADMIN_ENTRIES
 *
 * Return: 0 with any status; -EIO (the device was reset or is gone, and so has no holds);
 * -ETIMEDOUT.
 */
int kvcpu_admin_run(struct kvcpu_device *kd, u64 epoch, struct kvcpu_command_words *words,
		    u32 count)
{
	struct kvcpu_admin_batch batch = { .epoch = epoch, .words = words, .count = count };
	int err;

	init_completion(&batch.done);
	wait_event_timeout(kd->queues.wait, (err = kvcpu_batch_post(kd, &batch)) != -EAGAIN,
			   KVCPU_ADMIN_TIMEOUT);
	if (err)
		return err == -EAGAIN ? -ETIMEDOUT : err;
	if (!wait_for_completion_timeout(&batch.done, KVCPU_ADMIN_TIMEOUT)) {
		err = kvcpu_batch_abandon(kd, &batch);
		if (err)
			return err;
	}
	return batch.result == KVCPU_ADMIN_ABORTED ? -EIO : 0;
}
