// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions of a file, and the address space that has its mappings.
 */
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>

#include "kvcpu.h"
#include "kvcpu_compat.h"
#include "kvcpu_mmap.h"
#include "kvcpu_rings.h"
#include "kvcpu_view.h"

/**
 * DOC: address spaces
 *
 * A device node may have several inodes, so the address space of the node does not have all
 * mappings of a context. For this reason each open file has an inode of its own in an internal file
 * system. All mappings of the file, in every process, are in the address space of this inode.
 *
 * Page faults fill all mappings. Mappings are filled and emptied under kvcpu_file.mapping. After
 * kvcpu_unmap_all() every access faults, and every fault raises SIGBUS. The driver does not use
 * remap_pfn_range() or dma_mmap_coherent(), which uses it: x86 warns if the entries that they made
 * are removed before the area is unmapped.
 */

/* -- Address spaces ----------------------------------------------------------- */

#define KVCPU_FS_MAGIC 0x4b564350

static int kvcpu_fs_init(struct fs_context *context)
{
	return init_pseudo(context, KVCPU_FS_MAGIC) ? 0 : -ENOMEM;
}

static struct file_system_type kvcpu_fs = {
	.name = "kvcpu",
	.owner = THIS_MODULE,
	.init_fs_context = kvcpu_fs_init,
	.kill_sb = kill_anon_super,
};

static struct vfsmount *kvcpu_fs_mount;
static int kvcpu_fs_users;

/**
 * kvcpu_space_make() - create an address space for an open file
 * @file: open file
 * @filp: struct file of the open file
 *
 * Return: 0 or a negative errno.
 */
int kvcpu_space_make(struct kvcpu_file *file, struct file *filp)
{
	struct inode *inode;
	int err;

	err = simple_pin_fs(&kvcpu_fs, &kvcpu_fs_mount, &kvcpu_fs_users);
	if (err)
		return err;
	inode = alloc_anon_inode(kvcpu_fs_mount->mnt_sb);
	if (IS_ERR(inode)) {
		simple_release_fs(&kvcpu_fs_mount, &kvcpu_fs_users);
		return PTR_ERR(inode);
	}
	file->space = inode;
	filp->f_mapping = inode->i_mapping;
	return 0;
}

/**
 * kvcpu_space_free() - undo kvcpu_space_make()
 * @file: file that no process has open or maps
 */
void kvcpu_space_free(struct kvcpu_file *file)
{
	iput(file->space);
	simple_release_fs(&kvcpu_fs_mount, &kvcpu_fs_users);
}

/**
 * kvcpu_unmap_all() - remove all page-table entries of a file, and prevent new ones
 * @file: open file
 */
void kvcpu_unmap_all(struct kvcpu_file *file)
{
	mutex_lock(&file->mapping);
	file->dead = true;
	unmap_mapping_range(file->space->i_mapping, 0, 0, 1);
	mutex_unlock(&file->mapping);
	/* A fault that waits for a hold sees that the file is dead. */
	wake_up_all(&file->view.wait);
}

/* -- Rings, doorbell, residency map ---------------------------------------------- */

/**
 * struct kvcpu_place - region of a file other than the view
 * @offset: first byte
 * @bytes: length
 */
struct kvcpu_place {
	u64 offset;
	u64 bytes;
};

static u64 kvcpu_residency_bytes(const struct kvcpu_rings *rings)
{
	u64 bytes = 0;
	u32 i;

	for (i = 0; i < rings->part_count; i++)
		bytes += rings->parts[i].bytes;
	return bytes;
}

/* Finds the region that an offset is in. */
static int kvcpu_place_of(struct kvcpu_file *file, u64 offset, struct kvcpu_place *place)
{
	struct kvcpu_rings *rings = file->rings;

	if (!rings || offset < KVCPU_OFFSET_SQ)
		return -ENXIO;
	if (offset >= KVCPU_OFFSET_RESIDENCY)
		*place = (struct kvcpu_place) { KVCPU_OFFSET_RESIDENCY,
						kvcpu_residency_bytes(rings) };
	else if (offset >= KVCPU_OFFSET_DOORBELL)
		*place = (struct kvcpu_place) { KVCPU_OFFSET_DOORBELL, KVCPU_DOORBELL_STRIDE };
	else if (offset >= KVCPU_OFFSET_CQ)
		*place = (struct kvcpu_place) { KVCPU_OFFSET_CQ, rings->cq.bytes };
	else
		*place = (struct kvcpu_place) { KVCPU_OFFSET_SQ, rings->sq.bytes };
	return place->bytes ? 0 : -ENXIO;
}

