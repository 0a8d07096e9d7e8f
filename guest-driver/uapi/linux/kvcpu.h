/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * User interface of the KV-CPU driver, on /dev/kvcpuN.
 *
 * Two interfaces share the magic 'K'. Numbers 0x01 to 0x07 are the public reference
 * interface, kept bit for bit. Numbers from 0x40 are ours, with these rules:
 *
 *  - Structures grow at their end only. The size in the ioctl number says which version
 *    the caller was built with: a shorter one reads as if zero-extended (shorter than in
 *    version 1 is ENOTTY), a longer one is accepted if what the driver does not know is
 *    zero (E2BIG otherwise).
 *  - Reserved fields must be zero (EINVAL otherwise).
 *  - Opcodes, flags, status codes and hint outcomes are those of kvcpu_hw.h: what the
 *    device says reaches the caller unchanged.
 *  - An open file is one context of the device. It is made by the first SUBMIT, owns what it
 *    allocates, and only it can name that. Closing it frees all.
 *  - Times are the device's virtual nanoseconds, as in kvcpu_info.time_ns.
 *
 * Errors common to all: EFAULT (a pointer cannot be read or written), ENODEV (the device
 * is gone), ENOTTY (no such number), EINTR (a signal came while waiting), and for SUBMIT and WAIT
 * EIO (a reset of the function took what the file owned: close it).
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
 * struct kv_cpu_telemetry - what was said to this device since the module bound it
 * @current_step: the latest STEP_ADVANCE
 * @step_count: STEP_ADVANCEs
 * @hot_count: MARK_HOTs
 * @evict_count: EVICTs
 * @prefetch_count: PREFETCHes
 * @share_count: SHARE_PREFIXes
 * @last_va: of the latest command with a range
 * @last_len: of the same
 * @last_target_step: of the same, or the step of a later STEP_ADVANCE
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

/* Grows when numbers or fields are added; nothing is ever taken away. */
#define KVCPU_UAPI_VERSION 1

/* kvcpu_info.features */
#define KVCPU_FEATURE_SUBMIT	0x1ULL	/* KVCPU_IOC_SUBMIT, KVCPU_IOC_WAIT, poll */
#define KVCPU_FEATURE_INSPECT	0x2ULL	/* KVCPU_IOC_BLOCK, KVCPU_IOC_COUNTERS */

/**
 * struct kvcpu_info - what the device and the driver are (KVCPU_IOC_INFO)
 * @uapi_version: KVCPU_UAPI_VERSION of the driver
 * @policy: placement policy in force, enum kvcpu_policy
 * @features: KVCPU_FEATURE_* of the driver
 * @id: register ID
 * @caps: register CAPS
 * @block_size: bytes in a block
 * @blocks: blocks in the KV space
 * @fast_slots: slots in the fast tier
 * @contexts: contexts, context 0 included
 * @dma_channels: channels between the tiers
 * @dma_latency_ns: ns that every move takes beside its bytes
 * @dma_bandwidth: bytes per second of all channels together
 * @scrub_bandwidth: bytes per second of the scrubber
 * @policies: bit n: policy n is available
 * @fast_free: slots that hold no block
 * @blocks_free: blocks that ALLOC may hand out now
 * @log_records: event log records since its restart
 * @time_ns: the device's virtual time
 * @context: this file's context, 0 while it has none
 * @reserved: zero
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
	__u32 reserved;
};

/**
 * struct kvcpu_command - one command or hint, and what became of it
 * @opcode: KVCPU_OP_*: ALLOC, FREE, PIN, UNPIN, READ, WRITE, CANCEL or a hint
 * @flags: KVCPU_F_*
 * @reserved: zero
 * @first: first block. For ALLOC an output: the first block of the run
 * @count: blocks. ALLOC takes up to so many in one run; an output there: how many it got.
 *	READ and WRITE: 1
 * @arg: step for STEP, HOT, PREFETCHABLE; deadline in ns from now for PIN; for CANCEL
 *	the @user_data of the PIN; for ALLOC the first block's first token
 * @buffer: user address of the bytes of READ and WRITE
 * @offset: of READ and WRITE, in bytes from the block's start
 * @length: of READ and WRITE, in bytes; @offset + @length stays in the block
 * @meta: for ALLOC, what the directory keeps of the blocks: KVCPU_TAG_* fields
 * @user_data: returned in the completion of a PIN that had to wait
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
 * @count: how many, at most KVCPU_SUBMIT_MAX
 * @command_size: sizeof(struct kvcpu_command) of the caller
 * @flags: KVCPU_SUBMIT_*
 * @done: output: how many were executed; those behind are untouched
 *
 * Every executed command has its @result written back. Statuses are data, not errors: the
 * call fails only where the request itself cannot be read, written or carried out. A PIN whose
 * blocks are not all in the fast tier ends as KVCPU_SC_PENDING here and is completed later
 * through KVCPU_IOC_WAIT; so every PIN answers exactly once.
 *
 * Returns 0, or: EINVAL (a reserved field, an unknown flag, @count or @command_size out of range,
 * a length above the block size, READ or WRITE with a count other than 1), EMFILE (all contexts of
 * the device are in use), ENOMEM. @done is written then too: those before have been executed.
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
 * struct kvcpu_completion - how a waiting PIN ended
 * @user_data: of its command
 * @result: KVCPU_RES_* fields
 * @time_ns: when, in the device's virtual time
 */
