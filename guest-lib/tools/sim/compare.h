// SPDX-License-Identifier: MIT
#ifndef KVCPU_SIM_COMPARE_H
#define KVCPU_SIM_COMPARE_H

#include <cstdio>
#include <string>
#include <vector>

#include "point.h"

namespace kvcpu::sim {

/* Runs all, `jobs` at a time, and hands each result over as it comes, one at a time. */
std::vector<Json> run_all(const std::vector<Point> &points,
                          const std::vector<replay::Request> &requests, unsigned jobs,
                          const std::function<void(const Json &)> &done);

/* A table a pair of tier sizes and scale: a line a policy, figures averaged over the seeds. */
void print_table(const std::vector<Json> &runs, std::FILE *to);

}  // namespace kvcpu::sim

#endif  // KVCPU_SIM_COMPARE_H
