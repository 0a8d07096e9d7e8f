/* SPDX-License-Identifier: MIT */
/* Queue pairs by the C interface, compiled as C. Exit status 1 if a check fails. */
#include <errno.h>
#include <kvcpu/kvcpu_queue.h>
#include <poll.h>
#include <string.h>

#include "c_checks.h"
#include "c_doorbell.h"

#define BLOCK_SIZE 4096

/* A queue with rings of 8 on a device of its own. */
struct on {
    struct kvcpu_device *device;
    struct kvcpu_queue *queue;
};

static struct kvcpu_queue_config small_rings(void) {
    struct kvcpu_queue_config config;

    kvcpu_queue_defaults(&config);
    config.submission_entries = 8;
    config.completion_entries = 8;
    return config;
}

static struct on opened(struct kvcpu_device *device, const struct kvcpu_queue_config *config) {
    struct on on = {device, NULL};

    if (kvcpu_queue_open(device, config, &on.queue) != 0) {
        printf("no queue\n");
        exit(1);
    }
    return on;
}

static struct on small(void) {
    const struct kvcpu_queue_config config = small_rings();

    return opened(small_device("hepc"), &config);
}

static void closed(struct on on) {
    kvcpu_queue_close(on.queue);
    kvcpu_device_close(on.device);
}

static uint64_t counter(struct on on, unsigned which) {
    uint64_t values[KVCPU_COUNTER_COUNT] = {0};

    CHECK(kvcpu_device_counters(on.device, values, KVCPU_COUNTER_COUNT, NULL) == 0);
    return values[which];
}

static struct kvcpu_block block_of(struct on on, uint64_t number) {
    struct kvcpu_block block = {0};

    CHECK(kvcpu_device_block(on.device, number, &block) == 0);
    return block;
}

static uint64_t claims(struct on on, uint64_t number) {
    return block_of(on, number).place >> KVCPU_BPL_CLAIMS_SHIFT & KVCPU_BPL_CLAIMS_MASK;
}

static uint64_t flags(struct on on, uint64_t number) {
    return block_of(on, number).state >> KVCPU_BST_FLAGS_SHIFT;
}

/* A command's result word; all ones if the call fails. */
static uint64_t execute(struct on on, struct kvcpu_entry entry) {
    uint64_t result = UINT64_MAX;

    CHECK(kvcpu_queue_execute(on.queue, &entry, &result) == 0);
    return result;
}

static unsigned status(struct on on, struct kvcpu_entry entry) {
    return kvcpu_result_status(execute(on, entry));
}

/* Allocates blocks, and returns the first. */
static uint64_t alloc(struct on on, uint64_t count) {
    const uint64_t result = execute(on, kvcpu_entry_alloc(count, 0, 0, 0));

    CHECK(kvcpu_result_status(result) == KVCPU_SC_SUCCESS && kvcpu_result_aux(result) == count);
    return kvcpu_result_value(result);
}

static void fill(unsigned char *bytes, size_t size, unsigned seed) {
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)((i + 1) * (seed * 2 + 1) >> 3);
}

/* Copies between memory and a block by calls, not by the ring. */
static void copy(struct on on, uint16_t opcode, uint64_t block, void *bytes) {
    struct kvcpu_command command = {.opcode = opcode,
                                    .first = block,
                                    .count = 1,
                                    .buffer = (uintptr_t)bytes,
                                    .length = BLOCK_SIZE};

    CHECK(kvcpu_device_submit(on.device, &command, 1, 0, NULL) == 0);
    CHECK(kvcpu_result_status(command.result) == KVCPU_SC_SUCCESS);
}

/* -- Open and close ------------------------------------------------------------ */

