// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for the device: coherent areas that a process may map, and pinned pages of a process.
 */
#include <linux/capability.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "kvcpu.h"
#include "kvcpu_memory.h"

/* -- Areas ----------------------------------------------------------------- */

/* Coherent memory need not be in the kernel's linear map, so the DMA layer gives the pages. */
static int kvcpu_area_pfns(struct device *dev, struct kvcpu_area *area)
{
	struct sg_page_iter page;
	struct sg_table table;
	unsigned long i = 0;
	int err;

	err = dma_get_sgtable(dev, &table, area->kernel, area->dma, area->bytes);
	if (err)
		return err;
	for_each_sgtable_page(&table, &page, 0) {
		if (i < area->bytes >> PAGE_SHIFT)
			area->pfns[i++] = page_to_pfn(sg_page_iter_page(&page));
	}
	sg_free_table(&table);
	return i == area->bytes >> PAGE_SHIFT ? 0 : -ENXIO;
}

/**
 * kvcpu_area_alloc() - allocate a zeroed area
 * @dev: device
 * @area: result; has no memory after an error
 * @bytes: length; rounded up to pages
 *
 * The memory is charged to the memory cgroup of the caller.
 *
 * Return: 0, -ENOMEM, or another negative errno if a process cannot map the memory.
 */
int kvcpu_area_alloc(struct device *dev, struct kvcpu_area *area, size_t bytes)
{
	int err;

	area->bytes = PAGE_ALIGN(bytes);
	area->pfns = kvcalloc(area->bytes >> PAGE_SHIFT, sizeof(*area->pfns), GFP_KERNEL_ACCOUNT);
	if (!area->pfns)
		return -ENOMEM;
	area->kernel = dma_alloc_coherent(dev, area->bytes, &area->dma,
					  GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!area->kernel)
		err = -ENOMEM;
	else
		err = kvcpu_area_pfns(dev, area);
	if (err)
		kvcpu_area_free(dev, area);
	return err;
}

/**
 * kvcpu_area_free() - free an area that neither the device nor a process uses
 * @dev: device
 * @area: area, with or without memory
 */
void kvcpu_area_free(struct device *dev, struct kvcpu_area *area)
{
	if (area->kernel)
		dma_free_coherent(dev, area->bytes, area->kernel, area->dma);
	kvfree(area->pfns);
	memset(area, 0, sizeof(*area));
}

/* -- Pages of a process ----------------------------------------------------- */

static int kvcpu_account(struct mm_struct *mm, unsigned long pages)
{
	u64 limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;

	if (atomic64_add_return(pages, &mm->pinned_vm) <= limit || capable(CAP_IPC_LOCK))
		return 0;
	atomic64_sub(pages, &mm->pinned_vm);
	return -ENOMEM;
}

/* Pins all of @pinned->pages or none of them. */
static int kvcpu_pin_pages(struct kvcpu_pinned *pinned, unsigned long start)
{
	unsigned long done = 0;
	int got;

	while (done < pinned->count) {
		got = pin_user_pages_fast(start + done * PAGE_SIZE,
					  min_t(unsigned long, pinned->count - done, INT_MAX),
					  FOLL_WRITE | FOLL_LONGTERM, pinned->pages + done);
		if (got <= 0) {
			unpin_user_pages(pinned->pages, done);
			return got ? got : -EFAULT;
		}
		done += got;
		if (fatal_signal_pending(current)) {
			unpin_user_pages(pinned->pages, done);
			return -EINTR;
		}
		cond_resched();
	}
	return 0;
}

/**
 * kvcpu_pinned_make() - pin a range of the caller's memory
 * @address: first byte
 * @length: bytes; the range does not wrap
 *
 * The function may wait for user space, so the caller holds no lock.
 *
 * Return: the pages, not mapped for DMA yet; or -ENOMEM (also for RLIMIT_MEMLOCK), -EFAULT, -EINTR.
 */
