// SPDX-License-Identifier: MIT
/*
 * An open file: an owner of blocks that no other file can name, with limits. Closing it frees
 * everything. Needs CAP_SYS_ADMIN, and a device with 1,024 slots or more. TAP.
 */
#define _GNU_SOURCE /* sched_setaffinity() */
#include "vm_test.h"

#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>

static struct kvcpu_info device;

/* -- Permissions ----------------------------------------------------------- */

static void test_isolation(int fd, uint64_t first)
{
    int other = open_device();
    struct kvcpu_command hint = {.opcode = KVCPU_OP_SHARE, .first = first, .count = 1};
    uint8_t byte = 0;

    allocate(other, 1);
    ok(info_of(other).context != info_of(fd).context, "two files are two contexts");
    is(run_copy(other, KVCPU_OP_READ, first, &byte, 0, 1), KVCPU_SC_NOT_OWNER, "no READ");
    is(run_copy(other, KVCPU_OP_WRITE, first, &byte, 0, 1), KVCPU_SC_NOT_OWNER, "no WRITE");
    is(run_range(other, KVCPU_OP_FREE, first, 1, 0), KVCPU_SC_NOT_OWNER, "no FREE");
    is(run_pin(other, first, 1, LONG_NS, 0), KVCPU_SC_NOT_OWNER, "no PIN");
    is(run_range(other, KVCPU_OP_UNPIN, first, 1, 0), KVCPU_SC_NOT_OWNER, "no UNPIN");
    is(run(other, &hint), KVCPU_SC_SUCCESS, "a hint succeeds");
    is(outcome_of(hint.result), KVCPU_HO_IGNORED, "and is ignored");
    is(reason_of(hint.result), KVCPU_HR_FOREIGN, "as foreign");
    close(other);
}

/* In a child process without privileges. */
static int look_at_blocks(int fd, uint64_t own)
{
    struct kvcpu_block block;
    int other = open_device();

    if (setgid(65534) || setuid(65534)) {
        return 1;
    }
    if (block_of(fd, own, &block)) {
        return 2;
    }
    if (block_of(other, own, &block) == 0 || errno != EPERM) {
        return 3;
    }
    return block_of(fd, own + 1000, &block) == 0 || errno != EPERM ? 4 : 0;
}

static void test_privacy(int fd, uint64_t first)
{
    struct kvcpu_block block;
    int status;
    pid_t child;

    fails(block_of(fd, device.blocks, &block), EINVAL, "BLOCK outside the space");
    fflush(stdout);
    child = fork();
    if (child == 0) {
        _exit(look_at_blocks(fd, first));
    }
    waitpid(child, &status, 0);
    is((uint64_t)status, 0, "unprivileged: BLOCK of the file's own, and of no other");
}

/* Blocks of a closed file are zero before they are allocated again. */
static void test_scrub(void)
{
    uint32_t size = (uint32_t)device.block_size;
    uint8_t *bytes = malloc(size), *zero = calloc(1, size);
    uint64_t generation, first, again;
    int fd = open_device();
    uint64_t blocks_free = info_of(fd).blocks_free;

    memset(bytes, 0x77, size);
    first = allocate(fd, 1);
    run_copy(fd, KVCPU_OP_WRITE, first, bytes, 0, size);
    generation = block_at(fd, first).use >> KVCPU_BUS_GENERATION_SHIFT;
    pin_and_wait(fd, first, 1, LONG_NS);
    close(fd);
    fd = open_device();
    /* ALLOC takes the lowest free block, and a block is free only after its scrub. */
    wait_until_free(fd, blocks_free);
    again = allocate(fd, 1);
    is(again, first, "closing gives blocks back, pinned ones too");
    ok(block_at(fd, again).use >> KVCPU_BUS_GENERATION_SHIFT != generation, "of a new generation");
    is(run_copy(fd, KVCPU_OP_READ, again, bytes, 0, size), KVCPU_SC_SUCCESS, "its next owner");
    ok(memcmp(bytes, zero, size) == 0, "reads zeros");
    close(fd);
    free(bytes);
    free(zero);
}

/* -- One file, many users -------------------------------------------------- */

static void test_inherited(int fd, uint64_t first)
{
    uint8_t byte = 0x42;
    int status;
    pid_t child;

    is(run_copy(fd, KVCPU_OP_WRITE, first, &byte, 7, 1), KVCPU_SC_SUCCESS, "a byte is written");
    fflush(stdout);
    child = fork();
    if (child == 0) {
        byte = 0;
        run_copy(fd, KVCPU_OP_READ, first, &byte, 7, 1);
        _exit(byte == 0x42 ? 0 : 1);
    }
    waitpid(child, &status, 0);
    is((uint64_t)status, 0, "a child reads it through the file that it inherited");
    is(run_copy(fd, KVCPU_OP_READ, first, &byte, 7, 1), KVCPU_SC_SUCCESS,
       "and takes nothing away with it when it ends");
}

