// SPDX-License-Identifier: MIT
#ifndef KVCPU_SIM_OPTIONS_H
#define KVCPU_SIM_OPTIONS_H

#include <CLI/App.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "point.h"
#include "trace.h"

namespace kvcpu::sim {

/* The values to simulate. Every combination of them is a point. */
struct Options {
    std::vector<std::string> traces;
    std::size_t requests = 0;
    std::vector<std::string> policies;
    std::vector<uint64_t> fast_blocks;
    std::vector<std::string> slow_blocks;
    std::vector<double> scales;
    std::vector<uint64_t> seeds;
    std::vector<std::string> without;
    bool ablation = false;
    bool content = false;
    unsigned jobs = 1;
};

/* Whether options take one value or many, and which defaults they have. */
enum class Extent : uint8_t { one, many };

/* Adds the options to a sub-command. `trace_needed`: the trace is required. */
void define(CLI::App &app, Options &options, Extent extent, bool trace_needed = true);
/* Fills in the defaults of options that were not given. */
void complete(Options &options, Extent extent);
/* Returns all points. */
std::vector<Point> points_of(const Options &options);

/* Traces by path, each of which is read once, up to a number of requests. */
class Traces {
  public:
    Traces(const std::vector<std::string> &paths, std::size_t requests);

    [[nodiscard]] const std::vector<serving::Request> &at(const std::string &path) const {
        return requests_.at(path);
    }

  private:
    std::map<std::string, std::vector<serving::Request>> requests_;
};

/* Returns the shortest text that reads back as the same number. */
std::string number_text(double value);
/* Returns a number of blocks as text, or `everything` for 0. */
std::string slow_text(uint64_t blocks);

}  // namespace kvcpu::sim

#endif  // KVCPU_SIM_OPTIONS_H
