/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the driver's parts share: a device, an open file, a command that waits.
 */
#ifndef KVCPU_H
#define KVCPU_H

#include <linux/bitmap.h>
#include <linux/bits.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#include <linux/kvcpu.h>

#include "kvcpu_hw.h"
#include "kvcpu_hw_rings.h"
#include "kvcpu_memory.h"
#include "kvcpu_queues.h"
#include "kvcpu_view.h"

/* The field NAME (of a register or result word) of @value, and @value in its place. */
#define KVCPU_GET(name, value) (((value) >> name##_SHIFT) & name##_MASK)
#define KVCPU_PUT(name, value) (((u64)(value) & name##_MASK) << name##_SHIFT)

/**
 * struct kvcpu_request - a command that the device may complete later
 * @node: in kvcpu_device.free, or in the @waiting of its file, or in none
 * @file: who gets the completion; NULL: nobody any more, or it is a CLOSE
 * @tag: what the device returns; 0 while the request is free
 * @user_data: of the PIN
 * @context: in whose name
 * @close: it is the CLOSE of @context
 *
 * Commands of the window alone; what the admin ring has to complete is in struct kvcpu_queues.
 */
struct kvcpu_request {
	struct list_head node;
	struct kvcpu_file *file;
	u64 tag;
	u64 user_data;
	u16 context;
	bool close;
};

/**
 * struct kvcpu_command_words - the command window
 * @first: word 0
 * @count: word 1
 * @arg: word 2
 * @addr: word 3
 * @extent: word 4
 * @meta: word 5
 * @tag: word 6
 * @control: word 7
 */
struct kvcpu_command_words {
	u64 first;
	u64 count;
	u64 arg;
	u64 addr;
	u64 extent;
	u64 meta;
	u64 tag;
	u64 control;
};

/**
 * struct kvcpu_tuning - registers that hold what an administrator chose
 * @hot_lease: register HOT_LEASE
 * @shared_cap: register SHARED_CAP
 * @slots_min_limit: largest minimum of slots without CAP_SYS_ADMIN
 * @slots_max_limit: largest maximum likewise; 0: all of them
 * @min_residency_ns: how long a block stays mapped after the fault that mapped it
 *
 * The last three are read without a lock, and outlive a reset of the function by themselves.
 * Weights and thresholds are in the telemetry. A reset of the function clears the registers; the
 * driver puts them back. POLICY outlives a reset by itself.
 */
struct kvcpu_tuning {
	u64 hot_lease;
	u64 shared_cap;
	u32 slots_min_limit;
	u32 slots_max_limit;
	u32 min_residency_ns;
};

/* Long enough for the access that faulted, and a few more. */
#define KVCPU_MIN_RESIDENCY_NS (100 * NSEC_PER_USEC)
#define KVCPU_MIN_RESIDENCY_MAX_NS NSEC_PER_SEC

/**
 * struct kvcpu_vector - an interrupt that contexts share
 * @kd: device
 * @number: of the vector
 */
struct kvcpu_vector {
	struct kvcpu_device *kd;
	u32 number;
};

/**
 * struct kvcpu_bars - where the device's bytes are for a user's page tables
 * @doorbells: bus address of context 0's doorbell page
 * @fast: of the fast tier
 * @slow: of the slow tier
 */
struct kvcpu_bars {
	resource_size_t doorbells;
	resource_size_t fast;
	resource_size_t slow;
};

