/* SPDX-License-Identifier: MIT */
/* The C interface, compiled as C. Exit status 1 if a check fails. */
#include <errno.h>
#include <string.h>

#include "c_checks.h"

static struct kvcpu_command command(uint16_t opcode, uint64_t first, uint64_t count)
{
    struct kvcpu_command result = {.opcode = opcode, .first = first, .count = count};

    return result;
}

static void defaults_make_a_device(void)
{
    struct kvcpu_loopback config;
    struct kvcpu_device *device = NULL;
    struct kvcpu_info info;

    kvcpu_loopback_defaults(&config);
    CHECK(kvcpu_device_open_loopback(&config, &device, NULL, 0) == 0);
    CHECK(kvcpu_device_info(device, &info) == 0);
    CHECK(info.block_size == 4096 && info.fast_slots == 1024 && info.blocks == 65536);
    CHECK(info.dma_channels == 2 && info.dma_latency_ns == 1000);
    CHECK(info.dma_bandwidth == 64000000000ULL && info.policy == KVCPU_POLICY_DEFAULT);
    kvcpu_device_close(device);
    kvcpu_device_close(NULL);
}

static void wrong_configurations_are_explained(void)
{
    struct kvcpu_loopback config;
    struct kvcpu_device *device = NULL;
    char message[100] = "";
    char tiny[5] = "xxxx";

    kvcpu_loopback_defaults(&config);
    config.block_size = 5000;
    CHECK(kvcpu_device_open_loopback(&config, &device, message, sizeof(message)) == -EINVAL);
    CHECK(strstr(message, "block-size") != NULL && strstr(message, "5000") != NULL);
    CHECK(kvcpu_device_open_loopback(&config, &device, tiny, sizeof(tiny)) == -EINVAL);
    CHECK(strcmp(tiny, "bloc") == 0);
    CHECK(kvcpu_device_open_loopback(&config, &device, NULL, 0) == -EINVAL);
    kvcpu_loopback_defaults(&config);
    config.policy = NULL;
    CHECK(kvcpu_device_open_loopback(&config, &device, message, sizeof(message)) == -EINVAL);
    CHECK(strstr(message, "policy") != NULL);
    config.policy = "none";
    CHECK(kvcpu_device_open_loopback(&config, &device, message, sizeof(message)) == -EINVAL);
    CHECK(strstr(message, "none") != NULL);
    kvcpu_loopback_defaults(&config);
    config.reserved = 1;
    CHECK(kvcpu_device_open_loopback(&config, &device, message, sizeof(message)) == -EINVAL);
    CHECK(strstr(message, "reserved") != NULL);
    CHECK(device == NULL);
}

static void blocks_are_written_moved_and_read(void)
{
    struct kvcpu_device *device = small_device("lru");
    char written[4096];
    char read[4096] = "";
    struct kvcpu_command commands[3] = {command(KVCPU_OP_ALLOC, 0, 3),
                                        command(KVCPU_OP_WRITE, 0, 1),
                                        command(KVCPU_OP_PIN, 0, 1)};
    struct kvcpu_completion completion;
    struct kvcpu_block block;
    size_t done = 99;
    size_t taken = 99;
    uint64_t time_ns = 0;

    memset(written, 0x5a, sizeof(written));
    commands[1].buffer = (uintptr_t)written;
    commands[1].length = sizeof(written);
    commands[2].arg = SECOND_NS;
    commands[2].user_data = 7;
    CHECK(kvcpu_device_submit(device, commands, 3, 0, &done) == 0);
    CHECK(done == 3);
    CHECK(kvcpu_result_status(commands[0].result) == KVCPU_SC_SUCCESS);
    CHECK(kvcpu_result_aux(commands[0].result) == 3 && commands[0].count == 3);
    CHECK(kvcpu_result_value(commands[0].result) == 0 && commands[0].first == 0);
    CHECK(kvcpu_result_status(commands[2].result) == KVCPU_SC_PENDING);
    CHECK(kvcpu_device_wait(device, &completion, 1, 1, UINT64_MAX, &taken, &time_ns) == 0);
    CHECK(taken == 1 && completion.user_data == 7);
    CHECK(kvcpu_result_status(completion.result) == KVCPU_SC_SUCCESS);
    CHECK(completion.time_ns == time_ns && time_ns > 9000);
    CHECK(kvcpu_device_block(device, 0, &block) == 0);
    CHECK((block.state & KVCPU_BST_STATE_MASK) == KVCPU_BS_FAST);

    commands[0] = command(KVCPU_OP_READ, 0, 1);
    commands[0].buffer = (uintptr_t)read;
    commands[0].length = sizeof(read);
    CHECK(kvcpu_device_submit(device, commands, 1, 0, NULL) == 0);
    CHECK(memcmp(written, read, sizeof(read)) == 0);
    kvcpu_device_close(device);
}

