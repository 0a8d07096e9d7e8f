/* SPDX-License-Identifier: MIT */
/*
 * C interface of a context's queue pair: submits hints and commands without a system call.
 *
 * The same rings as in kvcpu/queue.h, behind a handle, on a device of kvcpu.h, through the kernel
 * or in this process. An entry is the eight words of kvcpu_hw_rings.h, a completion is that of
 * <linux/kvcpu.h>; kvcpu_result_status() and its like take result words apart. Sizes are in bytes,
 * blocks are a first one and a count, times are the device's virtual nanoseconds. A function makes
 * no system call unless its comment says so.
 *
 * Return value: an int is 0 or a negative errno. The comment of each function lists its errors.
 * A function that makes a system call may also return errors of the driver: -ENODEV (the driver was
 * unbound, or the function left the bus), -EIO (a reset took what the device's handle owned: close
 * both). A command's status is not an error of the call: it is in the completion's `result`, and
 * in kvcpu_queue_failed().
 *
 * Ownership: the device's handle owns blocks and pins, as with kvcpu_device_submit(), and
 * kvcpu_device_close() releases them. The queue owns buffers and windows. The memory of a
 * buffer is the caller's, and must live until it is removed.
 *
 * Threads: one thread at a time uses a queue and its device. Different devices are independent.
 */
#ifndef KVCPU_KVCPU_QUEUE_H
#define KVCPU_KVCPU_QUEUE_H

#include "kvcpu/kvcpu.h"
#include "kvcpu_hw_rings.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvcpu_queue;

/* -- Open and close -------------------------------------------------------- */

/* Settings of a queue pair. The fields are those of struct kvcpu_setup in <linux/kvcpu.h>. */
struct kvcpu_queue_config {
    uint32_t flags;              /* KVCPU_SETUP_RESIDENCY, or 0 */
    uint32_t submission_entries; /* a power of two, 2 to 4,096 */
    uint32_t completion_entries; /* likewise */
    uint32_t coalesce_count;     /* as kvcpu_queue_coalesce() */
    uint32_t coalesce_ns;        /* likewise */
    uint32_t slots_min;          /* as kvcpu_queue_set_quota() */
    uint32_t slots_max;          /* likewise; 0: as many as may be had */
    uint32_t reserved;           /* 0 */
};

/* Writes the defaults: 256 entries, 512 completions, a residency map, no interrupts, no quota. */
void kvcpu_queue_defaults(struct kvcpu_queue_config *config);

/*
 * Sets up the rings of a device's context, once in the life of its handle. NULL for `config`
 * selects the defaults. System calls. Errors: -EINVAL (a value out of its range), -EBUSY (it has,
 * or had, a queue), -EPERM (the quota needs CAP_SYS_ADMIN), -ENOSPC (the minima of all contexts
 * would be more than there are slots), -EMFILE (all contexts of the device are in use), -ENOMEM,
 * -EOPNOTSUPP (the device has no rings, no residency maps or no quotas).
 */
int kvcpu_queue_open(struct kvcpu_device *device, const struct kvcpu_queue_config *config,
                     struct kvcpu_queue **queue);

/*
 * Publishes added entries, ends windows and removes buffers. It must be called before
 * kvcpu_device_close(). NULL is allowed.
 */
void kvcpu_queue_close(struct kvcpu_queue *queue);

/* -- Entries --------------------------------------------------------------- */

/* A command for the ring, KVCPU_EW_*. Without kvcpu_entry_answering() it leaves no completion. */
struct kvcpu_entry {
    uint64_t words[KVCPU_ENTRY_WORDS]; /* NOLINT(modernize-*): this is C */
};

/* The library uses larger tags itself. */
#define KVCPU_QUEUE_TAG_MAX 0x3fffffffffffffffULL

static inline struct kvcpu_entry kvcpu_entry_ranged(uint16_t opcode, uint64_t first, uint64_t count,
                                                    uint64_t arg, uint16_t flags) {
    struct kvcpu_entry entry = {{0}};
    entry.words[KVCPU_EW_FIRST] = first;
    entry.words[KVCPU_EW_COUNT] = count;
    entry.words[KVCPU_EW_ARG] = arg;
    entry.words[KVCPU_EW_CONTROL] =
        (uint64_t)opcode << KVCPU_CTL_OPCODE_SHIFT | (uint64_t)flags << KVCPU_CTL_FLAGS_SHIFT;
    return entry;
}