/* Returns the page frame at a byte of a region. */
static unsigned long kvcpu_place_pfn(struct kvcpu_file *file, const struct kvcpu_place *place,
				     u64 byte)
{
	struct kvcpu_rings *rings = file->rings;

	switch (place->offset) {
	case KVCPU_OFFSET_RESIDENCY:
		return rings->parts[byte / KVCPU_PART_BYTES]
			.pfns[(byte % KVCPU_PART_BYTES) >> PAGE_SHIFT];
	case KVCPU_OFFSET_DOORBELL:
		return PHYS_PFN(file->kd->bars.doorbells + file->context * KVCPU_DOORBELL_STRIDE);
	case KVCPU_OFFSET_CQ:
		return rings->cq.pfns[byte >> PAGE_SHIFT];
	default:
		return rings->sq.pfns[byte >> PAGE_SHIFT];
	}
}

static vm_fault_t kvcpu_place_fault(struct vm_fault *vmf)
{
	struct kvcpu_file *file = vmf->vma->vm_file->private_data;
	u64 offset = (u64)vmf->pgoff << PAGE_SHIFT;
	vm_fault_t result = VM_FAULT_SIGBUS;
	struct kvcpu_place place;

	if (mutex_lock_killable(&file->mapping))
		return VM_FAULT_NOPAGE;
	if (!file->dead && !kvcpu_place_of(file, offset, &place))
		result = vmf_insert_pfn(vmf->vma, vmf->address,
					kvcpu_place_pfn(file, &place, offset - place.offset));
	mutex_unlock(&file->mapping);
	return result;
}

static const struct vm_operations_struct kvcpu_place_ops = {
	.fault = kvcpu_place_fault,
};

static int kvcpu_place_mmap(struct kvcpu_file *file, struct vm_area_struct *vma, u64 offset,
			    u64 length)
{
	struct kvcpu_place place;
	int err;

	err = kvcpu_place_of(file, offset, &place);
	if (err)
		return err;
	if (length > place.bytes || offset - place.offset > place.bytes - length)
		return -EINVAL;
	if (place.offset == KVCPU_OFFSET_RESIDENCY) {
		if (vma->vm_flags & VM_WRITE)
			return -EINVAL;
		vm_flags_clear(vma, VM_MAYWRITE);
	}
	if (place.offset == KVCPU_OFFSET_DOORBELL) {
		vm_flags_set(vma, VM_IO);
		vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	}
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &kvcpu_place_ops;
	return 0;
}

/* -- mmap ------------------------------------------------------------------------ */

static int kvcpu_mmap_locked(struct kvcpu_file *file, struct vm_area_struct *vma)
{
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 length = vma->vm_end - vma->vm_start;
	u64 capacity = file->kd->blocks * file->kd->block_size;

	if (READ_ONCE(file->kd->gone))
		return -ENODEV;
	if (file->dead)
		return -EIO;
	/* Memory without struct page cannot be copied for a private mapping. */
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (!file->context)
		return -ENXIO;
	if (offset >= KVCPU_OFFSET_SQ)
		return kvcpu_place_mmap(file, vma, offset, length);
	if (length > capacity || offset > capacity - length)
		return -EINVAL;
	return kvcpu_view_mmap(file, vma);
}

/**
 * kvcpu_mmap() - implement the file operation mmap
 * @filp: open file
 * @vma: area
 *
 * Return: 0; -EINVAL (the mapping is not shared, is not within one region, or would make a
 * residency map writable), -ENXIO (no region is at the offset), -EIO, -ENODEV, -ENOMEM, -EINTR.
 */
int kvcpu_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct kvcpu_file *file = filp->private_data;
	int err;

	if (mutex_lock_killable(&file->mapping))
		return -EINTR;
	err = kvcpu_mmap_locked(file, vma);
	mutex_unlock(&file->mapping);
	return err;
}
