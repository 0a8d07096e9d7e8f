// SPDX-License-Identifier: MIT
/*
 * Kills processes with PINs, holds, moves and buffers in progress, and checks that all their
 * resources are freed. Usage: vm_kill [PROCESSES]. Needs CAP_SYS_ADMIN. TAP.
 */
#include "vm_storm.h"

#define AT_ONCE 3
#define LONGEST_US 30000

static struct kvcpu_info device;

static void kill_some(uint64_t count)
{
    uint64_t random = 77, started = 0, killed = 0, odd = 0;
    pid_t pids[AT_ONCE];
    int status;

    while (killed < count) {
        for (; started < count && started - killed < AT_ONCE; ++started) {
            pid_t pid = fork();

            if (pid == 0) {
                storm_until_killed(started + 1, device.block_size);
            }
            pids[started % AT_ONCE] = pid;
        }
        usleep((useconds_t)(next_random(&random) % LONGEST_US));
        kill(pids[killed % AT_ONCE], SIGKILL);
        waitpid(pids[killed % AT_ONCE], &status, 0);
        odd += !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL;
        ++killed;
    }
    is(odd, 0, "every process lived until it was killed");
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : 20;
    uint64_t acquired = vmstat("nr_foll_pin_acquired"), pinned = pinned_pages();
    int fd = open_device();

    device = info_of(fd);
    kill_some(count);
    wait_until_free(fd, device.blocks);
    is(info_of(fd).blocks_free, device.blocks, "every block is free");
    printf("# %llu pins, %llu fetches, %llu holds, %llu revokes, %llu pages pinned\n",
           (unsigned long long)counter(fd, KVCPU_CNT_PINS),
           (unsigned long long)counter(fd, KVCPU_CNT_FETCHES_DEMAND),
           (unsigned long long)counter(fd, KVCPU_CNT_HOLDS),
           (unsigned long long)counter(fd, KVCPU_CNT_REVOKES),
           (unsigned long long)(vmstat("nr_foll_pin_acquired") - acquired));
    ok(vmstat("nr_foll_pin_acquired") > acquired, "pages were pinned");
    is(pinned_pages(), pinned, "and all are unpinned");
    test_contexts(device.contexts - 1);
    close(fd);
    return tap_end();
}