#define SHARERS 4
#define SHARER_ROUNDS 300

struct sharer {
    int fd;
    uint64_t block;
    unsigned int wrong;
};

/* Writes and reads back its own block, through a file that other threads use at the same time. */
static void *share(void *argument)
{
    struct sharer *sharer = argument;
    uint64_t words[64], back[64];

    for (uint64_t round = 0; round < SHARER_ROUNDS; round++) {
        for (size_t i = 0; i < 64; i++) {
            words[i] = sharer->block << 32 | round << 8 | i;
        }
        run_copy(sharer->fd, KVCPU_OP_WRITE, sharer->block, words, 0, sizeof(words));
        run_copy(sharer->fd, KVCPU_OP_READ, sharer->block, back, 0, sizeof(back));
        sharer->wrong += memcmp(words, back, sizeof(words)) != 0;
    }
    return NULL;
}

static void test_threads(int fd, uint64_t first)
{
    struct sharer sharers[SHARERS];
    pthread_t threads[SHARERS];
    unsigned int wrong = 0;

    for (unsigned int i = 0; i < SHARERS; i++) {
        sharers[i] = (struct sharer){.fd = fd, .block = first + i};
        if (pthread_create(&threads[i], NULL, share, &sharers[i])) {
            bail_out("pthread_create");
        }
    }
    for (unsigned int i = 0; i < SHARERS; i++) {
        pthread_join(threads[i], NULL);
        wrong += sharers[i].wrong;
    }
    is(wrong, 0, "threads on one file read what they wrote");
}

/* -- PINs that wait -------------------------------------------------------- */

static void test_cancel(void)
{
    int fd = open_device();
    struct kvcpu_completion some[4];
    uint64_t extra;

    claim_slots(fd, device.fast_slots);
    is(info_of(fd).fast_free, 0, "all slots are claimed");
    extra = allocate(fd, 2);
    is(run_pin(fd, extra, 1, LONG_NS, 11), KVCPU_SC_PENDING, "a PIN waits");
    is(run_pin(fd, extra + 1, 1, LONG_NS, 22), KVCPU_SC_PENDING, "another waits");
    is(run_pin(fd, extra, 2, LONG_NS, 11), KVCPU_SC_PENDING, "a third waits");
    is(run_range(fd, KVCPU_OP_CANCEL, 0, 0, 33), KVCPU_SC_NOT_FOUND, "CANCEL of nothing");
    is(wait_for(fd, some, 4, 1, SECOND_NS / 100), 0, "nothing ended");
    is(run_range(fd, KVCPU_OP_CANCEL, 0, 0, 22), KVCPU_SC_SUCCESS, "CANCEL of the second");
    is(wait_for(fd, some, 4, 1, LONG_NS), 1, "one ended");
    is(some[0].user_data, 22, "that one");
    is(status_of(some[0].result), KVCPU_SC_CANCELLED, "CANCELLED");
    is(run_range(fd, KVCPU_OP_CANCEL, 0, 0, 11), KVCPU_SC_SUCCESS, "CANCEL of 11: the oldest");
    is(run_range(fd, KVCPU_OP_CANCEL, 0, 0, 11), KVCPU_SC_SUCCESS, "CANCEL of 11: the other");
    is(run_range(fd, KVCPU_OP_CANCEL, 0, 0, 11), KVCPU_SC_NOT_FOUND, "CANCEL of 11: no more");
    is(wait_for(fd, some, 4, 2, LONG_NS), 2, "both ended");
    is(run_pin(fd, extra, 1, 1000, 44), KVCPU_SC_PENDING, "a PIN waits 1,000 ns");
    is(wait_for(fd, some, 4, 1, LONG_NS), 1, "it ends by itself");
    is(status_of(some[0].result), KVCPU_SC_TIMED_OUT, "TIMED_OUT");
    is(run_pin(fd, extra, 1, LONG_NS, 55), KVCPU_SC_PENDING, "a PIN waits as the file is closed");
    close(fd);
}

/*
 * A cancelled PIN has ended, although its completion may not have arrived: the next CANCEL with its
 * user_data is for the next PIN. On a processor that does not get the device's interrupt, the
 * second PIN is executed before the completion arrives.
 */
