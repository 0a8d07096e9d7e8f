// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/kvcpuN: open files, dispatch of ioctls, and the device structure.
 */
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "kvcpu.h"
#include "kvcpu_advice.h"
#include "kvcpu_chardev.h"
#include "kvcpu_context.h"
#include "kvcpu_fault.h"
#include "kvcpu_ioctl.h"
#include "kvcpu_mmap.h"
#include "kvcpu_reference.h"
#include "kvcpu_rings.h"
#include "kvcpu_view.h"
#include "kvcpu_window.h"

#define KVCPU_MINORS 256

static DEFINE_IDA(kvcpu_minors);
/* Device structures that exist. The module frees them, so it stays loaded while there is one. */
static atomic_t kvcpu_devices = ATOMIC_INIT(0);
static dev_t kvcpu_first;
/* The class has the name of the reference driver's class, so that programs find its attributes. */
static struct class kvcpu_class = {
	.name = "kv_cpu",
};

/* -- Files ----------------------------------------------------------------- */

/* An inode that another file keeps open can be opened after the device is gone. */
static int kvcpu_file_attach(struct kvcpu_file *file)
{
	struct kvcpu_device *kd = file->kd;
	int err = 0;

	if (down_read_killable(&kd->binding))
		return -EINTR;
	spin_lock_irq(&kd->lock);
	if (kd->gone)
		err = -ENODEV;
	else
		list_add_tail(&file->node, &kd->files);
	spin_unlock_irq(&kd->lock);
	up_read(&kd->binding);
	return err;
}

static int kvcpu_open(struct inode *inode, struct file *filp)
{
	struct kvcpu_device *kd = container_of(inode->i_cdev, struct kvcpu_device, cdev);
	struct kvcpu_file *file;
	int err;

	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return -ENOMEM;
	file->kd = kd;
	mutex_init(&file->submit);
	mutex_init(&file->mapping);
	mutex_init(&file->reap);
	init_waitqueue_head(&file->wait);
	INIT_LIST_HEAD(&file->waiting);
	kvcpu_view_init(&file->view);
	err = kvcpu_space_make(file, filp);
	if (err) {
		kfree(file);
		return err;
	}

	err = kvcpu_file_attach(file);
	if (err) {
		filp->f_mapping = inode->i_mapping;
		kvcpu_space_free(file);
		kfree(file);
		return err;
	}
	get_device(&kd->dev);
	filp->private_data = file;
	return stream_open(inode, filp);
}

static int kvcpu_release(struct inode *inode, struct file *filp)
{
	struct kvcpu_file *file = filp->private_data;
	struct kvcpu_device *kd = file->kd;
	bool closed;

	/* A mapping holds a reference to the file, so no process maps it here. */
	kvcpu_view_stop(file);
	down_read(&kd->binding);
	closed = kvcpu_context_put(file);
	kvcpu_file_detach(file);
	if (closed)
		kvcpu_rings_free(file);
	up_read(&kd->binding);
	kvcpu_delay();
	kvcpu_view_free(file);
	kvcpu_submit_free(file);
	filp->f_mapping = inode->i_mapping;
	kvcpu_space_free(file);
	mutex_destroy(&file->submit);
	mutex_destroy(&file->mapping);
	mutex_destroy(&file->reap);
	kfree(file);
	put_device(&kd->dev);
	return 0;
}

static __poll_t kvcpu_poll(struct file *filp, poll_table *table)
{
	struct kvcpu_file *file = filp->private_data;
	__poll_t events = 0;
	bool stopped;

	poll_wait(filp, &file->wait, table);
	if (READ_ONCE(file->kd->gone))
		return EPOLLERR | EPOLLHUP;
	if (READ_ONCE(file->lost))
		return EPOLLERR;
	if (kvcpu_has_completions(file, 1))
		events |= EPOLLIN | EPOLLRDNORM;
	if (!READ_ONCE(file->rings) || kvcpu_enter(file->kd))
		return events;
	if (kvcpu_ring_ready(file, &stopped))
		events |= EPOLLIN | EPOLLRDNORM;
	if (stopped)
		events |= EPOLLPRI;
	kvcpu_leave(file->kd);
	return events;
}

