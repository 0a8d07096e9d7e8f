/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that the device reads and writes for as long as a context lives: coherent areas of the
 * kernel and pinned pages of a process.
 */
#ifndef KVCPU_MEMORY_H
#define KVCPU_MEMORY_H

#include <linux/scatterlist.h>
#include <linux/types.h>

struct device;
struct mm_struct;

/**
 * struct kvcpu_area - kernel memory that the device uses and that a process may map
 * @kernel: kernel address; NULL: the area has no memory
 * @dma: bus address; the area is contiguous there
 * @bytes: length, a multiple of the page size
 * @pfns: page frame of each page
 */
struct kvcpu_area {
	void *kernel;
	dma_addr_t dma;
	size_t bytes;
	unsigned long *pfns;
};

/**
 * struct kvcpu_pinned - a buffer: pages of a process that the device uses
 * @mm: process that the pages are accounted to
 * @pages: the pages
 * @count: number of pages
 * @map: the pages, mapped for DMA
 * @table: bus addresses of the pages, for the device
 * @table_dma: bus address of @table
 * @table_bytes: length of @table
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

int kvcpu_area_alloc(struct device *dev, struct kvcpu_area *area, size_t bytes);
void kvcpu_area_free(struct device *dev, struct kvcpu_area *area);
struct kvcpu_pinned *kvcpu_pinned_make(u64 address, u64 length);
int kvcpu_pinned_map(struct device *dev, struct kvcpu_pinned *pinned);
void kvcpu_pinned_free(struct device *dev, struct kvcpu_pinned *pinned);

#endif /* KVCPU_MEMORY_H */
