/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Contexts: a file's context, the commands that act in it, and the threads that wait for it.
 */
#ifndef KVCPU_CONTEXT_H
#define KVCPU_CONTEXT_H

#include <linux/types.h>

struct kvcpu_command_words;
struct kvcpu_device;
struct kvcpu_file;

int kvcpu_context_get(struct kvcpu_file *file);
bool kvcpu_context_put(struct kvcpu_file *file);
void kvcpu_context_reset(struct kvcpu_device *kd);
int kvcpu_issue(struct kvcpu_file *file, struct kvcpu_command_words *words, u64 *result);
int kvcpu_issue_checked(struct kvcpu_file *file, struct kvcpu_command_words *words);
int kvcpu_issue_undo(struct kvcpu_file *file, struct kvcpu_command_words *words);
int kvcpu_bind(struct kvcpu_file *file);
void kvcpu_unbind(struct kvcpu_file *file);
void kvcpu_file_detach(struct kvcpu_file *file);
void kvcpu_file_signal(struct kvcpu_file *file);
void kvcpu_wake_all(struct kvcpu_device *kd);

#endif /* KVCPU_CONTEXT_H */
