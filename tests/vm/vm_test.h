/* SPDX-License-Identifier: MIT */
/*
 * Functions for the driver's test programs: TAP output, and shorthands for the UAPI. Each program
 * is one translation unit, linked statically, and runs in the guest as root with the module loaded.
 * The exit status is 0 if every test passed, and 1 otherwise.
 */
#ifndef KVCPU_VM_TEST_H
#define KVCPU_VM_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvcpu.h>

#include "kvcpu_hw.h"
#include "kvcpu_hw_rings.h"

#define DEVICE "/dev/kvcpu0"
#define SYSFS "/sys/class/kv_cpu/kvcpu0/"
/* An address that no process can read or write. */
#define WILD ((void *)8)
#define SECOND_NS 1000000000ULL
/*
 * A time-out in device time, which advances while a busy host delays the guest; a passing test
 * never reaches it.
 */
#define LONG_NS (1800 * SECOND_NS)

static int tap_count;
static int tap_failed;

/* One test, with a description of the condition. */
__attribute__((format(printf, 2, 3), unused)) static bool ok(bool pass, const char *what, ...)
{
    va_list arguments;

    printf("%sok %d - ", pass ? "" : "not ", ++tap_count);
    va_start(arguments, what);
    vprintf(what, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
    if (!pass) {
        ++tap_failed;
    }
    return pass;
}

/* Compares two numbers, and prints both if they differ. */
__attribute__((unused)) static bool is(uint64_t got, uint64_t wanted, const char *what)
{
    if (got != wanted) {
        printf("# got %llu (%#llx), wanted %llu (%#llx)\n", (unsigned long long)got,
               (unsigned long long)got, (unsigned long long)wanted, (unsigned long long)wanted);
    }
    return ok(got == wanted, "%s", what);
}

/* Converts a system call's result to 0 or an errno. */
static int code(int result)
{
    return result < 0 ? errno : 0;
}

__attribute__((unused)) static bool fails(int result, int wanted, const char *what)
{
    int got = code(result);

    if (got != wanted) {
        printf("# got %s, wanted %s\n", strerror(got), strerror(wanted));
    }
    return ok(got == wanted, "%s: %s", what, wanted ? strerror(wanted) : "done");
}

__attribute__((unused, noreturn, format(printf, 1, 2))) static void bail_out(const char *why, ...)
{
    va_list arguments;

    printf("Bail out! ");
    va_start(arguments, why);
    vprintf(why, arguments);
    va_end(arguments);
    printf(" (%s)\n", strerror(errno));
    fflush(stdout);
    exit(1);
}

__attribute__((unused)) static int tap_end(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed ? 1 : 0;
}

__attribute__((unused)) static int open_node(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        bail_out("cannot open %s", path);
    }
    return fd;
}

__attribute__((unused)) static int open_device(void)
{
    return open_node(DEVICE);
}

/* -- Fields of a result ---------------------------------------------------- */

static uint32_t status_of(uint64_t result)
{
    return result & KVCPU_RES_STATUS_MASK;
}

__attribute__((unused)) static uint32_t outcome_of(uint64_t result)
{
    return result >> KVCPU_RES_AUX_SHIFT & KVCPU_HINT_OUTCOME_MASK;
}

__attribute__((unused)) static uint32_t reason_of(uint64_t result)
{
    return (result >> KVCPU_RES_AUX_SHIFT & KVCPU_RES_AUX_MASK) >> KVCPU_HINT_REASON_SHIFT;
}

/* -- sysfs ----------------------------------------------------------------- */

/*
 * Reads the text of an attribute; returns its length, or -1 with errno. The path is absolute if it
 * begins with a slash.
 */
