// SPDX-License-Identifier: MIT
// The serving model on traces so small that every figure can be had by hand.
//
// A step takes 25 ms + 0.2 ms a decoding request + 0.05 ms a prefill token, of which there are
// 2,048 at the most; a block takes 2.6 ms on one of two channels.
#include <cstring>
#include <string>

#include "engine.h"
#include "kvcpu/queue_link.h"
#include "loopback.h"
#include "suites.h"

namespace kvcpu_test {

namespace {

using kvcpu::serving::Engine;
using kvcpu::serving::Figures;
using kvcpu::serving::HintKinds;
using kvcpu::serving::Model;
using kvcpu::serving::Request;

constexpr uint64_t move_ns = 2'600'000;
/* 4,096 bytes on one of two channels of 64 GB/s. */
constexpr uint64_t bytes_ns = 128;

struct Arrival {
    double second;
    uint64_t input_tokens;
    uint64_t output_tokens;
    std::vector<uint64_t> hash_ids;
};

struct Setting {
    uint64_t fast_blocks = 64;
    uint64_t slow_blocks = 256;
    const char *policy = "lru";
    const char *hints = "none";
    Model model = {};
};

std::unique_ptr<kvcpu::Transport> device_for(const Setting &setting) {
    kvcpu::LoopbackConfig config;
    config.fast_blocks = setting.fast_blocks;
    config.slow_blocks = setting.slow_blocks;
    config.dma_latency_ns = move_ns - bytes_ns;
    config.policy = setting.policy;
    return kvcpu::make_loopback_transport(config);
}

Figures replay(kvcpu::Transport &transport, const std::vector<Arrival> &trace,
               const Setting &setting) {
    std::vector<Request> requests;
    std::vector<double> arrivals;
    for (const Arrival &arrival : trace) {
        Request request;
        request.input_tokens = arrival.input_tokens;
        request.output_tokens = arrival.output_tokens;
        request.hash_ids = arrival.hash_ids;
        requests.push_back(request);
        arrivals.push_back(arrival.second);
    }
    /* Never demote by score; promote nothing. */
    transport.set_weights({1, 1, 2, 200, 0, 0xffff});
    Engine engine(transport, setting.model, requests, arrivals, HintKinds::parse(setting.hints), 1);
    return engine.run([](std::size_t) {});
}

Figures replay(const std::vector<Arrival> &trace, const Setting &setting = {}) {
    return replay(*device_for(setting), trace, setting);
}

bool uses(const Figures &figures, uint64_t fast, uint64_t slow, uint64_t recomputed) {
    return figures.fast == fast && figures.slow == slow && figures.recomputed == recomputed &&
           figures.block_uses == fast + slow + recomputed && figures.verification_failures == 0;
}

using Times = std::vector<uint64_t>;

void one_request_takes_one_step() {
    const Figures figures = replay({{0, 512, 1, {1}}});
    CU_ASSERT_EQUAL(figures.requests, 1);
    CU_ASSERT(uses(figures, 0, 0, 1));
    CU_ASSERT_EQUAL(figures.steps, 1);
    CU_ASSERT(figures.ttft_ns == (Times{50'600'000})); /* 25 + 512 x 0.05 */
    CU_ASSERT(figures.stall_ns == (Times{0}));
    CU_ASSERT_EQUAL(figures.blocks_written, 2); /* token 513 opens another block */
    CU_ASSERT_EQUAL(figures.blocks_verified, 0);
}

void long_prompts_are_computed_in_chunks() {
    const Figures figures = replay({{0, 5000, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}});
    /* 2,048, 2,048 and 904 tokens; the first token comes with the last of them. */
    CU_ASSERT(figures.ttft_ns == (Times{127'400'000 * 2 + 70'200'000}));
    CU_ASSERT_EQUAL(figures.steps, 5);
    CU_ASSERT_EQUAL(figures.blocks_written, 10);
}

void what_is_fast_is_not_computed_again() {
    const Figures figures = replay({{0, 1024, 0, {1, 2}}, {10, 1024, 0, {1, 2}}});
    CU_ASSERT(uses(figures, 2, 0, 2));
    /* The last token is always computed, as its output is needed to continue. */
    CU_ASSERT(figures.ttft_ns == (Times{76'200'000, 25'050'000}));
    CU_ASSERT(figures.stall_ns == (Times{0, 0}));
    CU_ASSERT_EQUAL(figures.blocks_verified, 2);
}

void only_the_leading_blocks_are_of_use() {
    const Figures figures = replay({{0, 1536, 0, {1, 2, 3}}, {10, 1536, 0, {1, 9, 3}}});
    CU_ASSERT(uses(figures, 1, 0, 3 + 2));
    CU_ASSERT(figures.ttft_ns == (Times{101'800'000, 76'200'000}));
}

/*
 * The second request finds the blocks that the first computes in the same step. It waits for the
 * slot of such a block, which takes nearly no time, and so starts with the next step.
 */
void requests_of_one_step_share_what_it_computes() {
    const Figures figures = replay({{0, 512, 0, {1}}, {0, 1024, 0, {1, 2}}});
    CU_ASSERT(uses(figures, 0, 1, 2));
    CU_ASSERT(figures.stall_ns.back() < 1000);
    CU_ASSERT(figures.ttft_ns == (Times{50'600'000, 101'200'000}));
    CU_ASSERT_EQUAL(figures.blocks_verified, 1);
}

/* Two slots, so that each request evicts the blocks of the one before. */
void what_is_slow_is_loaded() {
    Setting setting;
    setting.fast_blocks = 2;
    const Figures figures =
        replay({{0, 1024, 0, {1, 2}}, {10, 1024, 0, {3, 4}}, {20, 1024, 0, {1, 2}}}, setting);
    CU_ASSERT(uses(figures, 0, 2, 4));
    /* One channel for each block. The step begins when both are in slots. */
    CU_ASSERT(figures.stall_ns == (Times{0, 0, move_ns}));
    CU_ASSERT(figures.ttft_ns == (Times{76'200'000, 76'200'000, move_ns + 25'050'000}));
}

void three_loads_take_two_rounds() {
    Setting setting;
    setting.fast_blocks = 3;
    const Figures figures = replay(
        {{0, 1536, 0, {1, 2, 3}}, {10, 1536, 0, {4, 5, 6}}, {20, 1536, 0, {1, 2, 3}}}, setting);
    CU_ASSERT(uses(figures, 0, 3, 6));
    CU_ASSERT(figures.stall_ns == (Times{0, 0, 2 * move_ns}));
}

void part_may_be_fast_and_part_slow() {
    Setting setting;
    setting.fast_blocks = 3;
    /* Of 1 and 2, the suffix was reclaimed first: block 2 was replaced by 4. */
    const Figures figures =
        replay({{0, 1024, 0, {1, 2}}, {10, 1024, 0, {3, 4}}, {20, 1024, 0, {1, 2}}}, setting);
    CU_ASSERT(uses(figures, 1, 1, 4));
    CU_ASSERT(figures.stall_ns == (Times{0, 0, move_ns}));
}

/* Both arrive at once; the second has the prefill budget from the second step on. */
const std::vector<Arrival> two_at_once = {{0, 2048, 11, {1, 2, 3, 4}}, {0, 2048, 0, {5, 6, 7, 8}}};

void the_next_starts_when_there_is_budget() {
    const Figures figures = replay(two_at_once);
    /* 127.4, then 127.6 beside one that decodes. */
    CU_ASSERT(figures.ttft_ns == (Times{127'400'000, 255'000'000}));
}

void the_next_waits_for_room() {
    Setting setting;
    setting.fast_blocks = 8; /* 5 and 4 are needed */
    const Figures figures = replay(two_at_once, setting);
    /* The first is done after 10 steps more of 25.2 ms. */
    CU_ASSERT(figures.ttft_ns == (Times{127'400'000, 127'400'000 + 252'000'000 + 127'400'000}));
}

void so_many_may_run_at_once() {
    Setting setting;
    setting.model.running_max = 1;
    CU_ASSERT(replay(two_at_once, setting).ttft_ns ==
              (Times{127'400'000, 127'400'000 + 252'000'000 + 127'400'000}));
}

void a_small_store_drops_what_was_used_longest_ago() {
    Setting setting;
    setting.fast_blocks = 4;
    setting.slow_blocks = 4;
    /* The third request needs a block: that of id 2, the suffix of the oldest. */
    const Figures figures = replay(
        {{0, 1024, 0, {1, 2}}, {10, 1024, 0, {3, 4}}, {20, 512, 0, {5}}, {30, 1024, 0, {1, 2}}},
        setting);
    CU_ASSERT(uses(figures, 1, 0, 2 + 2 + 1 + 1));
}

void output_is_written_and_never_hit() {
    const Figures figures = replay({{0, 512, 1024, {1}}, {60, 512, 1024, {1}}});
    CU_ASSERT(uses(figures, 1, 0, 1));
    CU_ASSERT_EQUAL(figures.blocks_written, 1 + 2 + 2);
}

void every_policy_verifies_what_it_moves() {
    std::vector<Arrival> trace;
    for (unsigned i = 0; i < 60; ++i) {
        const uint64_t session = i % 7;
        Arrival arrival{i * 0.2, uint64_t{512} * (2 + i / 7), 40, {}};
        for (uint64_t block = 0; block < 2 + i / 7; ++block) {
            arrival.hash_ids.push_back(session * 100 + block);
        }
        trace.push_back(arrival);
    }
    for (const char *policy : {"lru", "hepc"}) {
        for (const char *hints : {"none", "all"}) {
            Setting setting;
            setting.fast_blocks = 24;
            setting.policy = policy;
            setting.hints = hints;
            const auto transport = device_for(setting);
            const Figures figures = replay(*transport, trace, setting);
            CU_ASSERT_EQUAL(figures.requests, 60);
            CU_ASSERT_EQUAL(figures.verification_failures, 0);
            CU_ASSERT_EQUAL(figures.blocks_verified, figures.fast + figures.slow);
            CU_ASSERT(figures.slow > 0 || figures.fast > 0);
            CU_ASSERT_EQUAL(figures.recomputed, 7 * (2 + 8) + 4 - 7);
            /* Each block is written back once, and no block is allocated or pinned. */
            const std::vector<uint64_t> counters = transport->counters();
            CU_ASSERT_EQUAL(counters[KVCPU_CNT_WRITES], figures.blocks_written);
            CU_ASSERT(counters[KVCPU_CNT_WRITE_BACKS] <= figures.blocks_written);
        }
    }
}

/*
 * There is space for two blocks beside the running request, so the blocks of the next request can
 * be fetched meanwhile. The second request evicted these blocks.
 */
void a_hint_spares_the_stall() {
    const std::vector<Arrival> trace = {{0, 1024, 0, {1, 2}},
                                        {10, 3072, 0, {3, 4, 5, 6, 7, 8}},
                                        {20, 2048, 0, {11, 12, 13, 14}},
                                        {20, 1024, 0, {1, 2}}};
    Setting setting;
    setting.fast_blocks = 6;
    Figures figures = replay(trace, setting);
    CU_ASSERT(uses(figures, 0, 2, 12));
    /* Both channels have just started write-backs of the blocks of the previous step. */
    CU_ASSERT(figures.stall_ns == (Times{0, 0, 0, 2 * move_ns}));

    setting.policy = "hepc";
    setting.hints = "step,prefetchable";
    figures = replay(trace, setting);
    CU_ASSERT(uses(figures, 2, 0, 12));
    CU_ASSERT(figures.stall_ns == (Times{0, 0, 0, 0}));
    CU_ASSERT_EQUAL(figures.ttft_ns.back(), 127'400'000 + 25'050'000);
}

void a_request_that_can_never_start_is_named() {
    Setting setting;
    setting.fast_blocks = 2;
    try {
        (void)replay({{0, 1536, 0, {1, 2, 3}}}, setting);
        CU_FAIL("it ran");
    } catch (const std::runtime_error &error) {
        CU_ASSERT_PTR_NOT_NULL(std::strstr(error.what(), "request 0 needs 3 blocks at once"));
    }
}

/* Corrupts the bytes of every READ except the first `spared`. */
class Spoiling final : public Passing {
  public:
    Spoiling(std::unique_ptr<Transport> inner, unsigned spared, std::size_t at)
        : Passing(std::move(inner)), spared_(spared), at_(at) {}

