/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that the device reads and writes for as long as a context lives: its rings, its residency
 * map, its buffers.
 */
#ifndef KVCPU_MEMORY_H
#define KVCPU_MEMORY_H

#include <linux/mm_types.h>
#include <linux/scatterlist.h>
#include <linux/types.h>

#include <linux/kvcpu.h>

#include "kvcpu_hw.h"
#include "kvcpu_hw_rings.h"

struct device;
struct eventfd_ctx;
struct kvcpu_device;
struct kvcpu_file;

/**
 * struct kvcpu_area - kernel memory that the device knows, and that a process may map
 * @kernel: its address; NULL: there is none
 * @dma: its bus address; contiguous there
 * @bytes: whole pages
 * @pfns: page frame of each page
 */
struct kvcpu_area {
	void *kernel;
	dma_addr_t dma;
	size_t bytes;
	unsigned long *pfns;
};

/**
 * struct kvcpu_pinned - a buffer: a process's pages that the device knows
 * @mm: whose pinned memory it counts as
 * @pages: the pages
 * @count: how many
 * @map: them, mapped for DMA
 * @table: their bus addresses, for the device
 * @table_dma: its bus address
 * @table_bytes: its length
 */
struct kvcpu_pinned {
	struct mm_struct *mm;
	struct page **pages;
	unsigned long count;
	struct sg_table map;
	__le64 *table;
	dma_addr_t table_dma;
	size_t table_bytes;
};

/**
 * struct kvcpu_rings - what SETUP gave to a file
 * @sq: submission ring
 * @cq: completion ring
 * @parts: residency map; NULL: there is none
 * @part_count: its parts
 * @buffers: buffers by number
 * @vector: index into kvcpu_device.vectors
 * @coalesce: what the process chose; under kvcpu_device.window
 * @armed: how many WAITs want an interrupt for the next completion; likewise
 * @eventfd: to be signalled; NULL: none. Under kvcpu_device.lock
 */
struct kvcpu_rings {
	struct kvcpu_area sq;
	struct kvcpu_area cq;
	struct kvcpu_area *parts;
	u32 part_count;
	struct kvcpu_pinned *buffers[KVCPU_BUFFERS_MAX];
	u32 vector;
	struct kvcpu_coalesce coalesce;
	u32 armed;
	struct eventfd_ctx *eventfd;
};

/* A part of a residency map takes so many bytes; it is a multiple of the page size. */
#define KVCPU_PART_BYTES ((size_t)KVCPU_RESIDENCY_PART * KVCPU_RESIDENCY_BYTES)

/* kvcpu_memory.c */
int kvcpu_area_alloc(struct device *dev, struct kvcpu_area *area, size_t bytes);
void kvcpu_area_free(struct device *dev, struct kvcpu_area *area);
struct kvcpu_pinned *kvcpu_pinned_make(u64 address, u64 length);
int kvcpu_pinned_map(struct device *dev, struct kvcpu_pinned *pinned);
void kvcpu_pinned_free(struct device *dev, struct kvcpu_pinned *pinned);

/* kvcpu_setup.c */
long kvcpu_ioc_setup(struct kvcpu_file *file, void __user *argument, size_t size);
void kvcpu_rings_free(struct kvcpu_file *file);

/* kvcpu_rings.c */
bool kvcpu_coalesce_valid(u32 count, u32 ns);
u64 kvcpu_coalesce_word(struct kvcpu_file *file, const struct kvcpu_rings *rings, u32 count,
			u32 ns);
int kvcpu_rings_lock(struct kvcpu_file *file);
void kvcpu_rings_unlock(struct kvcpu_file *file);
int kvcpu_rings_arm(struct kvcpu_file *file, bool arm);
long kvcpu_ioc_restart(struct kvcpu_file *file, void __user *argument, size_t size);
long kvcpu_ioc_coalesce(struct kvcpu_file *file, void __user *argument, size_t size);
long kvcpu_ioc_eventfd(struct kvcpu_file *file, void __user *argument, size_t size);

/* kvcpu_quota.c */
int kvcpu_quota_allowed(struct kvcpu_device *kd, u32 min, u32 *max);
u64 kvcpu_quota_word(u32 min, u32 max);
int kvcpu_quota_default(struct kvcpu_file *file);
long kvcpu_ioc_quota(struct kvcpu_file *file, void __user *argument, size_t size);

/* kvcpu_buffers.c */
long kvcpu_ioc_buffer_add(struct kvcpu_file *file, void __user *argument, size_t size);
long kvcpu_ioc_buffer_remove(struct kvcpu_file *file, void __user *argument, size_t size);

#endif /* KVCPU_MEMORY_H */
