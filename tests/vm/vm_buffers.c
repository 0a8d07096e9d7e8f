// SPDX-License-Identifier: MIT
/*
 * Buffers: which memory can be registered, accounting, and which process sees which bytes when
 * memory is unmapped, forked or removed meanwhile. Needs CAP_SYS_ADMIN. TAP.
 */
#include "vm_ring.h"

#include <sys/resource.h>
#include <sys/wait.h>

static struct kvcpu_info device;

static int add(int fd, const void *at, uint64_t length, uint32_t id, uint32_t flags) {
    struct kvcpu_buffer buffer = {
        .address = (uintptr_t)at, .length = length, .id = id, .flags = flags};

    return ioctl(fd, KVCPU_IOC_BUFFER_ADD, &buffer);
}

static uint8_t *pages(size_t count, int protection) {
    void *at = mmap(NULL, count * 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED) {
        bail_out("mmap of %zu pages", count);
    }
    return at;
}

/* The pinned memory of the process, in kB. */
static uint64_t pinned_kb(void) {
    char text[4096], *at;

    if (attribute_read("/proc/self/status", text, sizeof(text)) <= 0) {
        bail_out("cannot read /proc/self/status");
    }
    at = strstr(text, "VmPin:");
    return at ? strtoull(at + 6, NULL, 10) : 0;
}

/* -- What is refused --------------------------------------------------------- */

static void test_bad_buffers(struct ring *ring) {
    int fd = ring->fd;
    uint8_t *memory = pages(3, PROT_READ | PROT_WRITE);
    uint8_t *constant = pages(1, PROT_READ);

    fails(ioctl(fd, KVCPU_IOC_BUFFER_ADD, WILD), EFAULT, "BUFFER_ADD with a bad pointer");
    fails(add(fd, memory, 0, 0, 0), EINVAL, "no bytes");
    fails(add(fd, memory, 1ULL << 41, 0, 0), EINVAL, "more bytes than a buffer has");
    fails(add(fd, memory, 4096, KVCPU_BUFFERS_MAX, 0), EINVAL, "number 64");
    fails(add(fd, memory, 4096, 0, 1), EINVAL, "a flag");
    fails(add(fd, (void *)(UINTPTR_MAX - 4095), 8192, 0, 0), EINVAL, "a range that wraps");
    fails(add(fd, WILD, 4096, 0, 0), EFAULT, "memory that is none");
    fails(add(fd, (void *)(UINTPTR_MAX - 65535), 4096, 0, 0), EFAULT, "the kernel's memory");
    fails(add(fd, constant, 4096, 0, 0), EFAULT, "memory that is read only");
    fails(add(fd, (void *)ring->sq, 4096, 0, 0), EFAULT, "a ring");
    fails(add(fd, (void *)ring->doorbell, 4096, 0, 0), EFAULT, "a doorbell");
    munmap(memory + 4096, 4096);
    fails(add(fd, memory, 3 * 4096, 0, 0), EFAULT, "a range with a hole");
    is(pinned_kb(), 0, "nothing of that is pinned");
    fails(buffer_remove(fd, 0), ENOENT, "BUFFER_REMOVE of none");
    fails(buffer_remove(fd, 64), EINVAL, "of number 64");
    munmap(memory, 3 * 4096);
    munmap(constant, 4096);
}

static void test_numbers(int fd) {
    /*
     * One page for each buffer, as the DMA-API debugger warns if more than 8 mappings share a page.
     */
    uint8_t *memory = pages(KVCPU_BUFFERS_MAX, PROT_READ | PROT_WRITE);
    struct kvcpu_buffer buffer;
    unsigned int i;

    fails(add(fd, memory, 4096, 5, 0), 0, "number 5");
    fails(add(fd, memory, 4096, 5, 0), EEXIST, "number 5 again");
    for (i = 0; i < KVCPU_BUFFERS_MAX - 1; ++i) {
        buffer = buffer_add(fd, memory + (i + 1) * 4096, 4096);
        if (buffer.id != (i < 5 ? i : i + 1)) {
            break;
        }
    }
    is(i, KVCPU_BUFFERS_MAX - 1, "any number is the lowest that is free");
    fails(add(fd, memory, 4096, KVCPU_BUFFER_ANY, 0), ENOSPC, "a 65th");
    is(info_of(fd).buffers, KVCPU_BUFFERS_MAX, "INFO counts them");
    is(pinned_kb(), KVCPU_BUFFERS_MAX * 4, "each counts as pinned");
    for (i = 0; i < KVCPU_BUFFERS_MAX; ++i) {
        if (buffer_remove(fd, i)) {
            break;
        }
    }
    is(i, KVCPU_BUFFERS_MAX, "all are removed");
    is(pinned_kb(), 0, "and nothing is pinned");
    munmap(memory, KVCPU_BUFFERS_MAX * 4096);
}