    std::error_code submit(std::span<kvcpu_command> commands, bool go_on,
                           std::size_t &done) noexcept override {
        const std::error_code error = Passing::submit(commands, go_on, done);
        for (const kvcpu_command &command : commands) {
            if (command.opcode == KVCPU_OP_READ && spared_-- == 0) {
                // NOLINTNEXTLINE(performance-no-int-to-ptr): in the UAPI an address is a number
                reinterpret_cast<std::byte *>(command.buffer)[at_] ^= std::byte{0x80};
            }
        }
        return error;
    }

  private:
    unsigned spared_;
    std::size_t at_;
};

void one_wrong_bit_is_found() {
    const Setting setting;
    for (const std::size_t at : {0U, 2049U, 4095U}) {
        Spoiling transport(device_for(setting), 1, at);
        const Figures figures =
            replay(transport, {{0, 1536, 0, {1, 2, 3}}, {10, 1536, 0, {1, 2, 3}}}, setting);
        CU_ASSERT_EQUAL(figures.blocks_verified, 3);
        CU_ASSERT_EQUAL(figures.verification_failures, 1);
    }
}

/* Exchanges the READs of blocks 0 and 1, as a device does that confuses its slots. */
class Misplacing final : public Passing {
  public:
    using Passing::Passing;
    std::error_code submit(std::span<kvcpu_command> commands, bool go_on,
                           std::size_t &done) noexcept override {
        for (kvcpu_command &command : commands) {
            if (command.opcode == KVCPU_OP_READ && command.first < 2) {
                command.first ^= 1;
            }
        }
        return Passing::submit(commands, go_on, done);
    }
};

void blocks_that_changed_places_are_found() {
    const Setting setting;
    Misplacing transport(device_for(setting));
    const Figures figures =
        replay(transport, {{0, 1536, 0, {1, 2, 3}}, {10, 1536, 0, {1, 2, 3}}}, setting);
    CU_ASSERT_EQUAL(figures.verification_failures, 2);
}

void two_runs_are_the_same() {
    std::vector<Arrival> trace;
    for (uint64_t i = 0; i < 40; ++i) {
        trace.push_back({static_cast<double>(i) / 10, 1024, 30, {i % 5, 10 + i % 7}});
    }
    uint64_t slow = 0;
    for (const char *hints : {"all", "step"}) {
        Setting setting;
        setting.fast_blocks = 8;
        setting.policy = "hepc";
        setting.hints = hints;
        const Figures one = replay(trace, setting);
        const Figures other = replay(trace, setting);
        CU_ASSERT(one.stall_ns == other.stall_ns);
        CU_ASSERT(one.ttft_ns == other.ttft_ns);
        CU_ASSERT_EQUAL(one.fast, other.fast);
        slow += one.slow;
    }
    CU_ASSERT(slow > 0);
}

/* Has rings, and counts hints that are not sent by them. */
class Ringed final : public Passing {
  public:
    using Passing::Passing;
    std::unique_ptr<kvcpu::QueueLink> open_queue(const kvcpu::QueueConfig &config) override {
        return inner().open_queue(config);
    }
    std::error_code submit(std::span<kvcpu_command> commands, bool go_on,
                           std::size_t &done) noexcept override {
        for (const kvcpu_command &command : commands) {
            hints_by_call += command.opcode >= KVCPU_OP_STEP && command.opcode < KVCPU_OP_OPEN;
        }
        return Passing::submit(commands, go_on, done);
    }

