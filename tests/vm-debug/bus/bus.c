// SPDX-License-Identifier: GPL-2.0
/*
 * Resets the bus of a PCI function with all functions on it, as a driver of another device may do.
 */
#include <linux/module.h>
#include <linux/pci.h>

static char *function;
module_param(function, charp, 0);
MODULE_PARM_DESC(function, "domain:bus:device.function");

static int __init bus_init(void)
{
	struct device *dev = bus_find_device_by_name(&pci_bus_type, NULL, function);
	int err;

	if (!dev)
		return -ENODEV;
	err = pci_reset_bus(to_pci_dev(dev));
	put_device(dev);
	return err;
}
module_init(bus_init);

static void __exit bus_exit(void)
{
}
module_exit(bus_exit);

MODULE_DESCRIPTION("Reset of a PCI bus for tests");
MODULE_LICENSE("GPL");
