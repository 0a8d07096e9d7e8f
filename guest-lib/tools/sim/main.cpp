// SPDX-License-Identifier: MIT
// kvcpu-sim: the replay of kvcpu-replay, on devices in this process, many at once.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>

#include "command_line.h"
#include "compare.h"
#include "exit.h"
#include "options.h"
#include "point.h"
#include "report_command.h"
#include "sweep.h"
#include "trace.h"

namespace {

using kvcpu::serving::exit_bad_result;
using kvcpu::serving::exit_ok;
using kvcpu::sim::Extent;
using kvcpu::sim::Json;
using kvcpu::sim::Options;
using kvcpu::sim::Point;

int simulate(Options &options, Extent extent, const std::string &json) {
    complete(options, extent);
    const std::vector<Point> points = points_of(options);
    const kvcpu::sim::Traces traces(options.traces, options.requests);
    std::ofstream file;
    if (!json.empty() && json != "-") {
        file.open(json, std::ios::app);
    }
    std::ostream &lines = json == "-" ? std::cout : file;
    std::size_t done = 0;
    const std::vector<Json> runs =
        kvcpu::sim::run_all(points, traces, options.jobs, [&](const Point &, const Json &run) {
            if (!json.empty()) {
                lines << run.dump() << '\n' << std::flush;
            }
            if (extent == Extent::many) {
                kvcpu::sim::show_progress(++done, points.size());
            }
        });
    if (!json.empty() && !lines) {
        throw std::runtime_error(json + ": cannot be written");
    }
    if (json != "-") {
        kvcpu::sim::print_table(runs, stdout);
    }
    const bool right = std::all_of(runs.begin(), runs.end(), [](const Json &run) {
        return run["verification_failures"] == 0;
    });
    return right ? exit_ok : exit_bad_result;
}

/* What the sub-commands were given. */
struct Commands {
    Options options;
    std::string json;
    kvcpu::sim::Sweep sweep;
    kvcpu::sim::ReportCommand report;
};

void define_commands(CLI::App &app, Commands &commands) {
    CLI::App *one = app.add_subcommand("run", "one simulation");
    CLI::App *compare = app.add_subcommand("compare", "all policies and bounds, in a table");
    define(*one, commands.options, Extent::one);
    define(*compare, commands.options, Extent::many);
    for (CLI::App *command : {one, compare}) {
        command->add_option("--json", commands.json,
                            "a line of JSON a simulation, to this file (-: stdout)");
    }

    CLI::App *sweep = app.add_subcommand("sweep", "every combination of the options, resumable");
    define(*sweep, commands.options, Extent::many);
    sweep
        ->add_option("--out", commands.sweep.out,
                     "results: a file of JSON lines, or a folder/ with a file a point (-: stdout)")
        ->required();
    sweep->add_flag("--list", commands.sweep.list,
                    "run nothing: print a command line for each point that is not there yet");
    sweep->add_option("--list-out", commands.sweep.list_out, "--out of those command lines");
    sweep->add_flag("--quiet", commands.sweep.quiet, "no progress");

    CLI::App *report = app.add_subcommand("report", "one HTML page that shows all");
    define(*report, commands.options, Extent::many, false);
    report->add_option("--in", commands.report.in,
                       "runs: files as sweep, compare --json or demo --json write them");
    report->add_option("--out", commands.report.out, "the page")->required();
    report->add_option("--results", commands.report.results,
                       "keep what is simulated there, as sweep --out does");
    report->add_flag("--quiet", commands.report.quiet, "no progress");
}

int carry_out(const CLI::App &app, Commands &commands) {
    const auto is = [&app](const char *name) { return app.got_subcommand(name); };
    if (is("sweep")) {
        complete(commands.options, Extent::many);
        return kvcpu::sim::sweep(commands.options, commands.sweep) ? exit_ok : exit_bad_result;
    }
    if (is("report")) {
        kvcpu::sim::report(commands.options, commands.report);
        return exit_ok;
    }
    return simulate(commands.options, is("compare") ? Extent::many : Extent::one, commands.json);
}

int run(int argc, char **argv) {
    CLI::App app("Replays a request trace on simulated KV-CPUs, under policies and bounds.");
    app.require_subcommand(1);
    app.footer(
        "Exit status: 0 done; 1 failed; 89 bad trace; 91 sizes do not fit, or no such policy; "
        "92 a block's content was wrong; 2 a wrong option.");
    Commands commands;
    commands.sweep.program = argv[0];
    define_commands(app, commands);
    int status = 0;
    return kvcpu::tools::parse(app, "kvcpu-sim", argc, argv, status) ? carry_out(app, commands)
                                                                     : status;
}

}  // namespace

int main(int argc, char **argv) {
    return kvcpu::serving::exit_code_of("kvcpu-sim", [&] { return run(argc, argv); });
}
