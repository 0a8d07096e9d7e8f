// SPDX-License-Identifier: MIT
/*
 * The linear view: faults, holds, revocation, causes of SIGBUS, and system calls on the mapping.
 * Needs CAP_SYS_ADMIN. TAP. vm_moves tests the view under load.
 */
#define _GNU_SOURCE
#include "vm_ring.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>

static struct kvcpu_info device;
static sigjmp_buf fault_return;

/* -- Accesses that may fault ------------------------------------------------- */

static void on_signal(int number) {
    siglongjmp(fault_return, number);
}

/* 0, or the signal that a load or store raised. */
static int probe(volatile uint64_t *at, bool store) {
    int number = sigsetjmp(fault_return, 1);

    if (number == 0) {
        if (store) {
            *at = *at + 1;
        } else {
            (void)*at;
        }
    }
    return number;
}

static void catch_faults(void) {
    struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
}

static volatile uint64_t *block_in(volatile void *view, uint64_t block) {
    return (volatile uint64_t *)((uintptr_t)view + block * device.block_size);
}

static uint64_t holds_of(int fd, uint64_t block) {
    return block_at(fd, block).holds & 0xffffffff;
}

static uint64_t flags_of(int fd, uint64_t block) {
    return block_at(fd, block).state >> KVCPU_BST_FLAGS_SHIFT & KVCPU_BST_FLAGS_MASK;
}

/* Waits for the driver to release holds, which it does in the background. */
static bool holds_become(int fd, uint64_t block, uint64_t wanted) {
    uint64_t end = info_of(fd).time_ns + LONG_NS;

    while (holds_of(fd, block) != wanted && info_of(fd).time_ns < end) {
        wait_for(fd, NULL, 0, 0, SECOND_NS / 1000);
    }
    return holds_of(fd, block) == wanted;
}

/* -- mmap ---------------------------------------------------------------------- */

static int map_error(int fd, uint64_t offset, uint64_t bytes, int protection, int flags) {
    void *at = mmap(NULL, bytes, protection, flags, fd, (off_t)offset);

    if (at == MAP_FAILED) {
        return errno;
    }
    munmap(at, bytes);
    return 0;
}

static void test_mmap(int fd) {
    uint64_t capacity = device.blocks * device.block_size;
    int both = PROT_READ | PROT_WRITE, other = open_device();
    int read_only = open(DEVICE, O_RDONLY | O_CLOEXEC);

    is(device.view_bytes, capacity, "the view is as long as the device");
    is(map_error(other, 0, 4096, both, MAP_SHARED), ENXIO, "a file without a context: ENXIO");
    allocate(read_only, 1);
    is(map_error(read_only, 0, 4096, PROT_READ, MAP_SHARED), EINVAL, "a file to read: EINVAL");
    is(map_error(fd, 0, 4096, both, MAP_PRIVATE), EINVAL, "MAP_PRIVATE: EINVAL");
    is(map_error(fd, 0, 4096, PROT_READ, MAP_PRIVATE), EINVAL, "to read, too");
    is(map_error(fd, capacity - 4096, 8192, both, MAP_SHARED), EINVAL, "beyond the end: EINVAL");
    is(map_error(fd, capacity, 4096, both, MAP_SHARED), EINVAL, "behind it: EINVAL");
    is(map_error(fd, capacity - 4096, 4096, both, MAP_SHARED), 0, "its last page");
    close(read_only);
    close(other);
}

/* -- Faults ----------------------------------------------------------------------- */

static void test_faults(int fd, volatile void *view, uint64_t block) {
    uint64_t words[512], wrote = 0;
    volatile uint64_t *at = block_in(view, block);

    for (int i = 0; i < 512; ++i) {
        words[i] = 0x1111 * (uint64_t)i;
    }
    is(run_copy(fd, KVCPU_OP_WRITE, block, words, 0, sizeof(words)), KVCPU_SC_SUCCESS, "WRITE");
    is(holds_of(fd, block), 0, "a block that is not mapped has no hold");
    is(at[511], 0x1111 * 511, "a load shows what WRITE wrote");
    is(holds_of(fd, block), 1, "and takes a READ hold");
    for (int i = 0; i < 512; ++i) {
        wrote += at[i] == words[i];
    }
    is(wrote, 512, "every word is there");
    is(holds_of(fd, block), 1, "with one hold");
    at[7] = 0xabcdef;
    is(holds_of(fd, block), 0x10001, "a store takes a WRITE hold beside it");
    is(at[7], 0xabcdef, "the store is there");
    is(run_copy(fd, KVCPU_OP_READ, block, words, 0, sizeof(words)), KVCPU_SC_SUCCESS, "READ");
    is(words[7], 0xabcdef, "shows it");
    at = block_in(view, block + 1);
    *at = 5;
    is(holds_of(fd, block + 1), 0x10000, "a store first takes a WRITE hold alone");
    is(*at, 5, "which is good for loads");
    ok((flags_of(fd, block + 1) & KVCPU_BF_WRITTEN) != 0, "the block is written");
}

