// SPDX-License-Identifier: MIT
#ifndef KVCPU_SIM_SWEEP_H
#define KVCPU_SIM_SWEEP_H

#include <string>
#include <vector>

#include "options.h"

namespace kvcpu::sim {

/* Points, one by one or all at once, here or elsewhere; docs/experiments.md says how. */
struct Sweep {
    std::string out;       // where results are kept; empty: nowhere, with `list` alone
    std::string list_out;  // --out of the listed commands; empty: `out`
    bool list = false;     // print a command line a point instead of running it
    bool quiet = false;    // no progress
    std::string program;   // as it was called
};

/*
 * Runs the points of which `results` (a file, a folder, or empty for none) has no run yet, with
 * progress on standard error, and returns all runs in the order of the points.
 */
std::vector<Json> run_kept(const std::vector<Point> &points, const Traces &traces, unsigned jobs,
                           const std::string &results, bool quiet);

/* Runs, or lists, the points that are not there yet. False if a block's content was wrong. */
bool sweep(const Options &options, const Sweep &how);

}  // namespace kvcpu::sim

#endif  // KVCPU_SIM_SWEEP_H
