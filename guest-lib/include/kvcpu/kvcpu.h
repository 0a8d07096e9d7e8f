/* SPDX-License-Identifier: MIT */
/*
 * The KV-CPU from C, and from languages that bind to C.
 *
 * A handle is a transport of kvcpu/transport.h. Commands, completions and other parameters are the
 * structures of <linux/kvcpu.h>; opcodes, status codes and fields of result words are in
 * kvcpu_hw.h. Sizes are in bytes, times in the device's virtual nanoseconds.
 *
 * Returns: 0, or a negative errno value; each function lists those it may give. All may give
 * -ENOMEM, those that take a handle also what the driver gives: -ENODEV (the driver was unbound, or
 * the function left the bus), -EIO (a reset took what this handle owned: close it). The outcome of
 * a command is in its `result`, and is no error of the call.
 *
 * Ownership: a handle is one context of the device. It owns the blocks and claims that its commands
 * took; kvcpu_device_close() gives them back. The caller owns the buffers, which
 * are used only during the call.
 *
 * Threads: one thread at a time uses a handle. Different handles are independent.
 */
#ifndef KVCPU_KVCPU_H
#define KVCPU_KVCPU_H

#include <linux/kvcpu.h>
/* This is C. NOLINTBEGIN(modernize-deprecated-headers) */
#include <stddef.h>
#include <stdint.h>
/* NOLINTEND(modernize-deprecated-headers) */

#include "kvcpu_hw.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvcpu_device;

/* -- Open and close -------------------------------------------------------- */

/*
 * Opens a device node, /dev/kvcpuN.
 * Errors: those of open(2): -ENOENT, -EACCES, -ENXIO, -EMFILE.
 */
int kvcpu_device_open(const char *path, struct kvcpu_device **device);

/* A device in this process. Its time advances only in kvcpu_device_wait(). */
struct kvcpu_loopback {
    uint64_t block_size;     /* power of two, 4 KiB to 2 MiB */
    uint64_t fast_blocks;    /* 1 to slow_blocks */
    uint64_t slow_blocks;    /* memory is used as blocks are written */
    uint32_t dma_channels;   /* 1 to 16 */
    uint32_t reserved;       /* 0 */
    uint64_t dma_latency_ns; /* of each move, at most a second */
    uint64_t dma_bandwidth;  /* bytes per second of all channels together */
    const char *policy;      /* placement policy; used only during the call */
};

/* Writes the defaults: 4 KiB blocks, 1,024 fast, 65,536 in all, 2 channels, 1 us, 64 GB/s,
 * "next-use".
 */
void kvcpu_loopback_defaults(struct kvcpu_loopback *config);

/*
 * Creates such a device.
 * Errors: -EINVAL; `message`, of `size` bytes with the terminating zero, then names the value that
 * is out of its range. `message` may be NULL if `size` is 0.
 */
int kvcpu_device_open_loopback(const struct kvcpu_loopback *config, struct kvcpu_device **device,
                               char *message, size_t size);

/* Releases all that the handle owns. Pending PINs end without completions. NULL is allowed. */
void kvcpu_device_close(struct kvcpu_device *device);

/* -- Commands -------------------------------------------------------------- */

/*
 * Executes `count` commands in order, in as many system calls as it takes, and writes their
 * results back. Without KVCPU_SUBMIT_CONTINUE in `flags` it stops after the first that ends in an
 * error status. `done`, unless NULL, gets the number of executed commands, also if the call fails.
 * Errors: -EINVAL (flags; a reserved field; READ or WRITE with a count other than 1 or of more
 * than a block), -EFAULT, -EMFILE (all contexts of the device are in use), -EINTR.
 */
int kvcpu_device_submit(struct kvcpu_device *device, struct kvcpu_command *commands, size_t count,
                        unsigned flags, size_t *done);

/*
 * Takes completions of PINs that were pending, oldest first, at most `capacity`. Returns once there
 * are `minimum` of them or the device's time is `until_ns`, an absolute time; with `minimum` 0 it
 * waits for the time alone, with `until_ns` 0 not at all. `taken` says how many were written;
 * `time_ns`, unless NULL, the device's time at return.
 * Errors: -EINVAL (`minimum` above `capacity`), -EFAULT, -EINTR (nothing is lost: call again),
 * -EDEADLK (loopback: nothing will ever complete, and `until_ns` is UINT64_MAX).
 */
int kvcpu_device_wait(struct kvcpu_device *device, struct kvcpu_completion *into, size_t capacity,
                      size_t minimum, uint64_t until_ns, size_t *taken, uint64_t *time_ns);

/* -- Looking, and administration of the whole device ------------------------ */

int kvcpu_device_info(struct kvcpu_device *device, struct kvcpu_info *info);

/* Reads a block's directory entry. Errors: -EINVAL (no such block), -EPERM (another context's). */
int kvcpu_device_block(struct kvcpu_device *device, uint64_t number, struct kvcpu_block *block);

/*
 * Values by enum kvcpu_counter, then by enum kvcpu_status: the first `capacity` are written,
 * `count`, unless NULL, says how many there are.
 */
int kvcpu_device_counters(struct kvcpu_device *device, uint64_t *values, size_t capacity,
                          size_t *count);

/* Errors: -EINVAL (no such policy); of the kernel's device -EACCES (not the administrator). */
int kvcpu_device_set_policy(struct kvcpu_device *device, const char *name);
int kvcpu_device_set_weights(struct kvcpu_device *device, const struct kv_cpu_weights *weights);
int kvcpu_device_restart_event_log(struct kvcpu_device *device);

/* -- Results --------------------------------------------------------------- */

/* "NO_SPACE: no block is free". Never NULL; the text is static. */
const char *kvcpu_status_text(unsigned status);

/* Returns the status, enum kvcpu_status, of a command's or a completion's result word. */
static inline unsigned kvcpu_result_status(uint64_t result) {
    return (unsigned)((result >> KVCPU_RES_STATUS_SHIFT) & KVCPU_RES_STATUS_MASK);
}

/* ALLOC: blocks taken; PIN: blocks found fast; hints: outcome and reason. */
static inline unsigned kvcpu_result_aux(uint64_t result) {
    return (unsigned)((result >> KVCPU_RES_AUX_SHIFT) & KVCPU_RES_AUX_MASK);
}

/* ALLOC: first block; hints: blocks applied to so far. */
static inline uint32_t kvcpu_result_value(uint64_t result) {
    return (uint32_t)((result >> KVCPU_RES_VALUE_SHIFT) & KVCPU_RES_VALUE_MASK);
}

/* Return a hint's enum kvcpu_hint_outcome and enum kvcpu_hint_reason. */
static inline unsigned kvcpu_result_outcome(uint64_t result) {
    return kvcpu_result_aux(result) & KVCPU_HINT_OUTCOME_MASK;
}

static inline unsigned kvcpu_result_reason(uint64_t result) {
    return kvcpu_result_aux(result) >> KVCPU_HINT_REASON_SHIFT;
}

#ifdef __cplusplus
}
#endif

#endif /* KVCPU_KVCPU_H */
