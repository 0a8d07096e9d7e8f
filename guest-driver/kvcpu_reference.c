// SPDX-License-Identifier: GPL-2.0-only
/*
 * The public reference interface: seven ioctls that become writes of the reference-compatible
 * registers. They act on context 0, and their effect outlives the file.
 */
#include <linux/overflow.h>
#include <linux/uaccess.h>

#include "kvcpu.h"
#include "kvcpu_advice.h"
#include "kvcpu_reference.h"
#include "kvcpu_window.h"

static int kvcpu_step(struct kvcpu_device *kd, void __user *argument)
{
	u64 step;
	int err;

	if (copy_from_user(&step, argument, sizeof(step)))
		return -EFAULT;
	err = kvcpu_enter(kd);
	if (err)
		return err;
	kvcpu_write(kd, KVCPU_REG_STEP_ADVANCE, step);
	kd->telemetry.current_step = step;
	kd->telemetry.last_target_step = step;
	kd->telemetry.step_count++;
	kvcpu_leave(kd);
	return 0;
}

/* Writes the registers of a hint. The write of the last one executes the hint. */
static void kvcpu_hint(struct kvcpu_device *kd, unsigned int cmd,
		       const struct kv_cpu_block_info *info)
{
	switch (cmd) {
	case KV_CPU_MARK_HOT:
		kvcpu_write(kd, KVCPU_REG_BOOST_ADDR, info->va);
		kvcpu_write(kd, KVCPU_REG_BOOST_LEN, info->len);
		break;
	case KV_CPU_EVICT:
		kvcpu_write(kd, KVCPU_REG_IMEVICT_ADDR, info->va);
		kvcpu_write(kd, KVCPU_REG_IMEVICT_LEN, info->len);
		break;
	case KV_CPU_PREFETCH:
		kvcpu_write(kd, KVCPU_REG_PREFETCH_ADDR, info->va);
		kvcpu_write(kd, KVCPU_REG_PREFETCH_LEN, info->len);
		kvcpu_write(kd, KVCPU_REG_PREFETCH_STEP, info->target_step);
		break;
	case KV_CPU_SHARE_PREFIX:
		kvcpu_write(kd, KVCPU_REG_SHARE_ADDR, info->va);
		kvcpu_write(kd, KVCPU_REG_SHARE_LEN, info->len);
		break;
	}
}

static void kvcpu_hint_count(struct kvcpu_device *kd, unsigned int cmd,
			     const struct kv_cpu_block_info *info)
{
	struct kv_cpu_telemetry *t = &kd->telemetry;

	t->hot_count += cmd == KV_CPU_MARK_HOT;
	t->evict_count += cmd == KV_CPU_EVICT;
	t->prefetch_count += cmd == KV_CPU_PREFETCH;
	t->share_count += cmd == KV_CPU_SHARE_PREFIX;
	t->last_va = info->va;
	t->last_len = info->len;
	t->last_target_step = info->target_step;
}

static int kvcpu_block_hint(struct kvcpu_device *kd, unsigned int cmd, void __user *argument)
{
	struct kv_cpu_block_info info;
	bool in_view;
	u64 end;
	int err;

	if (copy_from_user(&info, argument, sizeof(info)))
		return -EFAULT;
	if (!info.len || check_add_overflow(info.va, info.len, &end))
		return -EINVAL;
	in_view = kvcpu_advise_address(kd, cmd, info.va, info.len, info.target_step, &err);
	if (in_view && err)
		return err;
	err = kvcpu_enter(kd);
	if (err)
		return err;
	/* The device counts a hint outside the KV space as ignored. */
	if (!in_view)
		kvcpu_hint(kd, cmd, &info);
	kvcpu_hint_count(kd, cmd, &info);
	kvcpu_leave(kd);
	return 0;
}

static void kvcpu_weights_write(struct kvcpu_device *kd)
{
	const struct kv_cpu_telemetry *t = &kd->telemetry;

	kvcpu_write(kd, KVCPU_REG_WEIGHT_R, t->w_r);
	kvcpu_write(kd, KVCPU_REG_WEIGHT_F, t->w_f);
	kvcpu_write(kd, KVCPU_REG_WEIGHT_S, t->w_s);
	kvcpu_write(kd, KVCPU_REG_WEIGHT_D, t->w_d);
	kvcpu_write(kd, KVCPU_REG_EVICT_THRESH, t->evict_thresh);
	kvcpu_write(kd, KVCPU_REG_PREFETCH_THRESH, t->prefetch_thresh);
}

