// SPDX-License-Identifier: MIT
/*
 * Resets the bus of a PCI function with all functions on it, as a driver of another device may do;
 * or has their drivers recover from a fatal error of the bus, as the AER driver does.
 */
#include <linux/module.h>
#include <linux/pci.h>

static char *function;
module_param(function, charp, 0);
MODULE_PARM_DESC(function, "domain:bus:device.function");

static bool recover;
module_param(recover, bool, 0);
MODULE_PARM_DESC(recover, "recover from a fatal error");

static const struct pci_error_handlers *handlers_of(struct pci_dev *pdev)
{
	return to_pci_driver(pdev->dev.driver)->err_handler;
}

static int recover_bus(struct pci_bus *bus)
{
	struct pci_dev *pdev;
	int failed = 0;

	list_for_each_entry(pdev, &bus->devices, bus_list)
		failed |= handlers_of(pdev)->error_detected(pdev, pci_channel_io_frozen) !=
			  PCI_ERS_RESULT_NEED_RESET;
	failed |= pci_bridge_secondary_bus_reset(bus->self) != 0;
	list_for_each_entry(pdev, &bus->devices, bus_list)
		failed |= handlers_of(pdev)->slot_reset(pdev) != PCI_ERS_RESULT_RECOVERED;
	list_for_each_entry(pdev, &bus->devices, bus_list)
		handlers_of(pdev)->resume(pdev);
	return failed ? -EIO : 0;
}

static int __init bus_init(void)
{
	struct device *dev = bus_find_device_by_name(&pci_bus_type, NULL, function);
	int err;

	if (!dev)
		return -ENODEV;
	err = recover ? recover_bus(to_pci_dev(dev)->bus) : pci_reset_bus(to_pci_dev(dev));
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