static void test_sigbus(int fd, volatile void *view, uint64_t block) {
    int other = open_device();
    uint64_t theirs = allocate(other, 1);

    is((uint64_t)probe(block_in(view, theirs), false), SIGBUS, "another file's block: SIGBUS");
    is((uint64_t)probe(block_in(view, theirs), true), SIGBUS, "to store to, too");
    is((uint64_t)probe(block_in(view, device.blocks - 1), false), SIGBUS, "a free block: SIGBUS");
    is(holds_of(other, theirs), 0, "nothing is held");
    is((uint64_t)probe(block_in(view, block), true), 0, "one of ours");
    is(run_range(fd, KVCPU_OP_SEAL, block, 1, 0), KVCPU_SC_SUCCESS, "SEAL");
    ok(holds_become(fd, block, 0), "the device asks for the WRITE hold");
    is((uint64_t)probe(block_in(view, block), true), SIGBUS, "a store to a sealed block: SIGBUS");
    is((uint64_t)probe(block_in(view, block), false), 0, "a load is fine");
    is(run_range(fd, KVCPU_OP_FREE, block, 1, 0), KVCPU_SC_SUCCESS, "FREE of a mapped block");
    ok(holds_become(fd, block, 0), "the device asks for it");
    is((uint64_t)probe(block_in(view, block), false), SIGBUS, "a block given back: SIGBUS");
    close(other);
}

/* -- Moves -------------------------------------------------------------------------- */

static void test_revoke(int fd, volatile void *view, uint64_t block) {
    volatile uint64_t *at = block_in(view, block);
    uint64_t revokes = counter(fd, KVCPU_CNT_REVOKES), word = 0;
    struct kvcpu_command evict = {
        .opcode = KVCPU_OP_EVICTABLE, .flags = KVCPU_F_NOW, .first = block, .count = 1};

    at[3] = 33;
    ok(!is_fast(fd, block), "a mapped block in the slow tier");
    is(pin_and_wait(fd, block, 1, LONG_NS), KVCPU_SC_SUCCESS, "PIN moves it");
    ok(is_fast(fd, block), "to the fast tier");
    is(counter(fd, KVCPU_CNT_REVOKES), revokes + 1, "the device asked for it once");
    is(holds_of(fd, block), 0, "the driver gave it back");
    is(at[3], 33, "the next load shows its bytes");
    is(holds_of(fd, block), 1, "and holds it there");
    at[4] = 44;
    ok((flags_of(fd, block) & KVCPU_BF_DIRTY) != 0, "a store makes it dirty");
    run_range(fd, KVCPU_OP_UNPIN, block, 1, 0);
    run(fd, &evict);
    if (outcome_of(evict.result) == KVCPU_HO_ACCEPTED) {
        ok(holds_become(fd, block, 0), "a hint that evicts the block takes the hold");
        is(at[3] + at[4], 77, "its bytes are in the slow tier, the dirty one too");
    }
    run_copy(fd, KVCPU_OP_READ, block, &word, 32, 8);
    is(word, 44, "READ agrees");
}

