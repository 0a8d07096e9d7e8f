// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI function: probe, remove, reset; and the module.
 */
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/pci.h>

#include "kvcpu.h"

/**
 * DOC: lifetimes
 *
 * A struct kvcpu_device begins with probe. It is referenced by the binding and by each open file,
 * and freed with the last of them: an open file may outlive the binding, and the PCI function.
 * Then the device is *gone*: every ioctl fails with ENODEV, and whoever waited is woken.
 *
 * kvcpu_device.window is what keeps the two apart. Registers, the PCI function and DMA mappings are
 * used only by who holds it and has seen that the device is not gone; remove takes it once to say
 * that it is. What devres undoes after that (the interrupt first, BAR 0 last) nobody uses any more.
 *
 * An open file is at most one context of the device. Closing it has the device close the context;
 * the number is used again once the device has completed that, not before. A reset of the function
 * ends all contexts: their files are *lost* and fail with EIO until they are closed.
 *
 * The module cannot be unloaded while a file is open.
 */

/* A device may still have what its last user left: claims, hints, blocks, completions. */
static void kvcpu_reset_device(struct kvcpu_device *kd)
{
	kvcpu_write(kd, KVCPU_REG_CONTROL, KVCPU_CONTROL_RESET);
}

static int kvcpu_check_id(struct pci_dev *pdev, u64 id)
{
	u64 major = (id >> 16) & 0xffff;

	if (id >> 32 != KVCPU_ID_MAGIC)
		return dev_err_probe(&pdev->dev, -ENODEV, "no KV-CPU: register ID is %#llx\n", id);
	if (major != KVCPU_REVISION_MAJOR)
		return dev_err_probe(&pdev->dev, -ENODEV,
				     "device has major revision %llu, this driver knows %d\n",
				     major, KVCPU_REVISION_MAJOR);
	return 0;
}

static int kvcpu_read_geometry(struct kvcpu_device *kd)
{
	struct device *dev = &kd->pdev->dev;
	u64 contexts = kvcpu_read(kd, KVCPU_REG_CONTEXTS);
	u64 caps = kvcpu_read(kd, KVCPU_REG_CAPS);
	u64 needed = KVCPU_CAP_REFERENCE_HINTS | KVCPU_CAP_COMMAND_WINDOW;

	kd->block_size = kvcpu_read(kd, KVCPU_REG_BLOCK_SIZE);
	kd->blocks = kvcpu_read(kd, KVCPU_REG_BLOCKS);
	kd->fast_slots = kvcpu_read(kd, KVCPU_REG_FAST_SLOTS);
	kd->policies = kvcpu_read(kd, KVCPU_REG_POLICIES);
	if ((caps & needed) != needed)
		return dev_err_probe(dev, -ENODEV, "CAPS %#llx lacks %#llx\n", caps, needed);
	if (!is_power_of_2(kd->block_size) || kd->block_size < KVCPU_BLOCK_SIZE_MIN ||
	    kd->block_size > KVCPU_BLOCK_SIZE_MAX)
		return dev_err_probe(dev, -ENODEV, "BLOCK_SIZE is %llu\n", kd->block_size);
	if (!kd->blocks || kd->blocks > KVCPU_BLOCKS_MAX)
		return dev_err_probe(dev, -ENODEV, "BLOCKS is %llu\n", kd->blocks);
	if (!contexts || contexts > KVCPU_CONTEXTS_MAX)
		return dev_err_probe(dev, -ENODEV, "CONTEXTS is %llu\n", contexts);
	kd->contexts = contexts;
	kd->pins_max = KVCPU_PENDING_MAX - (kd->contexts - 1);
	return 0;
}

static int kvcpu_map(struct pci_dev *pdev, void __iomem **regs)
{
	resource_size_t length;
	int err;

	err = pcim_enable_device(pdev);
	if (err)
		return dev_err_probe(&pdev->dev, err, "cannot enable the function\n");
	length = pci_resource_len(pdev, KVCPU_BAR_REGISTERS);
	if (length < KVCPU_BAR0_SIZE)
		return dev_err_probe(&pdev->dev, -ENODEV, "BAR 0 has %pa bytes, not %#x\n",
				     &length, KVCPU_BAR0_SIZE);
	err = pcim_iomap_regions(pdev, BIT(KVCPU_BAR_REGISTERS), KBUILD_MODNAME);
	if (err)
		return dev_err_probe(&pdev->dev, err, "cannot map BAR 0\n");
	*regs = pcim_iomap_table(pdev)[KVCPU_BAR_REGISTERS];
	return kvcpu_check_id(pdev, readq(*regs + KVCPU_REG_ID));
}

