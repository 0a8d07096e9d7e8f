/* SPDX-License-Identifier: MIT */
/* The PCI function of a KV-CPU: the operations that sysfs offers to root. */
#ifndef KVCPU_VM_PCI_H
#define KVCPU_VM_PCI_H

#include "vm_test.h"

#include <limits.h>
#include <linux/pci_regs.h>
#include <sys/mman.h>

#define PCI_DRIVER "/sys/bus/pci/drivers/kvcpu/"

struct pci_function {
    char name[32]; /* domain:bus:device.function */
};

/* The function of /dev/kvcpuN. */
__attribute__((unused)) static struct pci_function pci_function_of(unsigned int node)
{
    char link[64], path[PATH_MAX];
    struct pci_function function;

    snprintf(link, sizeof(link), "/sys/class/kv_cpu/kvcpu%u/device", node);
    if (!realpath(link, path)) {
        bail_out("cannot resolve %s", link);
    }
    snprintf(function.name, sizeof(function.name), "%s", strrchr(path, '/') + 1);
    return function;
}

struct pci_path {
    char text[128];
};

static struct pci_path pci_path_of(const struct pci_function *function, const char *file)
{
    struct pci_path path;

    snprintf(path.text, sizeof(path.text), "/sys/bus/pci/devices/%s/%s", function->name, file);
    return path;
}

/* Opens a file of the function; -1 with errno. */
__attribute__((unused)) static int pci_open(const struct pci_function *function, const char *file)
{
    return open(pci_path_of(function, file).text, O_RDWR | O_CLOEXEC);
}

/* As attribute_write(). */
__attribute__((unused)) static int pci_write(const struct pci_function *function, const char *file, const char *text)
{
    return attribute_write(pci_path_of(function, file).text, text);
}

__attribute__((unused)) static int pci_reset(const struct pci_function *function)
{
    return pci_write(function, "reset", "1");
}

__attribute__((unused)) static int pci_bind(const struct pci_function *function)
{
    return attribute_write(PCI_DRIVER "bind", function->name);
}

__attribute__((unused)) static int pci_unbind(const struct pci_function *function)
{
    return attribute_write(PCI_DRIVER "unbind", function->name);
}

/* Whether the device accesses no memory: bus mastering and its queues are off. No driver is bound. */
__attribute__((unused)) static bool pci_is_quiet(const struct pci_function *function)
{
    volatile uint8_t *registers;
    uint16_t command = 0;
    uint64_t enabled;
    int fd = pci_open(function, "config");

    if (fd < 0 || pread(fd, &command, 2, PCI_COMMAND) != 2) {
        bail_out("cannot read the configuration space");
    }
    close(fd);
    fd = pci_open(function, "resource0");
    registers = mmap(NULL, KVCPU_BAR0_SIZE, PROT_READ, MAP_SHARED, fd, 0);
    if (registers == MAP_FAILED) {
        bail_out("cannot map the registers");
    }
    enabled = *(const volatile uint64_t *)(registers + KVCPU_REG_QUEUE_ENABLE);
    munmap((void *)registers, KVCPU_BAR0_SIZE);
    close(fd);
    if (command & PCI_COMMAND_MASTER || enabled) {
        printf("# COMMAND is %#x, QUEUE_ENABLE is %#llx\n", command, (unsigned long long)enabled);
    }
    return !(command & PCI_COMMAND_MASTER) && !enabled;
}

#endif /* KVCPU_VM_PCI_H */