struct kvcpu_completion {
	__u64 user_data;
	__u64 result;
	__u64 time_ns;
};

/**
 * struct kvcpu_wait - take completions, and wait for them or for a time (KVCPU_IOC_WAIT)
 * @completions: user address of an array of struct kvcpu_completion
 * @capacity: its length
 * @min: return as soon as this many are there; 0 with @until_ns: wait for the time alone
 * @until_ns: return at this device time at the latest; 0: do not wait
 * @count: output: completions written
 * @reserved: zero
 * @time_ns: output: the device's time at return
 *
 * Returns 0, with fewer than @min completions if the time came first, or EINTR, EINVAL (@min above
 * @capacity, @reserved set).
 */
struct kvcpu_wait {
	__u64 completions;
	__u32 capacity;
	__u32 min;
	__u64 until_ns;
	__u32 count;
	__u32 reserved;
	__u64 time_ns;
};

/**
 * struct kvcpu_block - what the directory says of a block (KVCPU_IOC_BLOCK)
 * @block: input: its number; it must be this file's, or the caller needs CAP_SYS_ADMIN
 * @state: KVCPU_BST_* fields
 * @place: KVCPU_BPL_* fields
 * @use: KVCPU_BUS_* fields
 * @tag: KVCPU_TAG_* fields
 * @tokens: KVCPU_BTK_* fields
 * @last_step: its context's step at its last use
 * @target: PREFETCHABLE's target or HOT's end, as a step
 *
 * Returns 0, or EINVAL (no such block), EPERM (not the caller's).
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
};

/**
 * struct kvcpu_counters - the device's counters (KVCPU_IOC_COUNTERS)
 * @values: user address of an array of __u64: by enum kvcpu_counter, then by
 *	enum kvcpu_status (commands that ended so)
 * @capacity: its length
 * @count: output: how many the device has; the first @capacity were written
 */
struct kvcpu_counters {
	__u64 values;
	__u32 capacity;
	__u32 count;
};

#define KVCPU_IOC_INFO		_IOWR(KVCPU_IOC_MAGIC, 0x40, struct kvcpu_info)
#define KVCPU_IOC_SUBMIT	_IOWR(KVCPU_IOC_MAGIC, 0x41, struct kvcpu_submit)
#define KVCPU_IOC_WAIT		_IOWR(KVCPU_IOC_MAGIC, 0x42, struct kvcpu_wait)
#define KVCPU_IOC_BLOCK		_IOWR(KVCPU_IOC_MAGIC, 0x43, struct kvcpu_block)
#define KVCPU_IOC_COUNTERS	_IOWR(KVCPU_IOC_MAGIC, 0x44, struct kvcpu_counters)

#endif /* _UAPI_LINUX_KVCPU_H */
