// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quotas: how many fast slots a context keeps whatever others want, and how many it gets at most.
 */
#include <linux/capability.h>
#include <linux/uaccess.h>

#include "kvcpu.h"

/**
 * kvcpu_quota_allowed() - whether the caller may have a minimum and a maximum of slots
 * @kd: device
 * @min: the minimum
 * @max: the maximum, 0 for as many as he may have; the result is what is meant by that
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
 * kvcpu_quota_word() - minimum and maximum as the device takes them
 * @min: minimum of slots
 * @max: maximum; 0: all
 */
u64 kvcpu_quota_word(u32 min, u32 max)
{
	return KVCPU_PUT(KVCPU_QTA_MIN, min) | KVCPU_PUT(KVCPU_QTA_MAX, max);
}

/**
 * kvcpu_quota_default() - hold a file that has just got a context to what it may have
 * @file: open file
 *
 * Return: 0, -EIO, -ENODEV.
 */
int kvcpu_quota_default(struct kvcpu_file *file)
{
	struct kvcpu_command_words words = {
		.control = KVCPU_PUT(KVCPU_CTL_OPCODE, KVCPU_OP_QUOTA),
	};
	u32 max = 0;
	int err;

	if (!(file->kd->features & KVCPU_FEATURE_QUOTAS))
		return 0;
	err = kvcpu_quota_allowed(file->kd, 0, &max);
	/* A context that nobody had before has no quota. */
	if (err || !max)
		return err;
	words.extent = kvcpu_quota_word(0, max);
	return kvcpu_order(file, &words);
}

/**
 * kvcpu_ioc_quota() - KVCPU_IOC_QUOTA
 * @file: open file
 * @argument: struct kvcpu_quota of the user
 * @size: its size
 *
 * Return: 0; see struct kvcpu_quota.
 */
long kvcpu_ioc_quota(struct kvcpu_file *file, void __user *argument, size_t size)
{
	struct kvcpu_command_words words = {
		.control = KVCPU_PUT(KVCPU_CTL_OPCODE, KVCPU_OP_QUOTA),
	};
	struct kvcpu_quota quota;
	int err;

	err = kvcpu_struct_in(&quota, sizeof(quota), argument, size);
	if (err)
		return err;
	if (!(file->kd->features & KVCPU_FEATURE_QUOTAS))
		return -EOPNOTSUPP;
	err = kvcpu_quota_allowed(file->kd, quota.slots_min, &quota.slots_max);
	if (err)
		return err;
	words.extent = kvcpu_quota_word(quota.slots_min, quota.slots_max);
	err = kvcpu_rings_lock(file);
	if (err)
		return err;
	err = kvcpu_order(file, &words);
	kvcpu_rings_unlock(file);
	return err;
}
