/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rings of a file: its queue pair, residency map and registered buffers.
 */
#ifndef KVCPU_RINGS_H
#define KVCPU_RINGS_H

#include <linux/types.h>

#include <linux/kvcpu.h>

#include "kvcpu_hw.h"
#include "kvcpu_hw_rings.h"
#include "kvcpu_memory.h"

struct eventfd_ctx;
struct kvcpu_file;

/**
 * struct kvcpu_rings - what SETUP created for a file
 * @sq: submission ring
 * @cq: completion ring
 * @parts: residency map; NULL: the file has none
 * @part_count: number of @parts
 * @buffers: registered buffers by number
 * @vector: index into kvcpu_device.vectors
 * @coalesce: coalescing that the process chose; under kvcpu_device.window
 * @armed: number of WAITs that need an interrupt for the next completion; under
 *	kvcpu_device.window
 * @eventfd: signalled with each interrupt; NULL: none. Under kvcpu_device.lock
 */
struct kvcpu_rings {
	struct kvcpu_area sq;
	struct kvcpu_area cq;
	struct kvcpu_area *parts;
	u32 part_count;
	struct kvcpu_pinned *buffers[KVCPU_BUFFERS_MAX];
	u32 vector;
	struct kvcpu_coalesce coalesce;
	u32 armed;
	struct eventfd_ctx *eventfd;
};

/* Bytes of a part of a residency map: a multiple of the page size. */
#define KVCPU_PART_BYTES ((size_t)KVCPU_RESIDENCY_PART * KVCPU_RESIDENCY_BYTES)

/* kvcpu_setup.c */
void kvcpu_rings_free(struct kvcpu_file *file);

/* kvcpu_rings.c */
bool kvcpu_coalesce_valid(u32 count, u32 ns);
u64 kvcpu_coalesce_word(struct kvcpu_file *file, const struct kvcpu_rings *rings, u32 count,
			u32 ns);
u32 kvcpu_ring_state(struct kvcpu_file *file);
bool kvcpu_ring_ready(struct kvcpu_file *file, bool *stopped);
int kvcpu_rings_lock(struct kvcpu_file *file);
void kvcpu_rings_unlock(struct kvcpu_file *file);
int kvcpu_rings_arm(struct kvcpu_file *file, bool arm);

#endif /* KVCPU_RINGS_H */
