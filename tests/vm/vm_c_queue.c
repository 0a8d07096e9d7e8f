// SPDX-License-Identifier: MIT
/*
 * A queue pair by the library's C interface. Checks that calls reach the driver, and that bytes and
 * completions return. tests/unit/lib/c_queue.c tests the interface itself without a kernel. Needs a
 * fast tier of 64 blocks. TAP.
 */
#include "vm_test.h"

#include <kvcpu/kvcpu_queue.h>
#include <poll.h>

static struct kvcpu_device *device;
static struct kvcpu_queue *queue;
static struct kvcpu_info info;

/* Checks a call of the interface, which returns 0 or a negative errno value. */
static bool gives(int got, int wanted, const char *what) {
    if (got != wanted) {
        printf("# got %s, wanted %s\n", strerror(-got), strerror(-wanted));
    }
    return ok(got == wanted, "%s: %s", what, wanted ? strerror(-wanted) : "done");
}

/* A command's result word. */
static uint64_t execute(struct kvcpu_entry entry) {
    uint64_t result = UINT64_MAX;
    int err = kvcpu_queue_execute(queue, &entry, &result);

    if (err) {
        errno = -err;
        bail_out("execute");
    }
    return result;
}

static unsigned status(struct kvcpu_entry entry) {
    return kvcpu_result_status(execute(entry));
}

static uint64_t alloc(uint64_t count) {
    uint64_t result = execute(kvcpu_entry_alloc(count, 0, 0, 0));

    if (kvcpu_result_status(result) != KVCPU_SC_SUCCESS || kvcpu_result_aux(result) != count) {
        bail_out("ALLOC");
    }
    return kvcpu_result_value(result);
}

static uint64_t count_of(unsigned which) {
    uint64_t values[KVCPU_COUNTER_COUNT] = {0};

    if (kvcpu_device_counters(device, values, KVCPU_COUNTER_COUNT, NULL)) {
        bail_out("counters");
    }
    return values[which];
}

static uint8_t *some_bytes(size_t size, unsigned seed) {
    uint8_t *bytes = malloc(size);

    if (bytes == NULL) {
        bail_out("malloc");
    }
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)((i + 1) * (seed * 2 + 1) >> 3);
    }
    return bytes;
}

static void test_open(void) {
    struct kvcpu_queue_config config;
    struct kvcpu_queue *another = NULL;

    gives(kvcpu_device_open(DEVICE, &device), 0, "the device is opened");
    kvcpu_queue_defaults(&config);
    config.submission_entries = 3;
    gives(kvcpu_queue_open(device, &config, &queue), -EINVAL, "three entries");
    config.submission_entries = 8;
    config.completion_entries = 8;
    config.coalesce_count = 1;
    if (!gives(kvcpu_queue_open(device, &config, &queue), 0, "eight")) {
        bail_out("no queue");
    }
    gives(kvcpu_queue_open(device, NULL, &another), -EBUSY, "a second queue");
    gives(kvcpu_device_info(device, &info), 0, "info");
    is(info.ring_state, KVCPU_RS_RUNNING, "the ring runs");
    is(kvcpu_queue_state(queue), KVCPU_RS_RUNNING, "as the queue says");
    gives(kvcpu_queue_restart(queue, NULL), -EBUSY, "one that runs is not restarted");
}

static void test_hints(void) {
    uint64_t first = alloc(4);
    uint64_t accepted = count_of(KVCPU_CNT_HINTS_ACCEPTED);
    struct kvcpu_entry more[9];
    struct kvcpu_block block;
    size_t added = 99;

    for (int i = 0; i < 9; i++) {
        more[i] = kvcpu_entry_hint(KVCPU_OP_TOUCH, first, 2, 0, 0);
    }
    gives(kvcpu_queue_step(queue, 5), 0, "STEP");
    gives(kvcpu_queue_hint(queue, KVCPU_OP_HOT, first, 2, 9, 0), 0, "HOT");
    gives(kvcpu_queue_add_batch(queue, more, 9, &added), -EAGAIN, "a batch that is too long");
    is(added, 6, "is added as far as it goes");
    gives(kvcpu_queue_submit(queue), 0, "the doorbell");
    is(status(kvcpu_entry_fence()), KVCPU_SC_SUCCESS, "FENCE");
    is(count_of(KVCPU_CNT_HINTS_ACCEPTED) - accepted, 8, "all hints reached the device");
    gives(kvcpu_device_block(device, first, &block), 0, "a block");
    is(block.target, 9, "is hot until the step that was said");
    is(kvcpu_queue_unfinished(queue), 0, "nothing is under way");
    is(kvcpu_queue_room(queue), 8, "the ring is empty");
    is(kvcpu_queue_failed(queue), 0, "nothing failed");
    is(status(kvcpu_entry_free(first, 4)), KVCPU_SC_SUCCESS, "FREE");
}