static int kvcpu_set_up(struct kvcpu_device *kd)
{
	struct pci_dev *pdev = kd->pdev;
	int err;

	err = kvcpu_read_geometry(kd);
	if (err)
		return err;
	err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (err)
		return dev_err_probe(&pdev->dev, err, "no 64-bit DMA\n");
	/* Reset first: what it did for its last user must not reach our memory. */
	kvcpu_reset_device(kd);
	kvcpu_tuning_default(kd);
	pci_set_master(pdev);

	err = kvcpu_requests_init(kd);
	if (err)
		return err;
	err = pci_alloc_irq_vectors(pdev, KVCPU_MSIX_VECTORS, KVCPU_MSIX_VECTORS, PCI_IRQ_MSIX);
	if (err < 0)
		return dev_err_probe(&pdev->dev, err, "no MSI-X vector\n");
	return devm_request_irq(&pdev->dev, pci_irq_vector(pdev, KVCPU_VECTOR_COMPLETION),
				kvcpu_interrupt, 0, KBUILD_MODNAME, kd);
}

static int kvcpu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct kvcpu_device *kd;
	void __iomem *regs;
	int err;

	err = kvcpu_map(pdev, &regs);
	if (err)
		return err;
	kd = kvcpu_device_alloc(pdev);
	if (IS_ERR(kd))
		return PTR_ERR(kd);
	kd->regs = regs;
	err = kvcpu_set_up(kd);
	if (err)
		return err;
	pci_set_drvdata(pdev, kd);
	err = kvcpu_chardev_add(kd);
	if (err)
		return dev_err_probe(&pdev->dev, err, "cannot add the char device\n");
	dev_info(&pdev->dev, "%s: %llu blocks of %llu bytes, %llu of them fast, %u contexts\n",
		 dev_name(&kd->dev), kd->blocks, kd->block_size, kd->fast_slots, kd->contexts);
	return 0;
}

static void kvcpu_remove(struct pci_dev *pdev)
{
	struct kvcpu_device *kd = pci_get_drvdata(pdev);

	/* Not under the window: it waits for attributes in use, and those take it. */
	cdev_device_del(&kd->cdev, &kd->dev);

	mutex_lock(&kd->window);
	/* Nobody reads after this what the files that are still open wrote: it scrubs. */
	kvcpu_reset_device(kd);
	spin_lock_irq(&kd->lock);
	WRITE_ONCE(kd->gone, true);
	spin_unlock_irq(&kd->lock);
	mutex_unlock(&kd->window);
	kvcpu_wake_all(kd);
}

/* -- Reset of the function (FLR, secondary bus) ---------------------------- */

static void kvcpu_reset_prepare(struct pci_dev *pdev)
{
	struct kvcpu_device *kd = pci_get_drvdata(pdev);

	/* Held until kvcpu_reset_done(): the PCI core calls both, in one task. */
	mutex_lock(&kd->window);
	disable_irq(pci_irq_vector(pdev, KVCPU_VECTOR_COMPLETION));
	kvcpu_context_reset(kd);
}

static void kvcpu_reset_done(struct pci_dev *pdev)
{
	struct kvcpu_device *kd = pci_get_drvdata(pdev);

	kvcpu_tuning_restore(kd);
	enable_irq(pci_irq_vector(pdev, KVCPU_VECTOR_COMPLETION));
	mutex_unlock(&kd->window);
}

static const struct pci_error_handlers kvcpu_error_handlers = {
	.reset_prepare = kvcpu_reset_prepare,
	.reset_done = kvcpu_reset_done,
};

/* -- Module ---------------------------------------------------------------- */

static const struct pci_device_id kvcpu_ids[] = {
	{ PCI_DEVICE(KVCPU_PCI_VENDOR_ID, KVCPU_PCI_DEVICE_ID) },
	{ }
};
MODULE_DEVICE_TABLE(pci, kvcpu_ids);

static struct pci_driver kvcpu_driver = {
	.name = KBUILD_MODNAME,
	.id_table = kvcpu_ids,
	.probe = kvcpu_probe,
	.remove = kvcpu_remove,
	.err_handler = &kvcpu_error_handlers,
};

static int __init kvcpu_init(void)
{
	int err = kvcpu_chardev_init();

	if (err)
		return err;
	err = pci_register_driver(&kvcpu_driver);
	if (err)
		kvcpu_chardev_exit();
	return err;
}
module_init(kvcpu_init);

static void __exit kvcpu_exit(void)
{
	pci_unregister_driver(&kvcpu_driver);
	kvcpu_chardev_exit();
}
module_exit(kvcpu_exit);

MODULE_DESCRIPTION("KV-CPU: a KV-cache device");
MODULE_LICENSE("GPL");
