// SPDX-License-Identifier: MIT
/*
 * Processes lose the device while they have rings, buffers and views with all kinds of work in
 * progress: reset of the function, unbind, removal, bus mastering off, unload. An access to a lost
 * mapping is SIGBUS, and no resource is leaked. Usage: vm_teardown [ROUNDS]. Runs as root, alone.
 * TAP.
 */
#include "vm_pci.h"
#include "vm_storm.h"

#include <sys/syscall.h>

#define STORMS 3
#define RESCAN "/sys/bus/pci/rescan"

static struct kvcpu_info device;
static struct pci_function function;
static pid_t storms[STORMS];

/* -- What processes see ----------------------------------------------------------- */

static sigjmp_buf fault_return;

static void on_bus(int number)
{
    siglongjmp(fault_return, number);
}

/* 0, or the signal that a load raises. */
static int probe(const volatile uint64_t *at)
{
    int number = sigsetjmp(fault_return, 1);

    if (number == 0) {
        (void)*at;
    }
    return number;
}

static int probe_store(volatile uint64_t *at)
{
    int number = sigsetjmp(fault_return, 1);

    if (number == 0) {
        *at = 0;
    }
    return number;
}

static void test_mappings_end(int (*take_away)(void), int wanted, const char *what)
{
    struct sigaction action = {.sa_handler = on_bus};
    int fd = open_device();
    struct ring ring = ring_open(fd, 16, 16, 0);
    uint64_t first = ring_alloc(&ring, 1);
    volatile uint64_t *view = map_region(fd, ring.setup.view, PROT_READ | PROT_WRITE);
    volatile uint64_t *block = view + first * device.block_size / 8;
    static uint64_t memory[512] __attribute__((aligned(4096)));
    struct kvcpu_command step = {.opcode = KVCPU_OP_STEP};
    uint64_t pinned = pinned_pages();

    sigaction(SIGBUS, &action, NULL);
    buffer_add(fd, memory, sizeof(memory));
    *block = 1;
    fails(take_away(), 0, what);
    is((uint64_t)probe_store(&ring.doorbell[0]), SIGBUS, "the doorbell: SIGBUS");
    is((uint64_t)probe(ring.sq), SIGBUS, "the submission ring: SIGBUS");
    is((uint64_t)probe(ring.cq), SIGBUS, "the completion ring: SIGBUS");
    is((uint64_t)probe(ring.residency), SIGBUS, "the residency map: SIGBUS");
    is((uint64_t)probe(block), SIGBUS, "the view: SIGBUS");
    fails(submit(fd, &step, 1, 0, NULL), wanted, "SUBMIT");
    fails(coalesce(fd, 1, 0), wanted, "COALESCE");
    ok((polled(fd, POLLIN, 10000) & POLLERR) != 0, "poll says POLLERR");
    ok(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, (off_t)ring.setup.sq.offset) == MAP_FAILED &&
           errno == wanted,
       "mmap: %s", strerror(wanted));
    ring_unmap(&ring);
    munmap((void *)view, ring.setup.view.bytes);
    close(fd);
    is(pinned_pages(), pinned, "its pages are unpinned");
}

/* -- Ways to take a device away ------------------------------------------------------ */

static int reset_function(void)
{
    return pci_reset(&function);
}

static int unbind(void)
{
    return pci_unbind(&function);
}

static int bind(void)
{
    return pci_bind(&function);
}

static int rebind(void)
{
    return unbind() || bind() ? -1 : 0;
}

static int remove_and_rescan(void)
{
    return pci_write(&function, "remove", "1") || attribute_write(RESCAN, "1") ? -1 : 0;
}

static int stop_bus_mastering(void)
{
    uint16_t command = 0;
    int fd = pci_open(&function, "config");

    if (fd < 0 || pread(fd, &command, 2, PCI_COMMAND) != 2) {
        return -1;
    }
    command = (uint16_t)(command & ~PCI_COMMAND_MASTER);
    if (pwrite(fd, &command, 2, PCI_COMMAND) != 2) {
        return -1;
    }
    close(fd);
    usleep(20000);
    /* Disabled queues are not enabled again automatically: a reset initializes the device again. */
    return reset_function();
}

/* -- Storms ------------------------------------------------------------------------------ */

static void start_storms(void)
{
    for (int i = 0; i < STORMS; ++i) {
        storms[i] = fork();
        if (storms[i] == 0) {
            storm_until_killed((uint64_t)i + 1, device.block_size);
        }
    }
}

static void stop_storms(void)
{
    int status, odd = 0;

    for (int i = 0; i < STORMS; ++i) {
        kill(storms[i], SIGKILL);
        waitpid(storms[i], &status, 0);
        odd += !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL;
    }
    is((uint64_t)odd, 0, "every process lived on until it was killed");
}

/*
 * Waits until the processes have made progress, so that the next event happens during their work.
 */
static void let_storm(void)
{
    int fd = open_device();
    uint64_t then = counter(fd, KVCPU_CNT_RING_ENTRIES), tries = 0;

    while (counter(fd, KVCPU_CNT_RING_ENTRIES) < then + 500 && ++tries < 20000) {
        usleep(500);
    }
    if (tries == 20000) {
        bail_out("the storms have died down");
    }
    close(fd);
}

static void test_under_storm(int (*take_away)(void), uint64_t rounds, const char *what)
{
    uint64_t good = 0, pinned = pinned_pages();
    int fd;

    start_storms();
    for (uint64_t i = 0; i < rounds; ++i) {
        let_storm();
        good += take_away() == 0;
        while (access(DEVICE, F_OK)) {
            usleep(1000);
        }
    }
    let_storm();
    stop_storms();
    is(good, rounds, what);
    fd = open_device();
    wait_until_free(fd, device.blocks);
    is(info_of(fd).blocks_free, device.blocks, "every block is free");
    is(pinned_pages(), pinned, "every page is unpinned");
    close(fd);
    test_contexts(device.contexts - 1);
}

int main(int argc, char **argv)
{
    uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 0) : 5;
    int fd = open_device();

    device = info_of(fd);
    close(fd);
    function = pci_function_of(0);
    test_mappings_end(reset_function, EIO, "reset of the function");
    test_mappings_end(unbind, ENODEV, "unbind");
    fails(bind(), 0, "bind");
    test_mappings_end(remove_and_rescan, ENODEV, "removal of the function");
    test_under_storm(reset_function, rounds, "resets under storms");
    test_under_storm(rebind, rounds, "unbind and bind under storms");
    test_under_storm(remove_and_rescan, rounds, "removal and rescan under storms");
    test_under_storm(stop_bus_mastering, rounds, "no bus mastering, and reset, under storms");
    fails((int)syscall(SYS_delete_module, "kvcpu", O_NONBLOCK), 0, "the module can be unloaded");
    return tap_end();
}
