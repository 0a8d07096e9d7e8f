/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Faults and delays that tests inject. Only a kernel with fault injection has them.
 */
#ifndef KVCPU_FAULT_H
#define KVCPU_FAULT_H

#include <linux/types.h>

/**
 * enum kvcpu_fault - operations that can be made to fail
 * @KVCPU_FAULT_HOLD: a HOLD finds the admin ring full
 * @KVCPU_FAULT_QUOTA: the device refuses the first quota of a context
 * @KVCPU_FAULT_QUEUES: the device does not enable its queues
 */
enum kvcpu_fault {
	KVCPU_FAULT_HOLD,
	KVCPU_FAULT_QUOTA,
	KVCPU_FAULT_QUEUES,
};

#define KVCPU_FAULTS (KVCPU_FAULT_QUEUES + 1)

#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
void kvcpu_fault_init(void);
void kvcpu_fault_exit(void);
bool kvcpu_fault(enum kvcpu_fault fault);
void kvcpu_delay(void);
#else
static inline void kvcpu_fault_init(void)
{
}

static inline void kvcpu_fault_exit(void)
{
}

static inline bool kvcpu_fault(enum kvcpu_fault fault)
{
	return false;
}

static inline void kvcpu_delay(void)
{
}
#endif

#endif /* KVCPU_FAULT_H */