/**
 * struct kvcpu_ioctl - one ioctl with a number from 0x40
 * @cmd: number and direction
 * @size: size of its structure in the first version. A caller's structure may be longer, not
 *	shorter
 * @run: function that executes the ioctl
 */
struct kvcpu_ioctl {
	unsigned int cmd;
	size_t size;
	long (*run)(struct kvcpu_file *file, void __user *argument, size_t size);
};

static const struct kvcpu_ioctl kvcpu_ioctls[] = {
	{ KVCPU_IOC_INFO, KVCPU_INFO_SIZE_1, kvcpu_ioc_info },
	{ KVCPU_IOC_SUBMIT, sizeof(struct kvcpu_submit), kvcpu_ioc_submit },
	{ KVCPU_IOC_WAIT, sizeof(struct kvcpu_wait), kvcpu_ioc_wait },
	{ KVCPU_IOC_BLOCK, KVCPU_BLOCK_SIZE_1, kvcpu_ioc_block },
	{ KVCPU_IOC_COUNTERS, sizeof(struct kvcpu_counters), kvcpu_ioc_counters },
	{ KVCPU_IOC_SETUP, sizeof(struct kvcpu_setup), kvcpu_ioc_setup },
	{ KVCPU_IOC_RESTART, sizeof(struct kvcpu_restart), kvcpu_ioc_restart },
	{ KVCPU_IOC_COALESCE, sizeof(struct kvcpu_coalesce), kvcpu_ioc_coalesce },
	{ KVCPU_IOC_EVENTFD, sizeof(struct kvcpu_eventfd), kvcpu_ioc_eventfd },
	{ KVCPU_IOC_BUFFER_ADD, sizeof(struct kvcpu_buffer), kvcpu_ioc_buffer_add },
	{ KVCPU_IOC_BUFFER_REMOVE, sizeof(struct kvcpu_buffer_remove), kvcpu_ioc_buffer_remove },
	{ KVCPU_IOC_QUOTA, sizeof(struct kvcpu_quota), kvcpu_ioc_quota },
	{ KVCPU_IOC_HISTORY, sizeof(struct kvcpu_history), kvcpu_ioc_history },
};

static bool kvcpu_ioctl_is(const struct kvcpu_ioctl *ioctl, unsigned int cmd)
{
	return _IOC_NR(cmd) == _IOC_NR(ioctl->cmd) && _IOC_DIR(cmd) == _IOC_DIR(ioctl->cmd) &&
	       _IOC_SIZE(cmd) >= ioctl->size;
}

static long kvcpu_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct kvcpu_file *file = filp->private_data;
	void __user *argument = (void __user *)arg;
	unsigned int i;

	if (READ_ONCE(file->kd->gone))
		return -ENODEV;
	if (_IOC_TYPE(cmd) != KVCPU_IOC_MAGIC)
		return -ENOTTY;
	for (i = 0; i < ARRAY_SIZE(kvcpu_ioctls); i++) {
		if (kvcpu_ioctl_is(&kvcpu_ioctls[i], cmd))
			return kvcpu_ioctls[i].run(file, argument, _IOC_SIZE(cmd));
	}
	return kvcpu_ioc_reference(file->kd, cmd, argument);
}

