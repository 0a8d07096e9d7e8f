/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between Linux 6.1 and 6.12. Kbuild detects them in the kernel's headers and defines
 * KVCPU_HAVE_*.
 */
#ifndef KVCPU_COMPAT_H
#define KVCPU_COMPAT_H

#include <linux/eventfd.h>
#include <linux/mm.h>

#ifndef KVCPU_HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

static inline void kvcpu_eventfd_signal(struct eventfd_ctx *context)
{
#ifdef KVCPU_HAVE_EVENTFD_COUNT
	eventfd_signal(context, 1);
#else
	eventfd_signal(context);
#endif
}

#endif /* KVCPU_COMPAT_H */
