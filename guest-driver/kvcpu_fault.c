// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults and delays that tests inject, by files in debugfs.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/fault-inject.h>

#include "kvcpu_fault.h"

/* Longer delays with interrupts disabled would look like a hung processor. */
#define KVCPU_DELAY_MAX_US 100000

static const char *const kvcpu_fault_names[KVCPU_FAULTS] = {
	[KVCPU_FAULT_HOLD] = "fail_hold",
	[KVCPU_FAULT_QUOTA] = "fail_quota",
	[KVCPU_FAULT_QUEUES] = "fail_queues",
};

static struct fault_attr kvcpu_faults[KVCPU_FAULTS] = {
	[0 ... KVCPU_FAULTS - 1] = FAULT_ATTR_INITIALIZER,
};

static struct dentry *kvcpu_fault_dir;
static u32 kvcpu_delay_us;

/**
 * kvcpu_fault_init() - create /sys/kernel/debug/kvcpu
 *
 * The folder has a file delay_us, and a folder for each fault with the files of the kernel's fault
 * injection.
 */
void kvcpu_fault_init(void)
{
	int i;

	kvcpu_fault_dir = debugfs_create_dir("kvcpu", NULL);
	debugfs_create_u32("delay_us", 0600, kvcpu_fault_dir, &kvcpu_delay_us);
	for (i = 0; i < KVCPU_FAULTS; i++) {
		/* A report of each fault would look like one of the kernel's own errors. */
		kvcpu_faults[i].verbose = 0;
		fault_create_debugfs_attr(kvcpu_fault_names[i], kvcpu_fault_dir, &kvcpu_faults[i]);
	}
}

/**
 * kvcpu_fault_exit() - undo kvcpu_fault_init()
 */
void kvcpu_fault_exit(void)
{
	debugfs_remove_recursive(kvcpu_fault_dir);
}

/**
 * kvcpu_fault() - check whether an operation is to fail
 * @fault: the operation
 */
bool kvcpu_fault(enum kvcpu_fault fault)
{
	return should_fail(&kvcpu_faults[fault], 1);
}

/**
 * kvcpu_delay() - take longer where a state has changed and the change is not complete
 *
 * The function does not sleep.
 */
void kvcpu_delay(void)
{
	u32 us = min_t(u32, READ_ONCE(kvcpu_delay_us), KVCPU_DELAY_MAX_US);

	while (us >= USEC_PER_MSEC) {
		mdelay(1);
		us -= USEC_PER_MSEC;
	}
	udelay(us);
}
