// SPDX-License-Identifier: MIT
/*
 * The device is unplugged and plugged in again, under load. The host does both when it reads "#
 * unplug" and "# plug" in the output: run_program.py. TAP.
 */
#include "vm_load.h"

#include <poll.h>

#define ROUNDS 3
#define PATIENCE_MS 120000

static void say(const char *what)
{
    printf("# %s\n", what);
    fflush(stdout);
}

/* Returns whether the node appears (0) or disappears (ENOENT) in time. */
static bool becomes(int wanted)
{
    for (int i = 0; i < PATIENCE_MS; i++) {
        if (code(access(DEVICE, F_OK)) == wanted) {
            return true;
        }
        usleep(1000);
    }
    return false;
}

int main(void)
{
    struct pollfd poll_fd;
    struct kvcpu_info info;

    start_load();
    for (int round = 0; round < ROUNDS; round++) {
        int fd = open_device();

        let_work();
        say("unplug");
        ok(becomes(ENOENT), "the node is gone");
        poll_fd = (struct pollfd){.fd = fd};
        is((uint64_t)poll(&poll_fd, 1, PATIENCE_MS), 1, "poll says that the device is gone");
        fails(ioctl(fd, KVCPU_IOC_INFO, &info), ENODEV, "a file that is still open");
        say("plug");
        ok(becomes(0), "it is there again");
        fails(ioctl(fd, KVCPU_IOC_INFO, &info), ENODEV, "the old file stays dead");
        close(fd);
    }
    let_work();
    stop_load();
    verdict("blocks keep their bytes between plugs");
    return tap_end();
}
