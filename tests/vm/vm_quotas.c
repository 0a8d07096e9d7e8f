// SPDX-License-Identifier: MIT
/*
 * Quotas of processes: a minimum of slots that pressure of other contexts does not take away, a maximum that a context
 * does not exceed, and the permissions of both. Needs a device of few slots; runs as root. TAP.
 */
#include "vm_ring.h"

#include <sys/wait.h>

#define UNPRIVILEGED_ID 65534
#define KEPT 16U
#define MOST 8U
/* Rounds of pressure until a context is at its minimum. An idle host needs one. */
#define ROUNDS_MAX 100
/* Rounds of pressure that must not take a slot of the minimum. */
#define ROUNDS_MORE 3

static struct kvcpu_info device;

static int quota(int fd, uint32_t slots_min, uint32_t slots_max)
{
    struct kvcpu_quota request = {.slots_min = slots_min, .slots_max = slots_max};

    return ioctl(fd, KVCPU_IOC_QUOTA, &request);
}

/* Opens a file with rings: QUOTA needs them. */
static int open_context(void)
{
    struct kvcpu_setup setup = {.sq_entries = 2, .cq_entries = 2};
    int fd = open_device();

    if (ioctl(fd, KVCPU_IOC_SETUP, &setup)) {
        bail_out("KVCPU_IOC_SETUP: %s", strerror(errno));
    }
    return fd;
}

/* Uses blocks one after the other: each gets a slot, and another block may be evicted for it. */
static void use(int fd, uint64_t first, uint64_t count)
{
    for (uint64_t block = first; block < first + count; block++) {
        if (pin_and_wait(fd, block, 1, LONG_NS) != KVCPU_SC_SUCCESS ||
            run_range(fd, KVCPU_OP_UNPIN, block, 1, 0) != KVCPU_SC_SUCCESS) {
            bail_out("cannot use block %llu", (unsigned long long)block);
        }
    }
}

static uint64_t fast_of(int fd, uint64_t first, uint64_t count)
{
    uint64_t found = 0;

    for (uint64_t block = first; block < first + count; block++) {
        found += is_fast(fd, block);
    }
    return found;
}

static void test_refused(void)
{
    int fd = open_device(), other;

    fails(quota(fd, 0, 1), ENXIO, "QUOTA without rings");
    close(fd);
    fd = open_context();
    other = open_context();
    is(info_of(fd).slots_min, 0, "at first there is no minimum");
    is(info_of(fd).slots_max, device.fast_slots, "and the maximum is all slots");
    fails(ioctl(fd, KVCPU_IOC_QUOTA, WILD), EFAULT, "a bad pointer");
    fails(quota(fd, 3, 2), EINVAL, "a minimum above the maximum");
    fails(quota(fd, (uint32_t)device.fast_slots + 1, 0), EINVAL, "a minimum of more slots than there are");
    fails(quota(fd, 0, (uint32_t)device.fast_slots + 1), EINVAL, "so large a maximum");
    fails(quota(fd, KEPT, 0), 0, "a minimum");
    is(info_of(fd).slots_min, KEPT, "INFO says it");
    fails(quota(other, (uint32_t)device.fast_slots - KEPT + 1, 0), ENOSPC, "minima of more slots than there are");
    close(fd);
    close(other);
}

/*
 * The blocks of one context that stay fast while another context uses many more blocks than there are slots. The
 * pressure goes on until the first context is at its minimum, and then for some more rounds.
 */
static uint64_t left_by_pressure(uint32_t minimum)
{
    int fd = open_context(), other = open_context();
    uint64_t pressure = device.fast_slots * 4;
    uint64_t first, others, left;

    /* Blocks of contexts that were closed before still use slots until they are scrubbed. */
    wait_until_free(fd, device.blocks);
    first = allocate(fd, KEPT);
    others = allocate(other, pressure);
    if (quota(fd, minimum, 0)) {
        bail_out("QUOTA: %s", strerror(errno));
    }
    use(fd, first, KEPT);
    for (int round = 0; round < ROUNDS_MAX && fast_of(fd, first, KEPT) > minimum; round++) {
        use(other, others, pressure);
    }
    for (int round = 0; round < ROUNDS_MORE; round++) {
        use(other, others, pressure);
    }
    left = fast_of(fd, first, KEPT);
    close(fd);
    close(other);
    return left;
}

