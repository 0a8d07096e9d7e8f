// SPDX-License-Identifier: MIT
/*
 * Bytes that the device reads and writes in memory, under each way in which the kernel may map
 * memory for a device: a registered buffer has the right bytes, or is refused. Usage: vm_dma
 * direct|iommu|bounce. Runs as root. TAP.
 */
#include "vm_ring.h"

#define BLOCKS 16
#define ROUNDS 20

static struct kvcpu_info device;

static void fill(uint8_t *at, uint64_t seed)
{
    for (uint64_t i = 0; i < device.block_size; i++) {
        at[i] = (uint8_t)(seed * 31 + i * 7 + (i >> 8));
    }
}

static bool has(const uint8_t *at, uint64_t seed)
{
    uint8_t *wanted = malloc(device.block_size);
    bool same;

    fill(wanted, seed);
    same = !memcmp(at, wanted, device.block_size);
    free(wanted);
    return same;
}

static void test_window(int fd, uint64_t first)
{
    uint8_t *bytes = malloc(device.block_size);
    uint64_t right = 0;

    for (uint64_t i = 0; i < BLOCKS; i++) {
        fill(bytes, i);
        run_copy(fd, KVCPU_OP_WRITE, first + i, bytes, 0, (uint32_t)device.block_size);
        memset(bytes, 0, device.block_size);
        run_copy(fd, KVCPU_OP_READ, first + i, bytes, 0, (uint32_t)device.block_size);
        right += has(bytes, i);
    }
    is(right, BLOCKS, "SUBMIT: blocks have the bytes that were written");
    free(bytes);
}

/* The process changes the buffer between the copies. The device sees each change, and it the device's. */
static void test_buffer(struct ring *ring, uint64_t first, uint8_t *bytes, uint32_t id)
{
    uint64_t wrong_blocks = 0, wrong_buffers = 0;
    uint8_t *window = malloc(device.block_size);

    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t block = first + i % BLOCKS;

        fill(bytes, 100 + i);
        ring_copy(ring, KVCPU_OP_WRITE, block, id, 0, device.block_size);
        run_copy(ring->fd, KVCPU_OP_READ, block, window, 0, (uint32_t)device.block_size);
        wrong_blocks += !has(window, 100 + i);
        memset(bytes, 0, device.block_size);
        ring_copy(ring, KVCPU_OP_READ, block, id, 0, device.block_size);
        wrong_buffers += !has(bytes, 100 + i);
    }
    is(wrong_blocks, 0, "WRITE from a buffer: the block has the buffer's bytes");
    is(wrong_buffers, 0, "READ into a buffer: the buffer has the block's bytes");
    free(window);
}

int main(int argc, char **argv)
{
    bool bounce = argc > 1 && !strcmp(argv[1], "bounce");
    int fd = open_device();
    struct ring ring = ring_open(fd, 16, 16, 0);
    struct kvcpu_buffer buffer = {.id = KVCPU_BUFFER_ANY};
    uint64_t first;
    uint8_t *bytes;
    int error;

    device = info_of(fd);
    first = ring_alloc(&ring, BLOCKS);
    bytes = mmap(NULL, device.block_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                 0);
    fill(bytes, 1);
    test_window(fd, first);
    buffer.address = (uintptr_t)bytes;
    buffer.length = device.block_size;
    error = code(ioctl(fd, KVCPU_IOC_BUFFER_ADD, &buffer));
    is((uint64_t)error, bounce ? EOPNOTSUPP : 0,
       bounce ? "a buffer is refused where memory is copied for the device" : "a buffer is registered");
    is(!!(device.features & KVCPU_FEATURE_BUFFERS), !bounce, "INFO says so");
    if (!error) {
        test_buffer(&ring, first, bytes, buffer.id);
    }
    ring_unmap(&ring);
    close(fd);
    return tap_end();
}