static unsigned int cancel_twice(int fd, uint64_t extra)
{
    struct kvcpu_completion some[2];
    unsigned int missed = 0;

    for (int round = 0; round < 200; round++) {
        struct kvcpu_command both[2] = {{.opcode = KVCPU_OP_CANCEL, .arg = 9},
                                        {.opcode = KVCPU_OP_CANCEL, .arg = 9}};

        run_pin(fd, extra, 1, LONG_NS, 9);
        run_pin(fd, extra + 1, 1, LONG_NS, 9);
        submit(fd, both, 2, KVCPU_SUBMIT_CONTINUE, NULL);
        missed += status_of(both[0].result) != KVCPU_SC_SUCCESS;
        if (status_of(both[1].result) != KVCPU_SC_SUCCESS) {
            ++missed;
            while (run_range(fd, KVCPU_OP_CANCEL, 0, 0, 9) != KVCPU_SC_SUCCESS) {
            }
        }
        if (wait_for(fd, some, 2, 2, LONG_NS) != 2) {
            bail_out("a cancelled PIN has no completion");
        }
    }
    return missed;
}

static void test_cancel_twice(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int fd = open_device();
    unsigned int missed = 0;
    uint64_t extra;
    cpu_set_t set;

    claim_slots(fd, device.fast_slots);
    extra = allocate(fd, 2);
    for (long cpu = 0; cpu < cpus; cpu++) {
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        if (sched_setaffinity(0, sizeof(set), &set)) {
            bail_out("sched_setaffinity");
        }
        missed += cancel_twice(fd, extra);
    }
    CPU_ZERO(&set);
    for (long cpu = 0; cpu < cpus; cpu++) {
        CPU_SET((size_t)cpu, &set);
    }
    sched_setaffinity(0, sizeof(set), &set);
    is(missed, 0, "two CANCELs in a row end two PINs with one user_data");
    close(fd);
}

/* -- Limits ---------------------------------------------------------------- */

static void test_contexts(void)
{
    struct kvcpu_command command = {.opcode = KVCPU_OP_STEP};
    int files[KVCPU_CONTEXTS_MAX + 1] = {0};
    uint64_t made = 0;

    while (made < device.contexts) {
        files[made] = open_device();
        if (submit(files[made], &command, 1, 0, NULL)) {
            break;
        }
        ++made;
    }
    is(made, device.contexts - 1 - 1, "as many files as contexts can submit");
    fails(submit(files[made], &command, 1, 0, NULL), EMFILE, "one more cannot");
    allocate(files[0], 100);
    close(files[0]);
    fails(submit(files[made], &command, 1, 0, NULL), 0, "it can once another is closed");
    for (uint64_t i = 1; i <= made; i++) {
        close(files[i]);
    }
}

/* A file that never consumes its completions gets no more of them than it has places. */
static void test_untaken(void)
{
    struct kvcpu_completion some[64];
    uint64_t first, granted = 0, status;
    int fd = open_device(), taken = 0, got;

    first = allocate(fd, KVCPU_PENDING_MAX + 8);
    do {
        status = run_pin(fd, first + granted, 1, LONG_NS, granted);
        wait_for(fd, NULL, 0, 0, 1000);
    } while (status == KVCPU_SC_PENDING && ++granted < KVCPU_PENDING_MAX + 8);
    is(status, KVCPU_SC_BUSY, "PIN with too many completions not taken: BUSY");
    is(granted, KVCPU_PENDING_MAX, "which is 1,024");
    while ((got = wait_for(fd, some, 64, 1, taken < KVCPU_PENDING_MAX ? LONG_NS : 0)) > 0) {
        taken += got;
    }
    is((uint64_t)taken, KVCPU_PENDING_MAX, "all of them can be taken");
    is(run_pin(fd, first + granted, 1, LONG_NS, 0), KVCPU_SC_PENDING, "then PIN works again");
    close(fd);
}

int main(void)
{
    int fd = open_device();
    uint64_t first, blocks_free;

    device = info_of(fd);
    first = allocate(fd, SHARERS);
    blocks_free = info_of(fd).blocks_free;
    test_isolation(fd, first);
    test_privacy(fd, first);
    test_inherited(fd, first);
    test_threads(fd, first);
    test_scrub();
    test_cancel();
    test_cancel_twice();
    test_contexts();
    test_untaken();
    wait_until_free(fd, blocks_free);
    is(info_of(fd).blocks_free, blocks_free, "all that closed files had is free again");
    close(fd);
    return tap_end();
}
