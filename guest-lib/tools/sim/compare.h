// SPDX-License-Identifier: MIT
#ifndef KVCPU_SIM_COMPARE_H
#define KVCPU_SIM_COMPARE_H

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "options.h"
#include "point.h"

namespace kvcpu::sim {

/* Runs all points, `jobs` at a time. `done` is called with each result, one at a time. */
std::vector<Json> run_all(const std::vector<Point> &points, const Traces &traces, unsigned jobs,
                          const std::function<void(const Point &, const Json &)> &done);

/* Shows the progress on standard error. On a terminal one line is overwritten. */
void show_progress(std::size_t done, std::size_t all);

/*
 * Prints a table for each trace, pair of tier sizes and scale. A policy has a line, with means over
 * the seeds. A second table shows the cost of withheld hints.
 */
void print_table(const std::vector<Json> &runs, std::FILE *to);

}  // namespace kvcpu::sim

#endif  // KVCPU_SIM_COMPARE_H
