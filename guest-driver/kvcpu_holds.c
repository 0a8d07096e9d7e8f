// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping holds: requested at a page fault, and released after the device has revoked them.
 */
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "kvcpu.h"
#include "kvcpu_fault.h"
#include "kvcpu_queues.h"
#include "kvcpu_rings.h"
#include "kvcpu_view.h"
#include "kvcpu_window.h"

/**
 * DOC: holds
 *
 * The device does not move a block that is held, so page-table entries may point to it. A file has
 * at most one hold of each kind of a block, however many mappings show the block.
 *
 * kvcpu_file.mapping is the lock of the file's page tables. A fault requests the hold and inserts
 * the entries under this lock. The release of a hold first removes the entries from all page tables
 * under this lock, and then sends UNHOLD. In between the hold is in state RELEASING, and a fault on
 * the block waits.
 *
 * The device sends one REVOKE for a block, and expects the release later. The driver may read the
 * REVOKE before the completion of its HOLD. For this reason the driver records a hold before it
 * sends HOLD. The driver may also read the REVOKE after the hold was released. Then the REVOKE has
 * no effect, or it releases a younger hold of the block, which is harmless.
 */

static void kvcpu_hold_queue(struct kvcpu_view *view, struct kvcpu_hold *hold)
{
	if (list_empty(&hold->node))
		list_add_tail(&hold->node, &view->revoked);
	queue_work(system_unbound_wq, &view->work);
}

/* -- Request ----------------------------------------------------------------- */

/*
 * No HOLD is in the device any more, whether it was completed or could not be sent. A REVOKE that
 * came meanwhile has left the release of what is held to this function. The lock of
 * kvcpu_view.holds is held.
 */
static void kvcpu_hold_settle(struct kvcpu_view *view, struct kvcpu_hold *hold)
{
	hold->state = KVCPU_HOLD_COMPLETED;
	if (hold->revoked && hold->kinds)
		kvcpu_hold_queue(view, hold);
}

/* Records the result of a HOLD. Called with interrupts disabled. */
static void kvcpu_hold_done(void *data, u64 result)
{
	struct kvcpu_hold *hold = data;
	struct kvcpu_view *view = hold->view;

	xa_lock(&view->holds);
	hold->result = result;
	if (KVCPU_GET(KVCPU_RES_STATUS, result) == KVCPU_SC_SUCCESS) {
		hold->kinds |= hold->requested;
		hold->since = ktime_get();
	}
	kvcpu_hold_settle(view, hold);
	kvcpu_delay();
	xa_unlock(&view->holds);
	kvcpu_delay();
	wake_up_all(&view->wait);
}

/**
 * kvcpu_hold_busy() - check whether a fault on a block must wait
 * @view: view
 * @block: the block
 */
bool kvcpu_hold_busy(struct kvcpu_view *view, u64 block)
{
	struct kvcpu_hold *hold;
	bool busy;

	xa_lock_irq(&view->holds);
	hold = xa_load(&view->holds, block);
	busy = hold && hold->state != KVCPU_HOLD_COMPLETED;
	xa_unlock_irq(&view->holds);
	return busy;
}

/* Returns the hold of a block; NULL if there is none; -EAGAIN if its state is not COMPLETED. */
static struct kvcpu_hold *kvcpu_hold_find(struct kvcpu_view *view, u64 block)
{
	struct kvcpu_hold *hold;

	xa_lock_irq(&view->holds);
	hold = xa_load(&view->holds, block);
	if (hold && hold->state != KVCPU_HOLD_COMPLETED)
		hold = ERR_PTR(-EAGAIN);
	xa_unlock_irq(&view->holds);
	return hold;
}

static struct kvcpu_hold *kvcpu_hold_make(struct kvcpu_view *view, u64 block)
{
	struct kvcpu_hold *hold = kzalloc(sizeof(*hold), GFP_KERNEL_ACCOUNT);
	int err;

