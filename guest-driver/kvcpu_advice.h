/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Advice on a view: hints through calls of the kernel and through the reference interface.
 */
#ifndef KVCPU_ADVICE_H
#define KVCPU_ADVICE_H

#include <linux/types.h>

struct file;
struct kvcpu_device;

int kvcpu_fadvise(struct file *filp, loff_t offset, loff_t length, int advice);
bool kvcpu_advise_address(struct kvcpu_device *kd, unsigned int cmd, u64 va, u64 length, u64 step,
			  int *err);

#endif /* KVCPU_ADVICE_H */
