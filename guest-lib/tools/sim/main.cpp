// SPDX-License-Identifier: MIT
// kvcpu-sim: runs the replays of kvcpu-replay on devices in this process, many at once.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "command_line.h"
#include "compare.h"
#include "exit.h"
#include "options.h"
#include "output.h"
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
    kvcpu::tools::LineOutput lines(json);
    std::size_t done = 0;
    const std::vector<Json> runs =
        kvcpu::sim::run_all(points, traces, options.jobs, [&](const Point &, const Json &run) {
            lines.add(run.dump() + '\n');
            if (extent == Extent::many) {
                kvcpu::sim::show_progress(++done, points.size());
            }
        });
    lines.close();
    if (json != "-") {
        kvcpu::sim::print_table(runs, stdout);
    }
    const bool right = std::all_of(runs.begin(), runs.end(), [](const Json &run) {
        return run["verification_failures"] == 0;
    });
    return right ? exit_ok : exit_bad_result;
}

/* The options of the sub-commands. */
struct Commands {
    Options options;
    std::string json;
    kvcpu::sim::Sweep sweep;
    kvcpu::sim::ReportCommand report;
};

void define_commands(CLI::App &app, Commands &commands) {
    CLI::App *one = app.add_subcommand("run", "run one simulation");
    CLI::App *compare =
        app.add_subcommand("compare", "compare all policies and bounds, in a table");
    define(*one, commands.options, Extent::one);
    define(*compare, commands.options, Extent::many);
    for (CLI::App *command : {one, compare}) {
        command
            ->add_option("--json", commands.json,
                         "file to which a line of JSON is appended for each simulation; - is "
                         "standard output")
            ->check(kvcpu::tools::output_path());
    }

    CLI::App *sweep =
        app.add_subcommand("sweep", "run every combination of the options; resumable");
    define(*sweep, commands.options, Extent::many);
    sweep
        ->add_option("--out", commands.sweep.out,
                     "file of JSON lines for the results, or folder/ with a file for each point; - "
                     "is standard output")
        ->required()
        ->check(kvcpu::tools::output_path(true));
    sweep->add_flag("--list", commands.sweep.list,
                    "run nothing: print a command line for each point that has no result yet");
    sweep->add_option("--list-out", commands.sweep.list_out, "--out of those command lines")
        ->default_str("the value of --out");
    sweep->add_flag("--quiet", commands.sweep.quiet, "show no progress");

    CLI::App *report = app.add_subcommand("report", "write one HTML page that shows all runs");
    define(*report, commands.options, Extent::many, false);
    for (const char *chosen : {"--fast-blocks", "--slow-blocks"}) {
        report->get_option(chosen)->default_str("chosen from the trace");
    }
    report->get_option("--seed")->default_str("1");
    report->add_option("--in", commands.report.in,
                       "files of runs, written by sweep, compare --json or demo --json");
    report->add_option("--out", commands.report.out, "file for the page")
        ->required()
        ->check(kvcpu::tools::output_path());
    report
        ->add_option("--results", commands.report.results,
                     "file or folder/ that keeps what is simulated, as sweep --out does")
        ->check(kvcpu::tools::output_path(true));
    report->add_flag("--quiet", commands.report.quiet, "show no progress");
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
        "Exit status: 0 done; 1 failed; 2 a wrong option; 89 bad trace; 91 sizes do not fit; "
        "92 a block's content was wrong.");
    kvcpu::tools::set_up(app);
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