	if (!hold)
		return ERR_PTR(-ENOMEM);
	hold->view = view;
	hold->block = block;
	hold->state = KVCPU_HOLD_COMPLETED;
	INIT_LIST_HEAD(&hold->node);
	err = xa_insert_irq(&view->holds, block, hold, GFP_KERNEL_ACCOUNT);
	if (err) {
		kfree(hold);
		return ERR_PTR(err);
	}
	return hold;
}

static void kvcpu_hold_remove(struct kvcpu_view *view, struct kvcpu_hold *hold)
{
	xa_lock_irq(&view->holds);
	list_del(&hold->node);
	__xa_erase(&view->holds, hold->block);
	xa_unlock_irq(&view->holds);
	kfree(hold);
}

/*
 * Returns ARG of a HOLD: the generation that the block has in the residency map. The device refuses
 * HOLD on a generation mismatch. Without a residency map there is no generation to compare.
 */
static u64 kvcpu_hold_argument(struct kvcpu_file *file, u64 block)
{
	const struct kvcpu_rings *rings = file->rings;
	const __le64 *part;
	u64 word;

	if (!rings || !rings->parts)
		return 0;
	part = rings->parts[block / KVCPU_RESIDENCY_PART].kernel;
	word = le64_to_cpu(READ_ONCE(part[block % KVCPU_RESIDENCY_PART]));
	if (!KVCPU_GET(KVCPU_RSD_OWNED, word))
		return 0;
	return KVCPU_PUT(KVCPU_HLD_CHECK, 1) |
	       KVCPU_PUT(KVCPU_HLD_GENERATION, KVCPU_GET(KVCPU_RSD_GENERATION, word));
}

static int kvcpu_hold_status(u64 result)
{
	if (result == KVCPU_ADMIN_ABORTED)
		return -EIO;
	switch (KVCPU_GET(KVCPU_RES_STATUS, result)) {
	case KVCPU_SC_SUCCESS:
		return 0;
	case KVCPU_SC_STALE:
		/* The block changed between the read of the map and the HOLD: read it again. */
		return -ESTALE;
	default:
		/* NOT_OWNER, SEALED, or the context is being closed. */
		return -EACCES;
	}
}

static int kvcpu_hold_request(struct kvcpu_file *file, struct kvcpu_hold *hold, u8 kind)
{
	u16 flags = kind == KVCPU_HOLD_WRITE ? KVCPU_F_WRITE : 0;
	struct kvcpu_view *view = &file->view;
	struct kvcpu_command_words words = {
		.first = hold->block,
		.count = 1,
		.arg = kvcpu_hold_argument(file, hold->block),
		.control = KVCPU_PUT(KVCPU_CTL_OPCODE, KVCPU_OP_HOLD) |
			   KVCPU_PUT(KVCPU_CTL_FLAGS, flags) |
			   KVCPU_PUT(KVCPU_CTL_CONTEXT, file->context),
	};
	bool pending;
	int err;

	xa_lock_irq(&view->holds);
	hold->state = KVCPU_HOLD_REQUESTED;
	hold->requested = kind;
	xa_unlock_irq(&view->holds);
	kvcpu_delay();
	err = kvcpu_admin_hold(file->kd, file->epoch, &words, kvcpu_hold_done, hold, view);
	xa_lock_irq(&view->holds);
	if (err)
		kvcpu_hold_settle(view, hold);
	pending = hold->state == KVCPU_HOLD_REQUESTED;
	xa_unlock_irq(&view->holds);
	if (err)
		return err == -EAGAIN ? -EBUSY : err;
	if (pending)
		return -EAGAIN;
	err = kvcpu_hold_status(hold->result);
	/* The same generation again: the device no longer writes the map. */
	if (err == -ESTALE && kvcpu_hold_argument(file, hold->block) == words.arg)
		return -EACCES;
	return err;
}

