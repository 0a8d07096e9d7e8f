/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Structures that all parts of the driver share: a device, an open file, a command that waits.
 */
#ifndef KVCPU_H
#define KVCPU_H

#include <linux/bitfield.h>
#include <linux/bitmap.h>
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
#include "kvcpu_queues.h"
#include "kvcpu_view.h"

/* Read the field NAME of a register or result word, and place @value in that field. */
#define KVCPU_FIELD(name) (name##_MASK << name##_SHIFT)
#define KVCPU_GET(name, value) FIELD_GET(KVCPU_FIELD(name), value)
#define KVCPU_PUT(name, value) FIELD_PREP(KVCPU_FIELD(name), value)

struct kvcpu_rings;

/**
 * struct kvcpu_request - a command that the device may complete later
 * @node: in kvcpu_device.free, in kvcpu_file.waiting of @file, or in no list
 * @file: file that gets the completion; NULL: the file was closed, or the command is a CLOSE
 * @tag: tag that the device returns; 0 while the request is free
 * @user_data: user_data of the PIN or FENCE
 * @context: context that the command acts in
 * @close: the command is the CLOSE of @context
 *
 * Requests are for commands of the command window only. Struct kvcpu_queues has the commands of
 * the admin ring.
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
 * struct kvcpu_tuning - settings of the administrator
 * @hot_lease: register HOT_LEASE
 * @shared_cap: register SHARED_CAP
 * @policy: register POLICY when the machine went to sleep
 * @slots_min_limit: largest minimum of slots that needs no CAP_SYS_ADMIN
 * @slots_max_limit: largest maximum of slots that needs no CAP_SYS_ADMIN; 0: no limit
 * @min_residency_ns: time that a block stays mapped after the fault that mapped it
 *
 * The last three are read without a lock, and a function-level reset does not change them.
 * Weights and thresholds are in the telemetry. A function-level reset clears the registers; the
 * driver restores them. The device itself keeps POLICY, but for a sleep of the machine.
 */
struct kvcpu_tuning {
	u64 hot_lease;
	u64 shared_cap;
	u64 policy;
	u32 slots_min_limit;
	u32 slots_max_limit;
	u32 min_residency_ns;
};

/* Long enough for the access that faulted and a few more accesses. */
#define KVCPU_MIN_RESIDENCY_NS (100 * NSEC_PER_USEC)
#define KVCPU_MIN_RESIDENCY_MAX_NS NSEC_PER_SEC

/**
 * struct kvcpu_vector - an interrupt vector that contexts share
 * @kd: device
 * @number: number of the vector
 */
struct kvcpu_vector {
	struct kvcpu_device *kd;
	u32 number;
};

/**
 * struct kvcpu_bars - addresses that the page tables of a process point to
 * @doorbells: physical address of the doorbell page of context 0
 * @fast: physical address of the fast tier
 * @slow: physical address of the slow tier
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
 * @features: KVCPU_FEATURE_* that this driver offers for this device
 * @block_size: register BLOCK_SIZE
 * @blocks: register BLOCKS
 * @fast_slots: register FAST_SLOTS
 * @policies: register POLICIES
 * @contexts: register CONTEXTS
 * @pins_max: PINs and FENCEs of SUBMIT that may wait at once. The other requests are reserved for
 *	CLOSE, one for each context, so that the CLOSE of a context is never BUSY
 * @bars: physical addresses that can be mapped
 * @vectors: interrupt vectors for contexts
 * @vector_count: number of @vectors
 * @queues: admin ring and event queue
 * @binding: held for reading while memory that stays mapped for DMA beyond one command is
 *	made, used or freed; held for writing by removal and reset of the function. Outside of the
 *	mmap lock
 * @window: serializes the command window, *_SELECT and the reference registers, and excludes
 *	register access during removal. @regs and @pdev may be used with @window held, and @gone
 *	and @paused false
 * @gone: the driver is unbound; set under @binding, @window and @lock
 * @paused: the function is being reset or the machine sleeps: calls that need the device wait. Set
 *	under @binding and @window, cleared under @window. No file has a context meanwhile
 * @telemetry: telemetry of the reference interface; under @window
 * @tuning: settings of the administrator; under @window
 * @fifo: serializes the handler of the completion FIFO and its thread
 * @lock: protects the members below; taken by interrupt handlers
 * @files: open files; changed with @binding held besides
 * @owners: the file of each context
 * @resetting: no file can get a context: @paused is about to be set, or is set
 * @context_map: contexts in use; bit 0 is always set
 * @contexts_closing: number of contexts whose CLOSE is pending
 * @context_wait: woken when a context becomes free, after a pause, and at removal
 * @requests: table of KVCPU_PENDING_MAX requests; the low bits of a tag are an index into it
 * @free: requests that are not in use
 * @next_sequence: upper bits of the next tag, so that no tag is used twice
 * @pins: number of requests in use that are not a CLOSE
 *
 * Lock order: device lock of the PCI function, kvcpu_file.submit, @binding, (mmap lock of a
 * process), kvcpu_file.mapping, @window, @fifo, @lock, kvcpu_queues.lock, the lock of
 * kvcpu_view.holds. With interrupts disabled, no loop is longer than a fixed number of requests,
 * contexts, slots of the admin ring or holds. None is over open files or over all holds of a file.
 * kvcpu_file.reap is outside of the mmap lock too, and is never held with submit or @window. No
 * function that can wait for user space runs under @binding, kvcpu_file.mapping or @window. No
 * thread holds locks of two devices: a bus is reset with all its devices paused, and no lock is
 * held during a pause.
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

	/* Excludes removal and reset while memory mapped for DMA is made, used or freed. */
	struct rw_semaphore binding;
	/* Serializes register access, and excludes removal. */
	struct mutex window;
	bool gone;
	bool paused;
	struct kv_cpu_telemetry telemetry;
	struct kvcpu_tuning tuning;

	/* Serializes the handler of the completion FIFO and its thread. */
	spinlock_t fifo;
	/* Protects the members below; taken by interrupt handlers. */
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

