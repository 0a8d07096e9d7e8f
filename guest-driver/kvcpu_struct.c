// SPDX-License-Identifier: GPL-2.0-only
/*
 * Structures of ioctls, which grow at their end: copied from and to a caller of any version.
 */
#include <linux/minmax.h>
#include <linux/uaccess.h>

#include "kvcpu_struct.h"

/**
 * kvcpu_struct_in() - copy the structure of an ioctl from the user
 * @to: structure of the driver's version
 * @known: size of the driver's version
 * @from: structure of the user's version
 * @size: size of the user's version
 *
 * Members that the user's version lacks become zero.
 *
 * Return: 0; -E2BIG if the user's version is longer and has a byte there that is not zero; -EFAULT.
 */
int kvcpu_struct_in(void *to, size_t known, const void __user *from, size_t size)
{
	return copy_struct_from_user(to, known, from, size);
}

/**
 * kvcpu_struct_out() - copy the structure of an ioctl to the user
 * @to: structure of the user's version
 * @from: structure of the driver's version
 * @known: size of the driver's version
 * @size: size of the user's version
 *
 * Copies the members that both versions have.
 *
 * Return: 0 or -EFAULT.
 */
int kvcpu_struct_out(void __user *to, const void *from, size_t known, size_t size)
{
	return copy_to_user(to, from, min(known, size)) ? -EFAULT : 0;
}
