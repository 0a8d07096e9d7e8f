/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * User interface of the KV-CPU driver, on /dev/kvcpuN.
 *
 * Two interfaces share the magic 'K'. Numbers 0x01 to 0x07 are the public reference
 * interface, which does not change. Numbers from 0x40 are ours, with these rules:
 *
 *  - Structures grow at their end only. The size in the ioctl number is the size of the version
 *    that the caller was built with. The driver zero-extends a shorter structure. A size below
 *    version 1 gives ENOTTY. A longer structure is accepted if the bytes that the driver does not
 *    know are zero; otherwise the call fails with E2BIG.
 *  - Reserved fields must be zero (EINVAL otherwise).
 *  - Opcodes, flags, status codes and hint outcomes are those of kvcpu_hw.h. The driver passes
 *    the values of the device on unchanged.
 *  - An open file is one context of the device. The first SUBMIT or SETUP creates the context. The
 *    context owns the blocks that it allocates, and no other context can name them. Closing the
 *    file frees all of them.
 *  - Times are the device's virtual nanoseconds, as in kvcpu_info.time_ns.
 *
 * Errors common to all: EFAULT (a pointer cannot be read or written), ENODEV (the device is gone),
 * ENOTTY (no such number), EINTR (a signal came during a wait), and for calls that act in the
 * file's context EIO (the file's resources were lost in a function-level reset: close the file).
 *
 * A file that has a context can also be mapped, with MAP_SHARED only. Struct kvcpu_setup returns
 * the offset of each region. The linear view begins at offset 0 of every file that has a context:
 * byte n of the KV space is byte n of the file. posix_fadvise() on the file, and
 * madvise(MADV_WILLNEED) on the view, are hints on the blocks of that range.
 */
#ifndef _UAPI_LINUX_KVCPU_H
#define _UAPI_LINUX_KVCPU_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define KVCPU_IOC_MAGIC 'K'

/* -- The reference interface ---------------------------------------------- */

/**
 * struct kv_cpu_block_info - a byte range and a step
 * @va: first byte; below the device's capacity, an address in context 0's KV space
 * @len: bytes; 0 is EINVAL, and so is @va + @len that wraps
 * @target_step: used by KV_CPU_PREFETCH
 */
struct kv_cpu_block_info {
	__u64 va;
	__u64 len;
	__u64 target_step;
};

/**
 * struct kv_cpu_weights - weights and thresholds of the placement score
 * @w_r: weight of recency
 * @w_f: weight of frequency
 * @w_s: weight of step age
 * @w_d: weight of sharing
 * @evict_thresh: below it a block is demoted
 * @prefetch_thresh: above it a block is promoted
 */
struct kv_cpu_weights {
	__u32 w_r;
	__u32 w_f;
	__u32 w_s;
	__u32 w_d;
	__u32 evict_thresh;
	__u32 prefetch_thresh;
};

/**
 * struct kv_cpu_telemetry - commands to this device since the module bound it
 * @current_step: the latest STEP_ADVANCE
 * @step_count: number of STEP_ADVANCE
 * @hot_count: number of MARK_HOT
 * @evict_count: number of EVICT
 * @prefetch_count: number of PREFETCH
 * @share_count: number of SHARE_PREFIX
 * @last_va: address of the latest command with a range
 * @last_len: length of the latest command with a range
 * @last_target_step: target step of that command, or the step of a later STEP_ADVANCE
 * @w_r: weight in force
 * @w_f: weight in force
 * @w_s: weight in force
 * @w_d: weight in force
 * @evict_thresh: threshold in force
 * @prefetch_thresh: threshold in force
 */
struct kv_cpu_telemetry {
	__u64 current_step;
	__u64 step_count;
	__u64 hot_count;
	__u64 evict_count;
	__u64 prefetch_count;
	__u64 share_count;
	__u64 last_va;
	__u64 last_len;
	__u64 last_target_step;
	__u32 w_r;
	__u32 w_f;
	__u32 w_s;
	__u32 w_d;
	__u32 evict_thresh;
	__u32 prefetch_thresh;
};

