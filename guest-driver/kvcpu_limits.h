/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Limits of the caller: quotas of fast slots.
 */
#ifndef KVCPU_LIMITS_H
#define KVCPU_LIMITS_H

#include <linux/types.h>

struct kvcpu_device;

int kvcpu_quota_allowed(struct kvcpu_device *kd, u32 min, u32 *max);
u64 kvcpu_quota_word(u32 min, u32 max);

#endif /* KVCPU_LIMITS_H */
