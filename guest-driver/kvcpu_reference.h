/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The public reference interface, and the registers that keep their values over a reset.
 */
#ifndef KVCPU_REFERENCE_H
#define KVCPU_REFERENCE_H

#include <linux/compiler_types.h>

struct kvcpu_device;

long kvcpu_ioc_reference(struct kvcpu_device *kd, unsigned int cmd, void __user *argument);
void kvcpu_tuning_default(struct kvcpu_device *kd);
void kvcpu_tuning_restore(struct kvcpu_device *kd);

#endif /* KVCPU_REFERENCE_H */