#define KV_CPU_STEP_ADVANCE	_IOW(KVCPU_IOC_MAGIC, 0x01, __u64)
#define KV_CPU_MARK_HOT		_IOW(KVCPU_IOC_MAGIC, 0x02, struct kv_cpu_block_info)
#define KV_CPU_EVICT		_IOW(KVCPU_IOC_MAGIC, 0x03, struct kv_cpu_block_info)
#define KV_CPU_PREFETCH		_IOW(KVCPU_IOC_MAGIC, 0x04, struct kv_cpu_block_info)
#define KV_CPU_SHARE_PREFIX	_IOW(KVCPU_IOC_MAGIC, 0x05, struct kv_cpu_block_info)
#define KV_CPU_SET_WEIGHTS	_IOW(KVCPU_IOC_MAGIC, 0x06, struct kv_cpu_weights)
#define KV_CPU_GET_TELEMETRY	_IOR(KVCPU_IOC_MAGIC, 0x07, struct kv_cpu_telemetry)

/* -- Our interface -------------------------------------------------------- */

/* Incremented when numbers or fields are added. None is ever removed. */
#define KVCPU_UAPI_VERSION 2

/* kvcpu_info.features */
#define KVCPU_FEATURE_SUBMIT	0x1ULL	/* KVCPU_IOC_SUBMIT, KVCPU_IOC_WAIT, poll */
#define KVCPU_FEATURE_INSPECT	0x2ULL	/* KVCPU_IOC_BLOCK, KVCPU_IOC_COUNTERS */
#define KVCPU_FEATURE_RINGS	0x4ULL	/* KVCPU_IOC_SETUP, _RESTART, _COALESCE, _EVENTFD */
#define KVCPU_FEATURE_BUFFERS	0x8ULL	/* KVCPU_IOC_BUFFER_ADD, KVCPU_IOC_BUFFER_REMOVE */
#define KVCPU_FEATURE_RESIDENCY	0x10ULL	/* KVCPU_SETUP_RESIDENCY */
#define KVCPU_FEATURE_VIEW	0x20ULL	/* the linear view can be mapped */
#define KVCPU_FEATURE_QUOTAS	0x40ULL	/* KVCPU_IOC_QUOTA, and slots in struct kvcpu_setup */
#define KVCPU_FEATURE_ADVICE	0x80ULL	/* posix_fadvise, madvise(MADV_WILLNEED) */
#define KVCPU_FEATURE_HISTORY	0x100ULL	/* KVCPU_IOC_HISTORY, kvcpu_info.occupancy */

/**
 * struct kvcpu_info - properties of the device and the driver (KVCPU_IOC_INFO)
 * @uapi_version: KVCPU_UAPI_VERSION of the driver
 * @policy: placement policy in force, enum kvcpu_policy
 * @features: KVCPU_FEATURE_* of this driver with this device
 * @id: register ID
 * @caps: register CAPS
 * @block_size: bytes in a block
 * @blocks: blocks in the KV space
 * @fast_slots: slots in the fast tier
 * @contexts: contexts, context 0 included
 * @dma_channels: channels between the tiers
 * @dma_latency_ns: ns that every move takes in addition to the time of its bytes
 * @dma_bandwidth: bytes per second of all channels together
 * @scrub_bandwidth: bytes per second of the scrubber
 * @policies: bit n: policy n is available
 * @fast_free: slots that hold no block
 * @blocks_free: blocks that ALLOC may return now
 * @log_records: event log records since its restart
 * @time_ns: the device's virtual time
 * @context: this file's context, 0 while it has none
 * @ring_state: KVCPU_RS_* of this file's rings; KVCPU_RS_NO_RING before SETUP. Since version 2,
 *	like all later members; reserved and zero before
 * @doorbell_latency_ns: ns from a write of SQ_TAIL to the execution of its entries
 * @view_bytes: length of the linear view; 0: it cannot be mapped
 * @vectors: interrupt vectors that files share; 0: rings raise no interrupt
 * @buffers: buffers this file has registered
 * @slots_min: this file's minimum of slots
 * @slots_max: this file's maximum of slots
 * @slots_used: slots that have blocks of this file
 * @blocks_owned: blocks that this file owns
 * @occupancy: number of blocks by place, in the order of the registers OCCUPANCY_*; zero without
 *	KVCPU_FEATURE_HISTORY
 */
struct kvcpu_info {
	__u32 uapi_version;
	__u32 policy;
	__u64 features;
	__u64 id;
	__u64 caps;
	__u64 block_size;
	__u64 blocks;
	__u64 fast_slots;
	__u64 contexts;
	__u64 dma_channels;
	__u64 dma_latency_ns;
	__u64 dma_bandwidth;
	__u64 scrub_bandwidth;
	__u64 policies;
	__u64 fast_free;
	__u64 blocks_free;
	__u64 log_records;
	__u64 time_ns;
	__u32 context;
	__u32 ring_state;
	__u64 doorbell_latency_ns;
	__u64 view_bytes;
	__u32 vectors;
	__u32 buffers;
	__u32 slots_min;
	__u32 slots_max;
	__u32 slots_used;
	__u32 blocks_owned;
	__u64 occupancy[8];
};

