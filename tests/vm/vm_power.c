// SPDX-License-Identifier: MIT
/*
 * The machine sleeps. Afterwards the device is as after a reset of the function: no old mapping
 * shows a block, files get EIO, and new files work. Usage: vm_power METHOD..., of mem (suspend to
 * RAM), freeze (suspend to idle) and disk (hibernation). The last two need a kernel with PM_DEBUG:
 * its test of the devices' part wakes by itself. Runs as root, alone. TAP.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

#include "vm_ring.h"

#define POWER "/sys/power/"
#define ALARM "/sys/class/rtc/rtc0/wakealarm"
#define SECRET 0x5ec4e7ULL

static struct kvcpu_info device;
static sigjmp_buf fault_return;

static void on_bus(int number)
{
    siglongjmp(fault_return, number);
}

/* 0, or the signal that a load raises. */
static int probe(const volatile uint64_t *at, uint64_t *value)
{
    int number = sigsetjmp(fault_return, 1);

    if (number == 0) {
        *value = *at;
    }
    return number;
}

static int probe_store(volatile uint64_t *at)
{
    int number = sigsetjmp(fault_return, 1);

    if (number == 0) {
        *at = 1;
    }
    return number;
}

/* 0, or -1 with errno. */
static int sleep_by(const char *method)
{
    int result;

    if (!strcmp(method, "mem")) {
        attribute_write(POWER "mem_sleep", "deep");
        if (attribute_write(ALARM, "0") || attribute_write(ALARM, "+4")) {
            return -1;
        }
        return attribute_write(POWER "state", method);
    }
    attribute_write("/sys/module/suspend/parameters/pm_test_delay", "1");
    if (attribute_write(POWER "pm_test", "devices")) {
        return -1;
    }
    result = attribute_write(POWER "state", method);
    attribute_write(POWER "pm_test", "none");
    return result;
}

static void *wait_long(void *argument)
{
    int fd = *(int *)argument;
    struct kvcpu_wait wait = {.until_ns = info_of(fd).time_ns + 20 * SECOND_NS};

    return (void *)(intptr_t)code(ioctl(fd, KVCPU_IOC_WAIT, &wait));
}

/* The new owner of a block has it for itself. */
static void test_foreign(volatile uint64_t *block, uint64_t number)
{
    int fd = open_device(), other;
    uint64_t value = SECRET;

    is(allocate(fd, 1), number, "another file owns the block");
    run_copy(fd, KVCPU_OP_WRITE, number, &value, 0, sizeof(value));
    value = 0;
    is((uint64_t)probe(block, &value), SIGBUS, "the old mapping cannot read it");
    is((uint64_t)probe_store(block), SIGBUS, "nor write it");
    run_copy(fd, KVCPU_OP_READ, number, &value, 0, sizeof(value));
    is(value, SECRET, "the block has its owner's bytes");
    close(fd);
    other = open_device();
    wait_until_free(other, device.blocks);
    close(other);
}

/* Commands, interrupts, rings, buffers and the view. */
static void test_device_works(void)
{
    static uint64_t memory[512] __attribute__((aligned(4096)));
    int fd = open_device();
    struct ring ring = ring_open(fd, 16, 16, 1);
    uint64_t block = ring_alloc(&ring, 1), value = 0;
    struct kvcpu_buffer buffer = buffer_add(fd, memory, sizeof(memory));
    volatile uint64_t *view = map_region(fd, ring.setup.view, PROT_READ | PROT_WRITE);
    volatile uint64_t *at = view + block * device.block_size / 8;

    is(pin_and_wait(fd, block, 1, LONG_NS), KVCPU_SC_SUCCESS, "a PIN is completed");
    *at = 0x1234;
    is(ring_copy(&ring, KVCPU_OP_READ, block, buffer.id, 0, 8), KVCPU_SC_SUCCESS, "READ in a ring");
    is(memory[0], 0x1234, "a buffer gets the bytes that were stored in the view");
    run_copy(fd, KVCPU_OP_READ, block, &value, 0, sizeof(value));
    is(value, 0x1234, "SUBMIT reads them");
    ring_unmap(&ring);
    munmap((void *)view, ring.setup.view.bytes);
    close(fd);
}

static void test_sleep(const char *method)
{
    int fd = open_device(), idle = open_device();
    struct ring ring = ring_open(fd, 16, 16, 0);
    uint64_t number = ring_alloc(&ring, 1), value;
    volatile uint64_t *view = map_region(fd, ring.setup.view, PROT_READ | PROT_WRITE);
    volatile uint64_t *block = view + number * device.block_size / 8;
    struct kvcpu_command step = {.opcode = KVCPU_OP_STEP};
    char policy[64] = "";
    pthread_t waiter;
    void *result;

    printf("# %s\n", method);
    *block = 1;
    attribute_write("w_d", "77");
    attribute_write("policy", "arc");
    pthread_create(&waiter, NULL, wait_long, &fd);
    usleep(100000);
    if (sleep_by(method)) {
        bail_out("the machine does not sleep by %s", method);
    }
    ok(true, "the machine sleeps and wakes");
    pthread_join(waiter, &result);
    is((uint64_t)(intptr_t)result, EIO, "a WAIT in progress ends with EIO");
    is((uint64_t)probe(block, &value), SIGBUS, "the view: SIGBUS");
    is((uint64_t)probe(ring.sq, &value), SIGBUS, "the submission ring: SIGBUS");
    is((uint64_t)probe(ring.residency, &value), SIGBUS, "the residency map: SIGBUS");
    is((uint64_t)probe_store(&ring.doorbell[0]), SIGBUS, "the doorbell: SIGBUS");
    fails(submit(fd, &step, 1, 0, NULL), EIO, "SUBMIT of a file that had a context");
    fails(submit(idle, &step, 1, 0, NULL), 0, "SUBMIT of a file that had none");
    ok((polled(fd, POLLIN, 0) & POLLERR) != 0, "poll: POLLERR");
    is(attribute_number("w_d"), 77, "a weight is kept");
    attribute_read("policy", policy, sizeof(policy));
    ok(!strncmp(policy, "arc", 3), "the policy is kept");
    close(idle);
    test_foreign(block, number);
    ring_unmap(&ring);
    munmap((void *)view, ring.setup.view.bytes);
    close(fd);
    test_device_works();
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_bus};
    int fd = open_device();

    setvbuf(stdout, NULL, _IOLBF, 0);
    sigaction(SIGBUS, &action, NULL);
    device = info_of(fd);
    close(fd);
    for (int i = 1; i < argc; i++) {
        test_sleep(argv[i]);
    }
    return tap_end();
}
