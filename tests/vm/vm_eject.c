// SPDX-License-Identifier: MIT
/*
 * One CPU ejects the device by the ACPI hotplug port while other CPUs read its registers through a
 * memory map that they took before. QEMU continues, and the reads return the ID before the eject
 * and no register's value after it. Needs one device and two processors. Runs as root; the device
 * does not return. TAP.
 */
#include "vm_pci.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/io.h>
#include <sys/mman.h>

/* QEMU's ACPI PCI hotplug registers on the q35 machine: docs/specs/acpi_pci_hotplug.rst of QEMU. */
#define HOTPLUG_BASE 0xcc0
#define HOTPLUG_EJECT (HOTPLUG_BASE + 0x08)
#define HOTPLUG_BUS_SELECT (HOTPLUG_BASE + 0x10)
#define HOTPLUG_BUSES 4

#define READERS 2
#define READS_BEFORE 10000
#define PATIENCE_MS 120000

static const volatile uint64_t *registers;
static atomic_ulong reads;
static atomic_ulong reads_of_id;
static atomic_ulong other_values;
static atomic_bool stop;

/* All ones from a device that is unplugged; QEMU reads 0 where no device is. */
static bool is_of_no_device(uint64_t value)
{
    return value == UINT64_MAX || value == 0;
}

static void *read_id(void *argument)
{
    (void)argument;
    while (!stop) {
        uint64_t value = registers[KVCPU_REG_ID / 8];

        if (value == KVCPU_ID_VALUE) {
            ++reads_of_id;
        } else if (!is_of_no_device(value)) {
            ++other_values;
        }
        ++reads;
    }
    return NULL;
}

/* Waits for a number of further reads. */
static bool reads_go_on(unsigned long more)
{
    unsigned long wanted = reads + more;

    for (int i = 0; i < PATIENCE_MS; i++) {
        if (reads >= wanted) {
            return true;
        }
        usleep(1000);
    }
    return false;
}

/* Ejects slot 0 of each bus that has hotplug; only a root port's bus has a device there. */
static void eject(void)
{
    if (iopl(3)) {
        bail_out("iopl: %s", strerror(errno));
    }
    for (uint32_t bus = 0; bus < HOTPLUG_BUSES; bus++) {
        outl(bus, HOTPLUG_BUS_SELECT);
        outl(1, HOTPLUG_EJECT);
    }
}

int main(void)
{
    struct pci_function function = pci_function_of(0);
    pthread_t readers[READERS];
    uint16_t vendor = 0;
    int config, bar;

    fails(pci_unbind(&function), 0, "the driver lets go of the device");
    fails(pci_write(&function, "enable", "1"), 0, "it is enabled");
    config = pci_open(&function, "config");
    bar = pci_open(&function, "resource0");
    registers = mmap(NULL, 4096, PROT_READ, MAP_SHARED, bar, 0);
    if (config < 0 || registers == MAP_FAILED) {
        bail_out("registers of %s: %s", function.name, strerror(errno));
    }
    for (int i = 0; i < READERS; i++) {
        if (pthread_create(&readers[i], NULL, read_id, NULL)) {
            bail_out("a thread: %s", strerror(errno));
        }
    }
    ok(reads_go_on(READS_BEFORE), "its ID is read");
    eject();
    ok(reads_go_on(READS_BEFORE), "the reads go on after the eject");
    stop = true;
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
    }
    ok(reads_of_id >= READS_BEFORE, "%lu reads of %lu gave the ID", (unsigned long)reads_of_id,
       (unsigned long)reads);
    is(other_values, 0, "no other read gave a value of a device");
    ok(is_of_no_device(registers[KVCPU_REG_ID / 8]), "nor does a read now");
    is(pread(config, &vendor, 2, PCI_VENDOR_ID) == 2 ? vendor : 0, 0xffff,
       "the device is gone from its bus");
    return tap_end();
}
