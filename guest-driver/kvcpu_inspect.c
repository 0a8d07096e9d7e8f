// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inspection: INFO, BLOCK, COUNTERS, HISTORY.
 */
#include <linux/capability.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kvcpu.h"
#include "kvcpu_hw_log.h"
#include "kvcpu_ioctl.h"
#include "kvcpu_rings.h"
#include "kvcpu_struct.h"
#include "kvcpu_view.h"
#include "kvcpu_window.h"

/* Fills the members for rings. They stay zero for a device without rings. */
static void kvcpu_info_rings(struct kvcpu_file *file, struct kvcpu_info *info)
{
	struct kvcpu_device *kd = file->kd;
	u64 blocks, quota;

	if (!(kd->features & KVCPU_FEATURE_RINGS))
		return;
	info->doorbell_latency_ns = kvcpu_read(kd, KVCPU_REG_DOORBELL_LATENCY);
	if (!info->context)
		return;
	info->ring_state = kvcpu_ring_state(file);
	kvcpu_write(kd, KVCPU_REG_CONTEXT_SELECT, info->context);
	info->buffers = KVCPU_GET(KVCPU_CXS_BUFFERS, kvcpu_read(kd, KVCPU_REG_CONTEXT_STATE));
	blocks = kvcpu_read(kd, KVCPU_REG_CONTEXT_BLOCKS);
	quota = kvcpu_read(kd, KVCPU_REG_CONTEXT_QUOTA);
	info->blocks_owned = KVCPU_GET(KVCPU_CXB_OWNED, blocks);
	info->slots_used = KVCPU_GET(KVCPU_CXB_SLOTS, blocks);
	info->slots_min = KVCPU_GET(KVCPU_QTA_MIN, quota);
	info->slots_max = KVCPU_GET(KVCPU_QTA_MAX, quota);
}

/**
 * kvcpu_ioc_info() - KVCPU_IOC_INFO
 * @file: open file
 * @argument: struct kvcpu_info of the user
 * @size: size of that structure
 *
 * Return: 0, -E2BIG, -EFAULT or -ENODEV.
 */
long kvcpu_ioc_info(struct kvcpu_file *file, void __user *argument, size_t size)
{
	struct kvcpu_device *kd = file->kd;
	struct kvcpu_info info;
	int err;
	u32 i;

	/* Every member is output. Bytes that the driver does not know must be zero all the same. */
	err = kvcpu_struct_in(&info, sizeof(info), argument, size);
	if (err)
		return err;
	err = kvcpu_enter(kd);
	if (err)
		return err;
	info = (struct kvcpu_info) {
		.uapi_version = KVCPU_UAPI_VERSION,
		.policy = kvcpu_read(kd, KVCPU_REG_POLICY),
		.features = kd->features,
		.id = kvcpu_read(kd, KVCPU_REG_ID),
		.caps = kvcpu_read(kd, KVCPU_REG_CAPS),
		.block_size = kd->block_size,
		.blocks = kd->blocks,
		.fast_slots = kd->fast_slots,
		.contexts = kd->contexts,
		.dma_channels = kvcpu_read(kd, KVCPU_REG_DMA_CHANNELS),
		.dma_latency_ns = kvcpu_read(kd, KVCPU_REG_DMA_LATENCY),
		.dma_bandwidth = kvcpu_read(kd, KVCPU_REG_DMA_BANDWIDTH),
		.scrub_bandwidth = kvcpu_read(kd, KVCPU_REG_SCRUB_BANDWIDTH),
		.policies = kd->policies,
		.fast_free = kvcpu_read(kd, KVCPU_REG_FAST_FREE),
		.blocks_free = kvcpu_read(kd, KVCPU_REG_BLOCKS_FREE),
		.log_records = kvcpu_read(kd, KVCPU_REG_LOG_RECORDS),
		.time_ns = kvcpu_read(kd, KVCPU_REG_TIME),
		.context = READ_ONCE(file->context),
		.ring_state = KVCPU_RS_NO_RING,
		.view_bytes = kvcpu_view_bytes(kd),
		.vectors = kd->vector_count,
	};
	kvcpu_info_rings(file, &info);
	for (i = 0; i < ARRAY_SIZE(info.occupancy) && info.caps & KVCPU_CAP_OCCUPANCY; i++)
		info.occupancy[i] = kvcpu_read(kd, KVCPU_REG_OCCUPANCY_FREE + 8 * i);
	kvcpu_leave(kd);
	return kvcpu_struct_out(argument, &info, sizeof(info), size);
}

/**
 * kvcpu_ioc_block() - KVCPU_IOC_BLOCK
 * @file: open file
 * @argument: struct kvcpu_block of the user
 * @size: size of that structure
 *
 * Return: 0; -EINVAL (no such block), -EPERM (the file does not own it, and no CAP_SYS_ADMIN),
 * -E2BIG, -EFAULT, -ENODEV.
 */