/* The same, with a completion that has this tag, at most KVCPU_QUEUE_TAG_MAX. */
static inline struct kvcpu_entry kvcpu_entry_answering(struct kvcpu_entry entry, uint64_t tag) {
    entry.words[KVCPU_EW_TAG] = tag;
    entry.words[KVCPU_EW_CONTROL] |= (uint64_t)KVCPU_F_COMPLETE << KVCPU_CTL_FLAGS_SHIFT;
    return entry;
}

/*
 * Up to `count` blocks in one run; the result has the first and how many. `meta`: KVCPU_TAG_*
 * fields, `first_token`: of the first block; the directory keeps both.
 */
static inline struct kvcpu_entry kvcpu_entry_alloc(uint64_t count, uint64_t meta,
                                                   uint32_t first_token, uint16_t flags) {
    struct kvcpu_entry entry = kvcpu_entry_ranged(KVCPU_OP_ALLOC, 0, count, first_token, flags);
    entry.words[KVCPU_EW_META] = meta;
    return entry;
}

/* The result has the first block and the length of a run of reclaimed blocks; length 0: no more. */
static inline struct kvcpu_entry kvcpu_entry_reclaimed(void) { /* NOLINT(modernize-*): this is C */
    return kvcpu_entry_ranged(KVCPU_OP_RECLAIMED, 0, 0, 0, 0);
}

static inline struct kvcpu_entry kvcpu_entry_free(uint64_t first, uint64_t count) {
    return kvcpu_entry_ranged(KVCPU_OP_FREE, first, count, 0, 0);
}

/* `deadline_ns` from now. */
static inline struct kvcpu_entry kvcpu_entry_pin(uint64_t first, uint64_t count,
                                                 uint64_t deadline_ns) {
    return kvcpu_entry_ranged(KVCPU_OP_PIN, first, count, deadline_ns, 0);
}

static inline struct kvcpu_entry kvcpu_entry_unpin(uint64_t first, uint64_t count) {
    return kvcpu_entry_ranged(KVCPU_OP_UNPIN, first, count, 0, 0);
}

/* READ and WRITE: between a block and a buffer, at most a block. */
static inline struct kvcpu_entry kvcpu_entry_copy(uint16_t opcode, uint64_t block, uint32_t offset,
                                                  uint32_t length, uint32_t buffer,
                                                  uint64_t buffer_offset) {
    struct kvcpu_entry entry = kvcpu_entry_ranged(opcode, block, 1, 0, 0);
    entry.words[KVCPU_EW_ADDR] =
        (uint64_t)buffer << KVCPU_BUF_ID_SHIFT | (buffer_offset & KVCPU_BUF_OFFSET_MASK);
    entry.words[KVCPU_EW_EXTENT] =
        (uint64_t)offset << KVCPU_EXT_OFFSET_SHIFT | (uint64_t)length << KVCPU_EXT_LENGTH_SHIFT;
    return entry;
}

/* `buffer` is a number of kvcpu_queue_add_buffer(), `buffer_offset` the place in it. */
static inline struct kvcpu_entry kvcpu_entry_read(uint64_t block, uint32_t offset, uint32_t length,
                                                  uint32_t buffer, uint64_t buffer_offset) {
    return kvcpu_entry_copy(KVCPU_OP_READ, block, offset, length, buffer, buffer_offset);
}

static inline struct kvcpu_entry kvcpu_entry_write(uint64_t block, uint32_t offset, uint32_t length,
                                                   uint32_t buffer, uint64_t buffer_offset) {
    return kvcpu_entry_copy(KVCPU_OP_WRITE, block, offset, length, buffer, buffer_offset);
}

/* Cancels the oldest pending PIN that has this tag. */
static inline struct kvcpu_entry kvcpu_entry_cancel(uint64_t tag) {
    return kvcpu_entry_ranged(KVCPU_OP_CANCEL, 0, 0, tag, 0);
}

/* Completes when every pending PIN, and every hint that is not yet applied, has ended. */
static inline struct kvcpu_entry kvcpu_entry_fence(void) { /* NOLINT(modernize-*): this is C */
    return kvcpu_entry_ranged(KVCPU_OP_FENCE, 0, 0, 0, 0);
}

static inline struct kvcpu_entry kvcpu_entry_step(uint64_t step) {
    return kvcpu_entry_ranged(KVCPU_OP_STEP, 0, 0, step, 0);
}