static void submit_stops_or_goes_on(void)
{
    struct kvcpu_device *device = small_device("lru");
    struct kvcpu_command commands[2] = {command(KVCPU_OP_FREE, 3, 1), command(KVCPU_OP_ALLOC, 0, 1)};
    struct kvcpu_command *many = calloc(3000, sizeof(*many));
    size_t done = 99;

    CHECK(kvcpu_device_submit(device, commands, 2, 0, &done) == 0);
    CHECK(done == 1 && kvcpu_result_status(commands[0].result) == KVCPU_SC_NOT_OWNER);
    CHECK(kvcpu_device_submit(device, commands, 2, KVCPU_SUBMIT_CONTINUE, &done) == 0);
    CHECK(done == 2 && kvcpu_result_status(commands[1].result) == KVCPU_SC_SUCCESS);
    CHECK(kvcpu_device_submit(device, commands, 2, 0x80, &done) == -EINVAL);
    CHECK(done == 0);
    commands[1].reserved = 1;
    CHECK(kvcpu_device_submit(device, commands, 2, KVCPU_SUBMIT_CONTINUE, &done) == -EINVAL);
    CHECK(done == 1);
    for (int i = 0; many != NULL && i < 3000; i++)
        many[i] = command(KVCPU_OP_STEP, 0, 0);
    CHECK(many != NULL && kvcpu_device_submit(device, many, 3000, 0, &done) == 0);
    CHECK(done == 3000);
    free(many);
    kvcpu_device_close(device);
}

static void hints_have_outcomes(void)
{
    struct kvcpu_device *device = small_device("hepc");
    struct kvcpu_command commands[3] = {command(KVCPU_OP_ALLOC, 0, 2), command(KVCPU_OP_HOT, 0, 2),
                                        command(KVCPU_OP_HOT, 0, 3)};

    CHECK(kvcpu_device_submit(device, commands, 3, 0, NULL) == 0);
    CHECK(kvcpu_result_outcome(commands[1].result) == KVCPU_HO_ACCEPTED);
    CHECK(kvcpu_result_value(commands[1].result) == 2);
    CHECK(kvcpu_result_outcome(commands[2].result) == KVCPU_HO_CLIPPED);
    CHECK(kvcpu_result_reason(commands[2].result) == KVCPU_HR_FOREIGN);
    kvcpu_device_close(device);
}

static void errors_are_errno_values(void)
{
    struct kvcpu_device *device = NULL;
    struct kvcpu_info info;
    struct kvcpu_block block;
    struct kvcpu_completion completion;
    struct kvcpu_command step = command(KVCPU_OP_STEP, 0, 0);
    size_t count = 99;

    CHECK(kvcpu_device_open("/dev/kvcpu-none", &device) == -ENOENT);
    CHECK(device == NULL);
    CHECK(kvcpu_device_open("/dev/null", &device) == 0);
    CHECK(kvcpu_device_info(device, &info) == -ENOTTY);
    CHECK(kvcpu_device_submit(device, &step, 1, 0, &count) == -ENOTTY);
    CHECK(count == 0);
    CHECK(kvcpu_device_wait(device, NULL, 0, 0, 0, &count, NULL) == -ENOTTY);
    CHECK(kvcpu_device_restart_event_log(device) == -ENOENT);
    kvcpu_device_close(device);

    device = small_device("lru");
    CHECK(kvcpu_device_block(device, 16, &block) == -EINVAL);
    CHECK(kvcpu_device_set_policy(device, "none") == -EINVAL);
    CHECK(kvcpu_device_wait(device, &completion, 1, 2, 0, &count, NULL) == -EINVAL);
    CHECK(kvcpu_device_wait(device, &completion, 1, 1, UINT64_MAX, &count, NULL) == -EDEADLK);
    kvcpu_device_close(device);
}

static void the_device_can_be_administered(void)
{
    struct kvcpu_device *device = small_device("lru");
    struct kv_cpu_weights weights = {1, 1, 2, 200, 0, 51200};
    struct kvcpu_info info;
    uint64_t values[2] = {99, 99};
    struct kvcpu_command step = command(KVCPU_OP_STEP, 0, 0);
    size_t count = 0;

    CHECK(kvcpu_device_set_policy(device, "hepc") == 0);
    CHECK(kvcpu_device_set_weights(device, &weights) == 0);
    CHECK(kvcpu_device_submit(device, &step, 1, 0, NULL) == 0);
    CHECK(kvcpu_device_restart_event_log(device) == 0);
    CHECK(kvcpu_device_info(device, &info) == 0);
    CHECK(info.policy == KVCPU_POLICY_HEPC && info.log_records == 1);
    CHECK(kvcpu_device_counters(device, values, 1, &count) == 0);
    CHECK(count == KVCPU_COUNTER_COUNT + KVCPU_STATUS_COUNT);
    CHECK(values[KVCPU_CNT_STEPS] == 1 && values[1] == 99);
    CHECK(kvcpu_device_counters(device, NULL, 0, NULL) == 0);
    kvcpu_device_close(device);
}

static void statuses_have_texts(void)
{
    CHECK(strcmp(kvcpu_status_text(KVCPU_SC_NO_SPACE), "NO_SPACE: no block is free") == 0);
    CHECK(strlen(kvcpu_status_text(0xffff)) > 0);
}

int main(void)
{
    defaults_make_a_device();
    wrong_configurations_are_explained();
    blocks_are_written_moved_and_read();
    submit_stops_or_goes_on();
    hints_have_outcomes();
    errors_are_errno_values();
    the_device_can_be_administered();
    statuses_have_texts();
    printf("%u failures\n", failures);
    return failures ? 1 : 0;
}
