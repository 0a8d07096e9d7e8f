// SPDX-License-Identifier: MIT
// kvcpu-replay: a serving runtime's memory behaviour, from a request trace, on a KV-CPU.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "command_line.h"
#include "exit.h"
#include "output.h"
#include "report.h"
#include "session.h"
#include "trace.h"

namespace {

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
    std::string without = "none";
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
    const auto add = [&app](const char *name, uint32_t &value, const char *what) {
        kvcpu::tools::whole_number(app.add_option(name, value, what), "a number", 0, UINT32_MAX);
    };
    add("--w-r", options.weights.w_r, "score weight of recency");
    add("--w-f", options.weights.w_f, "score weight of frequency");
    add("--w-s", options.weights.w_s, "score weight of step age");
    add("--w-d", options.weights.w_d, "score weight of sharing");
    add("--evict-thresh", options.weights.evict_thresh, "score below which a block is demoted");
    add("--prefetch-thresh", options.weights.prefetch_thresh,
        "score above which a block is promoted");
}

void define_hints(CLI::App &app, Options &options) {
    app.add_option("--policy", options.policy, "placement policy to set")
        ->default_str("the device's present one")
        ->check(kvcpu::tools::accepted_by(kvcpu::serving::check_policy));
    app.add_option("--hints", options.hints,
                   "kinds of hints to give: none, all, or a list of "
                   "step,prefetchable,evictable,share")
        ->capture_default_str()
        ->check(kvcpu::tools::accepted_by(kvcpu::serving::HintKinds::parse));
    app.add_option("--without", options.without,
                   "kinds of hints to withhold from --hints, for an ablation: none, or a list of "
                   "step,hot,prefetch,evictable,release,share")
        ->capture_default_str()
        ->check(kvcpu::tools::accepted_by([](const std::string &text) {
            kvcpu::serving::Session session;
            kvcpu::serving::withhold(session, text);
        }));
}

void define_sizes(CLI::App &app, Options &options) {
    const auto add = [&app](const char *name, uint64_t &value, const char *what) {
        kvcpu::tools::whole_number(app.add_option(name, value, what), "a number of blocks", 0,
                                   KVCPU_BLOCKS_MAX)
            ->default_str("0, chosen from the trace");
    };
    add("--fast-blocks", options.fast_blocks, "blocks of the fast tier, for --loopback and --plan");
    add("--slow-blocks", options.slow_blocks, "blocks of the slow tier, for --loopback and --plan");
}

void define(CLI::App &app, Options &options) {
    app.add_option("TRACE", options.trace,
                   "JSON lines of timestamp, input_length, output_length, hash_ids")
        ->required();
    kvcpu::tools::whole_number(
        app.add_option("--requests", options.requests, "replay only this number of requests"),
        "a number of requests", 0, UINT32_MAX)
        ->default_str("0, all requests");
    kvcpu::tools::trace_scale(app.add_option(
        "--scale", options.scale, "factor by which arrival times are divided: more is more load"));
    kvcpu::tools::random_seed(
        app.add_option("--seed", options.seed, "seed of arrivals and block contents"));
    define_hints(app, options);
    app.add_option("--device", options.device, "device node")
        ->capture_default_str()
        ->check(kvcpu::tools::accepted_by([](const std::string &) {}));
    app.add_flag("--loopback", options.loopback,
                 "use a device in this process, in its own virtual time");
    define_sizes(app, options);
    app.add_flag("--cached", options.cached,
                 "let the device reclaim cached blocks when its space is full; without this option "
                 "the replay frees blocks");
    define_weights(app, options);
    app.add_option("--json", options.json, "file for the figures; - is standard output")
        ->check(kvcpu::tools::output_path());
    app.add_flag("--plan", options.plan, "run nothing: print sizes that suit the trace, as JSON");
    app.add_flag("--shared", options.shared,
                 "do not stop the device's clock, since other processes use the device; counts "
                 "then depend on this process's speed");
    app.add_flag("--progress", options.progress,
                 "print the number of finished requests to standard error");
    app.footer(
        "Exit status: 0 done; 1 failed; 2 a wrong option; 89 bad trace; 91 sizes do not fit; "
        "92 a block's content was wrong.");
}

std::unique_ptr<kvcpu::Transport> open_transport(const Options &options, const Json &plan) {
    if (!options.loopback) {
        return kvcpu::open_kernel_transport(options.device);
    }
    return kvcpu::make_loopback_transport(kvcpu::serving::loopback_of(plan));
}

void write_json(const std::string &path, const Json &json) {
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
    kvcpu::tools::set_up(app);
    Options options;
    define(app, options);
    int status = 0;
    return kvcpu::tools::parse(app, "kvcpu-replay", argc, argv, status) ? run(options) : status;
}

}  // namespace

int main(int argc, char **argv) {
    return kvcpu::serving::exit_code_of("kvcpu-replay", [&] { return run(argc, argv); });
}
