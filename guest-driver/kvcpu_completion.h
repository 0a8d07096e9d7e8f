/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands of the command window that wait in the device, and their completions.
 */
#ifndef KVCPU_COMPLETION_H
#define KVCPU_COMPLETION_H

#include <linux/types.h>

struct kvcpu_device;
struct kvcpu_file;

int kvcpu_requests_init(struct kvcpu_device *kd);
void kvcpu_requests_reset(struct kvcpu_device *kd);
void kvcpu_requests_detach(struct kvcpu_file *file);
u64 kvcpu_request_pin(struct kvcpu_file *file, u64 user_data);
u64 kvcpu_request_close(struct kvcpu_device *kd, u16 context);
void kvcpu_request_done(struct kvcpu_device *kd, u64 tag);
u64 kvcpu_request_find(struct kvcpu_file *file, u64 user_data, u64 after);
u32 kvcpu_ring_used(const struct kvcpu_file *file);
bool kvcpu_completions_reap(struct kvcpu_device *kd);

#endif /* KVCPU_COMPLETION_H */
