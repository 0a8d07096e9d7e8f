/* SPDX-License-Identifier: MIT */
/* A device whose doorbells a test can write with invalid values, to stop a ring. */
#ifndef KVCPU_TEST_C_DOORBELL_H
#define KVCPU_TEST_C_DOORBELL_H

#include <kvcpu/kvcpu_queue.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kvcpu_device *tapped_device(void);
/* For a tapped device with a queue. */
void ring_doorbell(struct kvcpu_device *device, enum kvcpu_doorbell which, uint64_t value);

#ifdef __cplusplus
}
#endif

#endif /* KVCPU_TEST_C_DOORBELL_H */
