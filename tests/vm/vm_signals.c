// SPDX-License-Identifier: MIT
/*
 * Signals: a signal whose handler has SA_RESTART restarts a call that waits for another call on the
 * same file, and a fatal signal ends every wait. The device has a doorbell latency, so that the
 * release of a hold takes as long as the device's clock is stopped. Runs as root, alone. TAP.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "vm_ring.h"

#define PAGE 4096
#define PATIENCE_MS 10000

static struct kvcpu_info device;
static atomic_int signals;

static void on_signal(int number)
{
    (void)number;
    signals++;
}

/* -- Memory that is slow ------------------------------------------------------------- */

static int fault_fd;

/* A page that an access waits for until slow_page_resolve(). */
static void *slow_page(void)
{
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
    void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    fault_fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    if (fault_fd < 0 || at == MAP_FAILED || ioctl(fault_fd, UFFDIO_API, &api)) {
        bail_out("userfaultfd");
    }
    range.range.start = (uintptr_t)at;
    range.range.len = PAGE;
    if (ioctl(fault_fd, UFFDIO_REGISTER, &range)) {
        bail_out("UFFDIO_REGISTER");
    }
    return at;
}

/* Waits until a thread accesses the page. */
static void slow_page_wait(void)
{
    struct uffd_msg message;

    if (read(fault_fd, &message, sizeof(message)) != sizeof(message)) {
        bail_out("no access to the slow page");
    }
}

static void slow_page_resolve(void *at)
{
    struct uffdio_zeropage zero = {.range = {.start = (uintptr_t)at, .len = PAGE}};

    if (ioctl(fault_fd, UFFDIO_ZEROPAGE, &zero)) {
        bail_out("UFFDIO_ZEROPAGE");
    }
}

/* -- Calls -------------------------------------------------------------------------------- */

struct call {
    const char *name;
    int (*act)(int fd, void *memory);
    int fd;
    void *memory;
    atomic_int thread;
    int error;
};

static int call_submit(int fd, void *memory)
{
    struct kvcpu_command step = {.opcode = KVCPU_OP_STEP};

    return submit(fd, memory ? memory : &step, 1, KVCPU_SUBMIT_CONTINUE, NULL);
}

static int call_setup(int fd, void *memory)
{
    struct kvcpu_setup setup = {.sq_entries = 16, .cq_entries = 16};

    (void)memory;
    /* The first call makes rings; a file that has rings refuses further ones. */
    return ioctl(fd, KVCPU_IOC_SETUP, &setup) && errno != EBUSY ? -1 : 0;
}

static int call_restart(int fd, void *memory)
{
    uint32_t stopped;

    (void)memory;
    return restart(fd, &stopped) && errno != EBUSY ? -1 : 0;
}

static int call_coalesce(int fd, void *memory)
{
    (void)memory;
    return coalesce(fd, 1, 0);
}

static int call_eventfd(int fd, void *memory)
{
    struct kvcpu_eventfd event = {.fd = -1};

    (void)memory;
    return ioctl(fd, KVCPU_IOC_EVENTFD, &event);
}

static int call_quota(int fd, void *memory)
{
    struct kvcpu_quota quota = {.slots_max = 8};

    (void)memory;
    return ioctl(fd, KVCPU_IOC_QUOTA, &quota);
}

static int call_buffer_add(int fd, void *memory)
{
    static uint8_t bytes[PAGE] __attribute__((aligned(PAGE)));
    struct kvcpu_buffer buffer = {.address = (uintptr_t)bytes, .length = PAGE, .id = 3};

    (void)memory;
    return ioctl(fd, KVCPU_IOC_BUFFER_ADD, &buffer);
}

static int call_buffer_remove(int fd, void *memory)
{
    (void)memory;
    return buffer_remove(fd, 3);
}

static int call_wait(int fd, void *memory)
{
    struct kvcpu_wait wait = {
        .completions = (uintptr_t)memory, .capacity = memory ? 1 : 0, .min = memory ? 1 : 0};

    if (memory) {
        wait.until_ns = UINT64_MAX;
    }
    return ioctl(fd, KVCPU_IOC_WAIT, &wait);
}

static void *call_thread(void *argument)
{
    struct call *call = argument;

    call->thread = (int)syscall(SYS_gettid);
    call->error = code(call->act(call->fd, call->memory));
    return NULL;
}