static void defaults_make_a_queue(void) {
    struct kvcpu_device *device = small_device("lru");
    struct kvcpu_queue_config config;
    struct kvcpu_queue *another = NULL;
    struct kvcpu_info info;
    struct on on = opened(device, NULL);

    kvcpu_queue_defaults(&config);
    CHECK(config.flags == KVCPU_SETUP_RESIDENCY && config.coalesce_count == 0);
    CHECK(config.submission_entries == 256 && config.completion_entries == 512);
    CHECK(kvcpu_queue_room(on.queue) == 256);
    CHECK(kvcpu_device_info(device, &info) == 0 && info.ring_state == KVCPU_RS_RUNNING);
    CHECK(kvcpu_queue_state(on.queue) == KVCPU_RS_RUNNING);
    CHECK(kvcpu_queue_open(device, &config, &another) == -EBUSY);
    kvcpu_queue_close(on.queue);
    CHECK(kvcpu_queue_open(device, &config, &another) == -EBUSY);
    CHECK(another == NULL);
    kvcpu_queue_close(NULL);
    kvcpu_device_close(device);
}

static void wrong_configurations_are_refused(void) {
    struct kvcpu_device *device = small_device("lru");
    struct kvcpu_queue *queue = NULL;
    struct kvcpu_queue_config bad[7];

    for (int i = 0; i < 7; i++)
        kvcpu_queue_defaults(&bad[i]);
    bad[0].submission_entries = 3;
    bad[1].completion_entries = 8192;
    bad[2].coalesce_count = 2;
    bad[3].coalesce_ns = 1;
    bad[4].slots_min = 5;
    bad[5].flags = 0x80;
    bad[6].reserved = 1;
    for (int i = 0; i < 7; i++)
        CHECK(kvcpu_queue_open(device, &bad[i], &queue) == -EINVAL);
    CHECK(queue == NULL);
    CHECK(kvcpu_queue_open(device, NULL, &queue) == 0);
    kvcpu_queue_close(queue);
    kvcpu_device_close(device);
}

/* -- Submitting ---------------------------------------------------------------- */

static void hints_go_with_one_doorbell(void) {
    struct on on = small();
    const uint64_t first = alloc(on, 4);
    const uint64_t accepted = counter(on, KVCPU_CNT_HINTS_ACCEPTED);
    const uint64_t bells = counter(on, KVCPU_CNT_DOORBELLS);
    const struct kvcpu_entry more[2] = {
        kvcpu_entry_hint(KVCPU_OP_EVICTABLE, first + 2, 1, 0, 0),
        kvcpu_entry_hint(KVCPU_OP_PREFETCHABLE, first + 3, 1, 30, 0),
    };
    size_t added = 99;

    CHECK(kvcpu_queue_step(on.queue, 5) == 0);
    CHECK(kvcpu_queue_hint(on.queue, KVCPU_OP_HOT, first, 2, 9, 0) == 0);
    CHECK(kvcpu_queue_add_batch(on.queue, more, 2, &added) == 0);
    CHECK(added == 2);
    CHECK(counter(on, KVCPU_CNT_HINTS_ACCEPTED) == accepted);
    CHECK(kvcpu_queue_submit(on.queue) == 0);
    CHECK(counter(on, KVCPU_CNT_HINTS_ACCEPTED) == accepted + 4);
    CHECK(counter(on, KVCPU_CNT_DOORBELLS) == bells + 1);
    CHECK(block_of(on, first + 1).target == 9);
    CHECK(block_of(on, first + 3).target == 30);
    CHECK(kvcpu_queue_submit(on.queue) == 0);
    CHECK(counter(on, KVCPU_CNT_DOORBELLS) == bells + 1);
    CHECK(kvcpu_queue_unfinished(on.queue) == 0);
    CHECK(kvcpu_queue_failed(on.queue) == 0);
    closed(on);
}