static int kvcpu_set_weights(struct kvcpu_device *kd, void __user *argument)
{
	struct kv_cpu_weights weights;
	int err;

	if (copy_from_user(&weights, argument, sizeof(weights)))
		return -EFAULT;
	err = kvcpu_enter(kd);
	if (err)
		return err;
	kd->telemetry.w_r = weights.w_r;
	kd->telemetry.w_f = weights.w_f;
	kd->telemetry.w_s = weights.w_s;
	kd->telemetry.w_d = weights.w_d;
	kd->telemetry.evict_thresh = weights.evict_thresh;
	kd->telemetry.prefetch_thresh = weights.prefetch_thresh;
	kvcpu_weights_write(kd);
	kvcpu_leave(kd);
	return 0;
}

static int kvcpu_get_telemetry(struct kvcpu_device *kd, void __user *argument)
{
	struct kv_cpu_telemetry telemetry;
	int err = kvcpu_enter(kd);

	if (err)
		return err;
	telemetry = kd->telemetry;
	kvcpu_leave(kd);
	return copy_to_user(argument, &telemetry, sizeof(telemetry)) ? -EFAULT : 0;
}

/**
 * kvcpu_ioc_reference() - execute an ioctl of the reference interface
 * @kd: device
 * @cmd: number of the ioctl
 * @argument: argument of the ioctl
 *
 * Return: 0; -EINVAL (length 0, or a range that wraps), -EFAULT, -ENODEV, -ENOTTY (no such ioctl).
 */
long kvcpu_ioc_reference(struct kvcpu_device *kd, unsigned int cmd, void __user *argument)
{
	switch (cmd) {
	case KV_CPU_STEP_ADVANCE:
		return kvcpu_step(kd, argument);
	case KV_CPU_MARK_HOT:
	case KV_CPU_EVICT:
	case KV_CPU_PREFETCH:
	case KV_CPU_SHARE_PREFIX:
		return kvcpu_block_hint(kd, cmd, argument);
	case KV_CPU_SET_WEIGHTS:
		return kvcpu_set_weights(kd, argument);
	case KV_CPU_GET_TELEMETRY:
		return kvcpu_get_telemetry(kd, argument);
	default:
		return -ENOTTY;
	}
}

/**
 * kvcpu_tuning_default() - record the settings of a device that was just reset
 * @kd: device, not in use yet
 */
void kvcpu_tuning_default(struct kvcpu_device *kd)
{
	kd->telemetry = (struct kv_cpu_telemetry) {
		.w_r = KVCPU_WEIGHT_R_DEFAULT,
		.w_f = KVCPU_WEIGHT_F_DEFAULT,
		.w_s = KVCPU_WEIGHT_S_DEFAULT,
		.w_d = KVCPU_WEIGHT_D_DEFAULT,
		.evict_thresh = KVCPU_EVICT_THRESH_DEFAULT,
		.prefetch_thresh = KVCPU_PREFETCH_THRESH_DEFAULT,
	};
	kd->tuning.hot_lease = kvcpu_read(kd, KVCPU_REG_HOT_LEASE);
	kd->tuning.shared_cap = kvcpu_read(kd, KVCPU_REG_SHARED_CAP);
	kd->tuning.min_residency_ns = KVCPU_MIN_RESIDENCY_NS;
}

/**
 * kvcpu_tuning_restore() - restore the settings of a device after a function-level reset
 * @kd: device, entered
 *
 * The step of context 0 is restored too, because telemetry and sysfs still show it.
 */
void kvcpu_tuning_restore(struct kvcpu_device *kd)
{
	kvcpu_weights_write(kd);
	kvcpu_write(kd, KVCPU_REG_HOT_LEASE, kd->tuning.hot_lease);
	kvcpu_write(kd, KVCPU_REG_SHARED_CAP, kd->tuning.shared_cap);
	if (kd->telemetry.current_step)
		kvcpu_write(kd, KVCPU_REG_STEP_ADVANCE, kd->telemetry.current_step);
}