/* A hold prevents a move of the block, but not FREE or SEAL: check owner, generation and flags. */
static int kvcpu_hold_verify(struct kvcpu_file *file, const struct kvcpu_hold *hold, bool write)
{
	struct kvcpu_device *kd = file->kd;
	u64 state, use, flags;
	int err = kvcpu_enter(kd);

	if (err)
		return err;
	kvcpu_write(kd, KVCPU_REG_BLOCK_SELECT, hold->block);
	state = kvcpu_read(kd, KVCPU_REG_BLOCK_STATE);
	use = kvcpu_read(kd, KVCPU_REG_BLOCK_USE);
	if (file->lost)
		err = -EIO;
	kvcpu_leave(kd);
	flags = KVCPU_GET(KVCPU_BST_FLAGS, state);
	if (KVCPU_GET(KVCPU_BST_OWNER, state) != file->context || !(flags & KVCPU_BF_ALLOCATED) ||
	    (KVCPU_GET(KVCPU_BUS_GENERATION, use) & KVCPU_RES_AUX_MASK) !=
	    KVCPU_GET(KVCPU_RES_AUX, hold->result))
		return -EACCES;
	if (write && flags & KVCPU_BF_SEALED)
		return -EACCES;
	return err;
}

/**
 * kvcpu_hold_get() - get a hold of a block for a mapping
 * @file: open file that is not dead; the caller holds kvcpu_file.mapping
 * @block: the block
 * @write: a WRITE hold is needed
 * @result: the hold, valid while kvcpu_file.mapping is held
 *
 * Return: 0; -EAGAIN (wait until the block is not busy, then retry); -EBUSY (wait until the admin
 * ring has space, then retry); -ESTALE (retry); -EACCES (the file does not own the block, or it is
 * sealed); -EIO, -ENODEV; -ENOMEM.
 */
int kvcpu_hold_get(struct kvcpu_file *file, u64 block, bool write, struct kvcpu_hold **result)
{
	u8 kind = write ? KVCPU_HOLD_WRITE : KVCPU_HOLD_READ;
	struct kvcpu_view *view = &file->view;
	struct kvcpu_hold *hold;
	int err;

	hold = kvcpu_hold_find(view, block);
	if (!hold)
		hold = kvcpu_hold_make(view, block);
	if (IS_ERR(hold))
		return PTR_ERR(hold);
	/* A WRITE hold also allows reading. */
	if (hold->kinds & (kind | KVCPU_HOLD_WRITE))
		err = kvcpu_hold_verify(file, hold, write);
	else
		err = kvcpu_hold_request(file, hold, kind);
	if (err && err != -EAGAIN && !hold->kinds)
		kvcpu_hold_remove(view, hold);
	*result = hold;
	return err;
}

/* -- Release ------------------------------------------------------------------ */

/**
 * kvcpu_view_revoke() - handle a REVOKE notice of the device
 * @file: file that has the context of the notice; kvcpu_device.lock is held
 * @block: the block
 */
void kvcpu_view_revoke(struct kvcpu_file *file, u64 block)
{
	struct kvcpu_view *view = &file->view;
	struct kvcpu_hold *hold;

	xa_lock(&view->holds);
	hold = xa_load(&view->holds, block);
	if (hold && hold->state != KVCPU_HOLD_RELEASING) {
		hold->revoked = true;
		if (hold->state == KVCPU_HOLD_COMPLETED && hold->kinds)
			kvcpu_hold_queue(view, hold);
	}
	xa_unlock(&view->holds);
}

/* Queues a hold of a view that no area maps. */
static void kvcpu_hold_idle(struct kvcpu_view *view, struct kvcpu_hold *hold)
{
	hold->since = 0;
	/* kvcpu_hold_settle() queues a hold that is still requested. */
	if (hold->state == KVCPU_HOLD_REQUESTED)
		hold->revoked = true;
	else if (hold->state == KVCPU_HOLD_COMPLETED && hold->kinds && list_empty(&hold->node))
		list_add_tail(&hold->node, &view->revoked);
}

/*
 * After the last area was unmapped: queues every hold for release, a batch at a time with
 * interrupts disabled. kvcpu_file.mapping is held, so no hold is added or removed in between.
 */
static void kvcpu_view_idle(struct kvcpu_view *view)
{
	struct kvcpu_hold *hold;
	unsigned long block = 0;
	u32 count;

	if (atomic_read(&view->areas))
		return;
	do {
		count = 0;
		xa_lock_irq(&view->holds);
		xa_for_each_start(&view->holds, block, hold, block) {
			kvcpu_hold_idle(view, hold);
			if (++count == KVCPU_REVOKE_BATCH)
				break;
		}
		xa_unlock_irq(&view->holds);
		block++;
		cond_resched();
	} while (count == KVCPU_REVOKE_BATCH);
}