static void a_full_ring_says_so(void) {
    struct on on = small();
    const struct kvcpu_entry step = kvcpu_entry_step(3);
    struct kvcpu_entry many[10];
    size_t added = 99;

    for (int i = 0; i < 10; i++)
        many[i] = kvcpu_entry_step((uint64_t)i);
    for (int i = 0; i < 8; i++)
        CHECK(kvcpu_queue_add(on.queue, &step) == 0);
    CHECK(kvcpu_queue_room(on.queue) == 0);
    CHECK(kvcpu_queue_add(on.queue, &step) == -EAGAIN);
    CHECK(kvcpu_queue_step(on.queue, 1) == -EAGAIN);
    CHECK(kvcpu_queue_hint(on.queue, KVCPU_OP_TOUCH, 0, 1, 0, 0) == -EAGAIN);
    CHECK(kvcpu_queue_add_batch(on.queue, many, 10, &added) == -EAGAIN);
    CHECK(added == 0);
    CHECK(kvcpu_queue_submit(on.queue) == 0);
    CHECK(kvcpu_queue_room(on.queue) == 8);
    CHECK(kvcpu_queue_add_batch(on.queue, many, 10, &added) == -EAGAIN);
    CHECK(added == 8);
    CHECK(kvcpu_queue_submit(on.queue) == 0);
    CHECK(kvcpu_queue_add_batch(on.queue, many + added, 10 - added, NULL) == 0);
    CHECK(kvcpu_queue_submit(on.queue) == 0);
    CHECK(counter(on, KVCPU_CNT_STEPS) == 18);
    closed(on);
}

static void the_librarys_tags_are_refused(void) {
    struct on on = small();
    struct kvcpu_completion done[2] = {{0}};
    const struct kvcpu_entry entries[3] = {
        kvcpu_entry_answering(kvcpu_entry_step(1), KVCPU_QUEUE_TAG_MAX),
        kvcpu_entry_answering(kvcpu_entry_step(2), KVCPU_QUEUE_TAG_MAX + 1),
        kvcpu_entry_answering(kvcpu_entry_step(3), 3),
    };
    size_t added = 99;

    CHECK(kvcpu_queue_add_batch(on.queue, entries, 3, &added) == -EINVAL);
    CHECK(added == 1);
    CHECK(kvcpu_queue_poll(on.queue, done, 2) == 1);
    CHECK(done[0].user_data == KVCPU_QUEUE_TAG_MAX);
    closed(on);
}

/* -- Completions --------------------------------------------------------------- */

static void a_pin_answers_by_poll_and_wait(void) {
    struct on on = small();
    const uint64_t first = alloc(on, 4);
    const struct kvcpu_entry pin = kvcpu_entry_answering(kvcpu_entry_pin(first, 2, SECOND_NS), 77);
    struct kvcpu_completion done[2] = {{0}};
    unsigned char bytes[BLOCK_SIZE] = {1};
    uint64_t start = 0;
    uint64_t time_ns = 0;

    copy(on, KVCPU_OP_WRITE, first, bytes);
    copy(on, KVCPU_OP_WRITE, first + 1, bytes);
    CHECK(kvcpu_queue_wait(on.queue, 50, &start) == 0);
    CHECK(start == 50);
    CHECK(kvcpu_queue_add(on.queue, &pin) == 0);
    CHECK(kvcpu_queue_poll(on.queue, done, 2) == 0); /* which publishes it */
    CHECK(kvcpu_queue_unfinished(on.queue) == 0);
    CHECK(kvcpu_queue_wait(on.queue, UINT64_MAX, &time_ns) == 0);
    CHECK(time_ns == 50 + 9192);
    CHECK(kvcpu_queue_poll(on.queue, done, 2) == 1);
    CHECK(done[0].user_data == 77 && done[0].time_ns == time_ns);
    CHECK(kvcpu_result_status(done[0].result) == KVCPU_SC_SUCCESS);
    CHECK(claims(on, first) == 1 && claims(on, first + 1) == 1);
    CHECK(kvcpu_queue_poll(on.queue, done, 2) == 0);

    /* Again: now both blocks are found in slots. */
    CHECK(kvcpu_queue_add(on.queue, &pin) == 0);
    CHECK(kvcpu_queue_wait(on.queue, UINT64_MAX, NULL) == 0);
    CHECK(kvcpu_queue_poll(on.queue, done, 2) == 1);
    CHECK(kvcpu_result_aux(done[0].result) == 2 && claims(on, first) == 2);
    CHECK(status(on, kvcpu_entry_unpin(first, 2)) == KVCPU_SC_SUCCESS);
    CHECK(claims(on, first) == 1);
    closed(on);
}