static void test_pin(void) {
    uint64_t first = alloc(65);
    struct kvcpu_entry pin = kvcpu_entry_answering(kvcpu_entry_pin(first, 2, LONG_NS), 77);
    struct kvcpu_completion completion;
    struct pollfd event = {.fd = kvcpu_queue_event_descriptor(queue), .events = POLLIN};
    uint64_t word, time_ns = 0;
    size_t taken;

    ok(event.fd >= 0, "an event descriptor");
    word = kvcpu_queue_residency(queue, first);
    ok(kvcpu_residency_is_owned(word) && !kvcpu_residency_is_fast(word),
       "the block is in the slow tier");
    gives(kvcpu_queue_add(queue, &pin), 0, "PIN");
    while ((taken = kvcpu_queue_poll(queue, &completion, 1)) == 0) {
        if (!kvcpu_queue_wait(queue, UINT64_MAX, &time_ns)) {
            continue;
        }
        bail_out("wait");
    }
    is(completion.user_data, 77, "its tag comes back");
    is(kvcpu_result_status(completion.result), KVCPU_SC_SUCCESS, "granted");
    ok(completion.time_ns > 0 && (time_ns == 0 || completion.time_ns <= time_ns),
       "before the wait was over");
    is(poll(&event, 1, 10000), 1, "the descriptor becomes readable");
    word = kvcpu_queue_residency(queue, first + 1);
    ok(kvcpu_residency_is_fast(word), "the block is in the fast tier");
    ok(!kvcpu_residency_is_fast(kvcpu_queue_residency(queue, first + 2)), "the next is not");
    is(kvcpu_queue_residency(queue, info.blocks), 0, "there is nothing behind the last block");
    is(status(kvcpu_entry_pin(first, 65, LONG_NS)), KVCPU_SC_NO_SLOTS, "more than there are slots");
    is(kvcpu_queue_failed(queue), 1, "is a failure");
    gives(kvcpu_queue_set_quota(queue, 0, 4), 0, "a quota");
    is(status(kvcpu_entry_pin(first, 5, LONG_NS)), KVCPU_SC_NO_SLOTS, "holds");
    gives(kvcpu_queue_set_quota(queue, 65, 65), -EINVAL, "more than there are slots");
    gives(kvcpu_queue_set_quota(queue, 0, 0), 0, "none");
    is(status(kvcpu_entry_unpin(first, 2)), KVCPU_SC_SUCCESS, "UNPIN");
    is(status(kvcpu_entry_free(first, 65)), KVCPU_SC_SUCCESS, "FREE");
    gives(kvcpu_queue_coalesce(queue, 2, 0), -EINVAL, "coalescing without a time");
    gives(kvcpu_queue_coalesce(queue, 0, 0), 0, "no more interrupts");
}

static void test_bytes(void) {
    uint64_t first = alloc(3);
    size_t size = info.block_size;
    uint8_t *from = some_bytes(3 * size, 1), *to = some_bytes(3 * size, 2);
    uint32_t source = 99, target = 99;
    void *window = NULL, *reading = NULL;

    gives(kvcpu_queue_add_buffer(queue, from + 123, 2 * size, &source), 0, "a buffer");
    gives(kvcpu_queue_add_buffer(queue, to, 3 * size, &target), 0, "another");
    gives(kvcpu_queue_add_buffer(queue, WILD, 4096, &target), -EFAULT, "memory that is none");
    is(status(kvcpu_entry_write(first, 0, (uint32_t)size, source, 7)), KVCPU_SC_SUCCESS, "WRITE");
    is(status(kvcpu_entry_read(first, 3, 900, target, 11)), KVCPU_SC_SUCCESS, "READ");
    ok(!memcmp(to + 11, from + 123 + 7 + 3, 900), "the bytes are the same");

    gives(kvcpu_queue_map(queue, first, 3, 1, &window), 0, "a window");
    ok(!memcmp(window, from + 123 + 7, size), "shows what was written");
    memcpy((uint8_t *)window + size, from, 2 * size);
    is(status(kvcpu_entry_pin(first + 1, 1, LONG_NS)), KVCPU_SC_SUCCESS, "PIN of what it shows");
    is(status(kvcpu_entry_read(first + 1, 0, (uint32_t)size, target, 0)), KVCPU_SC_SUCCESS, "READ");
    ok(!memcmp(to, from, size), "has what was stored in the window");
    gives(kvcpu_queue_map(queue, first + 2, 1, 0, &reading), 0, "a window for reading");
    ok(reading != window && !memcmp(reading, from + size, size), "has it, too");
    gives(kvcpu_queue_map(queue, info.blocks - 1, 2, 0, &reading), -EINVAL, "no such blocks");
    gives(kvcpu_queue_map(queue, UINT64_MAX / size + 1, 1, 0, &reading), -EINVAL,
          "none whose first byte wraps");
    gives(kvcpu_queue_unmap(queue, window), 0, "unmapped");
    gives(kvcpu_queue_unmap(queue, window), -ENOENT, "once");

    gives(kvcpu_queue_remove_buffer(queue, source), 0, "the buffer is removed");
    gives(kvcpu_queue_remove_buffer(queue, source), -ENOENT, "once");
    is(status(kvcpu_entry_write(first, 0, 100, source, 0)), KVCPU_SC_BAD_BUFFER,
       "and not named any more");
    kvcpu_queue_close(queue); /* with a buffer and a window */
    gives(kvcpu_device_info(device, &info), 0, "info");
    is(info.buffers, 0, "the end of the queue removes buffers");
    is(info.blocks_owned, 3, "and leaves blocks to the device's handle");
    free(from);
    free(to);
}

int main(void) {
    test_open();
    test_hints();
    test_pin();
    test_bytes();
    kvcpu_device_close(device);
    return tap_end();
}