/* sizeof(struct kvcpu_info) of version 1. */
#define KVCPU_INFO_SIZE_1 144

/**
 * struct kvcpu_command - one command or hint, and its result
 * @opcode: KVCPU_OP_*: ALLOC, FREE, PIN, UNPIN, READ, WRITE, CANCEL, FENCE or a hint
 * @flags: KVCPU_F_*; not KVCPU_F_COMPLETE, which is for rings
 * @reserved: zero
 * @first: first block. For ALLOC an output: the first block of the run
 * @count: number of blocks; 1 for READ and WRITE. ALLOC allocates a run of at most @count
 *	blocks and returns its length here
 * @arg: step for STEP, HOT, PREFETCHABLE; deadline in ns from now for PIN; for CANCEL
 *	the @user_data of the PIN; for ALLOC the first block's first token
 * @buffer: user address of the bytes of READ and WRITE
 * @offset: offset of READ and WRITE, in bytes from the start of the block
 * @length: length of READ and WRITE, in bytes; @offset + @length stays in the block
 * @meta: for ALLOC, KVCPU_TAG_* fields that the directory stores for the blocks
 * @user_data: returned in the completion of a PIN or FENCE that had to wait
 * @result: output: KVCPU_RES_* fields: status, and by opcode AUX and VALUE
 */
struct kvcpu_command {
	__u16 opcode;
	__u16 flags;
	__u32 reserved;
	__u64 first;
	__u64 count;
	__u64 arg;
	__u64 buffer;
	__u32 offset;
	__u32 length;
	__u64 meta;
	__u64 user_data;
	__u64 result;
};

/* Do not stop at the first command that ends in an error status. */
#define KVCPU_SUBMIT_CONTINUE	0x1U

/**
 * struct kvcpu_submit - commands to be executed in order (KVCPU_IOC_SUBMIT)
 * @commands: user address of an array of struct kvcpu_command
 * @count: number of commands, at most KVCPU_SUBMIT_MAX
 * @command_size: sizeof(struct kvcpu_command) of the caller
 * @flags: KVCPU_SUBMIT_*
 * @done: output: number of executed commands; later commands are unchanged
 *
 * The @result of every executed command is written back. Statuses are data, not errors: the call
 * fails only if the request itself cannot be read, written or executed. A PIN whose blocks are not
 * all in the fast tier ends as KVCPU_SC_PENDING here, and so does a FENCE that must wait. Each of
 * them is completed exactly once, through KVCPU_IOC_WAIT. The completions of SUBMIT do not appear
 * in the file's rings, and the completions of the rings do not appear here.
 *
 * Returns 0, or: EINVAL (a reserved field, an unknown flag, @count or @command_size out of range, a
 * length above the block size, READ or WRITE with a count other than 1), EMFILE (all contexts of
 * the device are in use), ENOMEM. @done is written then too: it counts the commands that were
 * executed.
 */
struct kvcpu_submit {
	__u64 commands;
	__u32 count;
	__u32 command_size;
	__u32 flags;
	__u32 done;
};

#define KVCPU_SUBMIT_MAX 1024

/**
 * struct kvcpu_completion - completion of a PIN or FENCE of SUBMIT that waited
 * @user_data: user_data of the command
 * @result: KVCPU_RES_* fields
 * @time_ns: time of the completion, in the device's virtual time
 */
struct kvcpu_completion {
	__u64 user_data;
	__u64 result;
	__u64 time_ns;
};

/*
 * Also return as soon as the completion ring has a completion that CQ_HEAD does not count, or the
 * rings are stopped. During the wait, interrupts are raised regardless of the file's coalescing.
 */
#define KVCPU_WAIT_RING	0x1U

