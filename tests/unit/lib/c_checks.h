/* SPDX-License-Identifier: MIT */
/*
 * Checks for the tests of the C interfaces. Each program is one C file. Its exit status is 1 if a
 * check failed.
 */
#ifndef KVCPU_TEST_C_CHECKS_H
#define KVCPU_TEST_C_CHECKS_H

#include <kvcpu/kvcpu.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND_NS 1000000000ULL

static unsigned failures;

#define CHECK(what)                                                                 \
    do {                                                                            \
        if (!(what)) {                                                              \
            failures++;                                                             \
            printf("%s:%d: %s: not so: %s\n", __FILE__, __LINE__, __func__, #what); \
        }                                                                           \
    } while (false)

/* 16 blocks of 4 KiB, 4 of them fast; a move takes 9,192 ns. */
static inline struct kvcpu_device *small_device(const char *policy) {
    struct kvcpu_loopback config;
    struct kvcpu_device *device = NULL;

    kvcpu_loopback_defaults(&config);
    config.fast_blocks = 4;
    config.slow_blocks = 16;
    config.dma_bandwidth = 1000000000;
    config.policy = policy;
    if (kvcpu_device_open_loopback(&config, &device, NULL, 0) != 0) {
        printf("no loopback device\n");
        exit(1);
    }
    return device;
}

#endif /* KVCPU_TEST_C_CHECKS_H */
