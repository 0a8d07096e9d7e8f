/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupt vectors and their handlers.
 */
#ifndef KVCPU_INTERRUPTS_H
#define KVCPU_INTERRUPTS_H

struct kvcpu_device;

int kvcpu_interrupts_init(struct kvcpu_device *kd);
void kvcpu_interrupts_off(struct kvcpu_device *kd);
void kvcpu_interrupts_on(struct kvcpu_device *kd);

#endif /* KVCPU_INTERRUPTS_H */
