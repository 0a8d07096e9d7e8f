/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The admin ring, and the memory of the event queue.
 */
#ifndef KVCPU_QUEUES_H
#define KVCPU_QUEUES_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "kvcpu_hw_rings.h"

struct kvcpu_command_words;
struct kvcpu_device;

#define KVCPU_ADMIN_ENTRIES 1024
#define KVCPU_EVENT_RECORDS 1024
/* HOLDs that may wait at once. The rest of the completion ring is for commands that never wait. */
#define KVCPU_ADMIN_HOLDS 512

/* @result: KVCPU_RES_* fields, or KVCPU_ADMIN_ABORTED. Called with interrupts disabled. */
typedef void (*kvcpu_admin_done_t)(void *data, u64 result);

/* The device was reset or removed before the command ended. No status is all ones. */
#define KVCPU_ADMIN_ABORTED U64_MAX

/**
 * struct kvcpu_admin_slot - a command of the admin ring whose completion is pending
 * @node: in kvcpu_queues.free while the slot is free
 * @tag: tag that the device returns; 0 while the slot is free
 * @done: called with the result; NULL: the result is discarded
 * @data: argument of @done
 * @owner: object that @data belongs to, for kvcpu_admin_detach(); NULL: none
 * @hold: the command is a HOLD
 *
 * @done runs with kvcpu_queues.lock held. So it has ended, or will not run, once another thread has
 * held this lock and found the slot free or without a @done. This is the rule that lets the owner
 * of @data free it.
 */
struct kvcpu_admin_slot {
	struct list_head node;
	u64 tag;
	kvcpu_admin_done_t done;
	void *data;
	const void *owner;
	bool hold;
};

/**
 * struct kvcpu_queues - the admin ring and the event queue
 * @lock: protects every member but @wait and the event queue; taken by interrupt handlers
 * @enabled: the admin ring runs
 * @broken: a command timed out; no command is sent until the next reset
 * @epoch: number of resets since probe. A context of an older epoch no longer exists
 * @sq: submission ring
 * @sq_dma: bus address of @sq
 * @tail: number of entries ever written
 * @cq: completion ring with its header
 * @cq_dma: bus address of @cq
 * @head: number of completions ever consumed
 * @slots: table of KVCPU_ADMIN_ENTRIES slots; the low bits of a tag are an index into it
 * @free: slots that are not in use
 * @holds: number of slots in use by HOLDs
 * @next_sequence: upper bits of the next tag
 * @wait: woken when completions were consumed, and when the ring ends
 * @events: event queue
 * @events_dma: bus address of @events
 * @events_head: number of records ever consumed; used by the event queue's handler only
 */
struct kvcpu_queues {
	/* Innermost except for the lock of kvcpu_view.holds. */
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

/*
 * Whether the word with the phase is newer than the last lap. Lap 0 is the first; the device sets
 * the phase in even laps and clears it in odd laps.
 */
static inline bool kvcpu_phase_is_new(u64 word, u64 lap)
{
	return ((word & KVCPU_PHASE) != 0) == ((lap & 1) == 0);
}

int kvcpu_queues_alloc(struct kvcpu_device *kd);
int kvcpu_queues_enable(struct kvcpu_device *kd);
void kvcpu_queues_disable(struct kvcpu_device *kd);
int kvcpu_admin_hold(struct kvcpu_device *kd, u64 epoch, struct kvcpu_command_words *words,
		     kvcpu_admin_done_t done, void *data, const void *owner);
bool kvcpu_admin_has_space(struct kvcpu_device *kd);
int kvcpu_admin_run(struct kvcpu_device *kd, u64 epoch, struct kvcpu_command_words *words,
		    u32 count);
void kvcpu_admin_detach(struct kvcpu_device *kd, const void *owner);
void kvcpu_admin_reap(struct kvcpu_device *kd);

#endif /* KVCPU_QUEUES_H */