/* -- Limits --------------------------------------------------------------------- */

/* In a child process, because dropped privileges cannot be regained. */
static int limited(int fd) {
    struct rlimit limit = {.rlim_cur = 8 * 4096, .rlim_max = 8 * 4096};
    uint8_t *memory = pages(16, PROT_READ | PROT_WRITE);
    int too_much, enough, more;

    if (setrlimit(RLIMIT_MEMLOCK, &limit) || setuid(1000)) {
        return 100;
    }
    too_much = code(add(fd, memory, 9 * 4096, 0, 0));
    enough = code(add(fd, memory, 8 * 4096, 0, 0));
    more = code(add(fd, memory + 8 * 4096, 1, 1, 0));
    if (too_much != ENOMEM || enough != 0 || more != ENOMEM || pinned_kb() != 32) {
        printf("# %d %d %d, %llu kB\n", too_much, enough, more, (unsigned long long)pinned_kb());
        return 1;
    }
    return buffer_remove(fd, 0) == 0 && add(fd, memory, 8 * 4096, 1, 0) == 0 ? 0 : 2;
}

static void test_memlock(int fd) {
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        int result = limited(fd);

        fflush(stdout);
        _exit(result);
    }
    waitpid(child, &status, 0);
    is((uint64_t)status, 0, "RLIMIT_MEMLOCK: what is above it is ENOMEM");
    is(info_of(fd).buffers, 1, "the child's buffer outlives it");
    is(pinned_kb(), 0, "and does not count as ours");
    fails(buffer_remove(fd, 1), 0, "it can be removed all the same");
}

/* A large buffer: many pages, pinned in several steps. */
static void test_large(struct ring *ring, uint64_t block) {
    size_t bytes = 32 << 20;
    uint8_t *memory = pages(bytes / 4096, PROT_READ | PROT_WRITE);
    struct kvcpu_buffer buffer = buffer_add(ring->fd, memory, bytes);
    uint64_t last = bytes - device.block_size;

    memset(memory + last, 0x77, device.block_size);
    is(ring_copy(ring, KVCPU_OP_WRITE, block, buffer.id, last, device.block_size), KVCPU_SC_SUCCESS,
       "WRITE from the end of 32 MiB");
    is(ring_copy(ring, KVCPU_OP_READ, block, buffer.id, 0, device.block_size), KVCPU_SC_SUCCESS,
       "READ to its beginning");
    ok(memcmp(memory, memory + last, device.block_size) == 0, "gives the same bytes");
    buffer_remove(ring->fd, buffer.id);
    munmap(memory, bytes);
}

/* -- Which bytes -------------------------------------------------------------------- */

static void test_unaligned(struct ring *ring, uint64_t block) {
    uint64_t size = device.block_size;
    size_t count = (2 * size + 8192) / 4096;
    uint8_t *memory = pages(count, PROT_READ | PROT_WRITE);
    uint8_t *begin = memory + 123;
    struct kvcpu_buffer buffer = buffer_add(ring->fd, begin, 2 * size);
    unsigned int wrong = 0;

    for (uint64_t i = 0; i < size; ++i) {
        begin[77 + i] = (uint8_t)(i * 7);
    }
    is(ring_copy(ring, KVCPU_OP_WRITE, block, buffer.id, 77, size), KVCPU_SC_SUCCESS,
       "WRITE from odd bytes of an odd buffer");
    memset(memory, 0xee, count * 4096);
    is(ring_copy(ring, KVCPU_OP_READ, block, buffer.id, 33, size), KVCPU_SC_SUCCESS,
       "READ to other odd bytes");
    for (uint64_t i = 0; i < size; ++i) {
        wrong += begin[33 + i] != (uint8_t)(i * 7);
    }
    is(wrong, 0, "every byte is where it belongs");
    ok(begin[32] == 0xee && begin[33 + size] == 0xee, "and none beside it");
    is(ring_copy(ring, KVCPU_OP_READ, block, buffer.id, 2 * size - 16, 16), KVCPU_SC_SUCCESS,
       "up to the buffer's last byte");
    is(ring_copy(ring, KVCPU_OP_READ, block, buffer.id, 2 * size - 15, 16), KVCPU_SC_BAD_BUFFER,
       "and no byte beyond");
    buffer_remove(ring->fd, buffer.id);
    is(ring_copy(ring, KVCPU_OP_READ, block, buffer.id, 0, 16), KVCPU_SC_BAD_BUFFER,
       "a removed buffer is none");
    munmap(memory, count * 4096);
}

