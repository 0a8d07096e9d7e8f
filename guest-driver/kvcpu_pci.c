// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI function: probe, remove and reset. The module.
 */
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm.h>

#include "kvcpu.h"
#include "kvcpu_chardev.h"
#include "kvcpu_completion.h"
#include "kvcpu_context.h"
#include "kvcpu_fault.h"
#include "kvcpu_interrupts.h"
#include "kvcpu_mmap.h"
#include "kvcpu_queues.h"
#include "kvcpu_reference.h"
#include "kvcpu_rings.h"
#include "kvcpu_window.h"

/**
 * DOC: lifetimes
 *
 * Probe creates a struct kvcpu_device. The binding and each open file hold a reference to it, and
 * the last reference frees it: an open file may outlive the binding and the PCI function. The
 * device is *gone* then: every ioctl fails with ENODEV, and every waiting thread is woken.
 *
 * Two locks separate use and removal. Registers and the PCI function are used only with
 * kvcpu_device.window held, after a check that the device is not gone; remove takes this lock to
 * mark the device gone. Memory that is mapped for longer than a command (rings, buffers, residency
 * maps) is made, used and freed with kvcpu_device.binding held for reading; remove holds this lock
 * for writing while it frees the memory. devres frees the interrupts before that and BAR 0 last,
 * and no thread uses them any more.
 *
 * Removal always has the same order. First, page-table entries of processes are removed, so that no
 * process writes to a doorbell or to a tier. Second, the device is notified or reset, so that it no
 * longer accesses memory of the driver. Third, memory is unmapped for DMA, unpinned and freed. If
 * the device does not confirm the second step, the third step is skipped: the memory is not freed.
 *
 * A probe that fails undoes its steps in the same order, by devres: interrupts, the use of the
 * device (kvcpu_end()), memory, mappings of BARs.
 *
 * An open file has at most one context of the device. Closing the file makes the device close the
 * context. The number of the context is reused after the device has completed the CLOSE. A reset of
 * the function ends all contexts: their files are *lost*, and their calls fail with EIO until they
 * are closed.
 *
 * The module cannot be unloaded while a file is open.
 */

/* Discards the state of earlier use: claims, hints, blocks, completions. */
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

