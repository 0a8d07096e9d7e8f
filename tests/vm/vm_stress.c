// SPDX-License-Identifier: MIT
/*
 * The driver under loss of resources: signals, closed files, a reset of the function, unbind,
 * rebind and unload, all under load. Runs as root, alone. TAP.
 *
 * usage: vm_stress [ROUNDS]
 */
#include "vm_load.h"
#include "vm_pci.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

static struct pci_function function;

/* -- Signals --------------------------------------------------------------- */

static void on_alarm(int number)
{
    (void)number;
}

/* Waits for a completion that never arrives; returns the errno that ends the wait. */
static int wait_for_ever(int fd)
{
    struct kvcpu_completion completion;
    struct kvcpu_wait request = {
        .completions = (uintptr_t)&completion, .capacity = 1, .min = 1, .until_ns = UINT64_MAX};

    return code(ioctl(fd, KVCPU_IOC_WAIT, &request));
}

static void test_signals(void)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct kvcpu_completion completion;
    int fd = open_device();
    uint64_t first = allocate(fd, 1);
    int error;

    sigaction(SIGALRM, &action, NULL);
    /*
     * Sends the signal repeatedly, as the first may arrive before the wait. Sends none later, as it
     * would end a write to stdout.
     */
    ualarm(50000, 50000);
    error = wait_for_ever(fd);
    ualarm(0, 0);
    is((uint64_t)error, EINTR, "a signal ends a WAIT");
    is(run_pin(fd, first, 1, LONG_NS, 5), KVCPU_SC_PENDING, "a PIN waits");
    while (wait_for(fd, NULL, 0, 0, 1000) == 0 && counter(fd, KVCPU_CNT_PINS) == 0) {
    }
    is(wait_for(fd, &completion, 1, 1, LONG_NS), 1, "WAIT works after it");
    close(fd);
}

/* -- Files closed with PINs waiting ---------------------------------------- */

/*
 * Submits PINs that wait, until no further PIN is accepted. PINs of a closed file end by interrupt,
 * which a busy host may deliver late, so BUSY counts only if it lasts.
 */
static uint32_t pin_until_busy(int fd, uint64_t first)
{
    uint32_t waiting = 0;

    for (int busy = 0; waiting < KVCPU_PENDING_MAX && busy < 300;) {
        if (run_pin(fd, first + waiting, 1, LONG_NS, waiting) == KVCPU_SC_PENDING) {
            ++waiting;
            busy = 0;
        } else {
            ++busy;
            usleep(1000);
        }
    }
    return waiting;
}

static void test_close_with_pins(void)
{
    int holder = open_device(), fd;
    struct kvcpu_info before = info_of(holder);

    claim_slots(holder, before.fast_slots);
    for (int round = 0; round < 3; round++) {
        uint32_t waiting;
        uint64_t first;

        fd = open_device();
        wait_until_free(fd, before.blocks_free - before.fast_slots);
        first = allocate(fd, KVCPU_PENDING_MAX);
        waiting = pin_until_busy(fd, first);
        ok(waiting >= KVCPU_PENDING_MAX - before.contexts + 1 && waiting < KVCPU_PENDING_MAX,
           "%u PINs wait, and there is room left to close every context", waiting);
        close(fd);
    }
    close(holder);
    fd = open_device();
    wait_until_free(fd, before.blocks_free);
    is(info_of(fd).blocks_free, before.blocks_free, "all blocks came back");
    is(counter(fd, KVCPU_COUNTER_COUNT + KVCPU_SC_BUSY), 0, "the device never was BUSY");
    close(fd);
}

/* -- Load ------------------------------------------------------------------ */

static void test_load(void)
{
    start_load();
    for (int i = 0; i < 10; i++) {
        let_work();
    }
    stop_load();
    verdict("blocks keep their bytes under load");
}

/* Returns whether a file gets blocks, which a busy host may delay. */
static int wait_for_owner(int fd, uint64_t blocks_free)
{
    for (int tries = 0; tries < 10000 && info_of(fd).blocks_free >= blocks_free; tries++) {
        usleep(1000);
    }
    return info_of(fd).blocks_free < blocks_free;
}

/* Kills a process at any point: in a command, in a wait, or between two commands. */
static void test_kill(int kills)
{
    int fd = open_device();
    uint64_t blocks_free = info_of(fd).blocks_free;
    int owners = 0;

    stop = false;
    for (int i = 0; i < kills; i++) {
        pid_t child = fork();

        if (child == 0) {
            worker((void *)(uintptr_t)(i * 29 + 60));
            _exit(0);
        }
        owners += wait_for_owner(fd, blocks_free);
        usleep((useconds_t)(i * 977 % 15000));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    ok(owners > 0, "%d of %d processes owned blocks shortly before they were killed", owners, kills);
    wait_until_free(fd, blocks_free);
    is(info_of(fd).blocks_free, blocks_free, "what killed processes owned is free again");
    close(fd);
}

/* -- Reset of the function ------------------------------------------------- */

static void *waiter(void *argument)
{
    return (void *)(uintptr_t)wait_for_ever(*(int *)argument);
}

/* The next event finds a waiting thread that sleeps or is about to sleep: both must be woken. */
static pthread_t start_waiter(int *fd)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, waiter, fd)) {
        bail_out("pthread_create");
    }
    usleep(50000);
    return thread;
}

