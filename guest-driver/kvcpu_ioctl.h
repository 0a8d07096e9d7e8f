/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ioctls with numbers from 0x40: one function each. kvcpu_chardev.c dispatches them.
 */
#ifndef KVCPU_IOCTL_H
#define KVCPU_IOCTL_H

#include <linux/types.h>

struct kvcpu_file;

/* kvcpu_submit.c */
long kvcpu_ioc_submit(struct kvcpu_file *file, void __user *argument, size_t size);
void kvcpu_submit_free(struct kvcpu_file *file);

/* kvcpu_wait.c */
long kvcpu_ioc_wait(struct kvcpu_file *file, void __user *argument, size_t size);
bool kvcpu_has_completions(struct kvcpu_file *file, u32 count);

/* kvcpu_inspect.c */
long kvcpu_ioc_info(struct kvcpu_file *file, void __user *argument, size_t size);
long kvcpu_ioc_block(struct kvcpu_file *file, void __user *argument, size_t size);
long kvcpu_ioc_counters(struct kvcpu_file *file, void __user *argument, size_t size);
long kvcpu_ioc_history(struct kvcpu_file *file, void __user *argument, size_t size);

/* kvcpu_setup.c */
long kvcpu_ioc_setup(struct kvcpu_file *file, void __user *argument, size_t size);

/* kvcpu_rings.c */
long kvcpu_ioc_restart(struct kvcpu_file *file, void __user *argument, size_t size);
long kvcpu_ioc_coalesce(struct kvcpu_file *file, void __user *argument, size_t size);
long kvcpu_ioc_eventfd(struct kvcpu_file *file, void __user *argument, size_t size);
long kvcpu_ioc_quota(struct kvcpu_file *file, void __user *argument, size_t size);

/* kvcpu_buffers.c */
long kvcpu_ioc_buffer_add(struct kvcpu_file *file, void __user *argument, size_t size);
long kvcpu_ioc_buffer_remove(struct kvcpu_file *file, void __user *argument, size_t size);

#endif /* KVCPU_IOCTL_H */
