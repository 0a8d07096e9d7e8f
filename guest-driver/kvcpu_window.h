/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Register access and the command window.
 */
#ifndef KVCPU_WINDOW_H
#define KVCPU_WINDOW_H

#include <linux/types.h>

struct kvcpu_command_words;
struct kvcpu_device;

int kvcpu_enter(struct kvcpu_device *kd);
int kvcpu_enter_undo(struct kvcpu_device *kd);
void kvcpu_leave(struct kvcpu_device *kd);
u64 kvcpu_read(struct kvcpu_device *kd, u32 offset);
void kvcpu_write(struct kvcpu_device *kd, u32 offset, u64 value);
int kvcpu_execute(struct kvcpu_device *kd, const struct kvcpu_command_words *words, u64 *result);
int kvcpu_status_errno(u64 result);

#endif /* KVCPU_WINDOW_H */
