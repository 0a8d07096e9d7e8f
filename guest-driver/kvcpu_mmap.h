/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a process can map: the regions of a file, and the address space of its mappings.
 */
#ifndef KVCPU_MMAP_H
#define KVCPU_MMAP_H

#include <linux/bits.h>

struct file;
struct kvcpu_file;
struct vm_area_struct;

/* Offsets of a file. The view begins at 0 and is as long as the KV space. */
#define KVCPU_OFFSET_SQ BIT_ULL(60)
#define KVCPU_OFFSET_CQ (KVCPU_OFFSET_SQ + BIT_ULL(32))
#define KVCPU_OFFSET_DOORBELL (KVCPU_OFFSET_SQ + 2 * BIT_ULL(32))
#define KVCPU_OFFSET_RESIDENCY BIT_ULL(61)

int kvcpu_space_make(struct kvcpu_file *file, struct file *filp);
void kvcpu_space_free(struct kvcpu_file *file);
int kvcpu_mmap(struct file *filp, struct vm_area_struct *vma);
void kvcpu_unmap_all(struct kvcpu_file *file);

#endif /* KVCPU_MMAP_H */
