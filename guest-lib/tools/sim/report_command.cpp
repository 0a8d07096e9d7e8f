// SPDX-License-Identifier: MIT
#include "report_command.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "command_line.h"
#include "compare.h"
#include "html_report.h"
#include "output.h"
#include "report.h"
#include "results.h"
#include "sweep.h"

namespace kvcpu::sim {

namespace {

/* Chooses sizes around those of the plan, which are the study's for a trace of its size. */
void suit(Options &options, const Json &plan) {
    const uint64_t fast = plan["fast_blocks"];
    const uint64_t everything = plan["slow_blocks"];
    const uint64_t largest = plan["largest_request_blocks"];
    if (options.fast_blocks.empty()) {
        options.fast_blocks = {std::max(fast / 3, largest), fast,
                               std::min(fast * 10 / 3, everything)};
    }
    if (options.slow_blocks.empty()) {
        const uint64_t bounded = std::max(everything / 10, 2 * fast);
        options.slow_blocks = {"everything", std::to_string(bounded)};
    }
    if (options.seeds.empty()) {
        options.seeds = {1};
    }
}

/* Returns the points to simulate: those of the options, other slow tiers, and ablations. */
std::vector<Point> points_for(const Options &options, bool slow_chosen) {
    Options all = options;
    Options middle = options;
    middle.fast_blocks = {options.fast_blocks[options.fast_blocks.size() / 2]};
    if (slow_chosen) {
        /* Other slow tiers are simulated with one fast tier only, which shows their cost. */
        all.slow_blocks.resize(1);
    }
    std::vector<Point> points = points_of(all);
    const auto add = [&](const std::vector<Point> &more, const auto &is_wanted) {
        std::copy_if(more.begin(), more.end(), std::back_inserter(points), is_wanted);
    };
    if (slow_chosen) {
        add(points_of(middle), [](const Point &point) { return point.slow_blocks != 0; });
    }
    middle.slow_blocks.resize(1);
    middle.scales.resize(1);
    middle.ablation = true;
    add(points_of(middle), [](const Point &point) { return !point.without.empty(); });
    return points;
}

Json parameters_of(const Options &options, const Json &plan) {
    Json parameters;
    for (const char *name : {"block_size", "dma_channels", "dma_latency_ns", "dma_bandwidth"}) {
        parameters[name] = plan[name];
    }
    parameters["trace"] = std::filesystem::path(options.traces.front()).filename().string();
    parameters["requests"] = plan["requests"];
    return parameters;
}

/* Returns the fast tier of the given runs, around which sizes are chosen; 0 without runs. */
uint64_t known_fast(const Json &document) {
    return document["runs"].empty() ? 0 : document["runs"][0].value("fast_blocks", uint64_t{0});
}

void add_simulated(Json &document, Options &options, const ReportCommand &how) {
    const Traces traces(options.traces, options.requests);
    const double scale = options.scales.empty() ? 0.4 : options.scales.front();
    const Json plan =
        serving::plan_json(traces.at(options.traces.front()), known_fast(document), 0, scale, 1);
    const bool slow_chosen = options.slow_blocks.empty();
    suit(options, plan);
    complete(options, Extent::many);
    if (document["parameters"].empty()) {
        document["parameters"] = parameters_of(options, plan);
    }
    document["versions"]["kvcpu-sim"] = Names::program();
    for (Json &run :
         run_kept(points_for(options, slow_chosen), traces, options.jobs, how.results, how.quiet)) {
        document["runs"].push_back(std::move(run));
    }
}

}  // namespace

void report(Options options, const ReportCommand &how) {
    if (how.in.empty() && options.traces.empty()) {
        throw tools::UsageError("report: give runs with --in, or a trace to simulate with --trace");
    }
    Json document = report::read_files(how.in);
    if (!options.traces.empty()) {
        add_simulated(document, options, how);
    }
    tools::write_file(how.out, report::html_page(document));
    if (!how.quiet) {
        fmt::print(stderr, "{}: {} runs\n", how.out, document["runs"].size());
    }
}

}  // namespace kvcpu::sim
