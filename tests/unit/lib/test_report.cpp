// SPDX-License-Identifier: MIT
// What a run is reported as: names, sums, percentiles; and the sizes that are chosen for a trace.
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>

#include "report.h"
#include "suites.h"

namespace kvcpu_test {

namespace {

using kvcpu::serving::Figures;
using kvcpu::serving::HintKinds;
using kvcpu::serving::plan_json;
using kvcpu::serving::Request;
using kvcpu::serving::run_json;
using kvcpu::serving::RunSettings;

std::vector<uint64_t> no_counters() {
    return std::vector<uint64_t>(std::size_t{KVCPU_COUNTER_COUNT} + KVCPU_STATUS_COUNT);
}

/* The schema that all readers of figures share. */
void a_run_has_the_names_of_the_schema() {
    const auto run = run_json({}, {}, no_counters());
    for (const char *name : {"policy",
                             "hints",
                             "fast_blocks",
                             "slow_blocks",
                             "scale",
                             "seed",
                             "requests",
                             "block_uses",
                             "fast",
                             "slow",
                             "recomputed",
                             "stall_ns_total",
                             "stall_ns_mean",
                             "stall_ns_p99",
                             "ttft_ns_mean",
                             "ttft_ns_p99",
                             "blocks_in",
                             "blocks_out",
                             "hint_outcomes",
                             "hints_given",
                             "hint_system_calls",
                             "verification_failures",
                             "event_log_sha256"}) {
        CU_ASSERT(run.contains(name));
    }
    CU_ASSERT(run["hints"].is_array());
    CU_ASSERT(run["hint_outcomes"].is_object());
    CU_ASSERT_EQUAL(run["counters"].size(), KVCPU_COUNTER_COUNT);
}

void a_run_has_its_figures() {
    RunSettings settings;
    settings.policy = "hepc";
    settings.hints = HintKinds::parse("step,share");
    settings.fast_blocks = 3000;
    settings.slow_blocks = 9000;
    settings.scale = 0.25;
    settings.seed = 7;
    Figures figures;
    figures.requests = 200;
    figures.block_uses = 60;
    figures.fast = 10;
    figures.slow = 20;
    figures.recomputed = 30;
    figures.verification_failures = 4;
    figures.hints_given = 5;
    figures.hint_system_calls = 6;
    for (uint64_t i = 200; i > 0; --i) {
        figures.stall_ns.push_back(i);
        figures.ttft_ns.push_back(1000 * i);
    }
    std::vector<uint64_t> counters = no_counters();
    counters[KVCPU_CNT_FETCHES_DEMAND] = 5;
    counters[KVCPU_CNT_FETCHES_PREFETCH] = 6;
    counters[KVCPU_CNT_WRITE_BACKS] = 7;
    counters[KVCPU_CNT_HINTS_ACCEPTED] = 1;
    counters[KVCPU_CNT_HINTS_DEFERRED] = 2;
    counters[KVCPU_CNT_HINTS_CLIPPED] = 3;
    counters[KVCPU_CNT_HINTS_IGNORED] = 4;
    const auto run = run_json(settings, figures, counters);
    CU_ASSERT(run["policy"] == "hepc");
    CU_ASSERT(run["hints"] == (std::vector<std::string>{"step", "share"}));
    CU_ASSERT(run["fast_blocks"] == 3000 && run["slow_blocks"] == 9000);
    CU_ASSERT(run["scale"] == 0.25 && run["seed"] == 7 && run["requests"] == 200);
    CU_ASSERT(run["block_uses"] == 60 && run["fast"] == 10 && run["slow"] == 20 &&
              run["recomputed"] == 30);
    CU_ASSERT(run["stall_ns_total"] == 20100 && run["stall_ns_mean"] == 100);
    CU_ASSERT(run["stall_ns_p99"] == 198); /* two in a hundred are above */
    CU_ASSERT(run["ttft_ns_mean"] == 100500 && run["ttft_ns_p99"] == 198000);
    CU_ASSERT(run["blocks_in"] == 11 && run["blocks_out"] == 7);
    CU_ASSERT_EQUAL(run["hints_given"], 5);
    CU_ASSERT_EQUAL(run["hint_system_calls"], 6);
    CU_ASSERT(run["hint_outcomes"].dump() ==
              R"({"accepted":1,"deferred":2,"clipped":3,"ignored":4})");
    CU_ASSERT(run["verification_failures"] == 4);
}

void a_percentile_is_a_value_that_occurred() {
    const auto p99 = [](std::size_t count) {
        Figures figures;
        figures.stall_ns.resize(count);
        std::iota(figures.stall_ns.begin(), figures.stall_ns.end(), 1);
        return run_json({}, figures, no_counters())["stall_ns_p99"].get<uint64_t>();
    };
    CU_ASSERT_EQUAL(p99(0), 0);
    CU_ASSERT_EQUAL(p99(1), 1);
    CU_ASSERT_EQUAL(p99(99), 99);
    CU_ASSERT_EQUAL(p99(100), 99);
    CU_ASSERT_EQUAL(p99(101), 100);
    CU_ASSERT_EQUAL(p99(1000), 990);
}

std::vector<Request> requests_of(std::size_t count, std::size_t blocks_each) {
    std::vector<Request> requests(count);
    uint64_t id = 0;
    for (Request &request : requests) {
        request.input_tokens = 512 * blocks_each;
        for (std::size_t i = 0; i < blocks_each; ++i) {
            request.hash_ids.push_back(id++);
        }
    }
    return requests;
}

void sizes_suit_the_trace() {
    /*
     * The study's size for a large trace; a smaller size for a small trace, so that not all blocks
     * fit.
     */
    CU_ASSERT(plan_json(requests_of(6000, 10), 0, 0, 0.4, 1)["fast_blocks"] == 3000);
    CU_ASSERT(plan_json(requests_of(800, 10), 0, 0, 0.4, 1)["fast_blocks"] == 500);
    CU_ASSERT(plan_json(requests_of(10, 10), 0, 0, 0.4, 1)["fast_blocks"] == 20);
    CU_ASSERT(plan_json(requests_of(10, 10), 0, 0, 0.4, 1)["slow_blocks"] == 110);
    const auto plan = plan_json(requests_of(10, 10), 30, 77, 0.4, 1);
    CU_ASSERT(plan["fast_blocks"] == 30 && plan["slow_blocks"] == 77);
    /* A move takes 2.6 ms. */
    const double move_s = plan["block_size"].get<double>() / (plan["dma_bandwidth"].get<double>() /
                                                              plan["dma_channels"].get<double>());
    CU_ASSERT_DOUBLE_EQUAL(move_s, 0.0026, 1e-8);
    CU_ASSERT(plan["device"].get<std::string>().find("fast-size=122880,slow-size=315392,") !=
              std::string::npos);
}

void sizes_that_do_not_suit_are_refused() {
    try {
        (void)plan_json(requests_of(10, 10), 9, 0, 0.4, 1);
        CU_FAIL("accepted");
    } catch (const std::invalid_argument &error) {
        CU_ASSERT(std::string(error.what()).find("needs 10 blocks at once") != std::string::npos);
    }
}

}  // namespace

void add_report_suite() {
    Suite("report")
        .test("a run has the names of the schema", a_run_has_the_names_of_the_schema)
        .test("a run has its figures", a_run_has_its_figures)
        .test("a percentile is a value that occurred", a_percentile_is_a_value_that_occurred)
        .test("sizes suit the trace", sizes_suit_the_trace)
        .test("sizes that do not suit are refused", sizes_that_do_not_suit_are_refused);
}

}  // namespace kvcpu_test
