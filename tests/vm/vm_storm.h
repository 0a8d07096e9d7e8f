/* SPDX-License-Identifier: MIT */
/*
 * A process with all kinds of work in progress: pending PINs, holds, moves, and copies to a buffer
 * that is registered and removed. It continues until it is killed, also when it loses its device.
 */
#ifndef KVCPU_VM_STORM_H
#define KVCPU_VM_STORM_H

#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>

#include "vm_ring.h"

#define STORM_BLOCKS 24

struct storm {
    struct ring ring;
    uint64_t block_size;
    volatile uint64_t *view;
    uint8_t *memory;
    uint32_t buffer;
    uint64_t first;
    uint64_t random;
};

static sigjmp_buf storm_return;

static uint64_t next_random(uint64_t *state)
{
    /* xorshift64* */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dULL;
}

static void storm_bus(int number)
{
    siglongjmp(storm_return, number);
}

static void storm_send(struct storm *storm, uint64_t opcode, uint64_t first, uint64_t count,
                       uint64_t arg)
{
    struct entry entry = {.first = first,
                          .count = count,
                          .arg = arg,
                          .addr = (uint64_t)storm->buffer << KVCPU_BUF_ID_SHIFT,
                          .extent = storm->block_size << KVCPU_EXT_LENGTH_SHIFT,
                          .tag = first,
                          .control = opcode};
    struct answer answer;

    if (opcode == KVCPU_OP_PIN) {
        entry.control |= (uint64_t)KVCPU_F_COMPLETE << KVCPU_CTL_FLAGS_SHIFT;
    }
    /* A full submission ring may wait for places in the completion ring. */
    do {
        while (ring_take(&storm->ring, &answer)) {
        }
    } while (storm->ring.tail - ring_header(&storm->ring, KVCPU_CQH_SQ_HEAD) ==
             storm->ring.setup.sq_entries);
    ring_put(&storm->ring, &entry);
    ring_advance_tail(&storm->ring);
}

static void storm_touch(struct storm *storm, uint64_t block, bool store)
{
    volatile uint64_t *at = &storm->view[block * storm->block_size / 8];

    if (store) {
        *at = block;
    } else {
        (void)*at;
    }
}

static void storm_rebuffer(struct storm *storm)
{
    struct kvcpu_buffer buffer = {
        .address = (uintptr_t)storm->memory, .length = storm->block_size, .id = KVCPU_BUFFER_ANY};

    buffer_remove(storm->ring.fd, storm->buffer);
    if (ioctl(storm->ring.fd, KVCPU_IOC_BUFFER_ADD, &buffer) == 0) {
        storm->buffer = buffer.id;
    }
}

static void storm_step(struct storm *storm)
{
    uint64_t random = next_random(&storm->random);
    uint64_t block = storm->first + (random >> 8) % STORM_BLOCKS;

    switch (random % 10) {
        case 0:
            storm_send(storm, KVCPU_OP_PIN, block, 1, SECOND_NS);
            break;
        case 1:
            storm_send(storm, KVCPU_OP_UNPIN, block, 1, 0);
            break;
        case 2:
            storm_send(storm, KVCPU_OP_WRITE, block, 1, 0);
            break;
        case 3:
            storm_send(storm, KVCPU_OP_READ, block, 1, 0);
            break;
        case 4:
            storm_send(storm, KVCPU_OP_HOT, block, 4, 0);
            break;
        case 5:
            storm_send(storm, KVCPU_OP_PIN, storm->first, STORM_BLOCKS, SECOND_NS);
            break;
        case 6:
            storm_rebuffer(storm);
            break;
        case 7:
            storm_send(storm, KVCPU_OP_FREE, block, 1, 0);
            break;
        default:
            storm_touch(storm, block, random >> 40 & 1);
            break;
    }
}

