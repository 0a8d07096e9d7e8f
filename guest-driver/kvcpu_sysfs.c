// SPDX-License-Identifier: GPL-2.0-only
/*
 * sysfs attributes of the device: those of the reference interface, and those for the
 * administrator.
 */
#include <linux/kstrtox.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "kvcpu.h"
#include "kvcpu_chardev.h"
#include "kvcpu_window.h"

static struct kvcpu_device *kvcpu_of(struct device *dev)
{
	return container_of(dev, struct kvcpu_device, dev);
}

/* -- Attributes of the reference interface ---------------------------------- */

static ssize_t current_step_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvcpu_device *kd = kvcpu_of(dev);
	u64 step;
	int err = kvcpu_enter(kd);

	if (err)
		return err;
	step = kd->telemetry.current_step;
	kvcpu_leave(kd);
	return sysfs_emit(buf, "%llu\n", step);
}
static DEVICE_ATTR_RO(current_step);

static ssize_t telemetry_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvcpu_device *kd = kvcpu_of(dev);
	struct kv_cpu_telemetry t;
	int err = kvcpu_enter(kd);

	if (err)
		return err;
	t = kd->telemetry;
	kvcpu_leave(kd);
	return sysfs_emit(buf,
			  "current_step=%llu\nstep_count=%llu\nhot_count=%llu\nevict_count=%llu\n"
			  "prefetch_count=%llu\nshare_count=%llu\nlast_va=0x%llx\nlast_len=%llu\n"
			  "last_target_step=%llu\nw_r=%u\nw_f=%u\nw_s=%u\nw_d=%u\n"
			  "evict_thresh=%u\nprefetch_thresh=%u\n",
			  t.current_step, t.step_count, t.hot_count, t.evict_count,
			  t.prefetch_count, t.share_count, t.last_va, t.last_len,
			  t.last_target_step, t.w_r, t.w_f, t.w_s, t.w_d,
			  t.evict_thresh, t.prefetch_thresh);
}
static DEVICE_ATTR_RO(telemetry);

/**
 * struct kvcpu_weight - attribute for a weight or threshold
 * @attr: the attribute
 * @field: offset in struct kv_cpu_telemetry
 * @offset: offset of the register
 */
struct kvcpu_weight {
	struct device_attribute attr;
	size_t field;
	u32 offset;
};

static ssize_t kvcpu_weight_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvcpu_weight *weight = container_of(attr, struct kvcpu_weight, attr);
	struct kvcpu_device *kd = kvcpu_of(dev);
	u32 value;
	int err = kvcpu_enter(kd);

	if (err)
		return err;
	value = *(u32 *)((u8 *)&kd->telemetry + weight->field);
	kvcpu_leave(kd);
	return sysfs_emit(buf, "%u\n", value);
}

static ssize_t kvcpu_weight_store(struct device *dev, struct device_attribute *attr,
				  const char *buf, size_t count)
{
	struct kvcpu_weight *weight = container_of(attr, struct kvcpu_weight, attr);
	struct kvcpu_device *kd = kvcpu_of(dev);
	u32 value;
	int err;

	err = kstrtou32(buf, 0, &value);
	if (err)
		return err;
	err = kvcpu_enter(kd);
	if (err)
		return err;
	*(u32 *)((u8 *)&kd->telemetry + weight->field) = value;
	kvcpu_write(kd, weight->offset, value);
	kvcpu_leave(kd);
	return count;
}

static struct kvcpu_weight kvcpu_w_r = {
	.attr = __ATTR(w_r, 0644, kvcpu_weight_show, kvcpu_weight_store),
	.field = offsetof(struct kv_cpu_telemetry, w_r),
	.offset = KVCPU_REG_WEIGHT_R,
};

static struct kvcpu_weight kvcpu_w_f = {
	.attr = __ATTR(w_f, 0644, kvcpu_weight_show, kvcpu_weight_store),
	.field = offsetof(struct kv_cpu_telemetry, w_f),
	.offset = KVCPU_REG_WEIGHT_F,
};

static struct kvcpu_weight kvcpu_w_s = {
	.attr = __ATTR(w_s, 0644, kvcpu_weight_show, kvcpu_weight_store),
	.field = offsetof(struct kv_cpu_telemetry, w_s),
	.offset = KVCPU_REG_WEIGHT_S,
};

static struct kvcpu_weight kvcpu_w_d = {
	.attr = __ATTR(w_d, 0644, kvcpu_weight_show, kvcpu_weight_store),
	.field = offsetof(struct kv_cpu_telemetry, w_d),
	.offset = KVCPU_REG_WEIGHT_D,
};

static struct kvcpu_weight kvcpu_evict_thresh = {
	.attr = __ATTR(evict_thresh, 0644, kvcpu_weight_show, kvcpu_weight_store),
	.field = offsetof(struct kv_cpu_telemetry, evict_thresh),
	.offset = KVCPU_REG_EVICT_THRESH,
};