    uint64_t hints_by_call = 0;
};

/* The rings change the cost of hints, and no other figure. */
void rings_give_the_figures_of_calls() {
    std::vector<Arrival> trace;
    for (uint64_t i = 0; i < 60; ++i) {
        trace.push_back({static_cast<double>(i) / 10, 1024, 30, {i % 5, 10 + i % 7}});
    }
    Setting setting;
    setting.fast_blocks = 8;
    uint64_t slow = 0;
    for (const char *policy : {"lru", "arc", "hepc", "next-use"}) {
        setting.policy = policy;
        setting.hints = "all";
        Ringed ringed(device_for(setting));
        Passing plain(device_for(setting)); /* no rings */
        const Figures by_ring = replay(ringed, trace, setting);
        const Figures by_call = replay(plain, trace, setting);
        CU_ASSERT_EQUAL(ringed.hints_by_call, 0);
        CU_ASSERT(by_ring.hints_given > 0);
        CU_ASSERT_EQUAL(by_ring.hints_given, by_call.hints_given);
        CU_ASSERT_EQUAL(by_ring.fast, by_call.fast);
        CU_ASSERT_EQUAL(by_ring.slow, by_call.slow);
        slow += by_ring.slow;
        CU_ASSERT_EQUAL(by_ring.recomputed, by_call.recomputed);
        CU_ASSERT(by_ring.stall_ns == by_call.stall_ns);
        CU_ASSERT(by_ring.ttft_ns == by_call.ttft_ns);
        CU_ASSERT_EQUAL(by_ring.blocks_verified, by_call.blocks_verified);
        CU_ASSERT_EQUAL(by_ring.verification_failures, 0);
    }
    CU_ASSERT(slow > 0);
}

}  // namespace

void add_engine_suite() {
    Suite("engine")
        .test("rings give the figures of calls", rings_give_the_figures_of_calls)
        .test("one request takes one step", one_request_takes_one_step)
        .test("long prompts are computed in chunks", long_prompts_are_computed_in_chunks)
        .test("what is fast is not computed again", what_is_fast_is_not_computed_again)
        .test("only the leading blocks are of use", only_the_leading_blocks_are_of_use)
        .test("requests of one step share what it computes",
              requests_of_one_step_share_what_it_computes)
        .test("what is slow is loaded", what_is_slow_is_loaded)
        .test("three loads take two rounds", three_loads_take_two_rounds)
        .test("part may be fast and part slow", part_may_be_fast_and_part_slow)
        .test("the next starts when there is budget", the_next_starts_when_there_is_budget)
        .test("the next waits for room", the_next_waits_for_room)
        .test("so many may run at once", so_many_may_run_at_once)
        .test("a small store drops what was used longest ago",
              a_small_store_drops_what_was_used_longest_ago)
        .test("output is written and never hit", output_is_written_and_never_hit)
        .test("every policy verifies what it moves", every_policy_verifies_what_it_moves)
        .test("a hint spares the stall", a_hint_spares_the_stall)
        .test("a request that can never start is named", a_request_that_can_never_start_is_named)
        .test("one wrong bit is found", one_wrong_bit_is_found)
        .test("blocks that changed places are found", blocks_that_changed_places_are_found)
        .test("two runs are the same", two_runs_are_the_same);
}

}  // namespace kvcpu_test
