// SPDX-License-Identifier: MIT
// kvcpu-sim: the replay of kvcpu-replay, on devices in this process, many at once.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <thread>

#include "compare.h"
#include "point.h"
#include "trace.h"

namespace {

using kvcpu::sim::Json;
using kvcpu::sim::Point;

/* As kvcpu-replay's and the launcher's. */
enum ExitCode : int {
    exit_ok = 0,
    exit_failed = 1,
    exit_bad_trace = 89,
    exit_bad_sizes = 91,
    exit_bad_result = 92,
};

struct Options {
    std::string trace;
    std::size_t requests = 0;
    std::vector<std::string> policies;
    std::vector<uint64_t> fast_blocks;
    std::vector<std::string> slow_blocks;
    std::vector<double> scales;
    std::vector<uint64_t> seeds;
    unsigned jobs = std::max(std::thread::hardware_concurrency(), 1U);
    bool content = false;
    std::string json;
};

void define(CLI::App &app, Options &options, bool many) {
    app.add_option("--trace,TRACE", options.trace,
                   "JSON lines of timestamp, input_length, output_length, hash_ids")
        ->required();
    app.add_option("--requests", options.requests, "the first N requests alone (0: all)");
    auto *policy = app.add_option("--policy", options.policies, "policies and bounds, by name");
    auto *fast = app.add_option("--fast-blocks", options.fast_blocks, "slots of the fast tier");
    auto *slow = app.add_option("--slow-blocks", options.slow_blocks,
                                "blocks of the slow tier, or `everything`");
    auto *scale = app.add_option("--scale", options.scales, "arrival times are divided by it");
    auto *seed = app.add_option("--seed", options.seeds, "of arrivals and block contents");
    for (CLI::Option *option : {policy, fast, slow, scale, seed}) {
        option->delimiter(',');
        if (!many) {
            option->expected(1);
        }
    }
    scale->check(CLI::PositiveNumber);
    app.add_option("--jobs,-j", options.jobs, "simulations at once")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_flag("--content", options.content, "write every block's bytes, and verify them");
    app.add_option("--json", options.json, "a line of JSON a simulation, to this file (-: stdout)");
}

/* What was not said. */
void complete(Options &options, bool many) {
    if (options.policies.empty()) {
        for (const auto &player : kvcpu::sim::players()) {
            options.policies.push_back(player.name);
        }
        options.policies.resize(many ? options.policies.size() : 1);
    }
    if (options.fast_blocks.empty()) {
        options.fast_blocks =
            many ? std::vector<uint64_t>{1000, 3000, 10000} : std::vector<uint64_t>{3000};
    }
    if (options.slow_blocks.empty()) {
        options.slow_blocks = {"everything"};
        if (many) {
            options.slow_blocks.emplace_back("20000");
        }
    }
    if (options.scales.empty()) {
        options.scales = {0.4};
    }
    if (options.seeds.empty()) {
        options.seeds = many ? std::vector<uint64_t>{1, 2, 3} : std::vector<uint64_t>{1};
    }
}

uint64_t slow_blocks(const std::string &text) {
    if (text == "everything") {
        return 0;
    }
    std::size_t end = 0;
    uint64_t value = 0;
    try {
        value = std::stoull(text, &end);
    } catch (const std::exception &) {
        end = 0;
    }
    if (end != text.size() || value == 0) {
        throw std::invalid_argument("--slow-blocks: '" + text +
                                    "' is neither a number of blocks nor `everything`");
    }
    return value;
}

std::vector<Point> points_of(const Options &options) {
    std::vector<Point> points;
    for (const uint64_t fast : options.fast_blocks) {
        for (const std::string &slow : options.slow_blocks) {
            for (const double scale : options.scales) {
                for (const std::string &policy : options.policies) {
                    for (const uint64_t seed : options.seeds) {
                        points.push_back({.player = kvcpu::sim::player(policy),
                                          .fast_blocks = fast,
                                          .slow_blocks = slow_blocks(slow),
                                          .scale = scale,
                                          .seed = seed,
                                          .content = options.content});
                    }
                }
            }
        }
    }
    return points;
}

int simulate(Options &options, bool many) {
    complete(options, many);
    const std::vector<Point> points = points_of(options);
    const auto requests = kvcpu::replay::read_trace_file(options.trace, options.requests);
    std::ofstream file;
    if (!options.json.empty() && options.json != "-") {
        file.open(options.json, std::ios::app);
    }
    std::ostream &lines = options.json == "-" ? std::cout : file;
    std::size_t done = 0;
    const std::vector<Json> runs =
        kvcpu::sim::run_all(points, requests, options.jobs, [&](const Json &run) {
            if (!options.json.empty()) {
                lines << run.dump() << '\n' << std::flush;
            }
            if (many) {
                fmt::print(stderr, "\r{} of {}", ++done, points.size());
            }
        });
    if (many) {
        fmt::print(stderr, "\n");
    }
    if (!options.json.empty() && !lines) {
        throw std::runtime_error(options.json + ": cannot be written");
    }
    if (options.json != "-") {
        kvcpu::sim::print_table(runs, stdout);
    }
    const bool right = std::all_of(runs.begin(), runs.end(), [](const Json &run) {
        return run["verification_failures"] == 0;
    });
    return right ? exit_ok : exit_bad_result;
}

int run(int argc, char **argv) {
    CLI::App app("Replays a request trace on simulated KV-CPUs, under policies and bounds.");
    app.require_subcommand(1);
    app.footer(
        "Exit status: 0 done; 1 failed; 89 bad trace; 91 sizes do not fit, or no such policy; "
        "92 a block's content was wrong; others: a wrong option.");
    Options options;
    CLI::App *one = app.add_subcommand("run", "one simulation");
    CLI::App *compare = app.add_subcommand("compare", "all policies and bounds, in a table");
    define(*one, options, false);
    define(*compare, options, true);
    CLI11_PARSE(app, argc, argv);
    try {
        return simulate(options, compare->parsed());
    } catch (const kvcpu::replay::TraceError &error) {
        fmt::print(stderr, "kvcpu-sim: {}\n", error.what());
        return exit_bad_trace;
    } catch (const std::invalid_argument &error) {
        fmt::print(stderr, "kvcpu-sim: {}\n", error.what());
        return exit_bad_sizes;
    } catch (const std::exception &error) {
        fmt::print(stderr, "kvcpu-sim: {}\n", error.what());
        return exit_failed;
    }
}

}  // namespace

int main(int argc, char **argv) {
    try {
        return run(argc, argv);
    } catch (...) {
        std::fputs("kvcpu-sim: cannot even say what went wrong\n", stderr);
        return exit_failed;
    }
}
