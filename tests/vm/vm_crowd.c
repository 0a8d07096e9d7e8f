// SPDX-License-Identifier: MIT
/*
 * What others do does not delay an interrupt: the time of a round trip by interrupt does not grow
 * with the number of open files. Usage: vm_crowd [FILES]. Runs as root. TAP.
 */
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>

#include "vm_ring.h"

#define ROUNDS 301
/* A bound of the growth. A handler that visits every file takes many times as long. */
#define GROWTH_MAX 3

static uint64_t now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND_NS + (uint64_t)time.tv_nsec;
}

static int by_value(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return a < b ? -1 : a > b;
}

/* Median time of raising an interrupt by hand: COALESCE with a completion that was not consumed. */
static uint64_t interrupt_ns(struct ring *ring, int event)
{
    static uint64_t times[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t start = now_ns(), count;

        if (coalesce(ring->fd, 1, 0) || read(event, &count, sizeof(count)) != sizeof(count)) {
            bail_out("no interrupt");
        }
        times[i] = now_ns() - start;
        coalesce(ring->fd, 0, 0);
    }
    qsort(times, ROUNDS, sizeof(*times), by_value);
    return times[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    rlim_t files = argc > 1 ? (rlim_t)atoi(argv[1]) : 20000;
    struct rlimit limit = {.rlim_cur = files + 100, .rlim_max = files + 100};
    struct kvcpu_eventfd event = {.fd = eventfd(0, EFD_CLOEXEC)};
    struct entry step = {.tag = 1,
                         .control = KVCPU_OP_STEP |
                                    (uint64_t)KVCPU_F_COMPLETE << KVCPU_CTL_FLAGS_SHIFT};
    int fd = open_device();
    struct ring ring = ring_open(fd, 16, 16, 0);
    uint64_t alone, crowded;

    if (setrlimit(RLIMIT_NOFILE, &limit) || ioctl(fd, KVCPU_IOC_EVENTFD, &event)) {
        bail_out("set-up");
    }
    /* A completion that is not consumed. */
    ring_put(&ring, &step);
    ring_advance_tail(&ring);
    alone = interrupt_ns(&ring, event.fd);
    for (rlim_t i = 0; i < files; i++) {
        open_device();
    }
    crowded = interrupt_ns(&ring, event.fd);
    printf("# an interrupt takes %llu ns with one open file, and %llu ns with %llu\n",
           (unsigned long long)alone, (unsigned long long)crowded,
           (unsigned long long)files + 1);
    ok(crowded < GROWTH_MAX * alone, "an interrupt takes as long with many open files");
    return tap_end();
}