__attribute__((unused)) static int attribute_read(const char *name, char *to, size_t size)
{
    char path[256];
    ssize_t length;
    int fd;

    snprintf(path, sizeof(path), "%s%s", name[0] == '/' ? "" : SYSFS, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    length = read(fd, to, size - 1);
    close(fd);
    if (length >= 0) {
        to[length] = '\0';
    }
    return (int)length;
}

/*
 * Writes an attribute; returns 0, or -1 with errno. The path is absolute if it begins with a slash.
 */
__attribute__((unused)) static int attribute_write(const char *name, const char *text)
{
    char path[256];
    ssize_t written;
    int fd, error;

    snprintf(path, sizeof(path), "%s%s", name[0] == '/' ? "" : SYSFS, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    written = write(fd, text, strlen(text));
    error = errno;
    close(fd);
    errno = error;
    return written == (ssize_t)strlen(text) ? 0 : -1;
}

__attribute__((unused)) static uint64_t attribute_number(const char *name)
{
    char text[64];

    if (attribute_read(name, text, sizeof(text)) <= 0) {
        bail_out("cannot read the attribute %s", name);
    }
    return strtoull(text, NULL, 0);
}

/* -- The UAPI -------------------------------------------------------------- */

__attribute__((unused)) static struct kvcpu_info info_of(int fd)
{
    struct kvcpu_info info;

    memset(&info, 0, sizeof(info));
    if (ioctl(fd, KVCPU_IOC_INFO, &info)) {
        bail_out("KVCPU_IOC_INFO");
    }
    return info;
}

__attribute__((unused)) static int submit(int fd, struct kvcpu_command *commands, uint32_t count,
                                          uint32_t flags, uint32_t *done)
{
    struct kvcpu_submit request = {
        .commands = (uintptr_t)commands,
        .count = count,
        .command_size = sizeof(*commands),
        .flags = flags,
    };
    int result = ioctl(fd, KVCPU_IOC_SUBMIT, &request);

    if (done) {
        *done = request.done;
    }
    return result;
}

/* Executes one command, and returns its status. The command has the whole result. */
static uint32_t run(int fd, struct kvcpu_command *command)
{
    if (submit(fd, command, 1, 0, NULL)) {
        bail_out("KVCPU_IOC_SUBMIT of opcode %#x", command->opcode);
    }
    return status_of(command->result);
}

__attribute__((unused)) static uint32_t run_range(int fd, uint16_t opcode, uint64_t first,
                                                  uint64_t count, uint64_t arg)
{
    struct kvcpu_command command = {
        .opcode = opcode, .first = first, .count = count, .arg = arg};

    return run(fd, &command);
}

__attribute__((unused)) static uint32_t run_pin(int fd, uint64_t first, uint64_t count,
                                                uint64_t deadline_ns, uint64_t user_data)
{
    struct kvcpu_command command = {.opcode = KVCPU_OP_PIN,
                                    .first = first,
                                    .count = count,
                                    .arg = deadline_ns,
                                    .user_data = user_data};

    return run(fd, &command);
}

__attribute__((unused)) static uint32_t run_copy(int fd, uint16_t opcode, uint64_t block,
                                                 void *buffer, uint32_t offset, uint32_t length)
{
    struct kvcpu_command command = {.opcode = opcode,
                                    .first = block,
                                    .count = 1,
                                    .buffer = (uintptr_t)buffer,
                                    .offset = offset,
                                    .length = length};

    return run(fd, &command);
}

/* Allocates `count` blocks in one run, and returns the first. */
__attribute__((unused)) static uint64_t allocate(int fd, uint64_t count)
{
    struct kvcpu_command command = {.opcode = KVCPU_OP_ALLOC, .count = count};

    if (run(fd, &command) != KVCPU_SC_SUCCESS || command.count != count) {
        bail_out("ALLOC of %llu blocks: status %llu", (unsigned long long)count,
                 (unsigned long long)status_of(command.result));
    }
    return command.first;
}

/*
 * Waits for `min` completions for at most `patience` ns of device time; returns their number, or
 * -1.
 */
__attribute__((unused)) static int wait_for(int fd, struct kvcpu_completion *to, uint32_t capacity,
                                            uint32_t min, uint64_t patience)
{
    struct kvcpu_wait request = {.completions = (uintptr_t)to, .capacity = capacity, .min = min};

    if (patience) {
        request.until_ns = info_of(fd).time_ns + patience;
    }
    if (ioctl(fd, KVCPU_IOC_WAIT, &request)) {
        return -1;
    }
    return (int)request.count;
}

/* Pins blocks, waits for the completion of a pending PIN, and returns the final status. */
__attribute__((unused)) static uint32_t pin_and_wait(int fd, uint64_t first, uint64_t count,
                                                     uint64_t deadline_ns)
{
    struct kvcpu_completion completion;
    uint32_t status = run_pin(fd, first, count, deadline_ns, first);

    if (status != KVCPU_SC_PENDING) {
        return status;
    }
    if (wait_for(fd, &completion, 1, 1, deadline_ns + LONG_NS) != 1) {
        bail_out("a PIN was not completed");
    }
    return status_of(completion.result);
}

__attribute__((unused)) static int block_of(int fd, uint64_t number, struct kvcpu_block *block)
{
    memset(block, 0, sizeof(*block));
    block->block = number;
    return ioctl(fd, KVCPU_IOC_BLOCK, block);
}

__attribute__((unused)) static struct kvcpu_block block_at(int fd, uint64_t number)
{
    struct kvcpu_block block;

    if (block_of(fd, number, &block)) {
        bail_out("KVCPU_IOC_BLOCK of %llu", (unsigned long long)number);
    }
    return block;
}

/* Whether the block is in a slot, or is being moved. */
__attribute__((unused)) static bool is_fast(int fd, uint64_t block)
{
    return (block_at(fd, block).place & KVCPU_BPL_SLOT_MASK) != KVCPU_NO_SLOT;
}

/* Allocates and pins as many blocks as there are slots, so that a further PIN waits. */
__attribute__((unused)) static void claim_slots(int fd, uint64_t slots)
{
    while (slots > 0) {
        uint64_t part = slots < KVCPU_COMMAND_BLOCKS_MAX ? slots : KVCPU_COMMAND_BLOCKS_MAX;

        if (pin_and_wait(fd, allocate(fd, part), part, LONG_NS) != KVCPU_SC_SUCCESS) {
            bail_out("cannot pin %llu blocks", (unsigned long long)part);
        }
        slots -= part;
    }
}

/* Waits until a number of blocks are free, as blocks of closed files are scrubbed first. */
__attribute__((unused)) static void wait_until_free(int fd, uint64_t blocks)
{
    uint64_t end = info_of(fd).time_ns + LONG_NS;

    while (info_of(fd).blocks_free < blocks) {
        if (info_of(fd).time_ns > end) {
            bail_out("%llu blocks are free, and not %llu",
                     (unsigned long long)info_of(fd).blocks_free, (unsigned long long)blocks);
        }
        wait_for(fd, NULL, 0, 0, SECOND_NS / 1000);
    }
}

/* A counter of the device; KVCPU_COUNTER_COUNT + status is the counter of a status. */
__attribute__((unused)) static uint64_t counter(int fd, unsigned int index)
{
    uint64_t values[KVCPU_COUNTER_COUNT + KVCPU_STATUS_COUNT];
    struct kvcpu_counters counters = {.values = (uintptr_t)values,
                                      .capacity = KVCPU_COUNTER_COUNT + KVCPU_STATUS_COUNT};

    if (ioctl(fd, KVCPU_IOC_COUNTERS, &counters)) {
        bail_out("KVCPU_IOC_COUNTERS");
    }
    return values[index];
}

#endif /* KVCPU_VM_TEST_H */
