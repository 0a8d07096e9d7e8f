/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a process can map of the device: the linear view and its holds, doorbell, rings, residency
 * map.
 */
#ifndef KVCPU_VIEW_H
#define KVCPU_VIEW_H

#include <linux/atomic.h>
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

struct file;
struct kvcpu_command_words;
struct kvcpu_device;
struct kvcpu_file;
struct vm_area_struct;

/* Where in a file what is: the view at 0, as large as the device; the others far behind it. */
#define KVCPU_OFFSET_SQ BIT_ULL(60)
#define KVCPU_OFFSET_CQ (KVCPU_OFFSET_SQ + BIT_ULL(32))
#define KVCPU_OFFSET_DOORBELL (KVCPU_OFFSET_SQ + 2 * BIT_ULL(32))
#define KVCPU_OFFSET_RESIDENCY BIT_ULL(61)

#define KVCPU_HOLD_READ BIT(0)
#define KVCPU_HOLD_WRITE BIT(1)

/**
 * enum kvcpu_hold_state - who may change a hold
 * @KVCPU_HOLD_ASKING: a HOLD is in the device; its completion will
 * @KVCPU_HOLD_ANSWERED: the holder of kvcpu_file.mapping
 * @KVCPU_HOLD_LEAVING: it is being given back; whoever does that
 */
enum kvcpu_hold_state {
	KVCPU_HOLD_ASKING,
	KVCPU_HOLD_ANSWERED,
	KVCPU_HOLD_LEAVING,
};

/**
 * struct kvcpu_hold - a block that is held for page-table entries, or is asked for
 * @view: whose it is
 * @block: its number
 * @state: enum kvcpu_hold_state
 * @kinds: KVCPU_HOLD_* that the device has granted
 * @asked: what is being asked for
 * @revoked: the device wants it back
 * @mapped: it has been mapped since it was granted
 * @result: KVCPU_RES_* fields of the latest HOLD: place and generation
 * @since: when it was first mapped, or granted
 * @node: in kvcpu_view.revoked, or in a batch that is given back
 *
 * All of it is under the lock of kvcpu_view.holds, and what says ANSWERED above under
 * kvcpu_file.mapping besides.
 */
struct kvcpu_hold {
	struct kvcpu_view *view;
	u64 block;
	enum kvcpu_hold_state state;
	u8 kinds;
	u8 asked;
	bool revoked;
	bool mapped;
	u64 result;
	ktime_t since;
	struct list_head node;
};

/* Blocks that are given back at once. */
#define KVCPU_REVOKE_BATCH 64

/**
 * struct kvcpu_view - the linear view of a file
 * @holds: struct kvcpu_hold by block. Its lock is taken by interrupt handlers
 * @revoked: holds that the device wants back; under the lock of @holds
 * @wait: woken when a hold stops being asked for or given back
 * @areas: mappings of it
 * @idle: the last of them has gone: nothing needs to be held
 * @work: gives holds back
 * @timer: when it is to look again
 * @words: commands of a batch; @work's own
 */
struct kvcpu_view {
	struct xarray holds;
	struct list_head revoked;
	wait_queue_head_t wait;
	atomic_t areas;
	bool idle;
	struct work_struct work;
	struct hrtimer timer;
	struct kvcpu_command_words *words;
};

/* kvcpu_mmap.c */
int kvcpu_space_make(struct kvcpu_file *file, struct file *filp);
void kvcpu_space_free(struct kvcpu_file *file);
int kvcpu_mmap(struct file *filp, struct vm_area_struct *vma);
void kvcpu_unmap_all(struct kvcpu_file *file);

/* kvcpu_view.c */
u64 kvcpu_view_bytes(const struct kvcpu_device *kd);
extern const struct vm_operations_struct kvcpu_view_ops;
int kvcpu_view_mmap(struct kvcpu_file *file, struct vm_area_struct *vma);

/* kvcpu_holds.c */
void kvcpu_view_init(struct kvcpu_view *view);
void kvcpu_view_stop(struct kvcpu_file *file);
void kvcpu_view_free(struct kvcpu_file *file);
void kvcpu_view_revoke(struct kvcpu_file *file, u64 block);
bool kvcpu_hold_busy(struct kvcpu_view *view, u64 block);
int kvcpu_hold_get(struct kvcpu_file *file, u64 block, bool write, struct kvcpu_hold **result);

/* kvcpu_advice.c */
int kvcpu_fadvise(struct file *filp, loff_t offset, loff_t length, int advice);
bool kvcpu_advise_address(struct kvcpu_device *kd, unsigned int cmd, u64 va, u64 length, u64 step,
			  int *err);

#endif /* KVCPU_VIEW_H */
