// SPDX-License-Identifier: MIT
// Device, Blocks and Pin: what they own, how it moves, and what they throw.
#include <cerrno>
#include <cstring>
#include <string>

#include "kvcpu/device.h"
#include "loopback.h"
#include "suites.h"

namespace kvcpu_test {

namespace {

using kvcpu::Blocks;
using kvcpu::CommandError;
using kvcpu::Device;
using kvcpu::Pin;

constexpr uint64_t second_ns = 1'000'000'000;

uint64_t count_of(Device &device, kvcpu_counter counter) {
    return device.transport().counters()[counter];
}

/* The status of `what`; KVCPU_SC_SUCCESS if it does not throw. */
kvcpu_status refusal(const std::function<void()> &what, std::string *message = nullptr) {
    try {
        what();
    } catch (const CommandError &error) {
        if (message != nullptr) {
            *message = error.what();
        }
        return error.status();
    }
    return KVCPU_SC_SUCCESS;
}

void what_is_written_is_read() {
    Device device(small_transport());
    const Blocks blocks = device.alloc(2);
    CU_ASSERT_EQUAL(blocks.count(), 2);
    const std::vector<std::byte> whole = bytes_of(4096, 1);
    const std::vector<std::byte> part = bytes_of(100, 2);
    device.write(blocks.first(), 0, whole);
    device.write(blocks.first() + 1, 3000, part);
    std::vector<std::byte> read(4096);
    device.read(blocks.first(), 0, read);
    CU_ASSERT(read == whole);
    device.read(blocks.first() + 1, 0, read);
    CU_ASSERT(std::memcmp(read.data() + 3000, part.data(), 100) == 0);
    CU_ASSERT_EQUAL(read[2999], std::byte{0});
    CU_ASSERT_EQUAL(read[3100], std::byte{0});
}

void bytes_go_with_their_block_through_both_tiers() {
    Device device(small_transport());
    const Blocks blocks = device.alloc(12);
    const uint64_t first = blocks.first();
    for (unsigned i = 0; i < 12; ++i) {
        device.write(first + i, 0, bytes_of(4096, i));
    }
    std::vector<std::byte> read(4096);
    for (unsigned round = 0; round < 3; ++round) {
        for (unsigned i = 0; i < 12; ++i) {
            const Pin pin = device.pin(first + i, 1, second_ns);
            CU_ASSERT_EQUAL(device.transport().block(first + i).state & KVCPU_BST_STATE_MASK,
                            KVCPU_BS_FAST);
            device.read(first + i, 0, read);
            CU_ASSERT(read == bytes_of(4096, i + round * 100));
            device.write(first + i, 0, bytes_of(4096, i + (round + 1) * 100));
        }
    }
    CU_ASSERT(count_of(device, KVCPU_CNT_FETCHES_DEMAND) >= 30);
    CU_ASSERT(count_of(device, KVCPU_CNT_WRITE_BACKS) >= 28);
}

void a_short_supply_is_given_in_part_and_then_refused() {
    Device device(small_transport());
    const Blocks most = device.alloc(15);
    const Blocks rest = device.alloc(5);
    CU_ASSERT_EQUAL(rest.count(), 1);
    CU_ASSERT_EQUAL(rest.first(), 15);
    std::string message;
    CU_ASSERT_EQUAL(refusal([&] { device.alloc(1); }, &message), KVCPU_SC_NO_SPACE);
    CU_ASSERT_STRING_EQUAL(message.c_str(), "ALLOC: NO_SPACE: no block is free");
}

void blocks_go_back_with_their_object() {
    Device device(small_transport());
    {
        const Blocks blocks = device.alloc(5);
        CU_ASSERT_EQUAL(device.info().blocks_free, 11);
    }
    CU_ASSERT_EQUAL(count_of(device, KVCPU_CNT_BLOCKS_FREED), 5);
    let_pass(device.transport(), 1'000'000); /* the scrub */
    CU_ASSERT_EQUAL(device.info().blocks_free, 16);
    uint64_t first = 0;
    {
        Blocks blocks = device.alloc(2);
        first = blocks.first();
        blocks.release();
        CU_ASSERT_EQUAL(blocks.count(), 0);
    }
    CU_ASSERT_EQUAL(count_of(device, KVCPU_CNT_BLOCKS_FREED), 5);
    std::vector<std::byte> read(8);
    device.read(first, 0, read); /* still allocated */
}

/* What is left of an object after a move is what is looked at here. */
// NOLINTBEGIN(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
void blocks_move() {
    Device device(small_transport());
    Blocks a = device.alloc(2);
    Blocks b = device.alloc(3);
    const uint64_t first_of_b = b.first();
    Blocks c(std::move(a));
    CU_ASSERT_EQUAL(a.count(), 0);
    CU_ASSERT_EQUAL(c.count(), 2);
    CU_ASSERT_EQUAL(count_of(device, KVCPU_CNT_BLOCKS_FREED), 0);
    /* The blocks of c are freed at once, although b still exists. */
    c = std::move(b);
    CU_ASSERT_EQUAL(count_of(device, KVCPU_CNT_BLOCKS_FREED), 2);
    CU_ASSERT_EQUAL(b.count(), 0);
    CU_ASSERT_EQUAL(c.first(), first_of_b);
    Blocks &same = c;
    c = std::move(same);
    CU_ASSERT_EQUAL(c.count(), 3);
    CU_ASSERT_EQUAL(count_of(device, KVCPU_CNT_BLOCKS_FREED), 2);
    c = Blocks();
    CU_ASSERT_EQUAL(count_of(device, KVCPU_CNT_BLOCKS_FREED), 5);
}
// NOLINTEND(bugprone-use-after-move,clang-analyzer-cplusplus.Move)

void a_pin_waits_for_its_blocks_and_goes_with_its_object() {
    Device device(small_transport());
    const Blocks blocks = device.alloc(3);
    for (unsigned i = 0; i < 3; ++i) {
        device.write(blocks.first() + i, 0, bytes_of(4096, i));
    }
    const uint64_t before = device.info().time_ns;
    {
        const Pin pin = device.pin(blocks.first(), 3, second_ns);
        CU_ASSERT_EQUAL(pin.first(), blocks.first());
        CU_ASSERT_EQUAL(pin.count(), 3);
        CU_ASSERT_EQUAL(pin.found_fast(), 0);
        /* Two channels: three moves take two rounds. */
        CU_ASSERT_EQUAL(device.info().time_ns - before, 2 * small_move_ns);
        CU_ASSERT_EQUAL(refusal([&] { device.alloc(1); }), KVCPU_SC_SUCCESS);
        CU_ASSERT_EQUAL(count_of(device, KVCPU_CNT_UNPINS), 0);
    }
    CU_ASSERT_EQUAL(count_of(device, KVCPU_CNT_UNPINS), 1);
    const Pin again = device.pin(blocks.first(), 3, second_ns);
    CU_ASSERT_EQUAL(again.found_fast(), 3);
}

/* What is left of an object after a move is what is looked at here. */
// NOLINTBEGIN(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
void pins_move() {
    Device device(small_transport());
    const Blocks blocks = device.alloc(2);
    Pin a = device.pin(blocks.first(), 1, second_ns);
    Pin b = device.pin(blocks.first() + 1, 1, second_ns);
    Pin c(std::move(a));
    CU_ASSERT_EQUAL(a.count(), 0);
    CU_ASSERT_EQUAL(count_of(device, KVCPU_CNT_UNPINS), 0);
    c = std::move(b);
    CU_ASSERT_EQUAL(count_of(device, KVCPU_CNT_UNPINS), 1);
    CU_ASSERT_EQUAL(c.first(), blocks.first() + 1);
    c = Pin();
    CU_ASSERT_EQUAL(count_of(device, KVCPU_CNT_UNPINS), 2);
}
// NOLINTEND(bugprone-use-after-move,clang-analyzer-cplusplus.Move)

void refused_pins_throw_their_status() {
    Device device(small_transport());
    const Blocks blocks = device.alloc(8);
    const uint64_t first = blocks.first();
    const auto pin = [&](uint64_t count, uint64_t deadline) {
        return refusal([&] { device.pin(first, count, deadline); });
    };
    CU_ASSERT_EQUAL(pin(5, second_ns), KVCPU_SC_NO_SLOTS);
    CU_ASSERT_EQUAL(pin(0, second_ns), KVCPU_SC_BAD_RANGE);
    CU_ASSERT_EQUAL(pin(1, 0), KVCPU_SC_BAD_FIELD);
    CU_ASSERT_EQUAL(refusal([&] { device.pin(first + 7, 2, second_ns); }), KVCPU_SC_NOT_OWNER);
    /* All slots are pinned, and remain so after the deadline. */
    const Pin all = device.pin(first, 4, second_ns);
    std::string message;
    const uint64_t before = device.info().time_ns;
    CU_ASSERT_EQUAL(refusal([&] { device.pin(first + 4, 1, 5000); }, &message), KVCPU_SC_TIMED_OUT);
    CU_ASSERT_EQUAL(device.info().time_ns - before, 5000);
    CU_ASSERT_STRING_EQUAL(message.c_str(), "PIN: TIMED_OUT: the deadline passed first");
}

void refused_copies_throw_their_status() {
    Device device(small_transport());
    const Blocks blocks = device.alloc(1);
    std::vector<std::byte> bytes(100);
    CU_ASSERT_EQUAL(refusal([&] { device.read(blocks.first(), 4000, bytes); }), KVCPU_SC_BAD_FIELD);
    CU_ASSERT_EQUAL(refusal([&] { device.read(blocks.first(), 0, {}); }), KVCPU_SC_BAD_FIELD);
    CU_ASSERT_EQUAL(refusal([&] { device.read(9, 0, bytes); }), KVCPU_SC_NOT_OWNER);
    CU_ASSERT_EQUAL(refusal([&] { device.write(99, 0, bytes); }), KVCPU_SC_BAD_RANGE);
    device.hint(KVCPU_OP_SEAL, blocks.first(), 1);
    CU_ASSERT_EQUAL(refusal([&] { device.write(blocks.first(), 0, bytes); }), KVCPU_SC_SEALED);
    device.read(blocks.first(), 0, bytes);
}

void a_call_that_fails_throws_its_errno() {
    Device device(small_transport());
    const Blocks blocks = device.alloc(1);
    std::vector<std::byte> bytes(4097);
    try {
        device.read(blocks.first(), 0, bytes);
        CU_FAIL("no exception");
    } catch (const std::system_error &error) {
        CU_ASSERT_EQUAL(error.code().value(), EINVAL);
        CU_ASSERT_PTR_NOT_NULL(std::strstr(error.what(), "READ"));
    }
}

struct Hint {
    kvcpu_opcode opcode;
    uint64_t first;
    uint64_t count;
    kvcpu_hint_outcome outcome;
    kvcpu_hint_reason reason;
    uint64_t blocks;
};

/* 16 blocks, of which 0 to 3 are allocated here. */
void check_hints(const char *policy, std::span<const Hint> hints) {
    for (const Hint &hint : hints) {
        Device device(small_transport(policy));
        const Blocks blocks = device.alloc(4);
        const kvcpu::Result result = device.hint(hint.opcode, hint.first, hint.count, 10);
        CU_ASSERT_EQUAL(result.status, KVCPU_SC_SUCCESS);
        CU_ASSERT_EQUAL(result.outcome(), hint.outcome);
        CU_ASSERT_EQUAL(result.reason(), hint.reason);
        CU_ASSERT_EQUAL(result.value, hint.blocks);
    }
}

void hints_answer_with_their_outcome() {
    const Hint under_hepc[] = {
        {KVCPU_OP_HOT, 0, 4, KVCPU_HO_ACCEPTED, KVCPU_HR_NONE, 4},
        {KVCPU_OP_EVICTABLE, 1, 2, KVCPU_HO_ACCEPTED, KVCPU_HR_NONE, 2},
        {KVCPU_OP_PREFETCHABLE, 0, 1, KVCPU_HO_ACCEPTED, KVCPU_HR_NONE, 1},
        {KVCPU_OP_RELEASE, 0, 4, KVCPU_HO_ACCEPTED, KVCPU_HR_NONE, 4},
        {KVCPU_OP_SHARE, 2, 1, KVCPU_HO_ACCEPTED, KVCPU_HR_NONE, 1},
        {KVCPU_OP_TOUCH, 3, 1, KVCPU_HO_ACCEPTED, KVCPU_HR_NONE, 1},
        {KVCPU_OP_CLEAR, 3, 1, KVCPU_HO_ACCEPTED, KVCPU_HR_NONE, 1},
        {KVCPU_OP_SEAL, 0, 4, KVCPU_HO_ACCEPTED, KVCPU_HR_NONE, 4},
        {KVCPU_OP_UNSHARE, 0, 2, KVCPU_HO_IGNORED, KVCPU_HR_SATURATED, 0},
        {KVCPU_OP_HOT, 2, 4, KVCPU_HO_CLIPPED, KVCPU_HR_FOREIGN, 2},
        {KVCPU_OP_HOT, 8, 2, KVCPU_HO_IGNORED, KVCPU_HR_FOREIGN, 0},
        {KVCPU_OP_HOT, 16, 1, KVCPU_HO_IGNORED, KVCPU_HR_OUTSIDE, 0},
        {KVCPU_OP_HOT, 0, 20, KVCPU_HO_CLIPPED, KVCPU_HR_OUTSIDE, 4},
        {KVCPU_OP_HOT, 0, 0, KVCPU_HO_IGNORED, KVCPU_HR_EMPTY, 0},
    };
    check_hints("hepc", under_hepc);
    const Hint under_lru[] = {
        {KVCPU_OP_HOT, 0, 4, KVCPU_HO_IGNORED, KVCPU_HR_POLICY, 0},
        {KVCPU_OP_PREFETCHABLE, 0, 4, KVCPU_HO_IGNORED, KVCPU_HR_POLICY, 0},
        {KVCPU_OP_SHARE, 0, 4, KVCPU_HO_ACCEPTED, KVCPU_HR_NONE, 4},
        {KVCPU_OP_SEAL, 0, 4, KVCPU_HO_ACCEPTED, KVCPU_HR_NONE, 4},
    };
    check_hints("lru", under_lru);
}

void hints_move_blocks() {
    Device device(small_transport("hepc"));
    device.transport().set_weights({1, 1, 2, 200, 0, 0xc800});
    const Blocks blocks = device.alloc(4);
    device.write(blocks.first(), 0, bytes_of(4096, 1));
    device.step(1);
    device.hint(KVCPU_OP_PREFETCHABLE, blocks.first(), 1, 5);
    const auto state = [&] {
        return device.transport().block(blocks.first()).state & KVCPU_BST_STATE_MASK;
    };
    CU_ASSERT_EQUAL(state(), KVCPU_BS_FETCHING);
    let_pass(device.transport(), small_move_ns);
    CU_ASSERT_EQUAL(state(), KVCPU_BS_FAST);
    device.hint(KVCPU_OP_EVICTABLE, blocks.first(), 1, 0, KVCPU_F_NOW);
    CU_ASSERT_EQUAL(state(), KVCPU_BS_SLOW);
}

}  // namespace

void add_device_suite() {
    Suite("device")
        .test("what is written is read", what_is_written_is_read)
        .test("bytes go with their block through both tiers",
              bytes_go_with_their_block_through_both_tiers)
        .test("a short supply is given in part and then refused",
              a_short_supply_is_given_in_part_and_then_refused)
        .test("blocks go back with their object", blocks_go_back_with_their_object)
        .test("blocks move", blocks_move)
        .test("a pin waits for its blocks and goes with its object",
              a_pin_waits_for_its_blocks_and_goes_with_its_object)
        .test("pins move", pins_move)
        .test("refused pins throw their status", refused_pins_throw_their_status)
        .test("refused copies throw their status", refused_copies_throw_their_status)
        .test("a call that fails throws its errno", a_call_that_fails_throws_its_errno)
        .test("hints answer with their outcome", hints_answer_with_their_outcome)
        .test("hints move blocks", hints_move_blocks);
}

}  // namespace kvcpu_test