static void a_pin_is_cancelled_or_times_out(void) {
    struct on on = small();
    const uint64_t first = alloc(on, 6);
    struct kvcpu_completion done[2] = {{0}};
    const struct kvcpu_entry pins[2] = {
        kvcpu_entry_answering(kvcpu_entry_pin(first + 4, 1, SECOND_NS), 1),
        kvcpu_entry_answering(kvcpu_entry_pin(first + 5, 1, 5000), 2),
    };

    CHECK(status(on, kvcpu_entry_pin(first, 4, SECOND_NS)) == KVCPU_SC_SUCCESS);
    CHECK(kvcpu_queue_add_batch(on.queue, pins, 2, NULL) == 0);
    CHECK(kvcpu_queue_submit(on.queue) == 0);
    CHECK(kvcpu_queue_poll(on.queue, done, 2) == 0);
    CHECK(status(on, kvcpu_entry_cancel(1)) == KVCPU_SC_SUCCESS);
    CHECK(status(on, kvcpu_entry_cancel(99)) == KVCPU_SC_NOT_FOUND);
    CHECK(status(on, kvcpu_entry_fence()) == KVCPU_SC_SUCCESS);
    CHECK(kvcpu_queue_poll(on.queue, done, 2) == 2);
    CHECK(done[0].user_data == 1 && kvcpu_result_status(done[0].result) == KVCPU_SC_CANCELLED);
    CHECK(done[1].user_data == 2 && kvcpu_result_status(done[1].result) == KVCPU_SC_TIMED_OUT);
    CHECK(done[1].time_ns == done[0].time_ns + 5000);
    closed(on);
}

/* STEP entries with a completion, with tags from 0 on. */
static void take_steps(struct on on, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        const struct kvcpu_entry step = kvcpu_entry_answering(kvcpu_entry_step(i), i);

        CHECK(kvcpu_queue_add(on.queue, &step) == 0);
        CHECK(kvcpu_queue_submit(on.queue) == 0);
    }
}

/* More entries than the ring has places; the device pauses, and loses no completion. */
static void completions_not_consumed_are_kept(void) {
    struct on on = small();
    struct kvcpu_completion few[3];
    struct kvcpu_completion many[20];
    uint64_t next = 0;

    take_steps(on, 12);
    CHECK(kvcpu_queue_unfinished(on.queue) == 4);
    CHECK(kvcpu_queue_poll(on.queue, NULL, 0) == 0);
    CHECK(kvcpu_queue_poll(on.queue, few, 3) == 3);
    for (int i = 0; i < 3; i++)
        CHECK(few[i].user_data == next++);
    for (size_t taken = 1; taken > 0;) {
        taken = kvcpu_queue_poll(on.queue, many, 20);
        for (size_t i = 0; i < taken; i++)
            CHECK(many[i].user_data == next++);
    }
    CHECK(next == 12 && kvcpu_queue_unfinished(on.queue) == 0);

    take_steps(on, 12);
    CHECK(kvcpu_queue_poll(on.queue, many, 20) == 12);
    for (next = 0; next < 12; next++)
        CHECK(many[next].user_data == next);
    closed(on);
}

static void execute_gives_results(void) {
    struct on on = small();
    const uint64_t first = alloc(on, 2);
    const struct kvcpu_entry step = kvcpu_entry_answering(kvcpu_entry_step(1), 1);
    const struct kvcpu_entry fence = kvcpu_entry_fence();
    struct kvcpu_completion done[2] = {{0}};
    uint64_t result = 0;

    CHECK(kvcpu_queue_add(on.queue, &step) == 0);
    result = execute(on, kvcpu_entry_hint(KVCPU_OP_HOT, first, 3, 0, 0));
    CHECK(kvcpu_result_outcome(result) == KVCPU_HO_CLIPPED);
    CHECK(kvcpu_result_reason(result) == KVCPU_HR_FOREIGN && kvcpu_result_value(result) == 2);
    CHECK(status(on, kvcpu_entry_free(first + 2, 1)) == KVCPU_SC_NOT_OWNER);
    CHECK(status(on, kvcpu_entry_pin(first, 8, SECOND_NS)) == KVCPU_SC_NOT_OWNER);
    CHECK(kvcpu_queue_failed(on.queue) == 2);
    CHECK(kvcpu_queue_poll(on.queue, done, 2) == 1); /* kept for poll() in the meantime */
    CHECK(done[0].user_data == 1);
    CHECK(status(on, kvcpu_entry_reclaimed()) == KVCPU_SC_SUCCESS);
    CHECK(status(on, kvcpu_entry_free(first, 2)) == KVCPU_SC_SUCCESS);
    CHECK(kvcpu_queue_execute(on.queue, &fence, &result) == 0);
    CHECK(kvcpu_queue_wait(on.queue, UINT64_MAX, NULL) == -EDEADLK);
    closed(on);
}

