// SPDX-License-Identifier: MIT
/*
 * A module with one mistake of each kind that the debug kernel detects, made when the module is
 * loaded. The test that loads the module requires a report of each. No mistake affects later ones.
 * Lockdep is first, as it reports only once, and not after a report of KASAN.
 */
#include <linux/dma-mapping.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

#define SIZE 24

static void read_past_end(void)
{
	volatile char *bytes = kzalloc(SIZE, GFP_KERNEL);
	size_t end = SIZE;

	OPTIMIZER_HIDE_VAR(end);
	if (bytes)
		(void)bytes[end];
	kfree((void *)bytes);
}

static void read_after_free(void)
{
	volatile char *bytes = kzalloc(SIZE, GFP_KERNEL);

	kfree((void *)bytes);
	OPTIMIZER_HIDE_VAR(bytes);
	if (bytes)
		(void)bytes[0];
}

static void shift_too_far(void)
{
	int by = 40;
	volatile int shifted;

	OPTIMIZER_HIDE_VAR(by);
	shifted = 1 << by;
	(void)shifted;
}

static void sleep_under_spinlock(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	might_sleep();
	spin_unlock(&lock);
}

static void read_rcu_unlocked(void)
{
	static int __rcu *pointer;

	(void)rcu_dereference(pointer);
}

static void unmap_what_was_not_mapped(void)
{
	struct platform_device *device;

	device = platform_device_register_simple("kvcpu-flaws", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device))
		return;
	if (!dma_coerce_mask_and_coherent(&device->dev, DMA_BIT_MASK(64)))
		dma_unmap_single(&device->dev, PAGE_SIZE, SIZE, DMA_TO_DEVICE);
	platform_device_unregister(device);
}

static void add_to_list_twice(void)
{
	LIST_HEAD(head);
	LIST_HEAD(entry);

	list_add(&entry, &head);
	list_add(&entry, &head);
}

struct timed {
	struct timer_list timer;
};

static void on_timer(struct timer_list *timer)
{
}

static void free_active_timer(void)
{
	struct timed *timed = kzalloc(sizeof(*timed), GFP_KERNEL);

	if (!timed)
		return;
	timer_setup(&timed->timer, on_timer, 0);
	mod_timer(&timed->timer, jiffies + 1000 * HZ);
	kfree(timed);
}

static void forget_memory(void)
{
	/* Several objects, as memory may still contain a pointer to one of them. */
	for (int i = 0; i < 8; i++) {
		void *memory = kmalloc(SIZE, GFP_KERNEL);

		OPTIMIZER_HIDE_VAR(memory);
	}
}

static void lock_in_both_orders(void)
{
	static DEFINE_MUTEX(first);
	static DEFINE_MUTEX(second);

	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static int __init flaws_init(void)
{
	read_rcu_unlocked();
	lock_in_both_orders();
	sleep_under_spinlock();
	read_past_end();
	read_after_free();
	shift_too_far();
	unmap_what_was_not_mapped();
	add_to_list_twice();
	free_active_timer();
	forget_memory();
	return 0;
}

static void __exit flaws_exit(void)
{
}

module_init(flaws_init);
module_exit(flaws_exit);
MODULE_DESCRIPTION("Mistakes for the debug kernel to see");
MODULE_LICENSE("Dual MIT/GPL");
