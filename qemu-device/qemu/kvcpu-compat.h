/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Differences between the QEMU versions that this device builds in: 10.0 and
 * later.
 */
#ifndef HW_KVCPU_COMPAT_H
#define HW_KVCPU_COMPAT_H

/* 11.0 moved these two below hw/core. */
#if __has_include("hw/core/qdev-properties.h")
#include "hw/core/qdev-properties.h"
#else
#include "hw/qdev-properties.h"
#endif
#if __has_include("hw/core/resettable.h")
#include "hw/core/resettable.h"
#else
#include "hw/resettable.h"
#endif

/* 10.1 made the last argument of class_init const, and the interfaces. */
#if QEMU_VERSION_MAJOR > 10 || \
    (QEMU_VERSION_MAJOR == 10 && QEMU_VERSION_MINOR >= 1)
#define KVCPU_CLASS_DATA const void
#define KVCPU_INTERFACES const InterfaceInfo
#else
#define KVCPU_CLASS_DATA void
#define KVCPU_INTERFACES InterfaceInfo
#endif

#endif /* HW_KVCPU_COMPAT_H */
