/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The admin ring and the event queue.
 */
#ifndef KVCPU_QUEUES_H
#define KVCPU_QUEUES_H

#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

struct kvcpu_command_words;
struct kvcpu_device;

#define KVCPU_ADMIN_ENTRIES 1024
#define KVCPU_EVENT_RECORDS 1024
/* HOLDs that may wait at once. The rest of the completion ring is for what never waits. */
#define KVCPU_ADMIN_HOLDS 512

/* @result: KVCPU_RES_* fields, or KVCPU_ADMIN_ABORTED. No interrupt comes meanwhile. */
typedef void (*kvcpu_admin_done_t)(void *data, u64 result);

/* The device was reset, or is gone, before the command ended. No status is all ones. */
#define KVCPU_ADMIN_ABORTED U64_MAX

/**
 * struct kvcpu_admin_slot - a command of the admin ring whose completion is to come
 * @node: in kvcpu_queues.free while it is free
 * @tag: what the device returns; 0 while the slot is free
 * @done: called with the result; NULL: nobody wants it any more
 * @data: its argument
 * @hold: it is a HOLD
 */
struct kvcpu_admin_slot {
	struct list_head node;
	u64 tag;
	kvcpu_admin_done_t done;
	void *data;
	bool hold;
};

/**
 * struct kvcpu_queues - the admin ring and the event queue
 * @lock: protects all of it but @wait and the event queue; taken by interrupt handlers
 * @enabled: the admin ring runs
 * @broken: a command had no answer in time; until the next reset no more are sent
 * @epoch: resets since probe. What a context had before one is not its own after it
 * @sq: submission ring
 * @sq_dma: its bus address
 * @tail: entries ever written
 * @cq: completion ring with its header
 * @cq_dma: its bus address
 * @head: completions ever taken
 * @slots: a table of KVCPU_ADMIN_ENTRIES; a tag's low bits are its index here
 * @free: those that are not in use
 * @holds: those in use that are HOLDs
 * @next_sequence: upper bits of the next tag
 * @wait: woken when completions were taken, and when the ring ends
 * @events: event queue
 * @events_dma: its bus address
 * @events_head: records ever taken; its interrupt handler's own
 */
struct kvcpu_queues {
	/* Innermost but for the lock of kvcpu_view.holds. */
	spinlock_t lock;
	bool enabled;
	bool broken;
	u64 epoch;
	__le64 *sq;
	dma_addr_t sq_dma;
	u64 tail;
	__le64 *cq;
	dma_addr_t cq_dma;
	u64 head;
	struct kvcpu_admin_slot *slots;
	struct list_head free;
	u32 holds;
	u64 next_sequence;
	wait_queue_head_t wait;

	__le64 *events;
	dma_addr_t events_dma;
	u64 events_head;
};

int kvcpu_queues_alloc(struct kvcpu_device *kd);
int kvcpu_queues_enable(struct kvcpu_device *kd);
void kvcpu_queues_disable(struct kvcpu_device *kd);
int kvcpu_admin_hold(struct kvcpu_device *kd, u64 epoch, struct kvcpu_command_words *words,
		     kvcpu_admin_done_t done, void *data);
bool kvcpu_admin_has_room(struct kvcpu_device *kd);
int kvcpu_admin_run(struct kvcpu_device *kd, u64 epoch, struct kvcpu_command_words *words,
		    u32 count);
void kvcpu_admin_forget(struct kvcpu_device *kd, const void *data);
void kvcpu_admin_reap(struct kvcpu_device *kd);
irqreturn_t kvcpu_events_interrupt(int irq, void *data);

#endif /* KVCPU_QUEUES_H */
