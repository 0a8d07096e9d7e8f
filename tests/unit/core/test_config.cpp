// SPDX-License-Identifier: MIT
// What a configuration may be, and what is said of one that may not.
#include <array>
#include <cstring>

#include "suites.h"
#include "test_device.h"

namespace kvcpu_test {

namespace {

/* The message for a change of the valid configuration; empty if it is valid as well. */
template <typename Change>
std::string complaint(Change change) {
    kvcpu_config config = small_config();
    std::array<char, 200> message{};
    change(config);
    const bool good = kvcpu_config_check(&config, message.data(), message.size());
    CU_ASSERT_EQUAL(good, message[0] == '\0');
    return message.data();
}

void names_the_property() {
    struct Case {
        const char *property;
        void (*change)(kvcpu_config &);
    };
    const Case cases[] = {
        {"block-size: 2048 is not in 4096..2097152", [](kvcpu_config &c) { c.block_size = 2048; }},
        {"block-size: 4194304 is not in", [](kvcpu_config &c) { c.block_size = 4194304; }},
        {"block-size: 12288 is not a power of two", [](kvcpu_config &c) { c.block_size = 12288; }},
        {"slow-size: 0 is not in", [](kvcpu_config &c) { c.slow_size = 0; }},
        {"slow-size: 65537 is not a multiple", [](kvcpu_config &c) { c.slow_size = 65537; }},
        {"slow-size", [](kvcpu_config &c) { c.slow_size = (KVCPU_BLOCKS_MAX + 1) * 4096; }},
        {"fast-size: 0 is not in", [](kvcpu_config &c) { c.fast_size = 0; }},
        {"fast-size", [](kvcpu_config &c) { c.fast_size = c.slow_size + 4096; }},
        {"fast-size: 4097 is not a multiple", [](kvcpu_config &c) { c.fast_size = 4097; }},
        {"max-contexts: 0 is not in 1..256", [](kvcpu_config &c) { c.max_contexts = 0; }},
        {"max-contexts: 257", [](kvcpu_config &c) { c.max_contexts = 257; }},
        {"policy: 99 is not a policy", [](kvcpu_config &c) { c.policy = 99; }},
        {"dma-channels: 0 is not in 1..16", [](kvcpu_config &c) { c.dma_channels = 0; }},
        {"dma-channels: 17", [](kvcpu_config &c) { c.dma_channels = 17; }},
        {"dma-latency-ns: 1000000001", [](kvcpu_config &c) { c.dma_latency_ns = 1000000001; }},
        {"dma-bandwidth: 0", [](kvcpu_config &c) { c.dma_bandwidth = 0; }},
    };
    for (const Case &bad : cases) {
        CU_ASSERT_EQUAL(complaint(bad.change).rfind(bad.property, 0), 0);
    }
    CU_ASSERT_EQUAL(complaint([](kvcpu_config &) {}), "");
}

void creation_refuses_it_too() {
    kvcpu_config config = small_config();
    config.block_size = 5000;
    std::array<char, 12> message{};
    const kvcpu_host_ops ops = {};
    CU_ASSERT_PTR_NULL(kvcpu_core_create(&config, &ops, nullptr, nullptr, nullptr, message.data(),
                                         message.size()));
    CU_ASSERT_EQUAL(std::strcmp(message.data(), "block-size:"), 0); /* truncated and terminated */
    CU_ASSERT_PTR_NULL(kvcpu_core_create(&config, &ops, nullptr, nullptr, nullptr, nullptr, 0));
    kvcpu_core_destroy(nullptr);
}

void policies_have_names() {
    CU_ASSERT_STRING_EQUAL(kvcpu_policy_name(KVCPU_POLICY_LRU), "lru");
    CU_ASSERT_STRING_EQUAL(kvcpu_policy_name(KVCPU_POLICY_HEPC), "hepc");
    CU_ASSERT_PTR_NULL(kvcpu_policy_name(99));
    CU_ASSERT_EQUAL(kvcpu_policy_number("hepc"), KVCPU_POLICY_HEPC);
    CU_ASSERT_EQUAL(kvcpu_policy_number("HEPC"), -1);
}

void records_have_one_encoding() {
    const kvcpu_event event = {.sequence = 1,
                               .time_ns = 0x0203,
                               .kind = 4,
                               .detail = 5,
                               .context = 6,
                               .status = 7,
                               .first = 8,
                               .value = uint64_t{9} << 56};
    std::array<uint8_t, KVCPU_EVENT_BYTES> bytes{};
    kvcpu_event_encode(&event, bytes.data());
    const std::array<uint8_t, KVCPU_EVENT_BYTES> expected = {
        1, 0, 0, 0, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 0, 0, 4, 0, 5, 0,
        6, 0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
    CU_ASSERT(bytes == expected);
}

}  // namespace

void add_config_suite() {
    Suite("config")
        .test("a bad value is refused by its property's name", names_the_property)
        .test("creation refuses it as well", creation_refuses_it_too)
        .test("policies have names", policies_have_names)
        .test("log records have one encoding", records_have_one_encoding);
}

}  // namespace kvcpu_test
