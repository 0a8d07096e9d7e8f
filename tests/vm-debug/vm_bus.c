// SPDX-License-Identifier: MIT
/*
 * A reset of a bus with several KV-CPUs: each is reset, in whatever order, and no thread takes the
 * locks of one while it holds those of another. Usage: vm_bus MODULE. Runs as root, alone. TAP.
 */
#include <sys/syscall.h>

#include "vm_pci.h"
#include "vm_ring.h"

#define DEVICES 2
#define ROUNDS 5

static struct kvcpu_command step = {.opcode = KVCPU_OP_STEP};

/*
 * Loads the module, which resets the bus, or also has the drivers recover from an error of it, and
 * unloads it. 0, or -1 with errno.
 */
static int reset_bus(const char *module, bool recover)
{
    struct pci_function function = pci_function_of(0);
    char parameters[64];
    long result;
    int fd = open(module, O_RDONLY | O_CLOEXEC);

    snprintf(parameters, sizeof(parameters), "function=%s recover=%d", function.name, recover);
    result = syscall(SYS_finit_module, fd, parameters, 0);
    close(fd);
    return result ? -1 : (int)syscall(SYS_delete_module, "bus", 0);
}

static void test_bus(const char *module, bool recover)
{
    uint64_t failed = 0, kept = 0;
    struct ring rings[DEVICES];

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < DEVICES; i++) {
            char path[32];

            snprintf(path, sizeof(path), "/dev/kvcpu%d", i);
            rings[i] = ring_open(open_node(path), 16, 16, 0);
            is(pin_and_wait(rings[i].fd, ring_alloc(&rings[i], 1), 1, LONG_NS), KVCPU_SC_SUCCESS,
               "a PIN is completed");
        }
        failed += reset_bus(module, recover) != 0;
        for (int i = 0; i < DEVICES; i++) {
            kept += code(submit(rings[i].fd, &step, 1, 0, NULL)) != EIO;
            ring_unmap(&rings[i]);
            close(rings[i].fd);
        }
    }
    is(failed, 0, recover ? "the drivers recover from a fatal error" : "the bus is reset");
    is(kept, 0, "each file of each device has lost its context");
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        bail_out("usage: vm_bus MODULE");
    }
    test_bus(argv[1], false);
    test_bus(argv[1], true);
    return tap_end();
}
