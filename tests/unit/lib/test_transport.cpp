// SPDX-License-Identifier: MIT
// The transports themselves: time, completions, refusals, and files that are no device.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

#include "loopback.h"
#include "suites.h"

namespace kvcpu_test {

namespace {

using kvcpu::Batch;
using kvcpu::Result;
using kvcpu::Transport;

void info_tells_the_configuration() {
    const auto transport = small_transport("hepc");
    const kvcpu_info info = transport->info();
    CU_ASSERT_EQUAL(info.uapi_version, KVCPU_UAPI_VERSION);
    CU_ASSERT_EQUAL(info.policy, KVCPU_POLICY_HEPC);
    CU_ASSERT_EQUAL(info.id, KVCPU_ID_VALUE);
    CU_ASSERT_EQUAL(info.caps, KVCPU_CAPS_VALUE);
    CU_ASSERT_EQUAL(info.block_size, 4096);
    CU_ASSERT_EQUAL(info.blocks, 16);
    CU_ASSERT_EQUAL(info.fast_slots, 4);
    CU_ASSERT_EQUAL(info.dma_channels, 2);
    CU_ASSERT_EQUAL(info.dma_latency_ns, 1000);
    CU_ASSERT_EQUAL(info.dma_bandwidth, 1'000'000'000);
    CU_ASSERT_EQUAL(info.fast_free, 4);
    CU_ASSERT_EQUAL(info.blocks_free, 16);
    CU_ASSERT(info.time_ns > 0); /* 0 means "do not wait" to wait() */
}

/* The device's own check names the property. */
void a_wrong_configuration_names_its_property() {
    const struct {
        const char *property;
        void (*spoil)(kvcpu::LoopbackConfig &);
    } cases[] = {
        {"block-size", [](kvcpu::LoopbackConfig &config) { config.block_size = 5000; }},
        {"fast", [](kvcpu::LoopbackConfig &config) { config.fast_blocks = 17; }},
        {"dma-channels", [](kvcpu::LoopbackConfig &config) { config.dma_channels = 17; }},
        {"dma-latency", [](kvcpu::LoopbackConfig &config) { config.dma_latency_ns = 1ULL << 40; }},
        {"dma-bandwidth", [](kvcpu::LoopbackConfig &config) { config.dma_bandwidth = 0; }},
        {"policy", [](kvcpu::LoopbackConfig &config) { config.policy = "clairvoyant"; }},
        {"tier", [](kvcpu::LoopbackConfig &config) { config.fast_blocks = 0; }},
        {"tier", [](kvcpu::LoopbackConfig &config) { config.slow_blocks = 0; }},
    };
    for (const auto &bad : cases) {
        kvcpu::LoopbackConfig config = small_loopback();
        bad.spoil(config);
        try {
            (void)kvcpu::make_loopback_transport(config);
            CU_FAIL("accepted");
        } catch (const std::invalid_argument &error) {
            CU_ASSERT_PTR_NOT_NULL(std::strstr(error.what(), bad.property));
        }
    }
}

void time_passes_in_wait_alone() {
    const auto transport = small_transport();
    const uint64_t start = transport->info().time_ns;
    run(*transport, [](Batch &batch) { batch.alloc(4); });
    CU_ASSERT_EQUAL(transport->info().time_ns, start);
    Waited waited = wait(*transport, 0, start + 12'345);
    CU_ASSERT(!waited.error);
    CU_ASSERT_EQUAL(waited.time_ns, start + 12'345);
    CU_ASSERT(waited.completions.empty());
    waited = wait(*transport, 0, start); /* long past */
    CU_ASSERT_EQUAL(waited.time_ns, start + 12'345);
    waited = wait(*transport, 5, 0);
    CU_ASSERT_EQUAL(waited.time_ns, start + 12'345);
}

/* Blocks 0 to 7 are allocated here; 0 to 3 are pinned, so all slots are in use. */
void take_all_slots(Transport &transport) {
    run(transport, [](Batch &batch) {
        batch.alloc(8);
        batch.pin(0, 4, 1'000'000'000, 1000);
    });
    const Waited waited = wait(transport, 1, UINT64_MAX);
    CU_ASSERT_EQUAL(waited.completions.size(), 1);
}

void completions_come_oldest_first() {
    const auto transport = small_transport();
    const std::vector<std::byte> bytes = bytes_of(8, 3);
    Batch batch;
    batch.alloc(4);
    for (uint64_t block = 0; block < 4; ++block) {
        batch.write(block, 0, bytes); /* a block that was never written is not fetched */
    }
    CU_ASSERT(!batch.submit(*transport));
    const uint64_t start = transport->info().time_ns;
    batch.clear();
    for (uint64_t block = 0; block < 3; ++block) {
        batch.pin(block, 1, 1'000'000'000, 70 + block);
    }
    CU_ASSERT(!batch.submit(*transport));
    /* For one of them: the first two end in one instant. */
    Waited waited = wait(*transport, 1, UINT64_MAX, 1);
    CU_ASSERT_EQUAL(waited.completions.size(), 1);
    CU_ASSERT_EQUAL(waited.completions.at(0).user_data, 70);
    CU_ASSERT_EQUAL(waited.completions.at(0).time_ns, start + small_move_ns);
    CU_ASSERT_EQUAL(waited.time_ns, start + small_move_ns);
    waited = wait(*transport, 0, 0);
    CU_ASSERT_EQUAL(waited.completions.size(), 1);
    CU_ASSERT_EQUAL(waited.completions.at(0).user_data, 71);
    waited = wait(*transport, 1, UINT64_MAX);
    CU_ASSERT_EQUAL(waited.completions.at(0).user_data, 72);
    CU_ASSERT_EQUAL(Result(waited.completions.at(0).result).status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(waited.completions.at(0).time_ns, start + 2 * small_move_ns);
}

void the_time_may_come_before_the_completions() {
    const auto transport = small_transport();
    take_all_slots(*transport);
    run(*transport, [](Batch &batch) { batch.pin(4, 1, 50'000, 5); });
    const uint64_t start = transport->info().time_ns;
    Waited waited = wait(*transport, 1, start + 20'000);
    CU_ASSERT(waited.completions.empty());
    CU_ASSERT_EQUAL(waited.time_ns, start + 20'000);
    waited = wait(*transport, 2, start + 60'000);
    CU_ASSERT_EQUAL(waited.completions.size(), 1);
    CU_ASSERT_EQUAL(Result(waited.completions.at(0).result).status, KVCPU_SC_TIMED_OUT);
    CU_ASSERT_EQUAL(waited.completions.at(0).time_ns, start + 50'000);
    CU_ASSERT_EQUAL(waited.time_ns, start + 60'000);
}

void a_wait_that_cannot_end_is_refused() {
    const auto transport = small_transport();
    CU_ASSERT_EQUAL(wait(*transport, 1, UINT64_MAX).error.value(), EDEADLK);
    const uint64_t before = transport->info().time_ns;
    CU_ASSERT_EQUAL(wait(*transport, 1, before + 1000).time_ns, before + 1000);
    CU_ASSERT_EQUAL(wait(*transport, 3, before, 2).error.value(), EINVAL);
}

void a_waiting_pin_can_be_cancelled() {
    const auto transport = small_transport();
    take_all_slots(*transport);
    run(*transport, [](Batch &batch) {
        batch.pin(4, 1, 1'000'000'000, 5);
        batch.pin(5, 1, 1'000'000'000, 6);
        batch.pin(6, 1, 1'000'000'000, 5);
    });
    const auto cancel = [&](uint64_t user_data) {
        return run(*transport, [&](Batch &batch) { batch.cancel(user_data); }).status;
    };
    CU_ASSERT_EQUAL(cancel(7), KVCPU_SC_NOT_FOUND);
    CU_ASSERT_EQUAL(cancel(5), KVCPU_SC_SUCCESS);
    Waited waited = wait(*transport, 0, 0);
    CU_ASSERT_EQUAL(waited.completions.size(), 1);
    CU_ASSERT_EQUAL(waited.completions.at(0).user_data, 5);
    CU_ASSERT_EQUAL(Result(waited.completions.at(0).result).status, KVCPU_SC_CANCELLED);
    /* Another PIN has the same user_data, and a third one is not affected. */
    CU_ASSERT_EQUAL(cancel(5), KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(cancel(5), KVCPU_SC_NOT_FOUND);
    run(*transport, [](Batch &batch) { batch.unpin(0, 4); });
    waited = wait(*transport, 2, UINT64_MAX);
    CU_ASSERT_EQUAL(waited.completions.size(), 2);
    CU_ASSERT_EQUAL(waited.completions.at(1).user_data, 6);
    CU_ASSERT_EQUAL(Result(waited.completions.at(1).result).status, KVCPU_SC_SUCCESS);
}

void a_thousand_pins_may_be_unanswered() {
    const auto transport = small_transport();
    take_all_slots(*transport);
    Batch batch;
    for (uint64_t i = 0; i < KVCPU_PENDING_MAX + 1; ++i) {
        batch.pin(4, 1, 10'000, i);
    }
    CU_ASSERT(!batch.submit(*transport));
    CU_ASSERT_EQUAL(batch.result(KVCPU_PENDING_MAX - 1).status, KVCPU_SC_PENDING);
    CU_ASSERT_EQUAL(batch.result(KVCPU_PENDING_MAX).status, KVCPU_SC_BUSY);
    /* All have ended; until their completions are consumed, a further PIN is BUSY. */
    let_pass(*transport, 20'000);
    const auto again = [&] {
        return run(*transport, [](Batch &more) { more.pin(4, 1, 10'000, 1); }).status;
    };
    CU_ASSERT_EQUAL(again(), KVCPU_SC_BUSY);
    CU_ASSERT_EQUAL(wait(*transport, 0, 0, 1).completions.size(), 1);
    CU_ASSERT_EQUAL(again(), KVCPU_SC_PENDING);
    CU_ASSERT_EQUAL(again(), KVCPU_SC_BUSY);
}

void a_malformed_request_fails_its_call() {
    const auto transport = small_transport();
    const auto submit = [&](void (*spoil)(kvcpu_command &), std::size_t &done) {
        std::vector<kvcpu_command> commands(3);
        for (kvcpu_command &command : commands) {
            command.opcode = KVCPU_OP_STEP;
        }
        spoil(commands[1]);
        return transport->submit(commands, true, done).value();
    };
    void (*const spoils[])(kvcpu_command &) = {
        [](kvcpu_command &command) { command.reserved = 1; },
        [](kvcpu_command &command) { command.opcode = KVCPU_OP_READ; },
        [](kvcpu_command &command) {
            command.opcode = KVCPU_OP_WRITE;
            command.count = 1;
            command.length = 4097;
        },
    };
    for (const auto &spoil : spoils) {
        std::size_t done = 99;
        CU_ASSERT_EQUAL(submit(spoil, done), EINVAL);
        CU_ASSERT_EQUAL(done, 1);
    }
    std::vector<kvcpu_command> many(KVCPU_SUBMIT_MAX + 1);
    std::size_t done = 99;
    CU_ASSERT_EQUAL(transport->submit(many, true, done).value(), EINVAL);
    CU_ASSERT_EQUAL(done, 0);
}

void what_is_no_command_has_its_status() {
    const auto transport = small_transport();
    const auto status = [&](unsigned opcode) {
        return run(*transport,
                   [&](Batch &batch) { batch.hint(static_cast<kvcpu_opcode>(opcode), 0, 1); })
            .status;
    };
    CU_ASSERT_EQUAL(status(0), KVCPU_SC_BAD_OPCODE);
    CU_ASSERT_EQUAL(status(KVCPU_OP_CLOSE), KVCPU_SC_BAD_OPCODE);
    const Result flags =
        run(*transport, [](Batch &batch) { batch.hint(KVCPU_OP_HOT, 0, 1, 0, 0x8000); });
    CU_ASSERT_EQUAL(flags.status, KVCPU_SC_BAD_FIELD);
}

void the_directory_can_be_read() {
    const auto transport = small_transport();
    run(*transport, [](Batch &batch) { batch.alloc(2, 0xabcd, 512); });
    const kvcpu_block block = transport->block(1);
    CU_ASSERT_EQUAL(block.block, 1);
    CU_ASSERT_EQUAL(block.state & KVCPU_BST_STATE_MASK, KVCPU_BS_SLOW);
    CU_ASSERT_EQUAL(block.state >> KVCPU_BST_OWNER_SHIFT & KVCPU_BST_OWNER_MASK, 1);
    CU_ASSERT_EQUAL(block.tag & KVCPU_TAG_REQUEST_MASK, 0xabcd);
    CU_ASSERT_EQUAL(block.tokens & KVCPU_BTK_FIRST_MASK, 512);
    try {
        (void)transport->block(16);
        CU_FAIL("there is no block 16");
    } catch (const std::system_error &error) {
        CU_ASSERT_EQUAL(error.code().value(), EINVAL);
    }
    CU_ASSERT_EQUAL(transport->counters().size(),
                    std::size_t{KVCPU_COUNTER_COUNT} + KVCPU_STATUS_COUNT);
    CU_ASSERT_EQUAL(transport->counters()[std::size_t{KVCPU_COUNTER_COUNT} + KVCPU_SC_SUCCESS], 1);
}

void the_administrator_sets_policy_and_weights() {
    const auto transport = small_transport();
    transport->set_policy("hepc");
    CU_ASSERT_EQUAL(transport->info().policy, KVCPU_POLICY_HEPC);
    try {
        transport->set_policy("clairvoyant");
        CU_FAIL("accepted");
    } catch (const std::system_error &error) {
        CU_ASSERT_PTR_NOT_NULL(std::strstr(error.what(), "clairvoyant"));
    }
    CU_ASSERT_EQUAL(transport->info().policy, KVCPU_POLICY_HEPC);
    /* They take effect at the next STEP. A block just used: R 255, F 1, S 255. */
    transport->set_weights({2, 3, 4, 5, 0, 0xffff});
    run(*transport, [](Batch &batch) {
        batch.alloc(1);
        batch.step(1);
        batch.hint(KVCPU_OP_TOUCH, 0, 1);
    });
    CU_ASSERT_EQUAL(transport->block(0).use >> KVCPU_BUS_P_SHIFT & KVCPU_BUS_P_MASK,
                    2 * 255 + 3 * 1 + 4 * 255);
    CU_ASSERT(transport->info().log_records > 1);
    transport->restart_event_log();
    CU_ASSERT_EQUAL(transport->info().log_records, 1);
}

/* The end of a transport must not affect another one. */
void transports_are_independent() {
    const auto one = small_transport();
    {
        const auto other = small_transport();
        run(*other, [](Batch &batch) { batch.alloc(16); });
        let_pass(*other, 1000);
    }
    CU_ASSERT_EQUAL(one->info().blocks_free, 16);
    CU_ASSERT_EQUAL(one->info().time_ns, 1);
}

/* Runs `what`, and returns the errno and message of its exception. */
std::pair<int, std::string> thrown(const std::function<void()> &what) {
    try {
        what();
    } catch (const std::system_error &error) {
        return {error.code().value(), error.what()};
    }
    return {0, ""};
}

bool contains(const std::string &text, const char *part) {
    return text.find(part) != std::string::npos;
}

void a_node_that_is_not_there_is_named() {
    const auto [error, message] = thrown([] { kvcpu::open_kernel_transport("/dev/kvcpu-none"); });
    CU_ASSERT_EQUAL(error, ENOENT);
    CU_ASSERT(contains(message, "/dev/kvcpu-none"));
}

/* /dev/null opens, and is no KV-CPU. */
void a_node_that_is_no_device_is_named() {
    const auto transport = kvcpu::open_kernel_transport("/dev/null");
    auto [error, message] = thrown([&] { (void)transport->info(); });
    CU_ASSERT_EQUAL(error, ENOTTY);
    CU_ASSERT(contains(message, "/dev/null: INFO"));
    CU_ASSERT_EQUAL(thrown([&] { (void)transport->counters(); }).first, ENOTTY);
    CU_ASSERT_EQUAL(thrown([&] { (void)transport->block(0); }).first, ENOTTY);
    CU_ASSERT_EQUAL(thrown([&] { transport->set_weights({}); }).first, ENOTTY);
    std::tie(error, message) = thrown([&] { transport->set_policy("lru"); });
    CU_ASSERT_EQUAL(error, ENOENT);
    CU_ASSERT(contains(message, "/policy"));
    Batch batch;
    batch.step(1);
    CU_ASSERT_EQUAL(batch.submit(*transport).value(), ENOTTY);
    CU_ASSERT_EQUAL(batch.done(), 0);
    CU_ASSERT_EQUAL(wait(*transport, 0, 0).error.value(), ENOTTY);
}

}  // namespace

void add_transport_suite() {
    Suite("transport")
        .test("info tells the configuration", info_tells_the_configuration)
        .test("a wrong configuration names its property", a_wrong_configuration_names_its_property)
        .test("time passes in wait alone", time_passes_in_wait_alone)
        .test("completions come oldest first", completions_come_oldest_first)
        .test("the time may come before the completions", the_time_may_come_before_the_completions)
        .test("a wait that cannot end is refused", a_wait_that_cannot_end_is_refused)
        .test("a waiting pin can be cancelled", a_waiting_pin_can_be_cancelled)
        .test("a thousand pins may be unanswered", a_thousand_pins_may_be_unanswered)
        .test("a malformed request fails its call", a_malformed_request_fails_its_call)
        .test("what is no command has its status", what_is_no_command_has_its_status)
        .test("the directory can be read", the_directory_can_be_read)
        .test("the administrator sets policy and weights",
              the_administrator_sets_policy_and_weights)
        .test("transports are independent", transports_are_independent)
        .test("a node that is not there is named", a_node_that_is_not_there_is_named)
        .test("a node that is no device is named", a_node_that_is_no_device_is_named);
}

}  // namespace kvcpu_test
