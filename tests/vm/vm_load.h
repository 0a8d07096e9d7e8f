/* SPDX-License-Identifier: MIT */
/*
 * A load on the device that verifies all its blocks, and that tolerates the loss of the device at
 * any time. Only one program includes this file.
 */
#ifndef KVCPU_VM_LOAD_H
#define KVCPU_VM_LOAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "vm_test.h"

#define WORKERS 4
#define BLOCKS 8

static atomic_bool stop;
/* The number of rounds in which blocks were written, pinned and verified; and the errors. */
static atomic_ulong verified, corrupt, unexpected;
static atomic_int last_unexpected;

/* Errors of a lost device: the load starts again with a new file. */
static bool is_taken_away(int error)
{
    return error == ENODEV || error == EIO || error == ENXIO || error == ENOENT;
}

static int try_submit(int fd, struct kvcpu_command *commands, uint32_t count)
{
    uint32_t done;

    if (submit(fd, commands, count, 0, &done)) {
        return errno;
    }
    return done == count ? 0 : EPROTO;
}

static int wait_pin(int fd)
{
    struct kvcpu_completion completion;
    struct kvcpu_wait request = {
        .completions = (uintptr_t)&completion, .capacity = 1, .min = 1, .until_ns = UINT64_MAX};

    if (ioctl(fd, KVCPU_IOC_WAIT, &request)) {
        return errno;
    }
    return request.count == 1 && status_of(completion.result) == KVCPU_SC_SUCCESS
               ? 0
               : EPROTO;
}

/* One round with a few blocks: returns 0, or the errno that ended it. */
static int work(int fd, uint8_t *out, uint8_t *in, uint32_t size, unsigned int seed)
{
    struct kvcpu_command batch[BLOCKS] = {
        {.opcode = KVCPU_OP_ALLOC, .count = BLOCKS, .meta = 16ULL << KVCPU_TAG_TOKENS_SHIFT}};
    uint64_t first, got;
    int error = try_submit(fd, batch, 1);

    if (error) {
        return error;
    }
    first = batch[0].first;
    got = batch[0].count;
    for (uint64_t i = 0; i < got; i++) {
        memset(out + i * size, (int)(seed + i), size);
        batch[i] = (struct kvcpu_command){.opcode = KVCPU_OP_WRITE,
                                          .first = first + i,
                                          .count = 1,
                                          .buffer = (uintptr_t)(out + i * size),
                                          .length = size};
    }
    error = try_submit(fd, batch, (uint32_t)got);
    batch[0] = (struct kvcpu_command){
        .opcode = KVCPU_OP_PIN, .first = first, .count = got, .arg = LONG_NS};
    error = error ? error : try_submit(fd, batch, 1);
    if (!error && status_of(batch[0].result) == KVCPU_SC_PENDING) {
        error = wait_pin(fd);
    }
    for (uint64_t i = 0; i < got; i++) {
        batch[i] = (struct kvcpu_command){.opcode = KVCPU_OP_READ,
                                          .first = first + i,
                                          .count = 1,
                                          .buffer = (uintptr_t)(in + i * size),
                                          .length = size};
    }
    error = error ? error : try_submit(fd, batch, (uint32_t)got);
    if (!error) {
        *(memcmp(in, out, got * size) ? &corrupt : &verified) += 1;
    }
    batch[0] = (struct kvcpu_command){.opcode = KVCPU_OP_UNPIN, .first = first, .count = got};
    batch[1] = (struct kvcpu_command){.opcode = KVCPU_OP_FREE, .first = first, .count = got};
    return error ? error : try_submit(fd, batch, 2);
}

static void note(int error)
{
    if (error && !is_taken_away(error)) {
        ++unexpected;
        last_unexpected = error;
    }
}

static void *worker(void *argument)
{
    unsigned int seed = (unsigned int)(uintptr_t)argument;
    const uint32_t room = KVCPU_BLOCK_SIZE_MIN;
    uint8_t *out = malloc(BLOCKS * room), *in = malloc(BLOCKS * room);

    while (!stop) {
        int fd = open(DEVICE, O_RDWR | O_CLOEXEC), error = 0;

        if (fd < 0) {
            note(errno);
            usleep(1000);
            continue;
        }
        /* Some files stay open for long, others are closed soon. */
        for (unsigned int i = 0; !error && !stop && i < 1 + seed % 50; i++) {
            error = work(fd, out, in, room, ++seed);
        }
        note(error);
        close(fd);
        ++seed;
    }
    free(out);
    free(in);
    return NULL;
}

/* Sends hints of the reference interface, reads attributes, and closes files with pending PINs. */
static void *meddler(void *argument)
{
    struct kv_cpu_block_info range = {.va = 4096, .len = 65536, .target_step = 3};
    char text[1024];

    (void)argument;
    while (!stop) {
        int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
        struct kvcpu_command batch[2] = {{.opcode = KVCPU_OP_ALLOC, .count = 1}};

        attribute_read("telemetry", text, sizeof(text));
        if (fd < 0) {
            note(errno);
            usleep(1000);
            continue;
        }
        note(ioctl(fd, KV_CPU_MARK_HOT, &range) ? errno : 0);
        note(ioctl(fd, KV_CPU_PREFETCH, &range) ? errno : 0);
        attribute_write("w_d", "77");
        if (!try_submit(fd, batch, 1)) {
            batch[1] = (struct kvcpu_command){
                .opcode = KVCPU_OP_PIN, .first = batch[0].first, .count = 1, .arg = LONG_NS};
            note(try_submit(fd, batch + 1, 1));
        }
        close(fd);
    }
    return NULL;
}

static pthread_t threads[WORKERS + 1];

static void start_load(void)
{
    stop = false;
    for (uintptr_t i = 0; i < WORKERS; i++) {
        if (pthread_create(&threads[i], NULL, worker, (void *)(i * 13 + 1))) {
            bail_out("pthread_create");
        }
    }
    if (pthread_create(&threads[WORKERS], NULL, meddler, NULL)) {
        bail_out("pthread_create");
    }
}

static void stop_load(void)
{
    stop = true;
    for (int i = 0; i <= WORKERS; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* Waits until the load has made progress, so that the next event happens during the load. */
static void let_work(void)
{
    unsigned long then = verified;

    while (verified < then + 20 && !corrupt && !unexpected) {
        usleep(1000);
    }
}

static void verdict(const char *what)
{
    printf("# %lu rounds verified\n", verified);
    is(corrupt, 0, what);
    if (!is(unexpected, 0, "no error but those that say the device is gone")) {
        printf("# the last was: %s\n", strerror(last_unexpected));
    }
}

#endif /* KVCPU_VM_LOAD_H */