/* The low bits of a tag of the command window: an index into kvcpu_device.requests. */
#define KVCPU_INDEX_MASK (KVCPU_PENDING_MAX - 1)

/* Commands that SUBMIT copies from the user at once: a page of them. */
#define KVCPU_CHUNK (PAGE_SIZE / sizeof(struct kvcpu_command))

/**
 * struct kvcpu_file - one open file
 * @kd: device; the file holds a reference to it
 * @submit: serializes SUBMIT and changes of rings and buffers; protects @chunk and @bounce
 * @chunk: KVCPU_CHUNK commands; allocated by the first SUBMIT
 * @bounce: bytes of a block on the way from or to the user; allocated by the first READ or WRITE
 * @context: the context of the device; 0: none yet. Changed under @submit and kvcpu_device.lock
 * @epoch: kvcpu_queues.epoch when the file got @context
 * @lost: the file's resources were lost in a function-level reset; set under both locks of the
 *	device
 * @space: inode whose address space has all mappings of this file
 * @mapping: lock of the page tables that map this file: they are filled and emptied under it
 * @dead: no page-table entry may be made any more; under @mapping
 * @view: the linear view
 * @rings: rings; NULL before SETUP. Set under @submit, @mapping and kvcpu_device.lock; freed by
 *	removal or with the file
 * @reap: serializes the copying of completions to the user
 * @wait: woken by a completion, an interrupt, a reset and removal
 * @node: in kvcpu_device.files
 * @interrupts: number of interrupts and notices for the rings; under kvcpu_device.lock
 * @waiting: requests of PINs and FENCEs that wait, oldest first; under kvcpu_device.lock
 * @waiting_count: number of requests in @waiting
 * @ring: completions that were not copied to the user yet: KVCPU_PENDING_MAX places, allocated with
 *	@chunk. The interrupt handler writes at @ring_head, the holder of @reap reads at @ring_tail
 * @ring_head: number of completions ever added; under kvcpu_device.lock
 * @ring_tail: number of completions ever removed; under kvcpu_device.lock
 */
struct kvcpu_file {
	struct kvcpu_device *kd;

	/* Serializes SUBMIT and changes of rings and buffers. */
	struct mutex submit;
	struct kvcpu_command *chunk;
	void *bounce;
	u16 context;
	u64 epoch;
	bool lost;

	struct inode *space;
	/* Protects the page tables that map this file. */
	struct mutex mapping;
	bool dead;
	struct kvcpu_view view;
	struct kvcpu_rings *rings;

	/* Serializes the copying of completions to the user. */
	struct mutex reap;
	wait_queue_head_t wait;
	struct list_head node;
	u32 interrupts;
	struct list_head waiting;
	u32 waiting_count;
	struct kvcpu_completion *ring;
	u32 ring_head;
	u32 ring_tail;
};

/**
 * kvcpu_lock() - lock a mutex of a file that another call may hold while it waits for user space
 * @mutex: kvcpu_file.submit or kvcpu_file.reap
 *
 * Return: 0; -ERESTARTSYS after a signal, so that the call is restarted if the handler allows that.
 */
static inline int kvcpu_lock(struct mutex *mutex)
{
	return mutex_lock_interruptible(mutex) ? -ERESTARTSYS : 0;
}

#endif /* KVCPU_H */
