// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts: one vector for the command window and the admin ring, one for the event queue, and
 * the other vectors for contexts. Contexts share vectors if there are fewer vectors than contexts.
 */
#include <linux/interrupt.h>
#include <linux/pci.h>

#include "kvcpu.h"
#include "kvcpu_completion.h"
#include "kvcpu_context.h"
#include "kvcpu_events.h"
#include "kvcpu_interrupts.h"
#include "kvcpu_queues.h"
#include "kvcpu_rings.h"
#include "kvcpu_window.h"

/*
 * The vector of the completion FIFO and the admin ring. The admin ring has at most
 * KVCPU_ADMIN_ENTRIES completions, in memory. An entry of the FIFO takes several register accesses,
 * so the thread consumes those beyond a batch.
 */
static irqreturn_t kvcpu_completion_interrupt(int irq, void *data)
{
	struct kvcpu_device *kd = data;

	kvcpu_admin_reap(kd);
	return kvcpu_completions_reap(kd) ? IRQ_WAKE_THREAD : IRQ_HANDLED;
}

static irqreturn_t kvcpu_completion_thread(int irq, void *data)
{
	while (kvcpu_completions_reap(data))
		cond_resched();
	return IRQ_HANDLED;
}

/* Looks only at contexts that use the vector: one, if the device has a vector for each context. */
static irqreturn_t kvcpu_context_interrupt(int irq, void *data)
{
	struct kvcpu_vector *vector = data;
	struct kvcpu_device *kd = vector->kd;
	struct kvcpu_file *file;
	unsigned long flags;
	u32 context;

	spin_lock_irqsave(&kd->lock, flags);
	for (context = 1 + (vector - kd->vectors); context < kd->contexts;
	     context += kd->vector_count) {
		file = kd->owners[context];
		if (file && file->rings)
			kvcpu_file_signal(file);
	}
	spin_unlock_irqrestore(&kd->lock, flags);
	return IRQ_HANDLED;
}

static int kvcpu_vectors_request(struct kvcpu_device *kd)
{
	struct pci_dev *pdev = kd->pdev;
	struct device *dev = &pdev->dev;
	u32 i;
	int err;

	err = devm_request_threaded_irq(dev, pci_irq_vector(pdev, KVCPU_VECTOR_EVENTS), NULL,
					kvcpu_events_interrupt, IRQF_ONESHOT, "kvcpu-events", kd);
	for (i = 0; i < kd->vector_count && !err; i++) {
		kd->vectors[i].kd = kd;
		kd->vectors[i].number = KVCPU_VECTOR_CONTEXTS + i;
		err = devm_request_irq(dev, pci_irq_vector(pdev, kd->vectors[i].number),
				       kvcpu_context_interrupt, 0, "kvcpu-context",
				       &kd->vectors[i]);
	}
	return err;
}

/**
 * kvcpu_interrupts_init() - allocate vectors and register handlers
 * @kd: device, not in use yet
 *
 * A device without rings needs one vector. A device with rings also needs a vector for the event
 * queue and at least one for contexts. The driver uses at most one vector for each context.
 *
 * Return: 0 or a negative errno.
 */
int kvcpu_interrupts_init(struct kvcpu_device *kd)
{
	bool rings = kd->features & KVCPU_FEATURE_RINGS;
	u32 most = KVCPU_VECTOR_CONTEXTS + kd->contexts - 1;
	struct pci_dev *pdev = kd->pdev;
	int count, err;

	if (rings)
		most = min_t(u64, most, kvcpu_read(kd, KVCPU_REG_VECTORS));
	count = pci_alloc_irq_vectors(pdev, rings ? KVCPU_VECTORS_MIN : KVCPU_MSIX_VECTORS,
				      rings ? most : KVCPU_MSIX_VECTORS, PCI_IRQ_MSIX);
	if (count < 0)
		return dev_err_probe(&pdev->dev, count, "too few MSI-X vectors\n");
	err = devm_request_threaded_irq(&pdev->dev, pci_irq_vector(pdev, KVCPU_VECTOR_COMPLETION),
					kvcpu_completion_interrupt, kvcpu_completion_thread, 0,
					KBUILD_MODNAME, kd);
	if (err || !rings)
		return err;
	kd->vector_count = count - KVCPU_VECTOR_CONTEXTS;
	kd->vectors = devm_kcalloc(&pdev->dev, kd->vector_count, sizeof(*kd->vectors), GFP_KERNEL);
	return kd->vectors ? kvcpu_vectors_request(kd) : -ENOMEM;
}

/* Calls @change, which is disable_irq() or enable_irq(), for every vector. */
static void kvcpu_interrupts_each(struct kvcpu_device *kd, void (*change)(unsigned int irq))
{
	u32 i;

	change(pci_irq_vector(kd->pdev, KVCPU_VECTOR_COMPLETION));
	if (!kd->vector_count)
		return;
	change(pci_irq_vector(kd->pdev, KVCPU_VECTOR_EVENTS));
	for (i = 0; i < kd->vector_count; i++)
		change(pci_irq_vector(kd->pdev, kd->vectors[i].number));
}

/**
 * kvcpu_interrupts_off() - disable every interrupt and wait for running handlers
 * @kd: device
 */
void kvcpu_interrupts_off(struct kvcpu_device *kd)
{
	kvcpu_interrupts_each(kd, disable_irq);
}

/**
 * kvcpu_interrupts_on() - undo kvcpu_interrupts_off()
 * @kd: device
 */
void kvcpu_interrupts_on(struct kvcpu_device *kd)
{
	kvcpu_interrupts_each(kd, enable_irq);
}
