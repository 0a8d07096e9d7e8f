// SPDX-License-Identifier: MIT
// kvcpu-replay: a serving runtime's memory behaviour, from a request trace, on a KV-CPU.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

#include "command_line.h"
#include "exit.h"
#include "report.h"
#include "session.h"
#include "trace.h"

namespace {

using kvcpu::serving::exit_bad_policy;
using kvcpu::serving::exit_bad_result;
using kvcpu::serving::exit_ok;
using kvcpu::serving::Request;
using Json = nlohmann::ordered_json;

struct Options {
    std::string trace;
    std::size_t requests = 0;
    double scale = 0.4;
    uint64_t seed = 1;
    std::string policy;
    std::string hints = "none";
    std::string without;
    std::string device = "/dev/kvcpu0";
    bool loopback = false;
    bool cached = false;
    uint64_t fast_blocks = 0;
    uint64_t slow_blocks = 0;
    kv_cpu_weights weights = {KVCPU_WEIGHT_R_DEFAULT,     KVCPU_WEIGHT_F_DEFAULT,
                              KVCPU_WEIGHT_S_DEFAULT,     KVCPU_WEIGHT_D_DEFAULT,
                              KVCPU_EVICT_THRESH_DEFAULT, KVCPU_PREFETCH_THRESH_DEFAULT};
    std::string json;
    bool plan = false;
    bool progress = false;
    bool shared = false;
};

void define_weights(CLI::App &app, Options &options) {
    app.add_option("--w-r", options.weights.w_r, "score weight of recency")->capture_default_str();
    app.add_option("--w-f", options.weights.w_f, "score weight of frequency")
        ->capture_default_str();
    app.add_option("--w-s", options.weights.w_s, "score weight of step age")->capture_default_str();
    app.add_option("--w-d", options.weights.w_d, "score weight of sharing")->capture_default_str();
    app.add_option("--evict-thresh", options.weights.evict_thresh, "score to demote below")
        ->capture_default_str();
    app.add_option("--prefetch-thresh", options.weights.prefetch_thresh, "score to promote above")
        ->capture_default_str();
}

void define(CLI::App &app, Options &options) {
    app.add_option("TRACE", options.trace,
                   "JSON lines of timestamp, input_length, output_length, hash_ids")
        ->required();
    app.add_option("--requests", options.requests,
                   "replay only the first N requests (default 0: all)")
        ->check(kvcpu::tools::whole_number("a number of requests", 0, UINT32_MAX));
    app.add_option("--scale", options.scale, "divide arrival times by this factor")
        ->capture_default_str()
        ->check(kvcpu::tools::trace_scale());
    app.add_option("--seed", options.seed, "seed of arrivals and block contents")
        ->capture_default_str()
        ->check(kvcpu::tools::random_seed());
    app.add_option("--policy", options.policy, "placement policy to set (default: as it is)");
    app.add_option("--hints", options.hints, "none, all, or of step,prefetchable,evictable,share")
        ->capture_default_str()
        ->check([](const std::string &text) {
            try {
                kvcpu::serving::HintKinds::parse(text);
                return std::string();
            } catch (const std::invalid_argument &error) {
                return std::string(error.what());
            }
        });
    app.add_option("--without", options.without,
                   "ablation: of --hints, leave out step,hot,prefetch,evictable,release,share")
        ->check([](const std::string &text) {
            try {
                kvcpu::serving::Session session;
                kvcpu::serving::withhold(session, text);
                return std::string();
            } catch (const std::invalid_argument &error) {
                return std::string(error.what());
            }
        });
    app.add_option("--device", options.device, "device node")->capture_default_str();
    app.add_flag("--loopback", options.loopback,
                 "on a device in this process, in its own virtual time");
    app.add_option("--fast-blocks", options.fast_blocks,
                   "blocks, for --loopback and --plan (default 0: chosen from the trace)")
        ->check(kvcpu::tools::whole_number("a number of blocks", 0, KVCPU_BLOCKS_MAX));
    app.add_option("--slow-blocks", options.slow_blocks,
                   "blocks, for --loopback and --plan (default 0: chosen from the trace)")
        ->check(kvcpu::tools::whole_number("a number of blocks", 0, KVCPU_BLOCKS_MAX));
    app.add_flag("--cached", options.cached,
                 "blocks that the device drops when its space is full; else the replay does");
    define_weights(app, options);
    app.add_option("--json", options.json, "write the figures to this file (-: to stdout)");
    app.add_flag("--plan", options.plan, "run nothing: print sizes that suit the trace, as JSON");
    app.add_flag("--shared", options.shared,
                 "others use the device, too: do not stop its clock (counts then depend on speed)");
    app.add_flag("--progress", options.progress, "requests finished so far, on stderr");
    app.footer(
        "Exit status: 0 done; 1 failed; 89 bad trace; 90 no such policy; 91 sizes do not fit; "
        "92 a block's content was wrong; 2 a wrong option.");
}

std::unique_ptr<kvcpu::Transport> open_transport(const Options &options, const Json &plan) {
    if (!options.loopback) {
        return kvcpu::open_kernel_transport(options.device);
    }
    return kvcpu::make_loopback_transport(kvcpu::serving::loopback_of(plan));
}

void write_json(const std::string &path, const Json &json) {
    if (path == "-") {
        fmt::print("{}\n", json.dump(2));
        return;
    }
    kvcpu::tools::write_file(path, json.dump(2) + '\n');
}

Json replay(const Options &options, const std::vector<Request> &requests, const Json &plan) {
    const std::unique_ptr<kvcpu::Transport> transport = open_transport(options, plan);
    kvcpu::serving::Session session;
    session.policy = options.policy;
    session.hints = kvcpu::serving::HintKinds::parse(options.hints);
    kvcpu::serving::withhold(session, options.without);
    session.trace = std::filesystem::path(options.trace).filename().string();
    session.machine = options.loopback ? "simulator" : "device";
    session.everything = options.loopback && options.slow_blocks == 0;
    session.scale = options.scale;
    session.seed = options.seed;
    session.weights = options.weights;
    session.model.cached = options.cached;
    session.shared = options.shared;
    return kvcpu::serving::replay(*transport, requests, session, [&](std::size_t finished) {
        if (options.progress) {
            fmt::print(stderr, "progress {} {}\n", finished, requests.size());
        }
    });
}

int run(const Options &options) {
    if (!options.policy.empty() && !kvcpu::serving::is_policy(options.policy)) {
        fmt::print(stderr, "kvcpu-replay: --policy: '{}' is not a policy\n", options.policy);
        return exit_bad_policy;
    }
    const std::vector<Request> requests =
        kvcpu::serving::read_trace_file(options.trace, options.requests);
    Json plan;
    if (options.plan || options.loopback) {
        plan = kvcpu::serving::plan_json(requests, options.fast_blocks, options.slow_blocks,
                                         options.scale, options.seed);
    }
    if (options.plan) {
        write_json("-", plan);
        return exit_ok;
    }
    const Json result = replay(options, requests, plan);
    if (options.json != "-") {
        kvcpu::serving::print_run(result);
    }
    if (!options.json.empty()) {
        write_json(options.json, result);
    }
    if (result["verification_failures"] != 0) {
        fmt::print(stderr, "kvcpu-replay: {} blocks did not hold what was written to them\n",
                   result["verification_failures"].dump());
        return exit_bad_result;
    }
    return exit_ok;
}

int run(int argc, char **argv) {
    CLI::App app("Replays a request trace as a serving runtime would use a KV-CPU.");
    Options options;
    define(app, options);
    int status = 0;
    return kvcpu::tools::parse(app, "kvcpu-replay", argc, argv, status) ? run(options) : status;
}

}  // namespace

int main(int argc, char **argv) {
    return kvcpu::serving::exit_code_of("kvcpu-replay", [&] { return run(argc, argv); });
}
