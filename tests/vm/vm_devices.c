// SPDX-License-Identifier: MIT
/*
 * Several devices at once: each has its own node, attributes, contexts and completions, and can be
 * unbound and bound alone. Needs three devices, the second with blocks of 64 KiB and 4 contexts,
 * the third with the policy hepc. TAP.
 */
#include "vm_pci.h"

#include <pthread.h>
#include <stdatomic.h>

#define DEVICES 3

static const char *const nodes[DEVICES] = {"/dev/kvcpu0", "/dev/kvcpu1", "/dev/kvcpu2"};

static const char *attribute_of(unsigned int device, const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "/sys/class/kv_cpu/kvcpu%u/%s", device, name);
    return path;
}

static uint64_t telemetry_steps(int fd)
{
    struct kv_cpu_telemetry telemetry;

    if (ioctl(fd, KV_CPU_GET_TELEMETRY, &telemetry)) {
        bail_out("KV_CPU_GET_TELEMETRY");
    }
    return telemetry.step_count;
}

static void test_geometry(const int *fd)
{
    struct kvcpu_info info[DEVICES];

    for (int i = 0; i < DEVICES; i++) {
        info[i] = info_of(fd[i]);
    }
    fails(open("/dev/kvcpu3", O_RDWR), ENOENT, "there is no fourth");
    is(info[0].block_size, 4096, "blocks of the first");
    is(info[1].block_size, 65536, "blocks of the second");
    is(info[1].contexts, 4, "contexts of the second");
    is(info[2].policy, KVCPU_POLICY_HEPC, "policy of the third");
    is(info[0].policy, KVCPU_POLICY_DEFAULT, "policy of the first");
}

/* A command to one device does not affect another. */
static void test_reference(const int *fd)
{
    struct kv_cpu_weights weights = {9, 9, 9, 9, 9, 9};
    uint64_t step = 5;
    char text[32];

    fails(ioctl(fd[1], KV_CPU_STEP_ADVANCE, &step), 0, "STEP_ADVANCE on the second");
    is(telemetry_steps(fd[1]), 1, "it counted it");
    is(telemetry_steps(fd[0]) + telemetry_steps(fd[2]), 0, "the others did not");
    fails(ioctl(fd[2], KV_CPU_SET_WEIGHTS, &weights), 0, "SET_WEIGHTS on the third");
    ok(attribute_read(attribute_of(2, "w_d"), text, sizeof(text)) > 0 && !strcmp(text, "9\n"),
       "its attribute says so");
    ok(attribute_read(attribute_of(0, "w_d"), text, sizeof(text)) > 0 && !strcmp(text, "200\n"),
       "the first's does not");
    fails(attribute_write(attribute_of(0, "policy"), "hepc"), 0, "policy of the first");
    is(info_of(fd[1]).policy, KVCPU_POLICY_DEFAULT, "the second keeps its own");
    fails(attribute_write(attribute_of(0, "policy"), "next-use"), 0, "and back");
}

/* Blocks of different devices have equal numbers and different bytes. */
static void test_blocks(const int *fd)
{
    uint64_t first[DEVICES];
    uint32_t word;

    for (uint32_t i = 0; i < DEVICES; i++) {
        first[i] = allocate(fd[i], 1);
        word = 0x1000 + i;
        run_copy(fd[i], KVCPU_OP_WRITE, first[i], &word, 0, sizeof(word));
    }
    ok(first[0] == first[1] && first[1] == first[2], "each hands out its own first block");
    for (uint32_t i = 0; i < DEVICES; i++) {
        word = 0;
        run_copy(fd[i], KVCPU_OP_READ, first[i], &word, 0, sizeof(word));
        is(word, 0x1000 + i, "and keeps what was written there");
    }
    for (uint32_t i = 0; i < DEVICES; i++) {
        is(run_pin(fd[i], first[i], 1, LONG_NS, i), KVCPU_SC_PENDING, "a PIN waits");
    }
    for (uint32_t i = 0; i < DEVICES; i++) {
        struct kvcpu_completion some[DEVICES];

        is((uint64_t)wait_for(fd[i], some, DEVICES, 1, LONG_NS), 1, "one completion is there");
        is(some[0].user_data, i, "its own");
        is((uint64_t)wait_for(fd[i], some, DEVICES, 0, 0), 0, "and no other");
    }
}

/* The second device has three contexts for files; one is in use. */
static void test_contexts(void)
{
    struct kvcpu_command step = {.opcode = KVCPU_OP_STEP};
    int more[3], first;

    for (int i = 0; i < 3; i++) {
        more[i] = open_node(nodes[1]);
    }
    fails(submit(more[0], &step, 1, 0, NULL), 0, "a second file of the second device");
    fails(submit(more[1], &step, 1, 0, NULL), 0, "a third");
    fails(submit(more[2], &step, 1, 0, NULL), EMFILE, "a fourth is one too many");
    first = open_node(nodes[0]);
    fails(submit(first, &step, 1, 0, NULL), 0, "the first device has contexts left");
    close(first);
    close(more[1]);
    fails(submit(more[2], &step, 1, 0, NULL), 0, "closing the third makes room");
    close(more[0]);
    close(more[2]);
}

/* -- One goes, the others work --------------------------------------------- */

static atomic_bool stop;
static atomic_ulong rounds, wrong;

static void *work(void *node)
{
    int fd = open_node(node);
    uint64_t first = allocate(fd, 1), word, back;

    for (word = 1; !stop; word++) {
        back = 0;
        if (run_copy(fd, KVCPU_OP_WRITE, first, &word, 0, sizeof(word)) ||
            pin_and_wait(fd, first, 1, LONG_NS) ||
            run_copy(fd, KVCPU_OP_READ, first, &back, 0, sizeof(back)) || back != word ||
            run_range(fd, KVCPU_OP_UNPIN, first, 1, 0) ||
            run_range(fd, KVCPU_OP_EVICTABLE, first, 1, 0)) {
            ++wrong;
        }
        ++rounds;
    }
    close(fd);
    return NULL;
}

static void let_work(void)
{
    unsigned long then = rounds;

    while (rounds < then + 20) {
        usleep(1000);
    }
}

static void test_unbind(const int *fd)
{
    struct pci_function second = pci_function_of(1);
    pthread_t threads[2];
    struct kvcpu_info info;

    if (pthread_create(&threads[0], NULL, work, (void *)nodes[0]) ||
        pthread_create(&threads[1], NULL, work, (void *)nodes[2])) {
        bail_out("pthread_create");
    }
    for (int i = 0; i < 5; i++) {
        let_work();
        fails(pci_unbind(&second), 0, "the second is unbound");
        let_work();
        fails(access(nodes[1], F_OK), ENOENT, "its node is gone");
        fails(ioctl(fd[1], KVCPU_IOC_INFO, &info), ENODEV, "its old file is dead");
        fails(pci_bind(&second), 0, "it is bound again");
        fails(access(nodes[1], F_OK), 0, "under its old number");
    }
    let_work();
    stop = true;
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    printf("# %lu rounds\n", rounds);
    is(wrong, 0, "the others never missed a thing");
    fails(ioctl(fd[0], KVCPU_IOC_INFO, &info), 0, "their files live");
}

int main(void)
{
    int fd[DEVICES];

    for (int i = 0; i < DEVICES; i++) {
        fd[i] = open_node(nodes[i]);
    }
    test_geometry(fd);
    test_reference(fd);
    test_blocks(fd);
    test_contexts();
    test_unbind(fd);
    for (int i = 0; i < DEVICES; i++) {
        close(fd[i]);
    }
    return tap_end();
}