long kvcpu_ioc_block(struct kvcpu_file *file, void __user *argument, size_t size)
{
	struct kvcpu_device *kd = file->kd;
	struct kvcpu_block block;
	bool own;
	int err;

	err = kvcpu_struct_in(&block, sizeof(block), argument, size);
	if (err)
		return err;
	if (block.block >= kd->blocks)
		return -EINVAL;
	err = kvcpu_enter(kd);
	if (err)
		return err;
	kvcpu_write(kd, KVCPU_REG_BLOCK_SELECT, block.block);
	block.state = kvcpu_read(kd, KVCPU_REG_BLOCK_STATE);
	block.place = kvcpu_read(kd, KVCPU_REG_BLOCK_PLACE);
	block.use = kvcpu_read(kd, KVCPU_REG_BLOCK_USE);
	block.tag = kvcpu_read(kd, KVCPU_REG_BLOCK_TAG);
	block.tokens = kvcpu_read(kd, KVCPU_REG_BLOCK_TOKENS);
	block.last_step = kvcpu_read(kd, KVCPU_REG_BLOCK_LAST_STEP);
	block.target = kvcpu_read(kd, KVCPU_REG_BLOCK_TARGET);
	block.holds = kvcpu_read(kd, KVCPU_REG_BLOCK_HOLDS);
	own = file->context && KVCPU_GET(KVCPU_BST_OWNER, block.state) == file->context;
	kvcpu_leave(kd);
	if (!own && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	return kvcpu_struct_out(argument, &block, sizeof(block), size);
}

/**
 * kvcpu_ioc_counters() - KVCPU_IOC_COUNTERS
 * @file: open file
 * @argument: struct kvcpu_counters of the user
 * @size: size of that structure
 *
 * No command of the command window executes between the reads. Moves and rings go on meanwhile.
 *
 * Return: 0, -E2BIG, -EFAULT or -ENODEV.
 */
long kvcpu_ioc_counters(struct kvcpu_file *file, void __user *argument, size_t size)
{
	struct kvcpu_device *kd = file->kd;
	u64 values[KVCPU_COUNTER_COUNT + KVCPU_STATUS_COUNT];
	struct kvcpu_counters counters;
	u32 i, wanted;
	int err;

	err = kvcpu_struct_in(&counters, sizeof(counters), argument, size);
	if (err)
		return err;
	wanted = min_t(u32, counters.capacity, ARRAY_SIZE(values));
	err = kvcpu_enter(kd);
	if (err)
		return err;
	for (i = 0; i < wanted; i++) {
		if (i < KVCPU_COUNTER_COUNT)
			values[i] = kvcpu_read(kd, KVCPU_COUNTER_BASE + 8 * i);
		else
			values[i] = kvcpu_read(kd, KVCPU_STATUS_COUNTER_BASE +
					       8 * (i - KVCPU_COUNTER_COUNT));
	}
	kvcpu_leave(kd);
	counters.count = ARRAY_SIZE(values);
	if (copy_to_user(u64_to_user_ptr(counters.values), values, wanted * sizeof(*values)))
		return -EFAULT;
	return kvcpu_struct_out(argument, &counters, sizeof(counters), size);
}

/* Reads at most @history->capacity records. One write lets the device search a bounded number. */
static void kvcpu_read_history(struct kvcpu_device *kd, struct kvcpu_history *history,
			       struct kvcpu_record *records)
{
	u64 state;

	kvcpu_write(kd, KVCPU_REG_BLOCK_SELECT, history->block);
	do {
		kvcpu_write(kd, KVCPU_REG_HISTORY_BEFORE, history->before);
		history->before = kvcpu_read(kd, KVCPU_REG_HISTORY_BEFORE);
		state = kvcpu_read(kd, KVCPU_REG_HISTORY_STATE);
		if (state != KVCPU_HS_FOUND)
			continue;
		records[history->count++] = (struct kvcpu_record) {
			.sequence = kvcpu_read(kd, KVCPU_REG_HISTORY_SEQUENCE),
			.time_ns = kvcpu_read(kd, KVCPU_REG_HISTORY_TIME),
			.what = kvcpu_read(kd, KVCPU_REG_HISTORY_WHAT),
			.first = kvcpu_read(kd, KVCPU_REG_HISTORY_FIRST),
			.value = kvcpu_read(kd, KVCPU_REG_HISTORY_VALUE),
		};
	} while (history->count < history->capacity &&
		 (state == KVCPU_HS_FOUND || state == KVCPU_HS_GO_ON));
}

/**
 * kvcpu_ioc_history() - KVCPU_IOC_HISTORY
 * @file: open file
 * @argument: struct kvcpu_history of the user
 * @size: size of that structure
 *
 * The call needs CAP_SYS_ADMIN, because the records also show commands of former owners.
 *
 * Return: 0; -EINVAL (no such block, capacity), -EPERM, -EOPNOTSUPP, -ENOMEM, -E2BIG, -EFAULT,
 * -ENODEV.
 */
long kvcpu_ioc_history(struct kvcpu_file *file, void __user *argument, size_t size)
{
	struct kvcpu_device *kd = file->kd;
	struct kvcpu_history history;
	struct kvcpu_record *records;
	bool has_one;
	long err;

	err = kvcpu_struct_in(&history, sizeof(history), argument, size);
	if (err)
		return err;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (history.block >= kd->blocks || !history.capacity ||
	    history.capacity > KVCPU_HISTORY_MAX)
		return -EINVAL;
	records = kcalloc(history.capacity, sizeof(*records), GFP_KERNEL);
	if (!records)
		return -ENOMEM;
	history.count = 0;
	err = kvcpu_enter(kd);
	if (err)
		goto free_records;
	has_one = kvcpu_read(kd, KVCPU_REG_CAPS) & KVCPU_CAP_HISTORY;
	if (has_one)
		kvcpu_read_history(kd, &history, records);
	kvcpu_leave(kd);
	err = has_one ? 0 : -EOPNOTSUPP;
	if (!err && copy_to_user(u64_to_user_ptr(history.records), records,
				 history.count * sizeof(*records)))
		err = -EFAULT;
	if (!err)
		err = kvcpu_struct_out(argument, &history, sizeof(history), size);
free_records:
	kfree(records);
	return err;
}
