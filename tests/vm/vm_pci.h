/* SPDX-License-Identifier: MIT */
/*
 * The PCI function of a KV-CPU: what sysfs lets root do to it.
 */
#ifndef KVCPU_VM_PCI_H
#define KVCPU_VM_PCI_H

#include "vm_test.h"

#include <limits.h>
#include <linux/pci_regs.h>

#define PCI_DRIVER "/sys/bus/pci/drivers/kvcpu/"

struct pci_function {
    char name[32]; /* domain:bus:device.function */
};

/* That of /dev/kvcpuN. */
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

/* A file of the function, opened; -1 with errno. */
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

#endif /* KVCPU_VM_PCI_H */
