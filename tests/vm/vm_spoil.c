// SPDX-License-Identifier: MIT
/*
 * Corrupts the device's memory, to test that corruption is detected: repeatedly flips a word of
 * every block's backing block, through BAR 4. Runs as root until it is killed.
 */
#include "vm_test.h"

#include <sys/mman.h>

/* The mapping has the same caching attributes as the driver's. */
#define SLOW_TIER SYSFS "device/resource4_wc"
#define WORD 16

int main(void) {
    int device = open_device();
    struct kvcpu_info info = info_of(device);
    size_t words = info.block_size / sizeof(uint64_t);
    int bar = open(SLOW_TIER, O_RDWR | O_CLOEXEC);
    volatile uint64_t *tier;

    if (bar < 0) {
        bail_out("cannot open " SLOW_TIER);
    }
    tier = mmap(NULL, info.blocks * info.block_size, PROT_READ | PROT_WRITE, MAP_SHARED, bar, 0);
    if (tier == MAP_FAILED) {
        bail_out("cannot map " SLOW_TIER);
    }
    for (;;) {
        for (uint64_t block = 0; block < info.blocks; block++) {
            tier[block * words + WORD] ^= ~0ULL;
        }
        usleep(10000);
    }
}