/**
 * struct kvcpu_wait - get completions of SUBMIT, and wait for them or for a time (KVCPU_IOC_WAIT)
 * @completions: user address of an array of struct kvcpu_completion
 * @capacity: length of the array
 * @min: return when this many completions are present. 0, with a nonzero @until_ns: wait until that
 *	time
 * @until_ns: return at this device time at the latest; 0: do not wait
 * @count: output: completions written
 * @flags: KVCPU_WAIT_*; reserved and zero in version 1
 * @time_ns: output: the device's time at return
 *
 * Returns 0, with fewer than @min completions if the time came first or KVCPU_WAIT_RING ended the
 * wait, or EINTR, EINVAL (@min above @capacity, an unknown flag, KVCPU_WAIT_RING without rings).
 */
struct kvcpu_wait {
	__u64 completions;
	__u32 capacity;
	__u32 min;
	__u64 until_ns;
	__u32 count;
	__u32 flags;
	__u64 time_ns;
};

/**
 * struct kvcpu_block - directory entry of a block (KVCPU_IOC_BLOCK)
 * @block: input: number of the block; the file owns it, or the caller needs CAP_SYS_ADMIN
 * @state: KVCPU_BST_* fields
 * @place: KVCPU_BPL_* fields
 * @use: KVCPU_BUS_* fields
 * @tag: KVCPU_TAG_* fields
 * @tokens: KVCPU_BTK_* fields
 * @last_step: step of its context at its last use
 * @target: target of PREFETCHABLE or end of HOT, as a step
 * @holds: KVCPU_BHD_* fields; since version 2
 *
 * Returns 0, or EINVAL (no such block), EPERM (the file does not own the block).
 */
struct kvcpu_block {
	__u64 block;
	__u64 state;
	__u64 place;
	__u64 use;
	__u64 tag;
	__u64 tokens;
	__u64 last_step;
	__u64 target;
	__u64 holds;
};

/* sizeof(struct kvcpu_block) of version 1. */
#define KVCPU_BLOCK_SIZE_1 64

/**
 * struct kvcpu_counters - the device's counters (KVCPU_IOC_COUNTERS)
 * @values: user address of an array of __u64: by enum kvcpu_counter, then by
 *	enum kvcpu_status (number of commands that ended with that status)
 * @capacity: length of the array
 * @count: output: number of counters of the device; the first @capacity were written
 */
struct kvcpu_counters {
	__u64 values;
	__u32 capacity;
	__u32 count;
};

/* -- Rings, buffers, the linear view --------------------------------------- */

/**
 * struct kvcpu_region - arguments of mmap()
 * @offset: file offset; 0 with @bytes 0: the region does not exist. The view has offset 0
 * @bytes: length, a multiple of the page size. A part of the region may be mapped
 */
struct kvcpu_region {
	__u64 offset;
	__u64 bytes;
};

/* Create a residency map. It takes 8 bytes for each block of the device, in whole pages. */
#define KVCPU_SETUP_RESIDENCY	0x1U

/**
 * struct kvcpu_setup - give this file's context a queue pair (KVCPU_IOC_SETUP)
 * @flags: KVCPU_SETUP_*
 * @sq_entries: entries of the submission ring: a power of two, KVCPU_RING_ENTRIES_MIN to _MAX
 * @cq_entries: entries of the completion ring: a power of two in the same range
 * @coalesce_count: completions that raise an interrupt, at most KVCPU_COALESCE_COUNT_MAX; 0: no
 *	interrupt is raised, and the process polls. poll() and eventfd need at least 1
 * @coalesce_ns: ns after the first of them at which the interrupt is raised in any case, at most
 *	KVCPU_COALESCE_MAX_NS; at least 1 with @coalesce_count above 1, 0 with @coalesce_count 0
 * @slots_min: minimum of fast slots; above slots_min_limit of sysfs it needs CAP_SYS_ADMIN
 * @slots_max: maximum of fast slots; 0: slots_max_limit of sysfs. A larger one needs CAP_SYS_ADMIN
 * @context: output: the file's context
 * @sq: output: the submission ring: entries of KVCPU_ENTRY_BYTES. Map it for reading and writing
 * @cq: output: the completion ring: header of KVCPU_CQ_HEADER_BYTES, then completions of
 *	KVCPU_COMPLETION_BYTES. Map it for reading
 * @doorbell: output: the doorbell page, KVCPU_DB_*: 64-bit stores only. Map it for writing
 * @residency: output: the residency map: a word for each block, by number, KVCPU_RSD_*. It can be
 *	mapped for reading only. @bytes 0 without KVCPU_SETUP_RESIDENCY
 * @view: output: the linear view: byte n is byte n of the KV space. @bytes 0 if the device has
 *	no holds
 *
 * SETUP succeeds once for a file. The section "Queue pairs" of the device's specification defines
 * the layout, and the order of loads and stores. In an entry, CONTEXT in CONTROL is 0, and ADDR
 * names a buffer of KVCPU_IOC_BUFFER_ADD.
 *
 * Each region can be mapped any number of times, and exists until the file is closed and every
 * mapping of it is gone. Only processes that have the file can use it. An access to the doorbell
 * page, the rings or the map raises SIGBUS once the device is gone or was reset.
 *
 * Returns 0, or: EINVAL (see above), EBUSY (the file has rings), EPERM (slots that need
 * CAP_SYS_ADMIN), ENOSPC (the minima of all contexts would be more than there are slots), EMFILE
 * (all contexts are in use), ENOMEM, EOPNOTSUPP (no KVCPU_FEATURE_RINGS, _RESIDENCY or _QUOTAS).
 */