struct kvcpu_pinned *kvcpu_pinned_make(u64 address, u64 length)
{
	u64 count = ((address & ~PAGE_MASK) + length + PAGE_SIZE - 1) >> PAGE_SHIFT;
	struct kvcpu_pinned *pinned;
	int err;

	pinned = kzalloc(sizeof(*pinned), GFP_KERNEL_ACCOUNT);
	if (!pinned)
		return ERR_PTR(-ENOMEM);
	pinned->count = count;
	err = kvcpu_account(current->mm, count);
	if (err)
		goto free;
	pinned->pages = kvmalloc_array(count, sizeof(*pinned->pages),
				       GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	err = pinned->pages ? kvcpu_pin_pages(pinned, address & PAGE_MASK) : -ENOMEM;
	if (err)
		goto unaccount;
	pinned->mm = current->mm;
	mmgrab(pinned->mm);
	return pinned;

unaccount:
	atomic64_sub(count, &current->mm->pinned_vm);
free:
	kvfree(pinned->pages);
	kfree(pinned);
	return ERR_PTR(err);
}

/*
 * A long-term mapping is never synchronized with caches or bounce buffers. So it needs a device
 * that is coherent and whose mappings are not bounced: probe disables KVCPU_FEATURE_BUFFERS if they
 * may be. An IOMMU bounces no whole pages. A page may have several such mappings in different
 * buffers.
 */
#define KVCPU_PINNED_ATTRS DMA_ATTR_SKIP_CPU_SYNC

static void kvcpu_pinned_fill(struct kvcpu_pinned *pinned)
{
	struct sg_dma_page_iter page;
	unsigned long i = 0, part;

	for_each_sgtable_dma_page(&pinned->map, &page, 0) {
		for (part = 0; part < PAGE_SIZE; part += KVCPU_BUFFER_PAGE)
			pinned->table[i++] = cpu_to_le64(sg_page_iter_dma_address(&page) + part);
	}
}

/**
 * kvcpu_pinned_map() - map pinned pages for DMA and fill their table
 * @dev: device
 * @pinned: result of kvcpu_pinned_make()
 *
 * Return: 0 or -ENOMEM. kvcpu_pinned_free() must follow in either case.
 */
int kvcpu_pinned_map(struct device *dev, struct kvcpu_pinned *pinned)
{
	int err;

	err = sg_alloc_table_from_pages(&pinned->map, pinned->pages, pinned->count, 0,
					(size_t)pinned->count << PAGE_SHIFT, GFP_KERNEL_ACCOUNT);
	if (err)
		return err;
	err = dma_map_sgtable(dev, &pinned->map, DMA_BIDIRECTIONAL, KVCPU_PINNED_ATTRS);
	if (err) {
		sg_free_table(&pinned->map);
		memset(&pinned->map, 0, sizeof(pinned->map));
		return -ENOMEM;
	}
	pinned->table_bytes = ((size_t)pinned->count << PAGE_SHIFT) / KVCPU_BUFFER_PAGE *
			      sizeof(*pinned->table);
	pinned->table = dma_alloc_coherent(dev, pinned->table_bytes, &pinned->table_dma,
					   GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!pinned->table)
		return -ENOMEM;
	kvcpu_pinned_fill(pinned);
	return 0;
}

/**
 * kvcpu_pinned_free() - unmap and unpin pages that the device does not use
 * @dev: device
 * @pinned: pages, mapped or not
 */
void kvcpu_pinned_free(struct device *dev, struct kvcpu_pinned *pinned)
{
	if (pinned->table)
		dma_free_coherent(dev, pinned->table_bytes, pinned->table, pinned->table_dma);
	if (pinned->map.sgl) {
		dma_unmap_sgtable(dev, &pinned->map, DMA_BIDIRECTIONAL, KVCPU_PINNED_ATTRS);
		sg_free_table(&pinned->map);
	}
	/* The device may have written to any of the pages. */
	unpin_user_pages_dirty_lock(pinned->pages, pinned->count, true);
	atomic64_sub(pinned->count, &pinned->mm->pinned_vm);
	mmdrop(pinned->mm);
	kvfree(pinned->pages);
	kfree(pinned);
}