static struct kvcpu_weight kvcpu_prefetch_thresh = {
	.attr = __ATTR(prefetch_thresh, 0644, kvcpu_weight_show, kvcpu_weight_store),
	.field = offsetof(struct kv_cpu_telemetry, prefetch_thresh),
	.offset = KVCPU_REG_PREFETCH_THRESH,
};

/* -- Attributes for the administrator ---------------------------------------- */

/**
 * struct kvcpu_policy_entry - one placement policy
 * @number: value of register POLICY
 * @bit: bit in register POLICIES
 * @name: name in the attribute
 */
struct kvcpu_policy_entry {
	u32 number;
	u64 bit;
	const char *name;
};

#define KVCPU_POLICY_ENTRY(_name, _number, _text) \
	{ .number = KVCPU_POLICY_##_name, .bit = BIT_ULL(_number), .name = (_text) },

static const struct kvcpu_policy_entry kvcpu_policies[] = { KVCPU_POLICIES(KVCPU_POLICY_ENTRY) };

static ssize_t policy_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvcpu_device *kd = kvcpu_of(dev);
	unsigned int i;
	u64 policy;
	int err = kvcpu_enter(kd);

	if (err)
		return err;
	policy = kvcpu_read(kd, KVCPU_REG_POLICY);
	kvcpu_leave(kd);
	for (i = 0; i < ARRAY_SIZE(kvcpu_policies); i++) {
		if (kvcpu_policies[i].number == policy)
			return sysfs_emit(buf, "%s\n", kvcpu_policies[i].name);
	}
	/* A policy of a newer device. */
	return sysfs_emit(buf, "%llu\n", policy);
}

static ssize_t policy_store(struct device *dev, struct device_attribute *attr, const char *buf,
			    size_t count)
{
	struct kvcpu_device *kd = kvcpu_of(dev);
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(kvcpu_policies); i++) {
		if (sysfs_streq(buf, kvcpu_policies[i].name))
			break;
	}
	if (i == ARRAY_SIZE(kvcpu_policies) || !(kd->policies & kvcpu_policies[i].bit))
		return -EINVAL;
	err = kvcpu_enter(kd);
	if (err)
		return err;
	kvcpu_write(kd, KVCPU_REG_POLICY, kvcpu_policies[i].number);
	kvcpu_leave(kd);
	return count;
}
static DEVICE_ATTR_RW(policy);

static ssize_t policies_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvcpu_device *kd = kvcpu_of(dev);
	unsigned int i;
	int length = 0;

	for (i = 0; i < ARRAY_SIZE(kvcpu_policies); i++) {
		if (kd->policies & kvcpu_policies[i].bit)
			length += sysfs_emit_at(buf, length, "%s%s", length ? " " : "",
						kvcpu_policies[i].name);
	}
	length += sysfs_emit_at(buf, length, "\n");
	return length;
}
static DEVICE_ATTR_RO(policies);

static ssize_t event_log_restart_store(struct device *dev, struct device_attribute *attr,
				       const char *buf, size_t count)
{
	struct kvcpu_device *kd = kvcpu_of(dev);
	bool restart;
	int err;

	err = kstrtobool(buf, &restart);
	if (err)
		return err;
	if (!restart)
		return -EINVAL;
	err = kvcpu_enter(kd);
	if (err)
		return err;
	kvcpu_write(kd, KVCPU_REG_CONTROL, KVCPU_CONTROL_LOG_RESTART);
	kvcpu_leave(kd);
	return count;
}
static DEVICE_ATTR_WO(event_log_restart);

static ssize_t clock_stop_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvcpu_device *kd = kvcpu_of(dev);
	u64 stop;
	int err = kvcpu_enter(kd);

	if (err)
		return err;
	stop = kvcpu_read(kd, KVCPU_REG_CLOCK_STOP);
	kvcpu_leave(kd);
	return sysfs_emit(buf, "%llu\n", stop);
}

static ssize_t clock_stop_store(struct device *dev, struct device_attribute *attr, const char *buf,
				size_t count)
{
	struct kvcpu_device *kd = kvcpu_of(dev);
	u64 stop;
	int err;

	err = kstrtou64(buf, 0, &stop);
	if (err)
		return err;
	err = kvcpu_enter(kd);
	if (err)
		return err;
	kvcpu_write(kd, KVCPU_REG_CLOCK_STOP, stop);
	kvcpu_leave(kd);
	return count;
}
static DEVICE_ATTR_RW(clock_stop);

static ssize_t kvcpu_tuning_show(struct kvcpu_device *kd, const u64 *field, char *buf)
{
	u64 value;
	int err = kvcpu_enter(kd);

	if (err)
		return err;
	value = *field;
	kvcpu_leave(kd);
	return sysfs_emit(buf, "%llu\n", value);
}