static const struct file_operations kvcpu_fops = {
	.owner = THIS_MODULE,
	.open = kvcpu_open,
	.release = kvcpu_release,
	.poll = kvcpu_poll,
	.mmap = kvcpu_mmap,
	.fadvise = kvcpu_fadvise,
	.unlocked_ioctl = kvcpu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/* -- Devices --------------------------------------------------------------- */

static void kvcpu_device_release(struct device *dev)
{
	struct kvcpu_device *kd = container_of(dev, struct kvcpu_device, dev);

	kvfree(kd->requests);
	kvfree(kd->queues.slots);
	mutex_destroy(&kd->window);
	kfree(kd);
	if (atomic_dec_and_test(&kvcpu_devices))
		wake_up_var(&kvcpu_devices);
}

static void kvcpu_device_put(void *data)
{
	struct kvcpu_device *kd = data;

	if (kd->minor >= 0)
		ida_free(&kvcpu_minors, kd->minor);
	put_device(&kd->dev);
}

/**
 * kvcpu_device_alloc() - allocate a device structure
 * @pdev: PCI function
 *
 * devres drops the reference of the driver, after it has undone all later steps of probe. Each open
 * file holds a reference, so the structure may outlive the binding. Its minor number does not.
 *
 * Return: the device, or an error pointer: -ENOMEM, -ENOSPC (no minor number is free).
 */
struct kvcpu_device *kvcpu_device_alloc(struct pci_dev *pdev)
{
	struct kvcpu_device *kd = kzalloc(sizeof(*kd), GFP_KERNEL);
	int err;

	if (!kd)
		return ERR_PTR(-ENOMEM);
	atomic_inc(&kvcpu_devices);
	kd->pdev = pdev;
	init_rwsem(&kd->binding);
	mutex_init(&kd->window);
	spin_lock_init(&kd->fifo);
	spin_lock_init(&kd->lock);
	spin_lock_init(&kd->queues.lock);
	init_waitqueue_head(&kd->queues.wait);
	init_waitqueue_head(&kd->context_wait);
	INIT_LIST_HEAD(&kd->files);
	__set_bit(0, kd->context_map);
	device_initialize(&kd->dev);
	kd->dev.class = &kvcpu_class;
	kd->dev.parent = &pdev->dev;
	kd->dev.groups = kvcpu_groups;
	kd->dev.release = kvcpu_device_release;
	kd->minor = ida_alloc_max(&kvcpu_minors, KVCPU_MINORS - 1, GFP_KERNEL);
	err = devm_add_action_or_reset(&pdev->dev, kvcpu_device_put, kd);
	if (err)
		return ERR_PTR(err);
	if (kd->minor < 0)
		return ERR_PTR(kd->minor);
	return kd;
}

/**
 * kvcpu_chardev_add() - create the node of a device that is ready for use
 * @kd: device
 *
 * Return: 0 or a negative errno. cdev_device_del() undoes it.
 */
int kvcpu_chardev_add(struct kvcpu_device *kd)
{
	int err = dev_set_name(&kd->dev, "kvcpu%d", kd->minor);

	if (err)
		return err;
	kd->dev.devt = MKDEV(MAJOR(kvcpu_first), kd->minor);
	cdev_init(&kd->cdev, &kvcpu_fops);
	kd->cdev.owner = THIS_MODULE;
	return cdev_device_add(&kd->cdev, &kd->dev);
}

/**
 * kvcpu_chardev_init() - register device numbers and class
 *
 * Return: 0 or a negative errno.
 */
int kvcpu_chardev_init(void)
{
	int err = alloc_chrdev_region(&kvcpu_first, 0, KVCPU_MINORS, "kvcpu");

	if (err)
		return err;
	err = class_register(&kvcpu_class);
	if (err)
		unregister_chrdev_region(kvcpu_first, KVCPU_MINORS);
	return err;
}

/**
 * kvcpu_chardev_exit() - undo kvcpu_chardev_init()
 */
void kvcpu_chardev_exit(void)
{
	/* A walk over the class's devices holds a reference to a device, but not to the module. */
	wait_var_event(&kvcpu_devices, !atomic_read(&kvcpu_devices));
	class_unregister(&kvcpu_class);
	unregister_chrdev_region(kvcpu_first, KVCPU_MINORS);
	ida_destroy(&kvcpu_minors);
}