/* The device keeps the registered pages, also after a change of the mapping. */
static void test_munmap(struct ring *ring, uint64_t block) {
    uint64_t size = device.block_size;
    uint8_t *memory = pages(size / 4096, PROT_READ | PROT_WRITE), *other;
    struct kvcpu_buffer buffer = buffer_add(ring->fd, memory, size);
    unsigned int wrong = 0;

    memset(memory, 0x31, size);
    munmap(memory, size);
    other =
        mmap(memory, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memset(other, 0x32, size);
    is(ring_copy(ring, KVCPU_OP_WRITE, block, buffer.id, 0, size), KVCPU_SC_SUCCESS,
       "WRITE from a buffer whose memory was unmapped");
    is(ring_copy(ring, KVCPU_OP_READ, block, buffer.id, 0, size), KVCPU_SC_SUCCESS, "READ to it");
    for (uint64_t i = 0; i < size; ++i) {
        wrong += other[i] != 0x32;
    }
    is(wrong, 0, "what is mapped there now is not touched");
    buffer_remove(ring->fd, buffer.id);
    buffer = buffer_add(ring->fd, other, size);
    ring_copy(ring, KVCPU_OP_READ, block, buffer.id, 0, size);
    is(other[size - 1], 0x31, "the block has what the unmapped pages had");
    buffer_remove(ring->fd, buffer.id);
    munmap(other, size);
}

/* After fork, the child has copies, and the parent keeps the registered pages. */
static void test_fork(struct ring *ring, uint64_t block) {
    uint64_t size = device.block_size;
    uint8_t *memory = pages(size / 4096, PROT_READ | PROT_WRITE);
    struct kvcpu_buffer buffer = buffer_add(ring->fd, memory, size);
    int go[2], status = -1;
    pid_t child;
    char byte;

    memset(memory, 0x41, size);
    if (pipe(go)) {
        bail_out("pipe");
    }
    child = fork();
    if (child == 0) {
        memset(memory, 0x43, size);
        close(go[1]);
        _exit(read(go[0], &byte, 1) == 0 && memory[size - 1] == 0x43 ? 0 : 1);
    }
    memset(memory, 0x42, size);
    is(ring_copy(ring, KVCPU_OP_WRITE, block, buffer.id, 0, size), KVCPU_SC_SUCCESS,
       "WRITE after a fork");
    memset(memory, 0, size);
    is(ring_copy(ring, KVCPU_OP_READ, block, buffer.id, 0, size), KVCPU_SC_SUCCESS, "and READ");
    is(memory[0], 0x42, "the parent's bytes, written after the fork");
    close(go[0]);
    close(go[1]);
    waitpid(child, &status, 0);
    is((uint64_t)status, 0, "the child's are its own");
    buffer_remove(ring->fd, buffer.id);
    munmap(memory, size);
}

/* The buffers of a process that ends stay with the file; the last close unpins them. */
static void test_close(void) {
    int fd = open_device();
    struct ring ring = ring_open(fd, 4, 4, 0);
    uint8_t *memory = pages(4, PROT_READ | PROT_WRITE);

    buffer_add(fd, memory, 4 * 4096);
    buffer_add(fd, memory, 2 * 4096);
    is(pinned_kb(), 24, "two buffers of another file");
    ring_unmap(&ring);
    close(fd);
    is(pinned_kb(), 0, "closing it unpins them");
    munmap(memory, 4 * 4096);
}

int main(void) {
    int fd = open_device();
    struct ring ring;
    uint64_t block;

    device = info_of(fd);
    fails(add(fd, &device, 16, 0, 0), ENXIO, "BUFFER_ADD without rings");
    ring = ring_open(fd, 16, 16, 0);
    block = ring_alloc(&ring, 1);
    test_bad_buffers(&ring);
    test_numbers(fd);
    test_memlock(fd);
    test_large(&ring, block);
    test_unaligned(&ring, block);
    test_munmap(&ring, block);
    test_fork(&ring, block);
    test_close();
    is(counter(fd, KVCPU_CNT_DMA_FAULTS), 0, "no DMA has failed");
    close(fd);
    return tap_end();
}