struct kvcpu_setup {
	__u32 flags;
	__u32 sq_entries;
	__u32 cq_entries;
	__u32 coalesce_count;
	__u32 coalesce_ns;
	__u32 slots_min;
	__u32 slots_max;
	__u32 context;
	struct kvcpu_region sq;
	struct kvcpu_region cq;
	struct kvcpu_region doorbell;
	struct kvcpu_region residency;
	struct kvcpu_region view;
};

/**
 * struct kvcpu_restart - let rings that were stopped run again, from empty (KVCPU_IOC_RESTART)
 * @flags: zero
 * @stopped: output: KVCPU_RS_*: the reason why they were stopped
 *
 * The completion ring is zeroed, and all indices start from 0 again. Waiting commands were
 * cancelled when the rings stopped. Blocks, claims, hints and buffers are unchanged.
 *
 * Returns 0, or: EINVAL (@flags), EBUSY (the rings run), ENXIO (no SETUP yet).
 */
struct kvcpu_restart {
	__u32 flags;
	__u32 stopped;
};

/**
 * struct kvcpu_coalesce - interrupt coalescing settings (KVCPU_IOC_COALESCE)
 * @count: as kvcpu_setup.coalesce_count
 * @ns: as kvcpu_setup.coalesce_ns
 *
 * Unconsumed completions are treated as just written. So a process that polls, sets @count to 1
 * and then sleeps does not miss a completion.
 *
 * Returns 0, or: EINVAL, ENXIO (no SETUP yet).
 */
struct kvcpu_coalesce {
	__u32 count;
	__u32 ns;
};

/**
 * struct kvcpu_eventfd - an eventfd to be signalled with each interrupt (KVCPU_IOC_EVENTFD)
 * @fd: the eventfd; it replaces an earlier one. -1: remove the eventfd
 * @flags: zero
 *
 * The eventfd is signalled when an interrupt for completions in the ring is raised, and when the
 * rings are stopped, cached blocks were reclaimed, or the device is reset or gone. Vectors may be
 * shared, so a signal may come without a new completion.
 *
 * Returns 0, or: EINVAL (@flags, not an eventfd), EBADF, ENXIO (no SETUP yet).
 */
struct kvcpu_eventfd {
	__s32 fd;
	__u32 flags;
};

/* kvcpu_buffer.id: the lowest free number. */
#define KVCPU_BUFFER_ANY	0xffffffffU

/**
 * struct kvcpu_buffer - memory that READ and WRITE of the ring may name (KVCPU_IOC_BUFFER_ADD)
 * @address: first byte, in the caller's memory
 * @length: bytes, at least 1
 * @id: number of the buffer, below KVCPU_BUFFERS_MAX, or KVCPU_BUFFER_ANY; output: the number
 * @flags: zero
 *
 * The pages must be writable. They are pinned, and count as the caller's pinned memory (against
 * RLIMIT_MEMLOCK, except with CAP_IPC_LOCK) until the buffer is removed or the file is closed.
 * munmap() does not remove them from the device. Mappings of a KV-CPU cannot be registered. In an
 * entry, ADDR has
 * @id and the offset from @address: KVCPU_BUF_*.
 *
 * Returns 0, or: EINVAL (@length, @id, @flags, a range that wraps), EFAULT (memory that cannot be
 * written or pinned), EEXIST (@id is in use), ENOSPC (all numbers are in use), ENOMEM
 * (RLIMIT_MEMLOCK, or no contiguous memory for its table of 8 bytes a page), ENXIO (no SETUP yet),
 * EOPNOTSUPP (no KVCPU_FEATURE_BUFFERS).
 */