/**
 * struct kvcpu_device - one KV-CPU
 * @dev: the char device's node in class kv_cpu; its release frees this structure
 * @cdev: the char device
 * @pdev: the PCI function; not to be used once @gone
 * @regs: BAR 0; not to be used once @gone
 * @minor: N of /dev/kvcpuN
 * @caps: register CAPS
 * @features: KVCPU_FEATURE_*: what of it this driver offers
 * @block_size: register BLOCK_SIZE
 * @blocks: register BLOCKS
 * @fast_slots: register FAST_SLOTS
 * @policies: register POLICIES
 * @contexts: register CONTEXTS
 * @pins_max: PINs and FENCEs of SUBMIT that may wait at once; the rest of the device's places are
 *	kept for CLOSE, one a context, so that closing a file never finds the device BUSY
 * @bars: what can be mapped
 * @vectors: interrupts for contexts
 * @vector_count: their number
 * @queues: admin ring and event queue
 * @binding: held for reading by whoever makes, uses or frees what is mapped for DMA beyond a single
 *	command, and for writing by removal and reset of the function. Not under the mmap lock
 * @window: serializes the command window, *_SELECT and the reference registers, and fences all
 *	register access against removal: whoever holds it and has seen @gone false may use @regs and
 *	@pdev. Held throughout a reset of the function
 * @gone: the driver is unbound; set under @binding, @window and @lock
 * @telemetry: under @window
 * @tuning: under @window
 * @lock: protects what follows; taken by interrupt handlers
 * @files: open files; changes with @binding held too
 * @owners: the file of each context
 * @resetting: no context is to be given to a file
 * @context_map: contexts in use; bit 0 is always set
 * @contexts_closing: those of them whose file is gone and whose CLOSE runs
 * @context_wait: woken when a context comes free, after a reset, and at removal
 * @requests: a table of KVCPU_PENDING_MAX; a tag's low bits are its index here
 * @free: the requests that are not in use
 * @next_sequence: upper bits of the next tag, so that none is ever used twice
 * @pins: requests in use that are no CLOSE
 *
 * Lock order: device lock of the PCI function, kvcpu_file.submit, @binding, (mmap lock of a
 * user), kvcpu_file.mapping, @window, @lock, kvcpu_queues.lock, the lock of kvcpu_view.holds.
 * kvcpu_file.take is outside of the mmap lock too, and never held with submit or @window. Nothing
 * that can wait for user space runs under @binding, kvcpu_file.mapping or @window.
 */
struct kvcpu_device {
	struct device dev;
	struct cdev cdev;
	struct pci_dev *pdev;
	void __iomem *regs;
	int minor;

	u64 caps;
	u64 features;
	u64 block_size;
	u64 blocks;
	u64 fast_slots;
	u64 policies;
	u32 contexts;
	u32 pins_max;
	struct kvcpu_bars bars;
	struct kvcpu_vector *vectors;
	u32 vector_count;
	struct kvcpu_queues queues;

	/* Keeps removal and reset apart from what is mapped for DMA. */
	struct rw_semaphore binding;
	/* Serializes register access, and keeps it apart from removal. */
	struct mutex window;
	bool gone;
	struct kv_cpu_telemetry telemetry;
	struct kvcpu_tuning tuning;

	/* Protects what follows; taken by interrupt handlers. */
	spinlock_t lock;
	struct list_head files;
	struct kvcpu_file *owners[KVCPU_CONTEXTS_MAX];
	bool resetting;
	DECLARE_BITMAP(context_map, KVCPU_CONTEXTS_MAX);
	u32 contexts_closing;
	wait_queue_head_t context_wait;
	struct kvcpu_request *requests;
	struct list_head free;
	u64 next_sequence;
	u32 pins;
};

/* A tag of the window's: an index into kvcpu_device.requests in its low bits. */
#define KVCPU_INDEX_MASK (KVCPU_PENDING_MAX - 1)

/* Commands that SUBMIT copies from the user at once: they fill a page. */
#define KVCPU_CHUNK (PAGE_SIZE / sizeof(struct kvcpu_command))

/**
 * struct kvcpu_file - one open file
 * @kd: its device; holds a reference
 * @submit: one SUBMIT at a time, and one change of rings and buffers; protects @chunk and @bounce
 * @chunk: KVCPU_CHUNK commands; made by the first SUBMIT
 * @bounce: a block's bytes on their way to or from the user; made by the first READ or WRITE
 * @context: the device's context; 0: none yet. Changes under @submit and kvcpu_device.lock
 * @epoch: kvcpu_queues.epoch when it got @context
 * @lost: a reset of the function took what the file owned; set under both locks of the device
 * @space: inode whose address space all mappings of this file are in
 * @mapping: the per-context lock of its page tables: they are filled under it, and emptied
 * @dead: nothing is to be mapped any more; under @mapping
 * @view: the linear view
 * @rings: queue pair; NULL before SETUP. Set under @submit, @mapping and kvcpu_device.lock, taken
 *	away by removal or with the file
 * @take: one taker of completions at a time
 * @wait: woken by a completion, an interrupt, a reset, and removal
 * @node: in kvcpu_device.files
 * @interrupts: what has come for the rings, STOPPED included; under kvcpu_device.lock
 * @stopped: the rings were stopped, and not restarted; likewise
 * @waiting: PINs and FENCEs that wait, oldest first; likewise
 * @waiting_count: their number
 * @ring: completions not yet taken: KVCPU_PENDING_MAX places, made with @chunk.
 *	The interrupt handler adds at @ring_head, the holder of @take removes at @ring_tail
 * @ring_head: completions ever added; under kvcpu_device.lock
 * @ring_tail: completions ever removed; likewise
 */
struct kvcpu_file {
	struct kvcpu_device *kd;

