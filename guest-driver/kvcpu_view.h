/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The linear view of a file and its holds.
 */
#ifndef KVCPU_VIEW_H
#define KVCPU_VIEW_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

struct kvcpu_command_words;
struct kvcpu_device;
struct kvcpu_file;
struct vm_area_struct;

#define KVCPU_HOLD_READ BIT(0)
#define KVCPU_HOLD_WRITE BIT(1)

/**
 * enum kvcpu_hold_state - which function may change a hold
 * @KVCPU_HOLD_REQUESTED: a HOLD is in the device; its completion changes the hold
 * @KVCPU_HOLD_COMPLETED: no HOLD is in the device; the holder of kvcpu_file.mapping changes
 *	the hold
 * @KVCPU_HOLD_RELEASING: the hold is being released; the work of the view changes it
 */
enum kvcpu_hold_state {
	KVCPU_HOLD_REQUESTED,
	KVCPU_HOLD_COMPLETED,
	KVCPU_HOLD_RELEASING,
};

/**
 * struct kvcpu_hold - a block that is held for page-table entries, or whose hold is requested
 * @view: view that the hold belongs to
 * @block: number of the block
 * @state: enum kvcpu_hold_state
 * @kinds: KVCPU_HOLD_* that the device has granted
 * @requested: KVCPU_HOLD_* of the latest HOLD
 * @revoked: the device has sent a REVOKE for the block
 * @mapped: the block has been mapped since it was granted
 * @result: KVCPU_RES_* fields of the latest HOLD: place and generation
 * @since: time of the first mapping, or of the grant
 * @node: in kvcpu_view.revoked, or in a batch that is being released
 *
 * The lock of kvcpu_view.holds protects every member. In state COMPLETED kvcpu_file.mapping is
 * needed besides to change one.
 *
 * A completion of HOLD uses the hold and its view under kvcpu_queues.lock. So a hold may be freed
 * only in a state in which no HOLD is in the device, with the lock of kvcpu_view.holds held, or
 * after kvcpu_admin_detach().
 */
struct kvcpu_hold {
	struct kvcpu_view *view;
	u64 block;
	enum kvcpu_hold_state state;
	u8 kinds;
	u8 requested;
	bool revoked;
	bool mapped;
	u64 result;
	ktime_t since;
	struct list_head node;
};

/* Blocks that one batch releases at most. */
#define KVCPU_REVOKE_BATCH 64

/**
 * struct kvcpu_view - the linear view of a file
 * @holds: struct kvcpu_hold by block. Its lock is taken by interrupt handlers
 * @revoked: holds that the device has revoked; under the lock of @holds
 * @wait: woken when a hold leaves the state REQUESTED or RELEASING, and when @idle_done changes
 * @areas: number of areas that map the view
 * @idle: number of times that the last area was unmapped, so that no hold was needed
 * @idle_done: value of @idle up to which @work has released the holds
 * @work: releases holds
 * @timer: starts @work when the next hold may be released
 * @words: commands of a batch; used by @work only
 *
 * The view is a part of its file, and ends with it: kvcpu_view_stop() prevents that @work releases
 * holds, and kvcpu_view_free() waits for completions of HOLD, for @timer and for @work.
 */
struct kvcpu_view {
	struct xarray holds;
	struct list_head revoked;
	wait_queue_head_t wait;
	atomic_t areas;
	atomic_t idle;
	int idle_done;
	struct work_struct work;
	struct hrtimer timer;
	struct kvcpu_command_words *words;
};

/* kvcpu_view.c */
u64 kvcpu_view_bytes(const struct kvcpu_device *kd);
extern const struct vm_operations_struct kvcpu_view_ops;
int kvcpu_view_mmap(struct kvcpu_file *file, struct vm_area_struct *vma);

/* kvcpu_holds.c */
void kvcpu_view_init(struct kvcpu_view *view);
void kvcpu_view_stop(struct kvcpu_file *file);
void kvcpu_view_free(struct kvcpu_file *file);
void kvcpu_view_revoke(struct kvcpu_file *file, u64 block);
int kvcpu_view_settle(struct kvcpu_file *file);
bool kvcpu_hold_busy(struct kvcpu_view *view, u64 block);
int kvcpu_hold_get(struct kvcpu_file *file, u64 block, bool write, struct kvcpu_hold **result);

#endif /* KVCPU_VIEW_H */