/* A mapping that is moved, shrunk, protected, or shared by fork. */
static void test_areas(int fd, uint64_t block) {
    uint64_t size = device.block_size;
    uint8_t *at =
        mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(block * size));
    uint64_t *words = (uint64_t *)at, *moved;
    int status = -1;
    pid_t child;

    words[0] = 1;
    words[size / 8] = 2;
    moved = mremap(at, 2 * size, 2 * size, MREMAP_MAYMOVE | MREMAP_FIXED, at + (64 << 20));
    ok(moved != MAP_FAILED && moved[0] == 1 && moved[size / 8] == 2, "mremap to another place");
    ok(mremap(moved, 2 * size, 3 * size, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT,
       "it does not grow");
    munmap(moved, size);
    is(moved[size / 8], 2, "half of it is unmapped, the other stays");
    fails(mprotect((uint8_t *)moved + size, size, PROT_READ), 0, "mprotect to read");
    is((uint64_t)probe(moved + size / 8, true), SIGSEGV, "a store is refused");
    mprotect((uint8_t *)moved + size, size, PROT_READ | PROT_WRITE);
    is((uint64_t)probe(moved + size / 8, true), 0, "and allowed again");
    child = fork();
    if (child == 0) {
        bool same = moved[size / 8] == 3;

        moved[size / 8] = 99;
        _exit(same ? 0 : 1);
    }
    waitpid(child, &status, 0);
    is((uint64_t)status, 0, "a child sees the parent's bytes");
    is(moved[size / 8], 99, "and the parent the child's");
    is(pin_and_wait(fd, block + 1, 1, LONG_NS), KVCPU_SC_SUCCESS, "the block moves");
    is(moved[size / 8], 99, "and is there for the parent");
    run_range(fd, KVCPU_OP_UNPIN, block + 1, 1, 0);
    munmap((uint8_t *)moved + size, size);
}

static void test_holds_end(uint64_t blocks) {
    int fd = open_device();
    struct kvcpu_command command = {.opcode = KVCPU_OP_ALLOC};
    uint64_t first, size = device.block_size;
    uint8_t *at;

    /* The first runs may be short, between blocks of other files. */
    do {
        command.count = blocks;
        if (run(fd, &command) != KVCPU_SC_SUCCESS) {
            bail_out("no run of %llu blocks", (unsigned long long)blocks);
        }
        first = command.first;
    } while (command.count != blocks);
    at = mmap(NULL, blocks * size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(first * size));
    for (uint64_t i = 0; i < blocks; ++i) {
        at[i * size] = 1;
    }
    is(holds_of(fd, first + blocks - 1), 0x10000, "many blocks are held");
    munmap(at, blocks * size);
    ok(holds_become(fd, first, 0) && holds_become(fd, first + blocks - 1, 0),
       "unmapping the last mapping gives the holds back");
    close(fd);
}

/* -- The kernel's own calls ------------------------------------------------------------ */

static void test_foreign_access(volatile void *view, uint64_t block) {
    struct kvcpu_buffer buffer = {
        .address = (uintptr_t)block_in(view, block), .length = 8, .id = KVCPU_BUFFER_ANY};
    uint64_t word = 0;
    struct iovec here = {&word, 8}, there = {(void *)block_in(view, block), 8};
    int fd = open_device(), pipes[2];
    struct ring ring = ring_open(fd, 2, 2, 0);

    *block_in(view, block) = 1234;
    fails((int)process_vm_readv(getpid(), &here, 1, &there, 1, 0), EFAULT, "process_vm_readv");
    fails(ioctl(fd, KVCPU_IOC_BUFFER_ADD, &buffer), EFAULT, "a view as a buffer");
    if (pipe(pipes)) {
        bail_out("pipe");
    }
    is((uint64_t)write(pipes[1], (void *)block_in(view, block), 8), 8, "write() from the view");
    is((uint64_t)read(pipes[0], (void *)block_in(view, block), 8), 8, "read() to it");
    close(pipes[0]);
    close(pipes[1]);
    ring_unmap(&ring);
    close(fd);
}

