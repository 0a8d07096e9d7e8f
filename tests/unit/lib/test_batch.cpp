// SPDX-License-Identifier: MIT
// Batches: what goes into them, what comes back, and where they stop.
#include <array>
#include <cerrno>
#include <cstring>

#include "loopback.h"
#include "suites.h"

namespace kvcpu_test {

namespace {

using kvcpu::Batch;
using kvcpu::Result;

bool is_command(const kvcpu_command &command, const kvcpu_command &expected) {
    return std::memcmp(&command, &expected, sizeof(command)) == 0;
}

kvcpu_command plain(uint16_t opcode, uint64_t first, uint64_t count, uint64_t arg = 0) {
    kvcpu_command command = {};
    command.opcode = opcode;
    command.first = first;
    command.count = count;
    command.arg = arg;
    return command;
}

void each_function_adds_its_command() {
    Batch batch;
    CU_ASSERT(batch.empty());
    std::array<std::byte, 24> bytes{};
    CU_ASSERT_EQUAL(batch.alloc(3, 0x1234, 512), 0);
    CU_ASSERT_EQUAL(batch.free(4, 5), 1);
    CU_ASSERT_EQUAL(batch.pin(6, 7, 1000, 99), 2);
    CU_ASSERT_EQUAL(batch.unpin(8, 9), 3);
    CU_ASSERT_EQUAL(batch.cancel(99), 4);
    CU_ASSERT_EQUAL(batch.read(10, 11, bytes), 5);
    CU_ASSERT_EQUAL(batch.write(12, 13, std::span(bytes).first(8)), 6);
    CU_ASSERT_EQUAL(batch.step(14), 7);
    CU_ASSERT_EQUAL(batch.hint(KVCPU_OP_EVICTABLE, 15, 16, 17, KVCPU_F_NOW), 8);
    CU_ASSERT_EQUAL(batch.size(), 9);

    kvcpu_command expected = plain(KVCPU_OP_ALLOC, 0, 3, 512);
    expected.meta = 0x1234;
    CU_ASSERT(is_command(batch.command(0), expected));
    CU_ASSERT(is_command(batch.command(1), plain(KVCPU_OP_FREE, 4, 5)));
    expected = plain(KVCPU_OP_PIN, 6, 7, 1000);
    expected.user_data = 99;
    CU_ASSERT(is_command(batch.command(2), expected));
    CU_ASSERT(is_command(batch.command(3), plain(KVCPU_OP_UNPIN, 8, 9)));
    CU_ASSERT(is_command(batch.command(4), plain(KVCPU_OP_CANCEL, 0, 0, 99)));
    expected = plain(KVCPU_OP_READ, 10, 1);
    expected.buffer = reinterpret_cast<uintptr_t>(bytes.data());
    expected.offset = 11;
    expected.length = 24;
    CU_ASSERT(is_command(batch.command(5), expected));
    expected = plain(KVCPU_OP_WRITE, 12, 1);
    expected.buffer = reinterpret_cast<uintptr_t>(bytes.data());
    expected.offset = 13;
    expected.length = 8;
    CU_ASSERT(is_command(batch.command(6), expected));
    CU_ASSERT(is_command(batch.command(7), plain(KVCPU_OP_STEP, 0, 0, 14)));
    expected = plain(KVCPU_OP_EVICTABLE, 15, 16, 17);
    expected.flags = KVCPU_F_NOW;
    CU_ASSERT(is_command(batch.command(8), expected));

    batch.clear();
    CU_ASSERT(batch.empty());
    CU_ASSERT_EQUAL(batch.alloc(1), 0);
}

void an_empty_batch_is_done_at_once() {
    const auto transport = small_transport();
    Batch batch;
    CU_ASSERT(!batch.submit(*transport));
    CU_ASSERT_EQUAL(batch.done(), 0);
    CU_ASSERT_EQUAL(transport->counters()[KVCPU_CNT_COMMANDS], 0);
}

void results_are_in_their_places() {
    const auto transport = small_transport();
    Batch batch;
    const std::size_t alloc = batch.alloc(3);
    const std::size_t free = batch.free(9, 1);
    const std::size_t step = batch.step(5);
    CU_ASSERT(!batch.submit(*transport));
    CU_ASSERT_EQUAL(batch.done(), 3);
    CU_ASSERT(batch.result(alloc).ok());
    CU_ASSERT_EQUAL(batch.result(alloc).value, 0);
    CU_ASSERT_EQUAL(batch.result(alloc).aux, 3);
    CU_ASSERT_EQUAL(batch.command(alloc).count, 3);
    CU_ASSERT(!batch.result(free).ok());
    CU_ASSERT_EQUAL(batch.result(free).status, KVCPU_SC_NOT_OWNER);
    CU_ASSERT(batch.result(step).ok());
}

void it_stops_after_a_failure_if_requested() {
    const auto transport = small_transport();
    Batch batch;
    batch.alloc(2);
    batch.free(7, 1);
    batch.alloc(2);
    CU_ASSERT(!batch.submit(*transport, false));
    CU_ASSERT_EQUAL(batch.done(), 2);
    CU_ASSERT_EQUAL(batch.result(1).status, KVCPU_SC_NOT_OWNER);
    CU_ASSERT_EQUAL(transport->counters()[KVCPU_CNT_BLOCKS_ALLOCATED], 2);
    /* Again, with all commands executed this time. */
    CU_ASSERT(!batch.submit(*transport, true));
    CU_ASSERT_EQUAL(batch.done(), 3);
    CU_ASSERT_EQUAL(transport->counters()[KVCPU_CNT_BLOCKS_ALLOCATED], 6);
}

/* A pending PIN is not a failure. */
void pending_is_no_reason_to_stop() {
    const auto transport = small_transport();
    Batch batch;
    batch.alloc(2);
    batch.pin(0, 2, 1'000'000, 1);
    batch.step(1);
    CU_ASSERT(!batch.submit(*transport, false));
    CU_ASSERT_EQUAL(batch.done(), 3);
    CU_ASSERT_EQUAL(batch.result(1).status, KVCPU_SC_PENDING);
    CU_ASSERT(batch.result(1).ok());
}

/*
 * Records the number of commands of each call, and fails the call of a given number after some of
 * its commands.
 */
class Counting final : public Passing {
  public:
    using Passing::Passing;
    std::error_code submit(std::span<kvcpu_command> commands, bool go_on,
                           std::size_t &done) noexcept override {
        sizes.push_back(commands.size());
        if (sizes.size() == failing_call) {
            (void)Passing::submit(commands.first(failing_after), go_on, done);
            return {EIO, std::generic_category()};
        }
        return Passing::submit(commands, go_on, done);
    }
    std::vector<std::size_t> sizes;
    std::size_t failing_call = 0;
    std::size_t failing_after = 0;
};

void large_batches_take_several_calls() {
    Counting transport(small_transport());
    Batch batch;
    for (uint64_t i = 0; i < 2 * KVCPU_SUBMIT_MAX + 5; ++i) {
        batch.step(i);
    }
    CU_ASSERT(!batch.submit(transport));
    CU_ASSERT_EQUAL(batch.done(), 2 * KVCPU_SUBMIT_MAX + 5);
    CU_ASSERT_EQUAL(transport.sizes.size(), 3);
    CU_ASSERT_EQUAL(transport.sizes.at(0), KVCPU_SUBMIT_MAX);
    CU_ASSERT_EQUAL(transport.sizes.at(2), 5);
    CU_ASSERT_EQUAL(transport.counters()[KVCPU_CNT_STEPS], 2 * KVCPU_SUBMIT_MAX + 5);
}

void a_call_that_fails_says_how_far_it_came() {
    Counting transport(small_transport());
    transport.failing_call = 2;
    transport.failing_after = 10;
    Batch batch;
    for (uint64_t i = 0; i < uint64_t{3} * KVCPU_SUBMIT_MAX; ++i) {
        batch.step(i);
    }
    const std::error_code error = batch.submit(transport);
    CU_ASSERT_EQUAL(error.value(), EIO);
    CU_ASSERT_EQUAL(batch.done(), KVCPU_SUBMIT_MAX + 10);
    CU_ASSERT_EQUAL(transport.sizes.size(), 2);
}

void a_stop_in_the_last_place_of_a_call_is_seen() {
    Counting transport(small_transport());
    Batch batch;
    for (uint64_t i = 0; i + 1 < KVCPU_SUBMIT_MAX; ++i) {
        batch.step(i);
    }
    batch.free(0, 1);
    batch.step(1);
    CU_ASSERT(!batch.submit(transport, false));
    CU_ASSERT_EQUAL(batch.done(), KVCPU_SUBMIT_MAX);
    CU_ASSERT_EQUAL(transport.sizes.size(), 1);
}

void every_status_has_a_text() {
    for (unsigned status = 0; status < KVCPU_STATUS_COUNT; ++status) {
        CU_ASSERT_PTR_NOT_NULL(
            std::strstr(kvcpu::describe(static_cast<kvcpu_status>(status)), ": "));
    }
    CU_ASSERT_STRING_EQUAL(kvcpu::describe(KVCPU_SC_NO_SPACE), "NO_SPACE: no block is free");
    CU_ASSERT_STRING_EQUAL(kvcpu::describe(KVCPU_STATUS_COUNT),
                           "a status that this library does not know");
}

void a_result_word_is_taken_apart() {
    const Result result(uint64_t{0x89abcdef} << 32 | uint64_t{0x0013} << 16 | KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(result.value, 0x89abcdef);
    CU_ASSERT_EQUAL(result.aux, 0x13);
    CU_ASSERT_EQUAL(result.outcome(), KVCPU_HO_IGNORED);
    CU_ASSERT_EQUAL(result.reason(), KVCPU_HR_OUTSIDE);
    CU_ASSERT(!Result(KVCPU_SC_DMA_FAULT).ok());
}

}  // namespace

void add_batch_suite() {
    Suite("batch")
        .test("each function adds its command", each_function_adds_its_command)
        .test("an empty batch is done at once", an_empty_batch_is_done_at_once)
        .test("results are in their places", results_are_in_their_places)
        .test("it stops after a failure if requested", it_stops_after_a_failure_if_requested)
        .test("PENDING is no reason to stop", pending_is_no_reason_to_stop)
        .test("large batches take several calls", large_batches_take_several_calls)
        .test("a call that fails says how far it came", a_call_that_fails_says_how_far_it_came)
        .test("a stop in the last place of a call is seen",
              a_stop_in_the_last_place_of_a_call_is_seen)
        .test("every status has a text", every_status_has_a_text)
        .test("a result word is taken apart", a_result_word_is_taken_apart);
}

}  // namespace kvcpu_test