/* Returns the features that the driver offers for a device with these capabilities. */
static u64 kvcpu_features(u64 caps)
{
	u64 features = KVCPU_FEATURE_SUBMIT | KVCPU_FEATURE_INSPECT | KVCPU_FEATURE_ADVICE;

	if (caps & KVCPU_CAP_HISTORY)
		features |= KVCPU_FEATURE_HISTORY;
	/* A page that has the doorbells of two contexts cannot be mapped by a process. */
	if (!IS_ALIGNED(KVCPU_DOORBELL_STRIDE, PAGE_SIZE) || !(caps & KVCPU_CAP_RINGS))
		return features;
	features |= KVCPU_FEATURE_RINGS | KVCPU_FEATURE_BUFFERS;
	if (caps & KVCPU_CAP_RESIDENCY)
		features |= KVCPU_FEATURE_RESIDENCY;
	if (caps & KVCPU_CAP_HOLDS && caps & KVCPU_CAP_EVENT_QUEUE)
		features |= KVCPU_FEATURE_VIEW;
	if (caps & KVCPU_CAP_QUOTAS)
		features |= KVCPU_FEATURE_QUOTAS;
	return features;
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
	kd->caps = caps;
	kd->features = kvcpu_features(caps);
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

/* Reserves the BAR of a tier. Page tables of processes use the same memory type as this mapping. */
static int kvcpu_reserve(struct pci_dev *pdev, int bar, u64 bytes, resource_size_t *start)
{
	resource_size_t length = pci_resource_len(pdev, bar);
	int err;

	if (length < bytes)
		return dev_err_probe(&pdev->dev, -ENODEV, "BAR %d has %pa bytes, not %llu\n", bar,
				     &length, bytes);
	err = pci_request_region(pdev, bar, KBUILD_MODNAME);
	if (err)
		return dev_err_probe(&pdev->dev, err, "BAR %d is in use\n", bar);
	*start = pci_resource_start(pdev, bar);
	if (!devm_ioremap_wc(&pdev->dev, *start, length))
		return dev_err_probe(&pdev->dev, -ENOMEM, "cannot map BAR %d\n", bar);
	return 0;
}

static int kvcpu_reserve_all(struct kvcpu_device *kd)
{
	struct pci_dev *pdev = kd->pdev;
	int err;

	kd->bars.doorbells = pci_resource_start(pdev, KVCPU_BAR_REGISTERS) + KVCPU_DOORBELL_BASE;
	if (!(kd->features & KVCPU_FEATURE_VIEW))
		return 0;
	err = kvcpu_reserve(pdev, KVCPU_BAR_FAST, kd->fast_slots * kd->block_size,
			    &kd->bars.fast);
	if (err)
		return err;
	return kvcpu_reserve(pdev, KVCPU_BAR_SLOW, kd->blocks * kd->block_size, &kd->bars.slow);
}

/* Removes the page-table entries of all files with a context, and prevents new contexts. */
static void kvcpu_unmap_files(struct kvcpu_device *kd)
{
	struct kvcpu_file *file;

	spin_lock_irq(&kd->lock);
	kd->resetting = true;
	spin_unlock_irq(&kd->lock);
	/* The list changes only with the binding held, and the caller holds it for writing. */
	list_for_each_entry(file, &kd->files, node) {
		if (file->context)
			kvcpu_unmap_all(file);
	}
}

/*
 * Ends the use of a device: after removal, and after a probe that fails at any later point. devres
 * calls the function after it has freed the interrupts, and before it frees memory that the device
 * accesses. After a failed probe a file may be open: the character device exists before its node.
 */
static void kvcpu_end(void *data)
{
	struct kvcpu_device *kd = data;
	struct kvcpu_file *file;

	down_write(&kd->binding);
	kvcpu_unmap_files(kd);
	mutex_lock(&kd->window);
	/* The reset scrubs the blocks of files that are still open. */
	kvcpu_reset_device(kd);
	/* Prevents access to memory even if the reset had no effect. */
	pci_clear_master(kd->pdev);
	kvcpu_queues_disable(kd);
	spin_lock_irq(&kd->lock);
	WRITE_ONCE(kd->gone, true);
	spin_unlock_irq(&kd->lock);
	mutex_unlock(&kd->window);
	kvcpu_wake_all(kd);
	list_for_each_entry(file, &kd->files, node)
		kvcpu_rings_free(file);
	up_write(&kd->binding);
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
	/* A buffer is a table of pages, so a segment may have any length. */
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	/* Only mappings that may be bounced have a limit. Rings leave no moment to copy them. */
	if (kd->features & KVCPU_FEATURE_BUFFERS && dma_max_mapping_size(&pdev->dev) != SIZE_MAX) {
		dev_info(&pdev->dev, "no registered buffers: memory is bounced for DMA\n");
		kd->features &= ~KVCPU_FEATURE_BUFFERS;
	}
	err = kvcpu_reserve_all(kd);
	if (err)
		return err;
	/* Reset before bus mastering: earlier work of the device must not access memory. */
	kvcpu_reset_device(kd);
	kvcpu_tuning_default(kd);

	err = kvcpu_requests_init(kd);
	if (!err && kd->features & KVCPU_FEATURE_RINGS)
		err = kvcpu_queues_alloc(kd);
	if (!err)
		err = devm_add_action(&pdev->dev, kvcpu_end, kd);
	if (err)
		return err;
	pci_set_master(pdev);
	err = kvcpu_interrupts_init(kd);
	if (err)
		return err;
	err = kvcpu_queues_enable(kd);
	if (err)
		return dev_err_probe(&pdev->dev, err, "the device does not enable its queues\n");
	/* What is restored after an error of the bus. */
	pci_save_state(pdev);
	return 0;
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

	/* Waits for attributes in use. devres calls kvcpu_end() next. */
	cdev_device_del(&kd->cdev, &kd->dev);
}

/* -- Pause: reset of the function (FLR, secondary bus), sleep of the machine ------ */

/*
 * Takes the device from its users. At return every context has ended, the device accesses no
 * memory, and calls that need the device wait. No lock is held then: another device of the bus is
 * paused next, or a different task continues.
 */
static void kvcpu_pause(struct kvcpu_device *kd)
{
	/* A reset may follow an error of the bus that was not recovered from. */
	if (kd->paused)
		return;
	down_write(&kd->binding);
	kvcpu_unmap_files(kd);
	mutex_lock(&kd->window);
	WRITE_ONCE(kd->paused, true);
	kvcpu_interrupts_off(kd);
	/* Memory of contexts may be freed from here on, before the function is reset. */
	pci_clear_master(kd->pdev);
	kvcpu_queues_disable(kd);
	kvcpu_context_reset(kd);
	mutex_unlock(&kd->window);
	up_write(&kd->binding);
	dev_dbg(&kd->pdev->dev, "paused: all contexts have ended\n");
}

/* Makes a paused device usable after it was reset. */
static void kvcpu_continue(struct kvcpu_device *kd)
{
	/* Not the binding: a thread that holds it may wait for the window. */
	mutex_lock(&kd->window);
	kvcpu_tuning_restore(kd);
	pci_set_master(kd->pdev);
	/* Each use of the saved state ends its validity. The next error of the bus needs it. */
	pci_save_state(kd->pdev);
	if (kvcpu_queues_enable(kd))
		dev_err(&kd->pdev->dev, "the device does not enable its queues\n");
	kvcpu_interrupts_on(kd);
	spin_lock_irq(&kd->lock);
	kd->resetting = false;
	spin_unlock_irq(&kd->lock);
	WRITE_ONCE(kd->paused, false);
	mutex_unlock(&kd->window);
	wake_up_all(&kd->context_wait);
	dev_dbg(&kd->pdev->dev, "in use again\n");
}

static void kvcpu_reset_prepare(struct pci_dev *pdev)
{
	kvcpu_pause(pci_get_drvdata(pdev));
}

static void kvcpu_reset_done(struct pci_dev *pdev)
{
	kvcpu_continue(pci_get_drvdata(pdev));
}

/*
 * The machine is about to sleep: suspend to RAM, to idle, or hibernation. A sleep may cost the
 * function its state, and the next owner of a block must not find old mappings of it. So files lose
 * what they lose in a reset of the function.
 */
static int kvcpu_suspend(struct device *dev)
{
	struct kvcpu_device *kd = dev_get_drvdata(dev);

	kvcpu_pause(kd);
	/* A reset of the function keeps it, and a loss of power does not. */
	kd->tuning.policy = kvcpu_read(kd, KVCPU_REG_POLICY);
	return 0;
}

static int kvcpu_wake_up(struct device *dev)
{
	struct kvcpu_device *kd = dev_get_drvdata(dev);

	/* Suspend to idle leaves the function its contexts. Nothing else uses a paused device. */
	kvcpu_reset_device(kd);
	kvcpu_write(kd, KVCPU_REG_POLICY, kd->tuning.policy);
	kvcpu_continue(kd);
	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(kvcpu_pm_ops, kvcpu_suspend, kvcpu_wake_up);

/* -- Errors of the bus -------------------------------------------------------- */

/*
 * An error that the bus reports as uncorrectable may have cost any access of the device or of the
 * driver. So the state of the device is not trusted, also where the bus still works, and the files
 * lose what they lose in a reset of the function.
 */
static pci_ers_result_t kvcpu_error_detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	struct kvcpu_device *kd = pci_get_drvdata(pdev);

	dev_dbg(&pdev->dev, "error of the bus, channel state %u\n", state);
	if (state == pci_channel_io_perm_failure) {
		kvcpu_end(kd);
		return PCI_ERS_RESULT_DISCONNECT;
	}
	kvcpu_pause(kd);
	return PCI_ERS_RESULT_NEED_RESET;
}

/* The link was reset, or after an error that is not fatal nothing was. */
static pci_ers_result_t kvcpu_slot_reset(struct pci_dev *pdev)
{
	struct kvcpu_device *kd = pci_get_drvdata(pdev);

	pci_restore_state(pdev);
	if (kvcpu_check_id(pdev, kvcpu_read(kd, KVCPU_REG_ID)))
		return PCI_ERS_RESULT_DISCONNECT;
	kvcpu_reset_device(kd);
	return PCI_ERS_RESULT_RECOVERED;
}

static void kvcpu_error_resume(struct pci_dev *pdev)
{
	kvcpu_continue(pci_get_drvdata(pdev));
}

static const struct pci_error_handlers kvcpu_error_handlers = {
	.error_detected = kvcpu_error_detected,
	.slot_reset = kvcpu_slot_reset,
	.resume = kvcpu_error_resume,
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
	.driver.pm = pm_sleep_ptr(&kvcpu_pm_ops),
};

static int __init kvcpu_init(void)
{
	int err = kvcpu_chardev_init();

	if (err)
		return err;
	kvcpu_fault_init();
	err = pci_register_driver(&kvcpu_driver);
	if (err) {
		kvcpu_fault_exit();
		kvcpu_chardev_exit();
	}
	return err;
}
module_init(kvcpu_init);

static void __exit kvcpu_exit(void)
{
	pci_unregister_driver(&kvcpu_driver);
	kvcpu_fault_exit();
	kvcpu_chardev_exit();
}
module_exit(kvcpu_exit);

MODULE_DESCRIPTION("KV-CPU: a KV-cache device");
MODULE_LICENSE("GPL");
