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

/* Runs all, `jobs` at a time, and hands each result over as it comes, one at a time. */
std::vector<Json> run_all(const std::vector<Point> &points, const Traces &traces, unsigned jobs,
                          const std::function<void(const Point &, const Json &)> &done);

/* How far it is, on standard error: a line that renews itself on a terminal. */
void show_progress(std::size_t done, std::size_t all);

/*
 * A table for each trace, pair of tier sizes and scale: a line a policy, figures averaged over the
 * seeds. Behind it, where hints were withheld, what that cost.
 */
void print_table(const std::vector<Json> &runs, std::FILE *to);

}  // namespace kvcpu::sim

#endif  // KVCPU_SIM_COMPARE_H