static void test_minimum(void)
{
    is(left_by_pressure(0), 0, "without a minimum, pressure of another context takes all slots");
    is(left_by_pressure(KEPT), KEPT, "with a minimum it takes none");
    is(left_by_pressure(KEPT / 2), KEPT / 2, "and only those above a smaller minimum");
}

static void test_maximum(void)
{
    int fd = open_context();
    uint64_t first = allocate(fd, device.fast_slots), most = 0;
    uint64_t evictions = counter(fd, KVCPU_CNT_QUOTA_EVICTIONS);

    fails(quota(fd, 0, MOST), 0, "a maximum");
    is(info_of(fd).slots_max, MOST, "INFO says it");
    for (uint64_t i = 0; i < device.fast_slots; i++) {
        uint64_t now;

        use(fd, first + i, 1);
        now = fast_of(fd, first, device.fast_slots);
        most = now > most ? now : most;
    }
    is(most, MOST, "the largest number of fast blocks is the maximum");
    ok(counter(fd, KVCPU_CNT_QUOTA_EVICTIONS) > evictions, "QUOTA_EVICTIONS counts the evictions");
    is(pin_and_wait(fd, first, MOST, LONG_NS), KVCPU_SC_SUCCESS, "as many can be pinned");
    is(run_range(fd, KVCPU_OP_UNPIN, first, MOST, 0), KVCPU_SC_SUCCESS, "and unpinned");
    is(run_pin(fd, first, MOST + 1, LONG_NS, 1), KVCPU_SC_NO_SLOTS, "one more cannot");
    close(fd);
}

/* -- Permissions ------------------------------------------------------------- */

static void set_limits(const char *slots_min, const char *slots_max)
{
    if (attribute_write("slots_min_limit", slots_min) || attribute_write("slots_max_limit", slots_max)) {
        bail_out("slots_min_limit, slots_max_limit: %s", strerror(errno));
    }
}

/* The errno of a QUOTA in a process without privileges; `maximum` is the one that INFO returns then. */
static int quota_unprivileged(uint32_t slots_min, uint32_t slots_max, uint64_t *maximum)
{
    struct {
        int error;
        uint64_t maximum;
    } said = {.error = -1};
    int pipes[2];
    pid_t child;

    fflush(stdout);
    if (pipe(pipes) || (child = fork()) < 0) {
        bail_out("fork: %s", strerror(errno));
    }
    if (child == 0) {
        int fd = open_device();

        if (setgid(UNPRIVILEGED_ID) || setuid(UNPRIVILEGED_ID)) {
            _exit(1);
        }
        ioctl(fd, KVCPU_IOC_SETUP, &(struct kvcpu_setup){.sq_entries = 2, .cq_entries = 2});
        said.error = code(quota(fd, slots_min, slots_max));
        said.maximum = info_of(fd).slots_max;
        _exit(write(pipes[1], &said, sizeof(said)) == sizeof(said) ? 0 : 1);
    }
    close(pipes[1]);
    if (read(pipes[0], &said, sizeof(said)) != sizeof(said)) {
        said.error = -1;
    }
    close(pipes[0]);
    waitpid(child, NULL, 0);
    *maximum = said.maximum;
    return said.error;
}

static void test_permissions(void)
{
    uint64_t maximum;

    is((uint64_t)quota_unprivileged(1, 0, &maximum), EPERM, "a minimum needs a privilege");
    is((uint64_t)quota_unprivileged(0, 5, &maximum), 0, "a maximum does not");
    is(maximum, 5, "it is in force");
    set_limits("4", "10");
    is((uint64_t)quota_unprivileged(4, 0, &maximum), 0, "slots_min_limit allows that many without a privilege");
    is(maximum, 10, "slots_max_limit replaces no maximum");
    is((uint64_t)quota_unprivileged(5, 0, &maximum), EPERM, "more than slots_min_limit");
    is((uint64_t)quota_unprivileged(0, 11, &maximum), EPERM, "more than slots_max_limit");
    is(maximum, 10, "and the maximum stays as SETUP set it");
    set_limits("0", "0");
}

int main(void)
{
    int fd = open_device();

    device = info_of(fd);
    close(fd);
    test_refused();
    test_minimum();
    test_maximum();
    test_permissions();
    return tap_end();
}
