// SPDX-License-Identifier: MIT
#include "sweep.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "compare.h"
#include "results.h"

namespace kvcpu::sim {

namespace {

/* Returns the text as a word of a shell. */
std::string quoted(const std::string &text) {
    const bool plain = !text.empty() && text.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789_-+=./:,@%") == std::string::npos;
    if (plain) {
        return text;
    }
    std::string result = "'";
    for (const char byte : text) {
        result += byte == '\'' ? std::string("'\\''") : std::string(1, byte);
    }
    return result + "'";
}

/* Returns the command line of a sweep of one point. */
std::string command_line(const Point &point, const Sweep &how) {
    std::string line = fmt::format(
        "{} sweep --trace {} --policy {} --fast-blocks {} --slow-blocks {} --scale {} --seed {} "
        "--without {}",
        quoted(how.program), quoted(point.trace), quoted(point.player.name), point.fast_blocks,
        slow_text(point.slow_blocks), number_text(point.scale), point.seed,
        point.without.empty() ? "none" : point.without);
    if (point.requests != 0) {
        line += fmt::format(" --requests {}", point.requests);
    }
    line += point.content ? " --content" : "";
    return line + " --jobs 1 --quiet --out " +
           quoted(how.list_out.empty() ? how.out : how.list_out);
}

}  // namespace

std::vector<Json> run_kept(const std::vector<Point> &points, const Traces &traces, unsigned jobs,
                           const std::string &results, bool quiet) {
    Names names;
    Results kept(results.empty() ? "-" : results);
    auto known = kept.known();
    std::vector<Json> runs(points.size());
    std::vector<std::size_t> places;
    std::vector<Point> missing;
    for (std::size_t i = 0; i < points.size(); ++i) {
        const auto found = known.find(names.of(points[i]));
        if (found == known.end()) {
            places.push_back(i);
            missing.push_back(points[i]);
        } else {
            runs[i] = found->second;
        }
    }
    std::size_t done = points.size() - missing.size();
    if (!quiet && done > 0) {
        fmt::print(stderr, "{} of {} points have results already\n", done, points.size());
    }
    std::vector<Json> made =
        run_all(missing, traces, jobs, [&](const Point &point, const Json &run) {
            if (!results.empty()) {
                kept.add(names.of(point), run);
            }
            ++done;
            if (!quiet) {
                show_progress(done, points.size());
            }
        });
    for (std::size_t i = 0; i < made.size(); ++i) {
        runs[places[i]] = std::move(made[i]);
    }
    return runs;
}

bool sweep(const Options &options, const Sweep &how) {
    const std::vector<Point> points = points_of(options);
    if (how.list) {
        Names names;
        Results results(how.out.empty() ? "-" : how.out);
        results.mend();
        const auto known = results.known();
        for (const Point &point : points) {
            if (!known.contains(names.of(point))) {
                fmt::print("{}\n", command_line(point, how));
            }
        }
        return true;
    }
    const Traces traces(options.traces, options.requests);
    const std::vector<Json> runs = run_kept(points, traces, options.jobs, how.out, how.quiet);
    return std::all_of(runs.begin(), runs.end(),
                       [](const Json &run) { return run["verification_failures"] == 0; });
}

}  // namespace kvcpu::sim
