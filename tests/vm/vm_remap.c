// SPDX-License-Identifier: MIT
/*
 * The BARs of one device are unmapped and mapped while another device's registers are read: each read returns the
 * value of the device that it addresses. A machine whose processors keep stale maps of the bus returns another value,
 * or crashes. Needs two devices and two processors; usage: vm_remap [ROUNDS]. Runs as root, alone. TAP.
 */
#include "vm_pci.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

static const volatile uint64_t *registers;
static atomic_ulong reads;
static atomic_ulong wrong;
static atomic_bool stop;

static void *read_id(void *argument)
{
    (void)argument;
    while (!stop) {
        if (registers[KVCPU_REG_ID / 8] != KVCPU_ID_VALUE) {
            ++wrong;
        }
        ++reads;
    }
    return NULL;
}

/* The driver must be unbound from this device. */
static void remap(const struct pci_function *function, int rounds)
{
    int fd = pci_open(function, "config");
    uint16_t on, off;

    if (fd < 0 || pread(fd, &on, 2, PCI_COMMAND) != 2) {
        bail_out("config of %s", function->name);
    }
    on = (uint16_t)(on | PCI_COMMAND_MEMORY);
    off = (uint16_t)(on & ~PCI_COMMAND_MEMORY);
    for (int i = 0; i < rounds; i++) {
        if (pwrite(fd, &off, 2, PCI_COMMAND) != 2 || pwrite(fd, &on, 2, PCI_COMMAND) != 2) {
            bail_out("the command register of %s", function->name);
        }
    }
    close(fd);
}

static void test_remap(unsigned int moving_node, unsigned int still_node, int rounds)
{
    struct pci_function moving = pci_function_of(moving_node), still = pci_function_of(still_node);
    int fd = pci_open(&still, "resource0");
    pthread_t reader;

    reads = wrong = 0;
    stop = false;
    fails(pci_unbind(&moving), 0, "one is unbound");
    registers = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    if (registers == MAP_FAILED || pthread_create(&reader, NULL, read_id, NULL)) {
        bail_out("registers of %s: %s", still.name, strerror(errno));
    }
    remap(&moving, rounds);
    stop = true;
    pthread_join(reader, NULL);
    ok(reads >= (unsigned long)rounds, "the other's ID was read %lu times while it went %d times", (unsigned long)reads,
       rounds);
    is(wrong, 0, "and was always its ID");
    munmap((void *)registers, 4096);
    close(fd);
    fails(pci_bind(&moving), 0, "it is bound again");
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 5000;

    /*
     * One device is behind the other in the machine's memory map, so the numbers of regions change.
     */
    test_remap(0, 1, rounds);
    test_remap(1, 0, rounds);
    return tap_end();
}