/* The device ignores a value outside of @min to @max without an error, so it is checked here. */
static int kvcpu_tuning_store(struct kvcpu_device *kd, u64 *field, u32 offset, const char *buf,
			      u64 min, u64 max)
{
	u64 value;
	int err;

	err = kstrtou64(buf, 0, &value);
	if (err)
		return err;
	if (value < min || value > max)
		return -EINVAL;
	err = kvcpu_enter(kd);
	if (err)
		return err;
	*field = value;
	kvcpu_write(kd, offset, value);
	kvcpu_leave(kd);
	return 0;
}

static ssize_t hot_lease_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvcpu_device *kd = kvcpu_of(dev);

	return kvcpu_tuning_show(kd, &kd->tuning.hot_lease, buf);
}

static ssize_t hot_lease_store(struct device *dev, struct device_attribute *attr, const char *buf,
			       size_t count)
{
	struct kvcpu_device *kd = kvcpu_of(dev);
	int err;

	err = kvcpu_tuning_store(kd, &kd->tuning.hot_lease, KVCPU_REG_HOT_LEASE, buf, 1, U64_MAX);
	return err ? err : count;
}
static DEVICE_ATTR_RW(hot_lease);

static ssize_t shared_cap_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvcpu_device *kd = kvcpu_of(dev);

	return kvcpu_tuning_show(kd, &kd->tuning.shared_cap, buf);
}

static ssize_t shared_cap_store(struct device *dev, struct device_attribute *attr, const char *buf,
				size_t count)
{
	struct kvcpu_device *kd = kvcpu_of(dev);
	int err;

	err = kvcpu_tuning_store(kd, &kd->tuning.shared_cap, KVCPU_REG_SHARED_CAP, buf, 0,
				 kd->fast_slots);
	return err ? err : count;
}
static DEVICE_ATTR_RW(shared_cap);

/**
 * struct kvcpu_limit - attribute for a limit that the driver enforces
 * @attr: the attribute
 * @field: offset in struct kvcpu_tuning
 * @max: largest value; 0: the number of fast slots
 */
struct kvcpu_limit {
	struct device_attribute attr;
	size_t field;
	u32 max;
};

static u32 *kvcpu_limit_at(struct kvcpu_device *kd, const struct kvcpu_limit *limit)
{
	return (u32 *)((u8 *)&kd->tuning + limit->field);
}

static ssize_t kvcpu_limit_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct kvcpu_limit *limit = container_of(attr, struct kvcpu_limit, attr);

	return sysfs_emit(buf, "%u\n", READ_ONCE(*kvcpu_limit_at(kvcpu_of(dev), limit)));
}

static ssize_t kvcpu_limit_store(struct device *dev, struct device_attribute *attr,
				 const char *buf, size_t count)
{
	struct kvcpu_limit *limit = container_of(attr, struct kvcpu_limit, attr);
	struct kvcpu_device *kd = kvcpu_of(dev);
	u32 value;
	int err;

	err = kstrtou32(buf, 0, &value);
	if (err)
		return err;
	if (value > (limit->max ? limit->max : kd->fast_slots))
		return -EINVAL;
	WRITE_ONCE(*kvcpu_limit_at(kd, limit), value);
	return count;
}

static struct kvcpu_limit kvcpu_slots_min_limit = {
	.attr = __ATTR(slots_min_limit, 0644, kvcpu_limit_show, kvcpu_limit_store),
	.field = offsetof(struct kvcpu_tuning, slots_min_limit),
};

static struct kvcpu_limit kvcpu_slots_max_limit = {
	.attr = __ATTR(slots_max_limit, 0644, kvcpu_limit_show, kvcpu_limit_store),
	.field = offsetof(struct kvcpu_tuning, slots_max_limit),
};

static struct kvcpu_limit kvcpu_min_residency_ns = {
	.attr = __ATTR(min_residency_ns, 0644, kvcpu_limit_show, kvcpu_limit_store),
	.field = offsetof(struct kvcpu_tuning, min_residency_ns),
	.max = KVCPU_MIN_RESIDENCY_MAX_NS,
};

static struct attribute *kvcpu_attrs[] = {
	&dev_attr_current_step.attr,
	&kvcpu_w_r.attr.attr,
	&kvcpu_w_f.attr.attr,
	&kvcpu_w_s.attr.attr,
	&kvcpu_w_d.attr.attr,
	&kvcpu_evict_thresh.attr.attr,
	&kvcpu_prefetch_thresh.attr.attr,
	&dev_attr_telemetry.attr,
	&dev_attr_policy.attr,
	&dev_attr_policies.attr,
	&dev_attr_event_log_restart.attr,
	&dev_attr_clock_stop.attr,
	&dev_attr_hot_lease.attr,
	&dev_attr_shared_cap.attr,
	&kvcpu_slots_min_limit.attr.attr,
	&kvcpu_slots_max_limit.attr.attr,
	&kvcpu_min_residency_ns.attr.attr,
	NULL
};

static const struct attribute_group kvcpu_group = {
	.attrs = kvcpu_attrs,
};

const struct attribute_group *kvcpu_groups[] = { &kvcpu_group, NULL };