/* -- State --------------------------------------------------------------------- */

static void a_stopped_ring_says_why_and_starts_again(void) {
    const struct kvcpu_queue_config config = small_rings();
    struct on on = opened(tapped_device(), &config);
    const struct kvcpu_entry step = kvcpu_entry_step(1);
    const uint64_t first = alloc(on, 1);
    const uint64_t steps = counter(on, KVCPU_CNT_STEPS);
    uint64_t result = 99;
    unsigned stopped = 99;

    CHECK(kvcpu_queue_restart(on.queue, &stopped) == -EBUSY);
    ring_doorbell(on.device, KVCPU_DB_SQ_TAIL, 1000000);
    CHECK(kvcpu_queue_state(on.queue) == KVCPU_RS_BAD_TAIL);
    CHECK(kvcpu_queue_add(on.queue, &step) == 0);
    CHECK(kvcpu_queue_submit(on.queue) == -EPIPE);
    CHECK(kvcpu_queue_execute(on.queue, &step, &result) == -EPIPE);
    CHECK(result == 99 && stopped == 99);
    CHECK(kvcpu_queue_restart(on.queue, &stopped) == 0);
    CHECK(stopped == KVCPU_RS_BAD_TAIL && kvcpu_queue_state(on.queue) == KVCPU_RS_RUNNING);
    CHECK(kvcpu_queue_room(on.queue) == 8 && counter(on, KVCPU_CNT_STEPS) == steps);
    CHECK(status(on, kvcpu_entry_pin(first, 1, SECOND_NS)) == KVCPU_SC_SUCCESS);

    ring_doorbell(on.device, KVCPU_DB_CQ_HEAD, 1000);
    CHECK(kvcpu_queue_state(on.queue) == KVCPU_RS_BAD_HEAD);
    CHECK(kvcpu_queue_restart(on.queue, NULL) == 0);
    CHECK(claims(on, first) == 1);
    closed(on);
}

static void residency_says_where_blocks_are(void) {
    struct kvcpu_queue_config config = small_rings();
    struct on on = small();
    const uint64_t none = kvcpu_queue_residency(on.queue, 0);
    const uint64_t first = alloc(on, 2);
    uint64_t word = kvcpu_queue_residency(on.queue, first);

    CHECK(none == 0 && kvcpu_queue_residency(on.queue, 1000000) == 0);
    CHECK(kvcpu_residency_is_owned(word) && !kvcpu_residency_is_fast(word));
    CHECK(kvcpu_residency_state(word) == KVCPU_BS_SLOW);
    CHECK(status(on, kvcpu_entry_pin(first, 1, SECOND_NS)) == KVCPU_SC_SUCCESS);
    word = kvcpu_queue_residency(on.queue, first);
    CHECK(kvcpu_residency_is_fast(word) && kvcpu_residency_state(word) == KVCPU_BS_FAST);
    CHECK(kvcpu_residency_generation(word) ==
          block_of(on, first).use >> KVCPU_BUS_GENERATION_SHIFT);
    CHECK(kvcpu_residency_generation(word) == 1);
    CHECK(!kvcpu_residency_is_fast(kvcpu_queue_residency(on.queue, first + 1)));
    CHECK(!kvcpu_residency_is_fast(0) && !kvcpu_residency_is_owned(0));
    closed(on);

    config.flags = 0;
    on = opened(small_device("lru"), &config);
    CHECK(kvcpu_queue_residency(on.queue, alloc(on, 1)) == 0);
    closed(on);
}

/* -- Memory -------------------------------------------------------------------- */