/*
 * Moves a hold from the list of revoked holds to the batch, or to @later if it is not due, or out
 * of the lists if a HOLD of the other kind is pending: kvcpu_hold_settle() queues it again.
 */
static void kvcpu_hold_sort(struct kvcpu_hold *hold, ktime_t due, struct list_head *batch,
			    struct list_head *later, ktime_t *next)
{
	if (hold->state == KVCPU_HOLD_REQUESTED) {
		list_del_init(&hold->node);
		hold->revoked = true;
	} else if (ktime_after(due, ktime_get())) {
		list_move_tail(&hold->node, later);
		*next = min(*next, due);
	} else {
		hold->state = KVCPU_HOLD_RELEASING;
		list_move_tail(&hold->node, batch);
	}
}

/*
 * Moves at most KVCPU_REVOKE_BATCH holds that are due to @batch, and looks at as many with
 * interrupts disabled at once. @next: when the next hold is due, or KTIME_MAX. Returns whether
 * there are more.
 */
static bool kvcpu_view_collect(struct kvcpu_file *file, struct list_head *batch, ktime_t *next)
{
	u32 residency = READ_ONCE(file->kd->tuning.min_residency_ns);
	struct kvcpu_view *view = &file->view;
	struct kvcpu_hold *hold;
	LIST_HEAD(later);
	bool more;
	u32 seen;

	*next = KTIME_MAX;
	do {
		xa_lock_irq(&view->holds);
		for (seen = 0; seen < KVCPU_REVOKE_BATCH && !list_empty(&view->revoked); seen++) {
			hold = list_first_entry(&view->revoked, struct kvcpu_hold, node);
			kvcpu_hold_sort(hold, ktime_add_ns(hold->since, residency), batch, &later,
					next);
		}
		more = !list_empty(&view->revoked);
		xa_unlock_irq(&view->holds);
		cond_resched();
	} while (more && list_empty(batch));
	xa_lock_irq(&view->holds);
	list_splice(&later, &view->revoked);
	xa_unlock_irq(&view->holds);
	return more;
}

/* Adds UNHOLDs of one kind for a batch. One UNHOLD covers a run of blocks. */
static u32 kvcpu_view_unholds(struct kvcpu_view *view, struct list_head *batch, u8 kind, u32 count)
{
	u16 flags = kind == KVCPU_HOLD_WRITE ? KVCPU_F_WRITE : 0;
	struct kvcpu_command_words *words = NULL;
	struct kvcpu_hold *hold;

	list_for_each_entry(hold, batch, node) {
		if (!(hold->kinds & kind))
			continue;
		if (words && words->first + words->count == hold->block) {
			words->count++;
			continue;
		}
		words = &view->words[count++];
		*words = (struct kvcpu_command_words) {
			.first = hold->block,
			.count = 1,
			.control = KVCPU_PUT(KVCPU_CTL_OPCODE, KVCPU_OP_UNHOLD) |
				   KVCPU_PUT(KVCPU_CTL_FLAGS, flags),
		};
	}
	return count;
}

static int kvcpu_view_release(struct kvcpu_file *file, struct list_head *batch)
{
	struct kvcpu_view *view = &file->view;
	struct kvcpu_hold *hold, *next;
	u32 count;
	int err;

	count = kvcpu_view_unholds(view, batch, KVCPU_HOLD_READ, 0);
	count = kvcpu_view_unholds(view, batch, KVCPU_HOLD_WRITE, count);
	err = kvcpu_admin_run(file->kd, file->epoch, view->words, count);
	xa_lock_irq(&view->holds);
	list_for_each_entry_safe(hold, next, batch, node) {
		__xa_erase(&view->holds, hold->block);
		kfree(hold);
	}
	xa_unlock_irq(&view->holds);
	wake_up_all(&view->wait);
	return err;
}