/* Waits until a thread sleeps: it waits within its call. */
static void wait_until_asleep(struct call *call)
{
    char path[64], text[512];

    while (!call->thread) {
        usleep(1000);
    }
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", call->thread);
    for (int i = 0; i < PATIENCE_MS; i++) {
        const char *end;

        if (attribute_read(path, text, sizeof(text)) <= 0) {
            bail_out("%s", path);
        }
        end = strrchr(text, ')');
        if (end && (end[2] == 'S' || end[2] == 'D')) {
            return;
        }
        usleep(1000);
    }
    bail_out("the call does not wait");
}

/* `call` waits for `slow`, which waits for its memory. A signal comes meanwhile. */
static void test_restart(struct call *slow, struct call *call)
{
    pthread_t slow_thread, thread;
    int before = signals;

    slow->thread = call->thread = 0;
    slow->memory = slow_page();
    pthread_create(&slow_thread, NULL, call_thread, slow);
    slow_page_wait();
    pthread_create(&thread, NULL, call_thread, call);
    wait_until_asleep(call);
    pthread_kill(thread, SIGUSR1);
    while (signals == before) {
        usleep(1000);
    }
    slow_page_resolve(slow->memory);
    pthread_join(thread, NULL);
    pthread_join(slow_thread, NULL);
    close(fault_fd);
    munmap(slow->memory, PAGE);
    if (call->error || slow->error) {
        printf("# %s, and the call that it waited for: %s\n", strerror(call->error),
               strerror(slow->error));
    }
    ok(!call->error && !slow->error, "%s is restarted after a signal", call->name);
}

static void test_restarts(void)
{
    struct call calls[] = {
        {.name = "SUBMIT", .act = call_submit},     {.name = "SETUP", .act = call_setup},
        {.name = "RESTART", .act = call_restart},   {.name = "COALESCE", .act = call_coalesce},
        {.name = "EVENTFD", .act = call_eventfd},   {.name = "QUOTA", .act = call_quota},
        {.name = "BUFFER_ADD", .act = call_buffer_add},
        {.name = "BUFFER_REMOVE", .act = call_buffer_remove},
    };
    struct call slow = {.act = call_submit}, wait = {.name = "WAIT", .act = call_wait};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    int fd = open_device();
    uint64_t block;

    sigaction(SIGUSR1, &action, NULL);
    slow.fd = fd;
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        calls[i].fd = fd;
        test_restart(&slow, &calls[i]);
    }
    block = allocate(fd, 1);
    is(run_pin(fd, block, 1, LONG_NS, 1), KVCPU_SC_PENDING, "a PIN waits");
    slow.act = call_wait;
    wait.fd = fd;
    test_restart(&slow, &wait);
    close(fd);
}

/* -- Fatal signals ---------------------------------------------------------------------- */

/* Whether a process ends within some time after SIGKILL. */
static bool ends_by_kill(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    for (int i = 0; i < PATIENCE_MS; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            return true;
        }
        usleep(1000);
    }
    return false;
}

/* WAIT waits until the holds of an area that was unmapped are released. */
static void test_kill_in_wait(void)
{
    int fd = open_device();
    uint64_t block = allocate(fd, 1);
    volatile uint8_t *at = mmap(NULL, device.block_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                                (off_t)(block * device.block_size));
    pid_t pid;

    if (at == MAP_FAILED) {
        bail_out("mmap of the view");
    }
    *at = 1;
    attribute_write("clock_stop", "1");
    munmap((void *)at, device.block_size);
    /* The release has been sent, and does not end. */
    usleep(200000);
    pid = fork();
    if (pid == 0) {
        struct kvcpu_wait wait = {.until_ns = UINT64_MAX};

        _exit(ioctl(fd, KVCPU_IOC_WAIT, &wait) ? 1 : 0);
    }
    usleep(200000);
    ok(ends_by_kill(pid), "a fatal signal ends a WAIT for the release of holds");
    attribute_write("clock_stop", "0");
    is((uint64_t)wait_for(fd, NULL, 0, 0, 0), 0, "WAIT works once the device's clock runs");
    is(block_at(fd, block).holds, 0, "the hold was released then");
    close(fd);
}

int main(void)
{
    int fd = open_device();

    setvbuf(stdout, NULL, _IOLBF, 0);
    device = info_of(fd);
    close(fd);
    test_restarts();
    test_kill_in_wait();
    return tap_end();
}