static void test_advice(int fd, volatile void *view, uint64_t block) {
    off_t at = (off_t)(block * device.block_size);
    uint64_t fetch = counter(fd, KVCPU_CNT_HINTS_PREFETCHABLE);
    uint64_t evict = counter(fd, KVCPU_CNT_HINTS_EVICTABLE);
    uint64_t clear = counter(fd, KVCPU_CNT_HINTS_CLEAR);
    int other = open_device();

    run_range(fd, KVCPU_OP_STEP, 0, 0, 41);
    is((uint64_t)posix_fadvise(fd, at, 1, POSIX_FADV_WILLNEED), 0, "fadvise WILLNEED");
    is(counter(fd, KVCPU_CNT_HINTS_PREFETCHABLE), fetch + 1, "is PREFETCHABLE");
    if (attribute_write("policy", "hepc") == 0) {
        posix_fadvise(fd, at, 1, POSIX_FADV_WILLNEED);
        is(block_at(fd, block).target, 42, "for the next step");
        attribute_write("policy", "lru");
        ++fetch;
    }
    is((uint64_t)posix_fadvise(fd, at, 1, POSIX_FADV_DONTNEED), 0, "fadvise DONTNEED");
    is(counter(fd, KVCPU_CNT_HINTS_EVICTABLE), evict + 1, "is EVICTABLE");
    is((uint64_t)posix_fadvise(fd, at, 1, POSIX_FADV_NORMAL), 0, "fadvise NORMAL");
    is(counter(fd, KVCPU_CNT_HINTS_CLEAR), clear + 1, "is CLEAR");
    is((uint64_t)posix_fadvise(fd, at, 0, POSIX_FADV_RANDOM), 0, "fadvise RANDOM is nothing");
    is((uint64_t)posix_fadvise(fd, -4096, 1, POSIX_FADV_NORMAL), EINVAL, "a negative offset");
    is((uint64_t)posix_fadvise(fd, 0, -1, POSIX_FADV_NORMAL), EINVAL, "a negative length");
    is((uint64_t)posix_fadvise(fd, 0, 0, 77), EINVAL, "no such advice");
    is((uint64_t)posix_fadvise(other, 0, 0, POSIX_FADV_NORMAL), ENXIO, "a file without a context");
    fails(madvise((void *)block_in(view, block), device.block_size, MADV_WILLNEED), 0,
          "madvise WILLNEED");
    is(counter(fd, KVCPU_CNT_HINTS_PREFETCHABLE), fetch + 2, "is PREFETCHABLE too");
    fails(madvise((void *)block_in(view, block), device.block_size, MADV_DONTNEED), EINVAL,
          "madvise DONTNEED");
    close(other);
}

/*
 * The reference interface: an address in a view names the mapped block, in the context of the view.
 */
static void test_reference(int fd, volatile void *view, uint64_t block) {
    struct kv_cpu_block_info info = {.va = (uintptr_t)block_in(view, block), .len = 1};
    uint64_t blocks, foreign, shares = counter(fd, KVCPU_CNT_HINTS_SHARE);
    int other = open_device();

    blocks = counter(fd, KVCPU_CNT_HINT_BLOCKS);
    fails(ioctl(other, KV_CPU_SHARE_PREFIX, &info), 0, "SHARE_PREFIX of an address in a view");
    is(counter(fd, KVCPU_CNT_HINTS_SHARE), shares + 1, "is a SHARE");
    is(counter(fd, KVCPU_CNT_HINT_BLOCKS), blocks + 1, "of one block");
    is(block_at(fd, block).place >> KVCPU_BPL_SHARERS_SHIFT & KVCPU_BPL_SHARERS_MASK, 1,
       "of the one that is there");
    is(attribute_number("/sys/class/kv_cpu/kvcpu0/current_step"), 0, "context 0 has no part in it");
    foreign = counter(fd, KVCPU_CNT_HINTS_IGNORED);
    info.va = (uintptr_t)&info;
    fails(ioctl(other, KV_CPU_SHARE_PREFIX, &info), 0, "and one that is in none");
    is(counter(fd, KVCPU_CNT_HINTS_IGNORED), foreign + 1, "is ignored");
    close(other);
}

int main(void) {
    int fd = open_device();
    volatile void *view;
    uint64_t first;

    catch_faults();
    device = info_of(fd);
    first = allocate(fd, 16);
    test_mmap(fd);
    view = map_region(fd, (struct kvcpu_region){0, device.view_bytes}, PROT_READ | PROT_WRITE);
    test_faults(fd, view, first);
    test_sigbus(fd, view, first + 2);
    test_revoke(fd, view, first + 3);
    test_areas(fd, first + 5);
    test_foreign_access(view, first + 7);
    test_advice(fd, view, first + 8);
    test_reference(fd, view, first + 9);
    test_holds_end(100);
    close(fd);
    is(*block_in(view, first + 1), 5, "a mapping outlives its descriptor");
    return tap_end();
}