/* Releases the holds that are due, and starts the timer for those that are not. */
static void kvcpu_view_run(struct kvcpu_file *file, bool idle)
{
	u64 block_size = file->kd->block_size;
	struct kvcpu_view *view = &file->view;
	struct kvcpu_hold *hold;
	LIST_HEAD(batch);
	ktime_t next;
	bool more;

	do {
		mutex_lock(&file->mapping);
		if (file->dead) {
			mutex_unlock(&file->mapping);
			return;
		}
		if (idle)
			kvcpu_view_idle(view);
		idle = false;
		more = kvcpu_view_collect(file, &batch, &next);
		list_for_each_entry(hold, &batch, node)
			unmap_mapping_range(file->space->i_mapping, hold->block * block_size,
					    block_size, 1);
		mutex_unlock(&file->mapping);
		kvcpu_delay();
		if (!list_empty(&batch) && kvcpu_view_release(file, &batch))
			return;
		INIT_LIST_HEAD(&batch);
		cond_resched();
	} while (more);
	if (next != KTIME_MAX)
		hrtimer_start(&view->timer, next, HRTIMER_MODE_ABS);
}

static void kvcpu_view_work(struct work_struct *work)
{
	struct kvcpu_view *view = container_of(work, struct kvcpu_view, work);
	int idle = atomic_read(&view->idle);

	kvcpu_view_run(container_of(view, struct kvcpu_file, view), idle != view->idle_done);
	WRITE_ONCE(view->idle_done, idle);
	wake_up_all(&view->wait);
}

/**
 * kvcpu_view_settle() - wait until the holds of areas that were unmapped are released
 * @file: open file
 *
 * Return: 0 or -ERESTARTSYS.
 */
int kvcpu_view_settle(struct kvcpu_file *file)
{
	struct kvcpu_view *view = &file->view;

	return wait_event_interruptible(view->wait, READ_ONCE(file->dead) ||
					READ_ONCE(view->idle_done) == atomic_read(&view->idle));
}

static enum hrtimer_restart kvcpu_view_timer(struct hrtimer *timer)
{
	struct kvcpu_view *view = container_of(timer, struct kvcpu_view, timer);

	queue_work(system_unbound_wq, &view->work);
	return HRTIMER_NORESTART;
}

/* -- Begin and end --------------------------------------------------------------- */

/**
 * kvcpu_view_init() - initialize a view that is not mapped
 * @view: view
 */
void kvcpu_view_init(struct kvcpu_view *view)
{
	xa_init_flags(&view->holds, XA_FLAGS_LOCK_IRQ);
	INIT_LIST_HEAD(&view->revoked);
	init_waitqueue_head(&view->wait);
	INIT_WORK(&view->work, kvcpu_view_work);
	hrtimer_init(&view->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	view->timer.function = kvcpu_view_timer;
}

/**
 * kvcpu_view_stop() - release no more holds, because CLOSE is about to end them
 * @file: file that no process has open or maps
 *
 * A later UNHOLD could release a hold of the next owner of the block.
 */
void kvcpu_view_stop(struct kvcpu_file *file)
{
	mutex_lock(&file->mapping);
	file->dead = true;
	mutex_unlock(&file->mapping);
	cancel_work_sync(&file->view.work);
}

/**
 * kvcpu_view_free() - free the records of holds that CLOSE or a reset has ended
 * @file: file that was stopped and detached from its device
 */
void kvcpu_view_free(struct kvcpu_file *file)
{
	struct kvcpu_view *view = &file->view;
	struct kvcpu_hold *hold;
	unsigned long block;

	/*
	 * A completion of HOLD that CLOSE has caused may be running. The state of a hold does not
	 * show that: kvcpu_hold_done() uses hold and view after it has changed the state.
	 */
	kvcpu_admin_detach(file->kd, view);
	/* The timer starts the work, so it is cancelled first. No other function starts either. */
	hrtimer_cancel(&view->timer);
	cancel_work_sync(&view->work);
	xa_for_each(&view->holds, block, hold) {
		kfree(hold);
		cond_resched();
	}
	xa_destroy(&view->holds);
	kfree(view->words);
}
