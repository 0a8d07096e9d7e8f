/* SPDX-License-Identifier: MIT */
/* Functions for test programs of the rings: a simple queue pair, as a process uses it. */
#ifndef KVCPU_VM_RING_H
#define KVCPU_VM_RING_H

#include <poll.h>
#include <sys/mman.h>

#include "vm_test.h"

/* A queue pair, mapped. All indices are free-running. */
struct ring {
    int fd;
    struct kvcpu_setup setup;
    volatile uint64_t *sq;
    volatile uint64_t *cq;
    volatile uint64_t *doorbell;
    const volatile uint64_t *residency;
    uint64_t tail;
    uint64_t head;
    uint64_t now; /* latest known device time */
};

/* An entry's words, by name. */
struct entry {
    uint64_t first, count, arg, addr, extent, meta, tag, control;
};

struct answer {
    uint64_t result, time, reserved, tag;
};

static volatile void *map_region(int fd, struct kvcpu_region region, int protection) {
    void *at = mmap(NULL, region.bytes, protection, MAP_SHARED, fd, (off_t)region.offset);

    if (at == MAP_FAILED) {
        bail_out("mmap of %#llx bytes at %#llx", (unsigned long long)region.bytes,
                 (unsigned long long)region.offset);
    }
    return at;
}

/*
 * Sets up and maps the rings of a file, with a residency map. Without `coalesce` there are no
 * interrupts.
 */
__attribute__((unused)) static struct ring ring_open(int fd, uint32_t sq_entries,
                                                     uint32_t cq_entries, uint32_t coalesce) {
    struct ring ring = {.fd = fd,
                        .setup = {.flags = KVCPU_SETUP_RESIDENCY,
                                  .sq_entries = sq_entries,
                                  .cq_entries = cq_entries,
                                  .coalesce_count = coalesce}};

    if (ioctl(fd, KVCPU_IOC_SETUP, &ring.setup)) {
        bail_out("KVCPU_IOC_SETUP");
    }
    ring.sq = map_region(fd, ring.setup.sq, PROT_READ | PROT_WRITE);
    ring.cq = map_region(fd, ring.setup.cq, PROT_READ);
    ring.doorbell = map_region(fd, ring.setup.doorbell, PROT_WRITE);
    ring.residency = map_region(fd, ring.setup.residency, PROT_READ);
    return ring;
}

__attribute__((unused)) static void ring_unmap(struct ring *ring) {
    munmap((void *)ring->sq, ring->setup.sq.bytes);
    munmap((void *)ring->cq, ring->setup.cq.bytes);
    munmap((void *)ring->doorbell, ring->setup.doorbell.bytes);
    munmap((void *)ring->residency, ring->setup.residency.bytes);
}

/* After RESTART, or a reset of the indices by SETUP. */
__attribute__((unused)) static void ring_from_empty(struct ring *ring) {
    ring->tail = 0;
    ring->head = 0;
}

static uint64_t ring_header(const struct ring *ring, enum kvcpu_cq_header_word word) {
    return __atomic_load_n(&ring->cq[word], __ATOMIC_ACQUIRE);
}

static void ring_store(volatile uint64_t *doorbell, enum kvcpu_doorbell which, uint64_t value) {
    __atomic_store_n(&doorbell[which / 8], value, __ATOMIC_RELEASE);
}

/* Writes an entry. The device does not know of it before ring_advance_tail(). */
static void ring_put(struct ring *ring, const struct entry *entry) {
    uint64_t words[KVCPU_ENTRY_WORDS] = {entry->first,  entry->count, entry->arg, entry->addr,
                                         entry->extent, entry->meta,  entry->tag, entry->control};
    volatile uint64_t *at =
        ring->sq + ring->tail % ring->setup.sq_entries * (KVCPU_ENTRY_BYTES / 8);

    while (ring->tail - ring_header(ring, KVCPU_CQH_SQ_HEAD) == ring->setup.sq_entries) {
        if (ring_header(ring, KVCPU_CQH_STATE) != KVCPU_RS_RUNNING) {
            bail_out("the ring has stopped");
        }
    }
    for (int i = 0; i < KVCPU_ENTRY_WORDS; ++i) {
        at[i] = words[i];
    }
    ++ring->tail;
}

static void ring_advance_tail(struct ring *ring) {
    ring_store(ring->doorbell, KVCPU_DB_SQ_TAIL, ring->tail);
}

/* Returns whether a completion is present, and consumes it. */
static bool ring_take(struct ring *ring, struct answer *answer) {
    volatile uint64_t *at = ring->cq + KVCPU_CQ_HEADER_BYTES / 8 +
                            ring->head % ring->setup.cq_entries * (KVCPU_COMPLETION_BYTES / 8);
    uint64_t tag = __atomic_load_n(&at[KVCPU_CW_TAG], __ATOMIC_ACQUIRE);
    bool odd_lap = ring->head / ring->setup.cq_entries % 2 != 0;

    if (((tag & KVCPU_PHASE) == 0) != odd_lap) {
        return false;
    }
    *answer = (struct answer){at[KVCPU_CW_RESULT], at[KVCPU_CW_TIME], at[KVCPU_CW_RESERVED],
                              tag & ~KVCPU_PHASE};
    ring->now = answer->time;
    ring_store(ring->doorbell, KVCPU_DB_CQ_HEAD, ++ring->head);
    return true;
}

