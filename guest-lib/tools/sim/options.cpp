// SPDX-License-Identifier: MIT
#include "options.h"

#include "command_line.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <stdexcept>
#include <thread>

namespace kvcpu::sim {

namespace {

/* The number of blocks in a text that was checked; 0 for `everything`. */
uint64_t slow_blocks(const std::string &text) {
    uint64_t value = 0;
    return text != "everything" && tools::parse_number(text, value) ? value : 0;
}

CLI::Validator slow_blocks_or_everything() {
    return {[](std::string &text) {
                return text == "everything"
                           ? std::string()
                           : tools::number_from<uint64_t>("`everything` or a number of blocks", 1,
                                                          KVCPU_BLOCKS_MAX)(text);
            },
            ""};
}

/* Returns the lists of kinds that are withheld from a policy, in the order of the options. */
std::vector<std::string> variants(const Options &options, const Player &player) {
    std::vector<std::string> asked = options.without;
    if (options.ablation) {
        asked.insert(asked.begin(), "none");
        const std::vector<std::string> kinds = kinds_of(player);
        asked.insert(asked.end(), kinds.begin(), kinds.end());
    }
    std::vector<std::string> result;
    for (const std::string &list : asked) {
        const std::string what = withheld(player, list);
        if (std::find(result.begin(), result.end(), what) == result.end()) {
            result.push_back(what);
        }
    }
    return result;
}

constexpr unsigned jobs_max = 1024;

/* The options of which every combination of values is a point. */
void define_axes(CLI::App &app, Options &options, Extent extent, bool trace_needed) {
    const bool many = extent == Extent::many;
    auto *trace = app.add_option("--trace,TRACE", options.traces,
                                 "JSON lines of timestamp, input_length, output_length, hash_ids");
    trace->required(trace_needed);
    auto *policy = app.add_option("--policy", options.policies, "policies and bounds, by name");
    auto *fast = app.add_option("--fast-blocks", options.fast_blocks, "blocks of the fast tier");
    auto *slow = app.add_option("--slow-blocks", options.slow_blocks,
                                "blocks of the slow tier, or `everything`");
    auto *scale = app.add_option("--scale", options.scales,
                                 "factor by which arrival times are divided: more is more load");
    auto *seed = app.add_option("--seed", options.seeds, "seed of arrivals and block contents");
    for (CLI::Option *option : {trace, policy, fast, slow, scale, seed}) {
        option->delimiter(',');
        if (extent == Extent::one) {
            option->expected(1);
        }
    }
    tools::whole_number(fast, "a number of blocks", 1, KVCPU_BLOCKS_MAX)
        ->default_str(many ? "1000,3000,10000" : "3000");
    slow->transform(slow_blocks_or_everything())
        ->default_str(many ? "everything,20000" : "everything");
    tools::trace_scale(scale)->default_str("0.4");
    tools::random_seed(seed)->default_str(many ? "1,2,3" : "1");
    policy->default_str(many ? "all policies and bounds" : players().front().name)
        ->check(tools::accepted_by(player));
}

template <typename Value>
void fill(std::vector<Value> &values, Extent extent, const std::vector<Value> &defaults) {
    if (values.empty()) {
        values = defaults;
        values.resize(extent == Extent::many ? values.size() : 1);
    }
}

}  // namespace

void define(CLI::App &app, Options &options, Extent extent, bool trace_needed) {
    tools::whole_number(
        app.add_option("--requests", options.requests, "replay only this number of requests"),
        "a number of requests", 0, UINT32_MAX)
        ->default_str("0, all requests");
    define_axes(app, options, extent, trace_needed);
    auto *without = app.add_option("--without", options.without,
                                   "kinds of hints to withhold: none, or a list of "
                                   "step,hot,prefetch,evictable,release,share")
                        ->default_str("none")
                        ->check(tools::accepted_by([](const std::string &list) {
                            (void)withheld(players().front(), list);
                        }));
    if (extent == Extent::one) {
        without->expected(1);
    } else {
        without->description(without->get_description() + "; repeatable, one variant each");
        app.add_flag("--ablation", options.ablation,
                     "also run each policy without each kind of hint that it is given");
        options.jobs = std::clamp(std::thread::hardware_concurrency(), 1U, jobs_max);
        tools::whole_number(
            app.add_option("--jobs,-j", options.jobs, "number of simulations at once"),
            "a number of simulations", 1, jobs_max);
    }
    app.add_flag("--content", options.content,
                 "write every block's bytes, and verify them; without this option blocks are only "
                 "counted");
}

void complete(Options &options, Extent extent) {
    if (options.policies.empty()) {
        for (const Player &one : players()) {
            options.policies.push_back(one.name);
        }
        options.policies.resize(extent == Extent::many ? options.policies.size() : 1);
    }
    const bool many = extent == Extent::many;
    fill(options.fast_blocks, Extent::many,
         many ? std::vector<uint64_t>{1000, 3000, 10000} : std::vector<uint64_t>{3000});
    fill<std::string>(options.slow_blocks, extent, {"everything", "20000"});
    fill(options.scales, extent, {0.4});
    fill<uint64_t>(options.seeds, extent, {1, 2, 3});
    fill<std::string>(options.without, extent, {"none"});
}

std::vector<Point> points_of(const Options &options) {
    std::vector<Point> points;
    const auto add = [&](Point point, const std::string &policy) {
        point.player = player(policy);
        for (const std::string &without : variants(options, point.player)) {
            point.without = without;
            for (const uint64_t seed : options.seeds) {
                point.seed = seed;
                points.push_back(point);
            }
        }
    };
    for (const std::string &trace : options.traces) {
        for (const uint64_t fast : options.fast_blocks) {
            for (const std::string &slow : options.slow_blocks) {
                for (const double scale : options.scales) {
                    for (const std::string &policy : options.policies) {
                        add({.trace = trace,
                             .requests = options.requests,
                             .player = {},
                             .fast_blocks = fast,
                             .slow_blocks = slow_blocks(slow),
                             .scale = scale,
                             .without = {},
                             .content = options.content},
                            policy);
                    }
                }
            }
        }
    }
    return points;
}

Traces::Traces(const std::vector<std::string> &paths, std::size_t requests) {
    for (const std::string &path : paths) {
        if (!requests_.contains(path)) {
            requests_.emplace(path, serving::read_trace_file(path, requests));
        }
    }
}

std::string number_text(double value) {
    return fmt::format("{}", value);
}

std::string slow_text(uint64_t blocks) {
    return blocks == 0 ? "everything" : std::to_string(blocks);
}

}  // namespace kvcpu::sim