static void bytes_go_through_a_buffer(void) {
    struct on on = small();
    const uint64_t first = alloc(on, 2);
    unsigned char memory[2 * BLOCK_SIZE];
    unsigned char other[BLOCK_SIZE] = {0};
    unsigned char read[BLOCK_SIZE];
    uint32_t from = 99;
    uint32_t to = 99;

    fill(memory, sizeof(memory), 1);
    CHECK(kvcpu_queue_add_buffer(on.queue, memory + 123, 5000, &from) == 0);
    CHECK(kvcpu_queue_add_buffer(on.queue, other, sizeof(other), &to) == 0);
    CHECK(from != to);
    CHECK(status(on, kvcpu_entry_write(first, 0, BLOCK_SIZE, from, 0)) == KVCPU_SC_SUCCESS);
    CHECK(status(on, kvcpu_entry_write(first + 1, 7, 900, from, 4100)) == KVCPU_SC_SUCCESS);
    copy(on, KVCPU_OP_READ, first, read);
    CHECK(memcmp(read, memory + 123, BLOCK_SIZE) == 0);
    CHECK(status(on, kvcpu_entry_read(first + 1, 7, 900, to, 11)) == KVCPU_SC_SUCCESS);
    CHECK(memcmp(other + 11, memory + 123 + 4100, 900) == 0);
    CHECK(other[10] == 0 && other[911] == 0);

    CHECK(status(on, kvcpu_entry_write(first, 0, 4096, from, 905)) == KVCPU_SC_BAD_BUFFER);
    CHECK(kvcpu_queue_remove_buffer(on.queue, from) == 0);
    CHECK(kvcpu_queue_remove_buffer(on.queue, from) == -ENOENT);
    CHECK(status(on, kvcpu_entry_write(first, 0, 100, from, 0)) == KVCPU_SC_BAD_BUFFER);
    CHECK(status(on, kvcpu_entry_read(first, 0, 100, to, 0)) == KVCPU_SC_SUCCESS);
    CHECK(memcmp(other, memory + 123, 100) == 0);
    closed(on);
}

static void so_many_buffers_and_no_more(void) {
    struct on on = small();
    char byte[2] = "";
    uint32_t id = 99;

    CHECK(kvcpu_queue_add_buffer(on.queue, byte, 0, &id) == -EINVAL);
    CHECK(id == 99);
    for (uint32_t i = 0; i < KVCPU_BUFFERS_MAX; i++)
        CHECK(kvcpu_queue_add_buffer(on.queue, byte, 1, &id) == 0 && id == i);
    CHECK(kvcpu_queue_add_buffer(on.queue, byte, 1, &id) == -ENOSPC);
    CHECK(kvcpu_queue_remove_buffer(on.queue, 5) == 0);
    CHECK(kvcpu_queue_add_buffer(on.queue, byte, 2, &id) == 0 && id == 5);
    closed(on); /* consumes the remaining completions */
}

static void bytes_are_seen_in_windows(void) {
    struct on on = small();
    const uint64_t first = alloc(on, 3);
    unsigned char bytes[3 * BLOCK_SIZE];
    unsigned char read[BLOCK_SIZE];
    void *window = NULL;
    void *again = NULL;

    fill(bytes, sizeof(bytes), 3);
    CHECK(kvcpu_queue_map(on.queue, first, 3, 1, &window) == 0);
    memcpy(window, bytes, sizeof(bytes));
    CHECK((flags(on, first) & KVCPU_BF_WRITE_HELD) != 0);
    copy(on, KVCPU_OP_READ, first + 2, read);
    CHECK(memcmp(read, bytes + 2 * BLOCK_SIZE, BLOCK_SIZE) == 0);

    /* In both tiers. Data that another interface writes is visible, here and in another window. */
    CHECK(status(on, kvcpu_entry_pin(first, 1, SECOND_NS)) == KVCPU_SC_SUCCESS);
    CHECK(memcmp(window, bytes, sizeof(bytes)) == 0);
    fill(read, BLOCK_SIZE, 8);
    copy(on, KVCPU_OP_WRITE, first, read);
    CHECK(memcmp(window, read, BLOCK_SIZE) == 0);
    CHECK(kvcpu_queue_map(on.queue, first, 1, 0, &again) == 0);
    CHECK(again != window && memcmp(again, read, BLOCK_SIZE) == 0);

    CHECK(kvcpu_queue_unmap(on.queue, window) == 0);
    CHECK(kvcpu_queue_unmap(on.queue, window) == -ENOENT);
    CHECK((flags(on, first + 1) & KVCPU_BF_HELD) == 0);
    CHECK((flags(on, first) & KVCPU_BF_HELD) != 0 && (flags(on, first) & KVCPU_BF_WRITE_HELD) == 0);
    closed(on); /* closes the other window */
}