/* Sleeps until a completion is present, or until `patience` ns after the latest known time. */
static int ring_sleep(struct ring *ring, uint64_t patience) {
    struct kvcpu_wait wait = {.flags = KVCPU_WAIT_RING, .until_ns = ring->now + patience};
    int err = ioctl(ring->fd, KVCPU_IOC_WAIT, &wait);

    ring->now = wait.time_ns > ring->now ? wait.time_ns : ring->now;
    return err;
}

/* The next completion, however long it takes. */
static struct answer ring_answer(struct ring *ring) {
    struct answer answer;
    int tries = 0;

    while (!ring_take(ring, &answer)) {
        if (ring_sleep(ring, SECOND_NS) || ++tries > 60) {
            bail_out("no completion after %d s", tries);
        }
    }
    return answer;
}

/* Executes one command with a completion, and returns the completion. */
static struct answer ring_run(struct ring *ring, struct entry entry) {
    static uint64_t sequence;
    struct answer answer;

    entry.tag = ++sequence;
    entry.control |= (uint64_t)KVCPU_F_COMPLETE << KVCPU_CTL_FLAGS_SHIFT;
    ring_put(ring, &entry);
    ring_advance_tail(ring);
    answer = ring_answer(ring);
    if (answer.tag != sequence) {
        bail_out("the completion of %llu came for %llu", (unsigned long long)answer.tag,
                 (unsigned long long)sequence);
    }
    return answer;
}

__attribute__((unused)) static uint32_t ring_range(struct ring *ring, uint64_t opcode,
                                                   uint64_t first, uint64_t count, uint64_t arg) {
    struct entry entry = {.first = first, .count = count, .arg = arg, .control = opcode};

    return status_of(ring_run(ring, entry).result);
}

/* READ or WRITE between a block and a registered buffer. */
__attribute__((unused)) static uint32_t ring_copy(struct ring *ring, uint64_t opcode,
                                                  uint64_t block, uint32_t buffer, uint64_t offset,
                                                  uint64_t length) {
    struct entry entry = {.first = block,
                          .addr = (uint64_t)buffer << KVCPU_BUF_ID_SHIFT | offset,
                          .extent = length << KVCPU_EXT_LENGTH_SHIFT,
                          .control = opcode};

    return status_of(ring_run(ring, entry).result);
}

/* Allocates blocks in one run, and returns the first. */
__attribute__((unused)) static uint64_t ring_alloc(struct ring *ring, uint64_t count) {
    struct answer answer =
        ring_run(ring, (struct entry){.count = count, .control = KVCPU_OP_ALLOC});
    uint64_t got = answer.result >> KVCPU_RES_AUX_SHIFT & KVCPU_RES_AUX_MASK;

    if (status_of(answer.result) != KVCPU_SC_SUCCESS || got != count) {
        bail_out("ALLOC of %llu blocks: status %u, got %llu", (unsigned long long)count,
                 status_of(answer.result), (unsigned long long)got);
    }
    return answer.result >> KVCPU_RES_VALUE_SHIFT;
}

__attribute__((unused)) static struct kvcpu_buffer buffer_add(int fd, void *at, uint64_t length) {
    struct kvcpu_buffer buffer = {
        .address = (uintptr_t)at, .length = length, .id = KVCPU_BUFFER_ANY};

    if (ioctl(fd, KVCPU_IOC_BUFFER_ADD, &buffer)) {
        bail_out("KVCPU_IOC_BUFFER_ADD");
    }
    return buffer;
}

__attribute__((unused)) static int buffer_remove(int fd, uint32_t id) {
    struct kvcpu_buffer_remove request = {.id = id};

    return ioctl(fd, KVCPU_IOC_BUFFER_REMOVE, &request);
}

__attribute__((unused)) static int restart(int fd, uint32_t *stopped) {
    struct kvcpu_restart request = {.flags = 0};
    int result = ioctl(fd, KVCPU_IOC_RESTART, &request);

    *stopped = request.stopped;
    return result;
}

__attribute__((unused)) static int coalesce(int fd, uint32_t count, uint32_t ns) {
    struct kvcpu_coalesce request = {.count = count, .ns = ns};

    return ioctl(fd, KVCPU_IOC_COALESCE, &request);
}

/*
 * Returns the events of poll() within `milliseconds` that are requested; POLLERR and POLLHUP are
 * always included.
 */
__attribute__((unused)) static short polled(int fd, short events, int milliseconds) {
    struct pollfd poll_fd = {.fd = fd, .events = events};

    return poll(&poll_fd, 1, milliseconds) > 0 ? poll_fd.revents : 0;
}

#endif /* KVCPU_VM_RING_H */
