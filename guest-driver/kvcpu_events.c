// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: the notices of the event queue, and the files that they are delivered to.
 */
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io-64-nonatomic-lo-hi.h>

#include "kvcpu.h"
#include "kvcpu_context.h"
#include "kvcpu_events.h"
#include "kvcpu_queues.h"
#include "kvcpu_view.h"

#define KVCPU_NOTICE_SIZE_WORDS (KVCPU_NOTICE_BYTES / sizeof(u64))

/* Delivers a notice to the file that has its context. */
static void kvcpu_event(struct kvcpu_device *kd, u64 head, u64 block)
{
	u64 context = KVCPU_GET(KVCPU_NTC_CONTEXT, head);
	struct kvcpu_file *file;

	dev_dbg(&kd->dev, "notice %llu of context %llu, block %llu\n",
		KVCPU_GET(KVCPU_NTC_KIND, head), context, block);
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
	case KVCPU_NT_RECLAIMED:
		kvcpu_file_signal(file);
		break;
	}
unlock:
	spin_unlock_irq(&kd->lock);
}

/**
 * kvcpu_events_interrupt() - handle the vector of the event queue, in a thread
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

		if (!kvcpu_phase_is_new(phase, q->events_head / KVCPU_EVENT_RECORDS))
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
	/* An interrupt without a notice: the device may have failed to access the queue. */
	if (!(readq(kd->regs + KVCPU_REG_QUEUE_ENABLE) & KVCPU_QEN_EVENTS))
		dev_err_ratelimited(&kd->dev, "the event queue has stopped\n");
	return IRQ_HANDLED;
}