	/* One SUBMIT, or change of rings and buffers, at a time. */
	struct mutex submit;
	struct kvcpu_command *chunk;
	void *bounce;
	u16 context;
	u64 epoch;
	bool lost;

	struct inode *space;
	/* What is in the page tables of those who map this file. */
	struct mutex mapping;
	bool dead;
	struct kvcpu_view view;
	struct kvcpu_rings *rings;

	/* One taker of completions at a time. */
	struct mutex take;
	wait_queue_head_t wait;
	struct list_head node;
	u32 interrupts;
	bool stopped;
	struct list_head waiting;
	u32 waiting_count;
	struct kvcpu_completion *ring;
	u32 ring_head;
	u32 ring_tail;
};

/* kvcpu_window.c */
int kvcpu_enter(struct kvcpu_device *kd);
void kvcpu_leave(struct kvcpu_device *kd);
u64 kvcpu_read(struct kvcpu_device *kd, u32 offset);
void kvcpu_write(struct kvcpu_device *kd, u32 offset, u64 value);
int kvcpu_execute(struct kvcpu_device *kd, const struct kvcpu_command_words *words, u64 *result);
int kvcpu_issue(struct kvcpu_file *file, struct kvcpu_command_words *words, u64 *result);
int kvcpu_order(struct kvcpu_file *file, struct kvcpu_command_words *words);
int kvcpu_status_errno(u64 result);
u32 kvcpu_ring_state(struct kvcpu_file *file);
bool kvcpu_ring_ready(struct kvcpu_file *file, bool *stopped);

/* kvcpu_context.c */
int kvcpu_context_get(struct kvcpu_file *file);
bool kvcpu_context_put(struct kvcpu_file *file);
int kvcpu_bind(struct kvcpu_file *file);
void kvcpu_unbind(struct kvcpu_file *file);
void kvcpu_context_reset(struct kvcpu_device *kd);

/* kvcpu_completion.c */
int kvcpu_requests_init(struct kvcpu_device *kd);
void kvcpu_requests_reset(struct kvcpu_device *kd);
u64 kvcpu_request_pin(struct kvcpu_file *file, u64 user_data);
u64 kvcpu_request_close(struct kvcpu_device *kd, u16 context);
void kvcpu_request_done(struct kvcpu_device *kd, u64 tag);
u64 kvcpu_request_find(struct kvcpu_file *file, u64 user_data, u64 after);
void kvcpu_file_detach(struct kvcpu_file *file);
u32 kvcpu_ring_used(const struct kvcpu_file *file);
irqreturn_t kvcpu_interrupt(int irq, void *data);

/* kvcpu_wait.c */
long kvcpu_ioc_wait(struct kvcpu_file *file, void __user *argument, size_t size);
bool kvcpu_has_completions(struct kvcpu_file *file, u32 count);

/* kvcpu_interrupts.c */
int kvcpu_interrupts_init(struct kvcpu_device *kd);
void kvcpu_interrupts_off(struct kvcpu_device *kd);
void kvcpu_interrupts_on(struct kvcpu_device *kd);
void kvcpu_file_signal(struct kvcpu_file *file);

/* kvcpu_chardev.c */
int kvcpu_chardev_init(void);
void kvcpu_chardev_exit(void);
int kvcpu_chardev_add(struct kvcpu_device *kd);
struct kvcpu_device *kvcpu_device_alloc(struct pci_dev *pdev);
void kvcpu_wake_all(struct kvcpu_device *kd);
int kvcpu_struct_in(void *to, size_t known, const void __user *from, size_t size);
int kvcpu_struct_out(void __user *to, const void *from, size_t known, size_t size);

/* kvcpu_reference.c */
long kvcpu_ioc_reference(struct kvcpu_device *kd, unsigned int cmd, void __user *argument);
void kvcpu_tuning_default(struct kvcpu_device *kd);
void kvcpu_tuning_restore(struct kvcpu_device *kd);

/* kvcpu_submit.c */
long kvcpu_ioc_submit(struct kvcpu_file *file, void __user *argument, size_t size);
void kvcpu_submit_free(struct kvcpu_file *file);

/* kvcpu_inspect.c */
long kvcpu_ioc_info(struct kvcpu_file *file, void __user *argument, size_t size);
long kvcpu_ioc_block(struct kvcpu_file *file, void __user *argument, size_t size);
long kvcpu_ioc_counters(struct kvcpu_file *file, void __user *argument, size_t size);
long kvcpu_ioc_history(struct kvcpu_file *file, void __user *argument, size_t size);

/* kvcpu_sysfs.c */
extern const struct attribute_group *kvcpu_groups[];

#endif /* KVCPU_H */
