// SPDX-License-Identifier: MIT
#ifndef KVCPU_SIM_REPORT_COMMAND_H
#define KVCPU_SIM_REPORT_COMMAND_H

#include <string>
#include <vector>

#include "options.h"

namespace kvcpu::sim {

struct ReportCommand {
    std::vector<std::string> in;  // files of runs
    std::string out;              // the page
    std::string results;          // where simulated runs are kept for the next time; or empty
    bool quiet = false;
};

/*
 * Writes a page of the runs in files, and of those that a trace is simulated for. With a trace and
 * no other option the points are chosen to suit it: three fast tiers about the size the study's has
 * to its trace, an unbounded slow tier and one that is not, one seed, and an ablation.
 */
void report(Options options, const ReportCommand &how);

}  // namespace kvcpu::sim

#endif  // KVCPU_SIM_REPORT_COMMAND_H
