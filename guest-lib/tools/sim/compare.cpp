// SPDX-License-Identifier: MIT
#include "compare.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>

namespace kvcpu::sim {

namespace {

/* Points between two lines of progress in a file. */
constexpr std::size_t progress_every = 10;

/* Sums over seeds, of which means are printed. */
struct Line {
    std::string name;
    double seeds = 0;
    double uses = 0;
    double fast = 0;
    double slow = 0;
    double recomputed = 0;
    double stall_total = 0;
    double stall_p99 = 0;
    double ttft_mean = 0;
    double ttft_p99 = 0;
    double in = 0;
    double out = 0;

    void add(const Json &run) {
        const auto value = [&run](const char *key) { return run[key].get<double>(); };
        seeds += 1;
        uses += value("block_uses");
        fast += value("fast");
        slow += value("slow");
        recomputed += value("recomputed");
        stall_total += value("stall_ns_total");
        stall_p99 += value("stall_ns_p99");
        ttft_mean += value("ttft_ns_mean");
        ttft_p99 += value("ttft_ns_p99");
        in += value("blocks_in");
        out += value("blocks_out");
    }
};

/* Figures are compared if these are equal: trace, tiers, scale. */
using Place = std::tuple<std::string, uint64_t, uint64_t, double>;

std::string variant_of(const Json &run) {
    std::string name;
    for (const Json &kind : run["without"]) {
        name += (name.empty() ? "" : ",") + kind.get<std::string>();
    }
    return name;
}

Line &line_of(std::vector<Line> &lines, const std::string &name) {
    auto line = lines.begin();
    while (line != lines.end() && line->name != name) {
        ++line;
    }
    return line == lines.end() ? lines.emplace_back(Line{.name = name}) : *line;
}

void print_lines(const std::vector<Line> &lines, std::FILE *to) {
    fmt::print(to, "{:<16}{:>8}{:>8}{:>8}{:>11}{:>8}{:>8}{:>10}{:>10}{:>10}{:>10}\n", "policy",
               "fast", "slow", "recomp", "stall s", "/ lru", "p99 ms", "ttft ms", "p99 ms", "in",
               "out");
    double lru_stall = 0;
    for (const Line &line : lines) {
        if (line.name == "lru") {
            lru_stall = line.stall_total / line.seeds;
        }
    }
    for (const Line &line : lines) {
        const double n = line.seeds;
        const double stall = line.stall_total / n;
        fmt::print(to,
                   "{:<16}{:>8.4f}{:>8.4f}{:>8.4f}{:>11.2f}{:>8}{:>8.1f}{:>10.0f}{:>10.0f}{:>10.0f}"
                   "{:>10.0f}\n",
                   line.name, line.fast / line.uses, line.slow / line.uses,
                   line.recomputed / line.uses, stall / 1e9,
                   lru_stall > 0 ? fmt::format("{:.3f}", stall / lru_stall) : "-",
                   line.stall_p99 / n / 1e6, line.ttft_mean / n / 1e6, line.ttft_p99 / n / 1e6,
                   line.in / n, line.out / n);
    }
}

/* A policy without some kinds of its hints. */
struct Ablation {
    std::string policy;
    std::string without;
    Line line;
};

Ablation &ablation_of(std::vector<Ablation> &ablations, const std::string &policy,
                      const std::string &without) {
    for (Ablation &one : ablations) {
        if (one.policy == policy && one.without == without) {
            return one;
        }
    }
    return ablations.emplace_back(Ablation{policy, without, {}});
}

/* Prints each ablation beside the same policy with all its hints. */
void print_ablations(const std::vector<Ablation> &ablations, const std::vector<Line> &whole,
                     std::FILE *to) {
    fmt::print(to, "\n{:<16}{:<28}{:>8}{:>11}{:>8}{:>8}{:>10}{:>8}{:>10}\n", "ablation", "without",
               "fast", "stall s", "/ all", "p99 ms", "ttft ms", "/ all", "in");
    for (const Ablation &one : ablations) {
        const Line &line = one.line;
        const auto all = std::find_if(whole.begin(), whole.end(), [&one](const Line &other) {
            return other.name == one.policy;
        });
        const auto ratio = [&](double Line::*figure) {
            return all == whole.end() || (*all).*figure == 0
                       ? std::string("-")
                       : fmt::format("{:.3f}",
                                     line.*figure / line.seeds / ((*all).*figure / all->seeds));
        };
        const double n = line.seeds;
        fmt::print(to, "{:<16}{:<28}{:>8.4f}{:>11.2f}{:>8}{:>8.1f}{:>10.0f}{:>8}{:>10.0f}\n",
                   one.policy, one.without, line.fast / line.uses, line.stall_total / n / 1e9,
                   ratio(&Line::stall_total), line.stall_p99 / n / 1e6, line.ttft_mean / n / 1e6,
                   ratio(&Line::ttft_mean), line.in / n);
    }
}

}  // namespace

std::vector<Json> run_all(const std::vector<Point> &points, const Traces &traces, unsigned jobs,
                          const std::function<void(const Point &, const Json &)> &done) {
    std::vector<Json> results(points.size());
    std::atomic<std::size_t> next = 0;
    std::mutex one_at_a_time;
    std::exception_ptr failure;
    const auto work = [&] {
        for (std::size_t i = next++; i < points.size(); i = next++) {
            try {
                results[i] = run(points[i], traces.at(points[i].trace));
                const std::scoped_lock lock(one_at_a_time);
                done(points[i], results[i]);
            } catch (...) {
                const std::scoped_lock lock(one_at_a_time);
                failure = failure ? failure : std::current_exception();
                next = points.size();
            }
        }
    };
    {
        std::vector<std::jthread> threads;
        for (unsigned i = 0; i < jobs; ++i) {
            threads.emplace_back(work);
        }
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
    return results;
}

void show_progress(std::size_t done, std::size_t all) {
    const bool is_last = done == all;
    if (::isatty(STDERR_FILENO) != 0) {
        fmt::print(stderr, "\r{} of {} points{}", done, all, is_last ? "\n" : "");
    } else if (is_last || done % progress_every == 0) {
        fmt::print(stderr, "{} of {} points\n", done, all);
    }
}

void print_table(const std::vector<Json> &runs, std::FILE *to) {
    std::map<Place, std::vector<Line>> tables;
    std::map<Place, std::vector<Ablation>> ablations;
    for (const Json &run : runs) {
        const Place place{run["trace"], run["fast_blocks"], run["slow_blocks"],
                          run["scale"].get<double>()};
        const std::string without = variant_of(run);
        if (without.empty()) {
            line_of(tables[place], run["policy"]).add(run);
        } else {
            ablation_of(ablations[place], run["policy"], without).line.add(run);
        }
    }
    for (const auto &[place, lines] : tables) {
        const auto &[trace, fast, slow, scale] = place;
        fmt::print(to, "\n{}: fast {} blocks, slow {} blocks, scale {}, {:.0f} seeds\n", trace,
                   fast, slow, scale, lines.front().seeds);
        print_lines(lines, to);
        if (ablations.contains(place)) {
            print_ablations(ablations[place], lines, to);
        }
    }
}

}  // namespace kvcpu::sim
