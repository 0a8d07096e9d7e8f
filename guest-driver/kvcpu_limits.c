// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits of the caller. A quota is a minimum and a maximum of fast slots for a context: the device
 * keeps the minimum for the context, and gives it no slot above the maximum.
 */
#include <linux/capability.h>

#include "kvcpu.h"
#include "kvcpu_limits.h"

/**
 * kvcpu_quota_allowed() - check whether the caller may set a quota
 * @kd: device
 * @min: minimum of slots
 * @max: maximum of slots; 0 is replaced by the largest maximum that the caller may set, which is 0
 *	again if there is no limit
 *
 * Return: 0, -EOPNOTSUPP, -EINVAL or -EPERM.
 */
int kvcpu_quota_allowed(struct kvcpu_device *kd, u32 min, u32 *max)
{
	u32 limit = READ_ONCE(kd->tuning.slots_max_limit);
	bool admin;

	if (!(kd->features & KVCPU_FEATURE_QUOTAS))
		return min || *max ? -EOPNOTSUPP : 0;
	if (min > kd->fast_slots || *max > kd->fast_slots || (*max && min > *max))
		return -EINVAL;
	admin = capable(CAP_SYS_ADMIN);
	if (!*max && limit && !admin)
		*max = min_t(u64, limit, kd->fast_slots);
	if (min > READ_ONCE(kd->tuning.slots_min_limit) && !admin)
		return -EPERM;
	if (limit && *max > limit && !admin)
		return -EPERM;
	return *max && min > *max ? -EINVAL : 0;
}

/**
 * kvcpu_quota_word() - encode a quota for the device
 * @min: minimum of slots
 * @max: maximum of slots; 0: no maximum
 */
u64 kvcpu_quota_word(u32 min, u32 max)
{
	return KVCPU_PUT(KVCPU_QTA_MIN, min) | KVCPU_PUT(KVCPU_QTA_MAX, max);
}
