/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The event queue.
 */
#ifndef KVCPU_EVENTS_H
#define KVCPU_EVENTS_H

#include <linux/interrupt.h>

irqreturn_t kvcpu_events_interrupt(int irq, void *data);

#endif /* KVCPU_EVENTS_H */
