/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Structures of ioctls: copied from and to a caller of any version.
 */
#ifndef KVCPU_STRUCT_H
#define KVCPU_STRUCT_H

#include <linux/types.h>

int kvcpu_struct_in(void *to, size_t known, const void __user *from, size_t size);
int kvcpu_struct_out(void __user *to, const void *from, size_t known, size_t size);

#endif /* KVCPU_STRUCT_H */
