/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The char device: device structures, nodes and attributes.
 */
#ifndef KVCPU_CHARDEV_H
#define KVCPU_CHARDEV_H

struct attribute_group;
struct kvcpu_device;
struct pci_dev;

/* kvcpu_chardev.c */
int kvcpu_chardev_init(void);
void kvcpu_chardev_exit(void);
int kvcpu_chardev_add(struct kvcpu_device *kd);
struct kvcpu_device *kvcpu_device_alloc(struct pci_dev *pdev);

/* kvcpu_sysfs.c */
extern const struct attribute_group *kvcpu_groups[];

#endif /* KVCPU_CHARDEV_H */
