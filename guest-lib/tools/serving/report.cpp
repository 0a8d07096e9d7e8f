// SPDX-License-Identifier: MIT
#include "report.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <stdexcept>

namespace kvcpu::serving {

namespace {

using Json = nlohmann::ordered_json;

/* A block of 4 KiB stands for 160 MiB of KV cache, which takes 2.6 ms on each of two channels. */
constexpr uint64_t block_bytes = 4096;
constexpr uint64_t channels = 2;
constexpr uint64_t bandwidth = block_bytes * channels * 10000 / 26;
constexpr uint64_t default_fast_blocks = 3000;

uint64_t total(const std::vector<uint64_t> &values) {
    return std::accumulate(values.begin(), values.end(), uint64_t{0});
}

uint64_t mean(const std::vector<uint64_t> &values) {
    return values.empty() ? 0 : total(values) / values.size();
}

/* Returns the quantiles 0 to 100 % by nearest rank; an empty list for an empty list. */
std::vector<uint64_t> quantiles(std::vector<uint64_t> values) {
    std::vector<uint64_t> result;
    if (values.empty()) {
        return result;
    }
    std::sort(values.begin(), values.end());
    for (std::size_t percent = 0; percent <= 100; ++percent) {
        const std::size_t rank = (values.size() * percent + 99) / 100;
        result.push_back(values[rank == 0 ? 0 : rank - 1]);
    }
    return result;
}

/* Returns the 99th percentile. */
uint64_t percentile_99(const std::vector<uint64_t> &values) {
    return values.empty() ? 0 : quantiles(values)[99];
}

std::vector<uint64_t> nonzero_stalls(const std::vector<uint64_t> &stalls) {
    std::vector<uint64_t> waits;
    std::copy_if(stalls.begin(), stalls.end(), std::back_inserter(waits),
                 [](uint64_t ns) { return ns > 0; });
    return waits;
}

Json counters_json(const std::vector<uint64_t> &counters) {
    Json object;
#define KVCPU_COUNTER_JSON_(name, index, what) object[#name] = counters[index];
    KVCPU_COUNTERS(KVCPU_COUNTER_JSON_)
#undef KVCPU_COUNTER_JSON_
    return object;
}

double part(const Json &run, const char *name) {
    const auto uses = run["block_uses"].get<double>();
    return uses == 0 ? 0 : run[name].get<double>() / uses;
}

}  // namespace

Json run_json(const RunSettings &settings, const Figures &figures,
              const std::vector<uint64_t> &counters) {
    Json run;
    run["policy"] = settings.policy;
    run["hints"] = settings.hints.names();
    run["without"] = settings.without;
    run["bound"] = settings.bound;
    run["oracle"] = settings.oracle;
    run["machine"] = settings.machine;
    run["trace"] = settings.trace;
    run["fast_blocks"] = settings.fast_blocks;
    run["slow_blocks"] = settings.slow_blocks;
    run["everything"] = settings.everything;
    run["scale"] = settings.scale;
    run["seed"] = settings.seed;
    run["requests"] = figures.requests;
    run["block_uses"] = figures.block_uses;
    run["fast"] = figures.fast;
    run["slow"] = figures.slow;
    run["recomputed"] = figures.recomputed;
    run["stall_ns_total"] = total(figures.stall_ns);
    run["stall_ns_mean"] = mean(figures.stall_ns);
    run["stall_ns_p99"] = percentile_99(figures.stall_ns);
    run["ttft_ns_mean"] = mean(figures.ttft_ns);
    run["ttft_ns_p99"] = percentile_99(figures.ttft_ns);
    run["blocks_in"] = counters[KVCPU_CNT_FETCHES_DEMAND] + counters[KVCPU_CNT_FETCHES_PREFETCH];
    run["blocks_out"] = counters[KVCPU_CNT_WRITE_BACKS];
    run["hint_outcomes"] = {{"accepted", counters[KVCPU_CNT_HINTS_ACCEPTED]},
                            {"deferred", counters[KVCPU_CNT_HINTS_DEFERRED]},
                            {"clipped", counters[KVCPU_CNT_HINTS_CLIPPED]},
                            {"ignored", counters[KVCPU_CNT_HINTS_IGNORED]}};
    run["hints_given"] = figures.hints_given;
    run["hint_system_calls"] = figures.hint_system_calls;
    run["verification_failures"] = figures.verification_failures;
    run["event_log_sha256"] = nullptr; /* the host of the virtual machine knows it */
    run["steps"] = figures.steps;
    run["blocks_written"] = figures.blocks_written;
    run["blocks_verified"] = figures.blocks_verified;
    run["stall_quantiles_ns"] = quantiles(figures.stall_ns);
    run["stall_waiting_quantiles_ns"] = quantiles(nonzero_stalls(figures.stall_ns));
    run["ttft_quantiles_ns"] = quantiles(figures.ttft_ns);
    run["timeline"] = figures.timeline;
    run["counters"] = counters_json(counters);
    return run;
}

void print_run(const Json &run) {
    const auto milliseconds = [&run](const char *name) { return run[name].get<double>() / 1e6; };
    fmt::print("policy                 {}\n", run["policy"].get<std::string>());
    fmt::print("hints                  {}\n", run["hints"].dump());
    fmt::print("fast_blocks            {}\n", run["fast_blocks"].dump());
    fmt::print("slow_blocks            {}\n", run["slow_blocks"].dump());
    fmt::print("requests               {}\n", run["requests"].dump());
    fmt::print("block_uses             {}\n", run["block_uses"].dump());
    for (const char *name : {"fast", "slow", "recomputed"}) {
        fmt::print("{:<22} {} ({:.4f})\n", name, run[name].dump(), part(run, name));
    }
    for (const char *name :
         {"stall_ns_total", "stall_ns_mean", "stall_ns_p99", "ttft_ns_mean", "ttft_ns_p99"}) {
        fmt::print("{:<22} {:.3f} ms\n", name, milliseconds(name));
    }
    for (const char *name : {"blocks_in", "blocks_out", "hint_outcomes", "hints_given",
                             "hint_system_calls", "verification_failures"}) {
        fmt::print("{:<22} {}\n", name, run[name].dump());
    }
}

Json plan_json(const std::vector<Request> &requests, uint64_t fast_blocks, uint64_t slow_blocks,
               double scale, uint64_t seed) {
    const TraceFacts facts = facts_of(requests);
    const uint64_t everything = facts.blocks_to_keep_everything();
    if (fast_blocks == 0) {
        /* The study's size, or a smaller one for a trace that would fit into it. */
        fast_blocks =
            std::min(default_fast_blocks, std::max(2 * facts.largest_request, everything / 16));
    }
    /* More blocks than the trace has, since a request may compute blocks that were just published.
     */
    if (slow_blocks != 0 && facts.largest_request > slow_blocks) {
        throw std::invalid_argument(
            fmt::format("--slow-blocks: the largest request of this trace needs {} blocks, and {} "
                        "were given",
                        facts.largest_request, slow_blocks));
    }
    slow_blocks = slow_blocks == 0 ? everything + facts.largest_request : slow_blocks;
    slow_blocks = std::max(slow_blocks, fast_blocks);
    if (facts.largest_request > fast_blocks) {
        throw std::invalid_argument(fmt::format(
            "--fast-blocks: the largest request of this trace needs {} blocks at once, and {} "
            "are too small a fast tier",
            facts.largest_request, fast_blocks));
    }
    Json plan;
    plan["requests"] = requests.size();
    plan["block_uses"] = facts.block_uses;
    plan["distinct_blocks"] = facts.distinct_blocks;
    plan["output_blocks"] = facts.output_blocks;
    plan["largest_request_blocks"] = facts.largest_request;
    plan["fast_blocks"] = fast_blocks;
    plan["slow_blocks"] = slow_blocks;
    plan["scale"] = scale;
    plan["seed"] = seed;
    plan["block_size"] = block_bytes;
    plan["dma_channels"] = channels;
    plan["dma_latency_ns"] = 0;
    plan["dma_bandwidth"] = bandwidth;
    plan["device"] = fmt::format(
        "block-size={},fast-size={},slow-size={},dma-channels={},dma-latency-ns=0,"
        "dma-bandwidth={}",
        block_bytes, fast_blocks * block_bytes, slow_blocks * block_bytes, channels, bandwidth);
    return plan;
}

LoopbackConfig loopback_of(const Json &plan) {
    LoopbackConfig config;
    config.block_size = plan["block_size"];
    config.fast_blocks = plan["fast_blocks"];
    config.slow_blocks = plan["slow_blocks"];
    config.dma_channels = plan["dma_channels"];
    config.dma_latency_ns = plan["dma_latency_ns"];
    config.dma_bandwidth = plan["dma_bandwidth"];
    return config;
}

}  // namespace kvcpu::serving