static void windows_are_of_own_blocks(void) {
    struct on on = small();
    const uint64_t first = alloc(on, 2);
    void *window = NULL;

    CHECK(kvcpu_queue_map(on.queue, first, 3, 1, &window) == -EPERM);
    CHECK(kvcpu_queue_map(on.queue, first, 0, 1, &window) == -EINVAL);
    CHECK(kvcpu_queue_map(on.queue, 16, 1, 1, &window) == -EINVAL);
    CHECK(kvcpu_queue_map(on.queue, 15, UINT64_MAX, 1, &window) == -EINVAL);
    /* In bytes this number would wrap to block 0. */
    CHECK(kvcpu_queue_map(on.queue, UINT64_MAX / BLOCK_SIZE + 1, 1, 1, &window) == -EINVAL);
    CHECK(window == NULL);
    closed(on);
}

/* -- Interrupts and quotas ------------------------------------------------------- */

static bool readable(int descriptor) {
    struct pollfd one = {descriptor, POLLIN, 0};

    return poll(&one, 1, 0) == 1;
}

static void an_event_descriptor_is_signalled(void) {
    struct on on = small();
    const struct kvcpu_entry step = kvcpu_entry_answering(kvcpu_entry_step(1), 1);
    const int descriptor = kvcpu_queue_event_descriptor(on.queue);

    CHECK(descriptor >= 0);
    CHECK(kvcpu_queue_event_descriptor(on.queue) == descriptor);
    CHECK(kvcpu_queue_add(on.queue, &step) == 0);
    CHECK(kvcpu_queue_submit(on.queue) == 0);
    CHECK(!readable(descriptor));
    CHECK(kvcpu_queue_coalesce(on.queue, 2, 0) == -EINVAL);
    CHECK(kvcpu_queue_coalesce(on.queue, 1, 0) == 0);
    CHECK(readable(descriptor));
    closed(on);
}

static void quotas_are_set(void) {
    struct kvcpu_queue_config config = small_rings();
    struct kvcpu_info info;
    struct on on;
    uint64_t first;

    config.slots_min = 1;
    config.slots_max = 2;
    on = opened(small_device("hepc"), &config);
    first = alloc(on, 4);
    CHECK(kvcpu_device_info(on.device, &info) == 0);
    CHECK(info.slots_min == 1 && info.slots_max == 2);
    CHECK(status(on, kvcpu_entry_pin(first, 3, SECOND_NS)) == KVCPU_SC_NO_SLOTS);
    CHECK(kvcpu_queue_set_quota(on.queue, 0, 99) == -EINVAL);
    CHECK(kvcpu_queue_set_quota(on.queue, 0, 3) == 0);
    CHECK(status(on, kvcpu_entry_pin(first, 3, SECOND_NS)) == KVCPU_SC_SUCCESS);
    closed(on);
}

int main(void) {
    defaults_make_a_queue();
    wrong_configurations_are_refused();
    hints_go_with_one_doorbell();
    a_full_ring_says_so();
    the_librarys_tags_are_refused();
    a_pin_answers_by_poll_and_wait();
    a_pin_is_cancelled_or_times_out();
    completions_not_consumed_are_kept();
    execute_gives_results();
    a_stopped_ring_says_why_and_starts_again();
    residency_says_where_blocks_are();
    bytes_go_through_a_buffer();
    so_many_buffers_and_no_more();
    bytes_are_seen_in_windows();
    windows_are_of_own_blocks();
    an_event_descriptor_is_signalled();
    quotas_are_set();
    printf("%u failures\n", failures);
    return failures ? 1 : 0;
}