/* HOT to CLEAR of kvcpu_hw.h; `step` for HOT and PREFETCHABLE; KVCPU_F_NOW for EVICTABLE. */
static inline struct kvcpu_entry kvcpu_entry_hint(uint16_t opcode, uint64_t first, uint64_t count,
                                                  uint64_t step, uint16_t flags) {
    return kvcpu_entry_ranged(opcode, first, count, step, flags);
}

/* -- Submitting ------------------------------------------------------------ */

/*
 * Writes an entry into the ring. The device does not see it before kvcpu_queue_submit(), _poll(),
 * _wait() or _execute(). It executes entries in the order in which they were added.
 * Errors: -EAGAIN (the ring is full: poll, or wait a while), -EINVAL (the tag is above
 * KVCPU_QUEUE_TAG_MAX). Nothing was added then.
 */
int kvcpu_queue_add(struct kvcpu_queue *queue, const struct kvcpu_entry *entry);

/*
 * Adds `count` entries in order. `added`, unless NULL, gets how many were added, also on error:
 * the caller must add the others again.
 * Errors: as kvcpu_queue_add(), of the first that could not be added.
 */
int kvcpu_queue_add_batch(struct kvcpu_queue *queue, const struct kvcpu_entry *entries,
                          size_t count, size_t *added);

/*
 * Add the entry of kvcpu_entry_hint() or kvcpu_entry_step(), which they build in the ring itself.
 * It has no completion. Errors: -EAGAIN.
 */
int kvcpu_queue_hint(struct kvcpu_queue *queue, uint16_t opcode, uint64_t first, uint64_t count,
                     uint64_t step, uint16_t flags);
int kvcpu_queue_step(struct kvcpu_queue *queue, uint64_t step);

/*
 * One store to the doorbell for all that was added.
 * Errors: -EPIPE (the ring is stopped: kvcpu_queue_state() says why).
 */
int kvcpu_queue_submit(struct kvcpu_queue *queue);

/* Reads the device's head, and returns how many entries can be added at least. */
uint32_t kvcpu_queue_room(struct kvcpu_queue *queue);

/* Published entries that the device has not executed. Pending PINs and FENCEs do not count. */
uint64_t kvcpu_queue_unfinished(struct kvcpu_queue *queue);

/* -- Completions ----------------------------------------------------------- */

/*
 * Takes completions, oldest first, and publishes added entries. Returns how many completions were
 * written, at most `capacity`; the others stay in the ring. `user_data` of a completion is its
 * entry's tag.
 */
size_t kvcpu_queue_poll(struct kvcpu_queue *queue, struct kvcpu_completion *into, size_t capacity);

/*
 * Publishes added entries, and sleeps until there is a completion to take, the ring is stopped, or
 * the device's time is `until_ns`, an absolute time. `time_ns`, unless NULL, is the device's time
 * at return. A system call. Errors: -EINTR (a signal; nothing is lost), -EDEADLK (loopback: nothing
 * will ever complete, and `until_ns` is UINT64_MAX).
 */
int kvcpu_queue_wait(struct kvcpu_queue *queue, uint64_t until_ns, uint64_t *time_ns);

/*
 * Executes one command and waits for it; `result` gets its result word. The entry's tag is not
 * used. Completions of other commands are kept for kvcpu_queue_poll(). A system call for each
 * sleep. Errors: -EPIPE (the ring is stopped), -EDEADLK (as kvcpu_queue_wait()). A PIN that is
 * granted after an error is unpinned.
 */
int kvcpu_queue_execute(struct kvcpu_queue *queue, const struct kvcpu_entry *entry,
                        uint64_t *result);

/* -- State ----------------------------------------------------------------- */

/* KVCPU_RS_RUNNING, or why the ring was stopped: enum kvcpu_ring_state. */
unsigned kvcpu_queue_state(const struct kvcpu_queue *queue);

/* The number of commands that ended in an error status since the last restart. */
uint64_t kvcpu_queue_failed(const struct kvcpu_queue *queue);

/*
 * Restarts a stopped ring, which is then empty: entries that the device had not taken are lost, and
 * pending commands were cancelled. Blocks, claims, hints and buffers do not change. `stopped`,
 * unless NULL, gets the reason of the stop. A system call. Errors: -EBUSY (the ring runs).
 */
int kvcpu_queue_restart(struct kvcpu_queue *queue, unsigned *stopped);

/*
 * Returns a block's word of the residency map, with one load. The block may move at any time. The
 * word is 0 for a block of another context, and if the queue has no map.
 */
uint64_t kvcpu_queue_residency(const struct kvcpu_queue *queue, uint64_t block);

