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

/* What to simulate: every combination of these is a point. */
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

/* How many values an option takes, and what stands for those that are not given. */
enum class Extent : uint8_t { one, many };

/* Adds them to a sub-command. `trace_needed`: it can do nothing without one. */
void define(CLI::App &app, Options &options, Extent extent, bool trace_needed = true);
/* Fills in what was not said. */
void complete(Options &options, Extent extent);
/* All points. Throws std::invalid_argument that names what is wrong. */
std::vector<Point> points_of(const Options &options);

/* Traces by path, each read once; `requests`: the first ones alone. */
class Traces {
  public:
    Traces(const std::vector<std::string> &paths, std::size_t requests);

    [[nodiscard]] const std::vector<serving::Request> &at(const std::string &path) const {
        return requests_.at(path);
    }

  private:
    std::map<std::string, std::vector<serving::Request>> requests_;
};

/* A number as short as reads back the same. */
std::string number_text(double value);
/* `3000`, or `everything`. */
std::string slow_text(uint64_t blocks);

}  // namespace kvcpu::sim

#endif  // KVCPU_SIM_OPTIONS_H
