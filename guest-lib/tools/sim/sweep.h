// SPDX-License-Identifier: MIT
#ifndef KVCPU_SIM_SWEEP_H
#define KVCPU_SIM_SWEEP_H

#include <string>
#include <vector>

#include "options.h"

namespace kvcpu::sim {

/* How points are run or listed; docs/experiments.md explains it. */
struct Sweep {
    std::string out;       // where results are kept; may be empty with `list`
    std::string list_out;  // --out of the listed commands; empty: `out`
    bool list = false;     // print a command line for each point instead of running it
    bool quiet = false;    // no progress
    std::string program;   // the path that it was started with
};

/*
 * Runs the points of which `results` (a file, a folder, or empty for none) has no run yet, with
 * progress on standard error, and returns all runs in the order of the points.
 */
std::vector<Json> run_kept(const std::vector<Point> &points, const Traces &traces, unsigned jobs,
                           const std::string &results, bool quiet);

/* Runs or lists the points without a result. Returns false if a block's content was wrong. */
bool sweep(const Options &options, const Sweep &how);

}  // namespace kvcpu::sim

#endif  // KVCPU_SIM_SWEEP_H