struct kvcpu_buffer {
	__u64 address;
	__u64 length;
	__u32 id;
	__u32 flags;
};

/**
 * struct kvcpu_buffer_remove - remove a buffer (KVCPU_IOC_BUFFER_REMOVE)
 * @id: number of the buffer
 * @flags: zero
 *
 * After return the device does not access the buffer. Later entries that name it end as
 * KVCPU_SC_BAD_BUFFER.
 *
 * Returns 0, or: EINVAL (@id, @flags), ENOENT (no such buffer), ENXIO (no SETUP yet).
 */
struct kvcpu_buffer_remove {
	__u32 id;
	__u32 flags;
};

/**
 * struct kvcpu_quota - the context's minimum and maximum of slots (KVCPU_IOC_QUOTA)
 * @slots_min: as in struct kvcpu_setup
 * @slots_max: as in struct kvcpu_setup
 *
 * Returns 0, or: EINVAL (@slots_min above @slots_max, or more than the device has), EPERM, ENOSPC,
 * ENXIO (no SETUP yet), EOPNOTSUPP.
 */
struct kvcpu_quota {
	__u32 slots_min;
	__u32 slots_max;
};

/**
 * struct kvcpu_record - a record of the device's event log
 * @sequence: number since the log's restart
 * @time_ns: ns since the log's restart
 * @what: kind (bits 15:0), detail (31:16), context (47:32), status (63:48)
 * @first: first block
 * @value: number of blocks, slot, or another value by kind
 */
struct kvcpu_record {
	__u64 sequence;
	__u64 time_ns;
	__u64 what;
	__u64 first;
	__u64 value;
};

/**
 * struct kvcpu_history - history of a block, newest record first (KVCPU_IOC_HISTORY)
 * @block: number of the block; the caller needs CAP_SYS_ADMIN
 * @before: only records with a lower sequence number; all ones: from the newest. Output: the value
 *	for the next call
 * @records: user address of an array of struct kvcpu_record
 * @capacity: length of the array, at most KVCPU_HISTORY_MAX
 * @count: output: records written; fewer than @capacity: the log has no older ones
 *
 * Returns 0, or EINVAL (no such block, @capacity), EPERM, EOPNOTSUPP (the device keeps no history).
 */
struct kvcpu_history {
	__u64 block;
	__u64 before;
	__u64 records;
	__u32 capacity;
	__u32 count;
};

#define KVCPU_HISTORY_MAX 64

#define KVCPU_IOC_INFO		_IOWR(KVCPU_IOC_MAGIC, 0x40, struct kvcpu_info)
#define KVCPU_IOC_SUBMIT	_IOWR(KVCPU_IOC_MAGIC, 0x41, struct kvcpu_submit)
#define KVCPU_IOC_WAIT		_IOWR(KVCPU_IOC_MAGIC, 0x42, struct kvcpu_wait)
#define KVCPU_IOC_BLOCK		_IOWR(KVCPU_IOC_MAGIC, 0x43, struct kvcpu_block)
#define KVCPU_IOC_COUNTERS	_IOWR(KVCPU_IOC_MAGIC, 0x44, struct kvcpu_counters)
#define KVCPU_IOC_SETUP		_IOWR(KVCPU_IOC_MAGIC, 0x45, struct kvcpu_setup)
#define KVCPU_IOC_RESTART	_IOWR(KVCPU_IOC_MAGIC, 0x46, struct kvcpu_restart)
#define KVCPU_IOC_COALESCE	_IOW(KVCPU_IOC_MAGIC, 0x47, struct kvcpu_coalesce)
#define KVCPU_IOC_EVENTFD	_IOW(KVCPU_IOC_MAGIC, 0x48, struct kvcpu_eventfd)
#define KVCPU_IOC_BUFFER_ADD	_IOWR(KVCPU_IOC_MAGIC, 0x49, struct kvcpu_buffer)
#define KVCPU_IOC_BUFFER_REMOVE	_IOW(KVCPU_IOC_MAGIC, 0x4a, struct kvcpu_buffer_remove)
#define KVCPU_IOC_QUOTA		_IOW(KVCPU_IOC_MAGIC, 0x4b, struct kvcpu_quota)
#define KVCPU_IOC_HISTORY	_IOWR(KVCPU_IOC_MAGIC, 0x60, struct kvcpu_history)

#endif /* _UAPI_LINUX_KVCPU_H */