static void test_reset(void)
{
    struct kv_cpu_weights weights = {2, 3, 4, 5, 0x60, 0x70};
    struct kvcpu_command step = {.opcode = KVCPU_OP_STEP};
    int fd = open_device(), plain = open_device();
    uint64_t resets = counter(fd, KVCPU_CNT_RESETS), current = 12;
    pthread_t thread;
    void *error;

    allocate(fd, 1);
    fails(ioctl(fd, KV_CPU_SET_WEIGHTS, &weights), 0, "weights are set");
    fails(ioctl(fd, KV_CPU_STEP_ADVANCE, &current), 0, "and a step");
    fails(attribute_write("hot_lease", "99"), 0, "and a lease");
    fails(attribute_write("policy", "hepc"), 0, "and a policy");
    thread = start_waiter(&fd);
    fails(pci_reset(&function), 0, "the function is reset");
    pthread_join(thread, &error);
    is((uintptr_t)error, EIO, "a waiting thread is woken: EIO");
    is(counter(plain, KVCPU_CNT_RESETS), resets + 1, "the device counted it");
    fails(submit(fd, &step, 1, 0, NULL), EIO, "SUBMIT on a file that owned blocks");
    is(info_of(fd).context, 0, "it has no context any more");
    fails(submit(plain, &step, 1, 0, NULL), 0, "SUBMIT on a file that owned nothing");
    is(attribute_number("w_d"), 5, "weights are as before");
    is(attribute_number("hot_lease"), 99, "so is the lease");
    is(attribute_number("current_step"), 12, "so is the step");
    close(fd);
    close(plain);
}

static void test_reset_under_load(int rounds)
{
    start_load();
    for (int i = 0; i < rounds; i++) {
        let_work();
        if (pci_reset(&function)) {
            bail_out("reset");
        }
    }
    let_work();
    stop_load();
    verdict("blocks keep their bytes between resets");
}

/* -- Unbind, rebind, unload ------------------------------------------------ */

static void test_unbind(void)
{
    struct kv_cpu_telemetry telemetry;
    struct pollfd poll_fd;
    int fd = open_device(), fresh;
    struct kvcpu_info info;
    pthread_t thread;
    void *error;

    allocate(fd, 3);
    thread = start_waiter(&fd);
    fails(pci_unbind(&function), 0, "unbind with a file open");
    pthread_join(thread, &error);
    is((uintptr_t)error, ENODEV, "a waiting thread is woken: ENODEV");
    fails(ioctl(fd, KVCPU_IOC_INFO, &info), ENODEV, "INFO");
    fails(ioctl(fd, KV_CPU_GET_TELEMETRY, &telemetry), ENODEV, "GET_TELEMETRY");
    fails(ioctl(fd, 0x1234, NULL), ENODEV, "anything");
    poll_fd = (struct pollfd){.fd = fd, .events = POLLIN};
    is((uint64_t)poll(&poll_fd, 1, 0), 1, "poll says so");
    ok(poll_fd.revents & POLLHUP, "as POLLHUP");
    fails(open(DEVICE, O_RDWR), ENOENT, "the node is gone");
    fails(pci_bind(&function), 0, "bind again, the old file still open");
    fresh = open_device();
    is(info_of(fresh).blocks_free, info_of(fresh).blocks, "no block is owned");
    fails(ioctl(fresh, KV_CPU_GET_TELEMETRY, &telemetry), 0, "GET_TELEMETRY");
    is(telemetry.step_count + telemetry.hot_count, 0, "counts begin at 0");
    is(telemetry.w_d, KVCPU_WEIGHT_D_DEFAULT, "weights are the published");
    fails(ioctl(fd, KVCPU_IOC_INFO, &info), ENODEV, "the old file stays dead");
    close(fd);
    is(allocate(fresh, 1), 0, "the new one works, its old twin closed");
    close(fresh);
}

static void test_rebind_under_load(int rounds)
{
    start_load();
    for (int i = 0; i < rounds; i++) {
        let_work();
        if (pci_unbind(&function) || pci_bind(&function)) {
            bail_out("rebind");
        }
    }
    let_work();
    stop_load();
    verdict("blocks keep their bytes between bindings");
}

static int unload(void)
{
    return (int)syscall(SYS_delete_module, "kvcpu", O_NONBLOCK);
}

static int load(void)
{
    struct utsname system;
    char path[256];
    int fd, result, error;

    uname(&system);
    snprintf(path, sizeof(path), "/lib/modules/%s/kvcpu.ko", system.release);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        bail_out("cannot open %s", path);
    }
    result = (int)syscall(SYS_finit_module, fd, "", 0);
    error = errno;
    close(fd);
    errno = error;
    return result;
}

static void test_unload(int rounds)
{
    unsigned long refused = 0;
    int fd = open_device();

    fails(unload(), EAGAIN, "unload with a file open");
    close(fd);
    fails(unload(), 0, "unload");
    fails(access(DEVICE, F_OK), ENOENT, "the node is gone");
    fails(load(), 0, "load");
    start_load();
    for (int i = 0; i < rounds; i++) {
        let_work();
        /* Files are open nearly always; the load pauses when the node is absent. */
        while (unload()) {
            if (errno != EAGAIN && errno != EBUSY) {
                bail_out("unload");
            }
            if (++refused % 50 == 0) {
                stop_load();
                start_load();
            }
        }
        if (load()) {
            bail_out("load");
        }
    }
    let_work();
    stop_load();
    printf("# unload was refused %lu times\n", refused);
    verdict("blocks keep their bytes between loads");
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 10;

    setvbuf(stdout, NULL, _IOLBF, 0);
    function = pci_function_of(0);
    test_signals();
    test_close_with_pins();
    test_load();
    test_kill(5 * rounds);
    test_reset();
    test_reset_under_load(rounds);
    test_unbind();
    test_rebind_under_load(rounds);
    test_unload(rounds);
    return tap_end();
}