/* False if no device is present, or if it was lost at once. */
static bool storm_begin(struct storm *storm)
{
    struct kvcpu_command command = {.opcode = KVCPU_OP_ALLOC, .count = STORM_BLOCKS};
    struct kvcpu_setup *setup = &storm->ring.setup;
    struct kvcpu_region *regions[] = {&setup->sq, &setup->cq, &setup->doorbell, &setup->view};
    volatile uint64_t **maps[] = {&storm->ring.sq, &storm->ring.cq, &storm->ring.doorbell,
                                  &storm->view};
    int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

    storm->ring.fd = fd;
    *setup = (struct kvcpu_setup){
        .flags = KVCPU_SETUP_RESIDENCY, .sq_entries = 64, .cq_entries = 64, .coalesce_count = 1};
    if (fd < 0 || ioctl(fd, KVCPU_IOC_SETUP, setup)) {
        return false;
    }
    for (int i = 0; i < 4; ++i) {
        void *at = mmap(NULL, regions[i]->bytes, i == 1 ? PROT_READ : PROT_READ | PROT_WRITE,
                        MAP_SHARED, fd, (off_t)regions[i]->offset);

        if (at == MAP_FAILED) {
            return false;
        }
        *maps[i] = at;
    }
    ring_from_empty(&storm->ring);
    storm_rebuffer(storm);
    if (submit(fd, &command, 1, 0, NULL) || status_of(command.result) != KVCPU_SC_SUCCESS) {
        return false;
    }
    storm->first = command.first;
    return true;
}

static void storm_end(struct storm *storm)
{
    struct kvcpu_setup *setup = &storm->ring.setup;

    if (storm->view) {
        munmap((void *)storm->view, setup->view.bytes);
    }
    if (storm->ring.doorbell) {
        munmap((void *)storm->ring.doorbell, setup->doorbell.bytes);
    }
    if (storm->ring.cq) {
        munmap((void *)storm->ring.cq, setup->cq.bytes);
    }
    if (storm->ring.sq) {
        munmap((void *)storm->ring.sq, setup->sq.bytes);
    }
    storm->view = storm->ring.doorbell = storm->ring.cq = storm->ring.sq = NULL;
    if (storm->ring.fd >= 0) {
        close(storm->ring.fd);
    }
}

/* Continues with another file when this one cannot be used any more. */
__attribute__((noreturn)) static void storm_until_killed(uint64_t seed, uint64_t block_size)
{
    static struct storm storm;
    struct sigaction action = {.sa_handler = storm_bus};

    storm.random = seed * 0x9e3779b97f4a7c15ULL | 1;
    storm.block_size = block_size;
    storm.memory =
        mmap(NULL, block_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaction(SIGBUS, &action, NULL);
    for (;;) {
        /* SIGBUS has two causes: a freed block, or a lost device. */
        if (sigsetjmp(storm_return, 1) == 0 || !storm.view ||
            polled(storm.ring.fd, POLLIN, 0) & POLLERR) {
            storm_end(&storm);
            while (!storm_begin(&storm)) {
                storm_end(&storm);
                usleep(1000);
            }
        }
        for (;;) {
            storm_step(&storm);
        }
    }
}

/* -- What a storm may leave behind ------------------------------------------------ */

static uint64_t vmstat(const char *name)
{
    static char text[1 << 16];
    char *at;

    /* The per-CPU counts are summed on demand. */
    attribute_write("/proc/sys/vm/stat_refresh", "1");
    if (attribute_read("/proc/vmstat", text, sizeof(text)) <= 0) {
        bail_out("cannot read /proc/vmstat");
    }
    at = strstr(text, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* The number of pages that are pinned for devices in the whole machine. */
static uint64_t pinned_pages(void)
{
    return vmstat("nr_foll_pin_acquired") - vmstat("nr_foll_pin_released");
}

/* Every context can be assigned: none is lost. */
static void test_contexts(uint64_t contexts)
{
    uint64_t got = 0;
    int *fds = calloc(contexts, sizeof(*fds));

    for (uint64_t i = 0; i < contexts; ++i) {
        struct kvcpu_command command = {.opcode = KVCPU_OP_STEP};

        fds[i] = open_device();
        got += submit(fds[i], &command, 1, 0, NULL) == 0;
    }
    is(got, contexts, "every context can be had");
    for (uint64_t i = 0; i < contexts; ++i) {
        close(fds[i]);
    }
    free(fds);
}

#endif /* KVCPU_VM_STORM_H */