/* Fields of a word of the residency map. */
static inline int kvcpu_residency_is_owned(uint64_t word) {
    return (word >> KVCPU_RSD_OWNED_SHIFT & KVCPU_RSD_OWNED_MASK) != 0;
}

static inline int kvcpu_residency_is_fast(uint64_t word) {
    return kvcpu_residency_is_owned(word) &&
           (word >> KVCPU_RSD_TIER_SHIFT & KVCPU_RSD_TIER_MASK) == KVCPU_TIER_HBM;
}

/* enum kvcpu_block_state */
static inline unsigned kvcpu_residency_state(uint64_t word) {
    return (unsigned)(word >> KVCPU_RSD_STATE_SHIFT & KVCPU_RSD_STATE_MASK);
}

/* The generation changes whenever the block is allocated. */
static inline uint32_t kvcpu_residency_generation(uint64_t word) {
    return (uint32_t)(word >> KVCPU_RSD_GENERATION_SHIFT & KVCPU_RSD_GENERATION_MASK);
}

/* -- Memory ---------------------------------------------------------------- */

/*
 * Lets READ and WRITE name `size` bytes from `bytes` on, until kvcpu_queue_remove_buffer(); `id`
 * gets the number. The pages are pinned, and count as the process's locked memory. A system call.
 * Errors: -EINVAL (`size` 0 or above KVCPU_BUFFER_BYTES_MAX), -ENOSPC (there are
 * KVCPU_BUFFERS_MAX), -EFAULT (memory that cannot be written), -ENOMEM (also RLIMIT_MEMLOCK),
 * -EINTR, -EOPNOTSUPP.
 */
int kvcpu_queue_add_buffer(struct kvcpu_queue *queue, void *bytes, size_t size, uint32_t *id);

/*
 * Removes a buffer. At return the device no longer accesses its memory. Later entries that name it
 * end as KVCPU_SC_BAD_BUFFER. A system call.
 * Errors: -ENOENT (no such buffer).
 */
int kvcpu_queue_remove_buffer(struct kvcpu_queue *queue, uint32_t id);

/*
 * Maps a run of the context's blocks, in either tier, until kvcpu_queue_unmap();
 * meanwhile blocks may still move. `bytes` gets the address. For stores `writable` is not 0. A
 * store to a sealed block, and any access to one that was given back, raises SIGBUS (on a loopback
 * SIGSEGV). A system call.
 * Errors: -EINVAL (no such blocks), -ENOMEM, -EOPNOTSUPP; of a loopback -EPERM (others' blocks; in
 * the kernel's view an access to them raises SIGBUS), -EBUSY (the device refuses to hold them).
 */
int kvcpu_queue_map(struct kvcpu_queue *queue, uint64_t first, uint64_t count, int writable,
                    void **bytes);

/*
 * Ends the window that begins at `bytes`. A system call.
 * Errors: -ENOENT (there is none).
 */
int kvcpu_queue_unmap(struct kvcpu_queue *queue, const void *bytes);

/* -- Interrupts and quotas, each a system call ------------------------------ */

/*
 * An interrupt, for kvcpu_queue_event_descriptor(), comes with the `count`th completion that was
 * not taken, at the latest `ns` after the first. `count` 0: none comes. What is there counts as
 * just written. Errors: -EINVAL (`count` above KVCPU_COALESCE_COUNT_MAX, `ns` above
 * KVCPU_COALESCE_MAX_NS, 0 with `count` above 1, or above 0 with `count` 0).
 */
int kvcpu_queue_coalesce(struct kvcpu_queue *queue, uint32_t count, uint32_t ns);

/*
 * Returns a descriptor, an eventfd, that becomes readable with an interrupt, and when the ring is
 * stopped; or an error. Reading it clears it. The queue owns it, and the caller must not close it.
 * Errors: -EMFILE, -ENFILE.
 */
int kvcpu_queue_event_descriptor(struct kvcpu_queue *queue);

/*
 * Sets the context's minimum and maximum number of slots in the fast tier; `slots_max`
 * 0: the largest allowed. Errors: -EINVAL (the minimum is above the maximum, or above what there
 * is), -EPERM, -ENOSPC, -EOPNOTSUPP: as kvcpu_queue_open().
 */
int kvcpu_queue_set_quota(struct kvcpu_queue *queue, uint32_t slots_min, uint32_t slots_max);

#ifdef __cplusplus
}
#endif

#endif /* KVCPU_KVCPU_QUEUE_H */
