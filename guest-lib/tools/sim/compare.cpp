// SPDX-License-Identifier: MIT
#include "compare.h"

#include <fmt/core.h>

#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>

namespace kvcpu::sim {

namespace {

/* Sums over seeds; what is printed are means. */
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
        name = run["policy"];
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

using Place = std::tuple<uint64_t, uint64_t, double>;

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

}  // namespace

std::vector<Json> run_all(const std::vector<Point> &points,
                          const std::vector<replay::Request> &requests, unsigned jobs,
                          const std::function<void(const Json &)> &done) {
    std::vector<Json> results(points.size());
    std::atomic<std::size_t> next = 0;
    std::mutex one_at_a_time;
    std::exception_ptr failure;
    const auto work = [&] {
        for (std::size_t i = next++; i < points.size(); i = next++) {
            try {
                results[i] = run(points[i], requests);
                const std::scoped_lock lock(one_at_a_time);
                done(results[i]);
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

void print_table(const std::vector<Json> &runs, std::FILE *to) {
    std::map<Place, std::vector<Line>> tables;
    for (const Json &run : runs) {
        std::vector<Line> &lines =
            tables[{run["fast_blocks"], run["slow_blocks"], run["scale"].get<double>()}];
        const std::string name = run["policy"];
        auto line = lines.begin();
        while (line != lines.end() && line->name != name) {
            ++line;
        }
        if (line == lines.end()) {
            line = lines.insert(lines.end(), Line{});
        }
        line->add(run);
    }
    for (const auto &[place, lines] : tables) {
        const auto &[fast, slow, scale] = place;
        fmt::print(to, "\nfast {} blocks, slow {} blocks, scale {}, {:.0f} seeds\n", fast, slow,
                   scale, lines.front().seeds);
        print_lines(lines, to);
    }
}

}  // namespace kvcpu::sim
