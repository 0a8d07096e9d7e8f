// SPDX-License-Identifier: MIT
/*
 * Races of the driver that a delay widens, and errors that are injected into it, by the files in
 * /sys/kernel/debug/kvcpu. The device has 64 slots and moves that take 100 ms. Usage: vm_races
 * [KILLS]. Runs as root, alone, on a kernel with fault injection. TAP.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "vm_pci.h"
#include "vm_ring.h"

#define INJECTION "/sys/kernel/debug/kvcpu/"
#define UNPRIVILEGED_ID 65534

static struct kvcpu_info device;

static void inject(const char *file, const char *text)
{
    char path[128];

    snprintf(path, sizeof(path), INJECTION "%s", file);
    if (attribute_write(path, text)) {
        bail_out("%s", path);
    }
}

/* Of the calls from here on, `times` fail; -1: all do. */
static void inject_failure(const char *fault, const char *times)
{
    char file[64];

    snprintf(file, sizeof(file), "%s/times", fault);
    inject(file, times);
    snprintf(file, sizeof(file), "%s/probability", fault);
    inject(file, strcmp(times, "0") ? "100" : "0");
}

static volatile uint8_t *map_block(int fd, uint64_t block)
{
    void *at = mmap(NULL, device.block_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                    (off_t)(block * device.block_size));

    if (at == MAP_FAILED) {
        bail_out("mmap of the view");
    }
    return at;
}

/* -- A completion of HOLD while its file is closed ------------------------------------ */

static bool is_moving(int fd, uint64_t block)
{
    uint64_t state = block_at(fd, block).state >> KVCPU_BST_STATE_SHIFT & KVCPU_BST_STATE_MASK;

    return state == KVCPU_BS_FETCHING;
}

/* Faults on a block that is moving; tells the parent before. */
__attribute__((noreturn)) static void fault_until_killed(int cpu, int notice_fd)
{
    cpu_set_t cpus;
    volatile uint8_t *at;
    uint64_t block;
    int fd;

    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    sched_setaffinity(0, sizeof(cpus), &cpus);
    fd = open_device();
    block = allocate(fd, 1);
    at = map_block(fd, block);
    /* A block without content is not moved. */
    run_copy(fd, KVCPU_OP_WRITE, block, &block, 0, sizeof(block));
    run_pin(fd, block, 1, LONG_NS, 0);
    while (!is_moving(fd, block)) {
    }
    if (write(notice_fd, "", 1) != 1) {
        _exit(1);
    }
    for (;;) {
        *at = 1;
        pause();
    }
}

/* CLOSE ends the HOLD: its completion and the release of the file run at the same time. */
static void test_close_during_hold(int kills)
{
    int killed = 0;

    inject("delay_us", "20000");
    for (int i = 0; i < kills; i++) {
        int pipe_fds[2], status;
        char byte;
        pid_t pid;

        if (pipe(pipe_fds)) {
            bail_out("pipe");
        }
        pid = fork();
        if (pid == 0) {
            fault_until_killed(i % 2, pipe_fds[1]);
        }
        if (read(pipe_fds[0], &byte, 1) != 1) {
            bail_out("read");
        }
        usleep((useconds_t)(i * 7919 % 100000));
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        close(pipe_fds[0]);
        close(pipe_fds[1]);
    }
    inject("delay_us", "0");
    is((uint64_t)killed, (uint64_t)kills, "processes were killed in a fault that waits for a move");
}

/* -- A REVOKE while a HOLD is being sent -------------------------------------------------- */

static void test_revoke_during_failing_hold(void)
{
    int fd = open_device(), other = open_device();
    uint64_t block = allocate(fd, 1), first = allocate(other, device.fast_slots);
    struct kvcpu_completion completion;
    volatile uint8_t *at;
    int status;
    pid_t pid;

    is(pin_and_wait(fd, block, 1, LONG_NS), KVCPU_SC_SUCCESS, "a block is in a slot");
    at = map_block(fd, block);
    (void)*at;
    run_range(fd, KVCPU_OP_UNPIN, block, 1, 0);
    inject("delay_us", "5000");
    inject_failure("fail_hold", "-1");
    pid = fork();
    if (pid == 0) {
        *at = 1; /* needs a WRITE hold */
        _exit(0);
    }
    usleep(50000);
    is(run_pin(other, first, device.fast_slots, LONG_NS, 9), KVCPU_SC_PENDING,
       "another context needs its slot");
    /* REVOKE has come, and more than one HOLD has failed since. */
    sleep(2);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    inject_failure("fail_hold", "0");
    inject("delay_us", "0");
    is((uint64_t)wait_for(other, &completion, 1, 1, 60 * SECOND_NS), 1,
       "a REVOKE during a HOLD that fails releases the block");
    munmap((void *)at, device.block_size);
    close(other);
    close(fd);
}

/* -- A context and its quota ----------------------------------------------------------------- */

static void test_quota_fails(void)
{
    struct kvcpu_command step = {.opcode = KVCPU_OP_STEP};
    int fd = open_device(), status;
    pid_t pid;

    attribute_write("slots_max_limit", "4");
    inject_failure("fail_quota", "1");
    pid = fork();
    if (pid == 0) {
        if (setresuid(UNPRIVILEGED_ID, UNPRIVILEGED_ID, UNPRIVILEGED_ID)) {
            _exit(2);
        }
        _exit(submit(fd, &step, 1, 0, NULL) == 0);
    }
    waitpid(pid, &status, 0);
    is((uint64_t)status, 0, "a file that cannot get its quota gets no context");
    is(info_of(fd).context, 0, "and has none afterwards");
    pid = fork();
    if (pid == 0) {
        if (setresuid(UNPRIVILEGED_ID, UNPRIVILEGED_ID, UNPRIVILEGED_ID)) {
            _exit(2);
        }
        _exit(submit(fd, &step, 1, 0, NULL) != 0 || info_of(fd).slots_max != 4);
    }
    waitpid(pid, &status, 0);
    is((uint64_t)status, 0, "the next call gets a context and the default quota");
    inject_failure("fail_quota", "0");
    attribute_write("slots_max_limit", "0");
    close(fd);
}

/* -- A probe that fails after it has enabled the queues ---------------------------------------- */

static void test_probe_fails(void)
{
    struct pci_function function = pci_function_of(0);

    if (pci_unbind(&function)) {
        bail_out("unbind");
    }
    inject_failure("fail_queues", "1");
    ok(pci_bind(&function) != 0, "a probe fails");
    inject_failure("fail_queues", "0");
    ok(pci_is_quiet(&function), "the device accesses no memory afterwards");
    fails(pci_bind(&function), 0, "the next probe");
}

int main(int argc, char **argv)
{
    int fd = open_device();

    setvbuf(stdout, NULL, _IOLBF, 0);
    device = info_of(fd);
    test_close_during_hold(argc > 1 ? atoi(argv[1]) : 20);
    test_revoke_during_failing_hold();
    test_quota_fails();
    close(fd);
    test_probe_fails();
    fd = open_device();
    wait_until_free(fd, device.blocks);
    is(info_of(fd).blocks_free, device.blocks, "no block stays taken");
    close(fd);
    return tap_end();
}
