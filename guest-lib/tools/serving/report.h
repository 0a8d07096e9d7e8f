// SPDX-License-Identifier: MIT
#ifndef KVCPU_SERVING_REPORT_H
#define KVCPU_SERVING_REPORT_H

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine.h"
#include "kvcpu/transport.h"
#include "trace.h"

namespace kvcpu::serving {

/* The settings of a run. */
struct RunSettings {
    std::string policy;
    HintKinds hints;
    uint64_t fast_blocks = 0;
    uint64_t slow_blocks = 0;
    double scale = 0.4;
    uint64_t seed = 1;
    std::vector<std::string> without;  // kinds of hints that were withheld
    std::string trace;                 // its file's name
    std::string machine;               // "device" or "simulator"
    bool bound = false;                // the bound knows the future
    bool oracle = false;               // hints use what no runtime can know
    bool everything = false;           // the slow tier holds all blocks of the trace
};

/* Returns an element of `runs` (docs/experiments.md). `counters` are differences over the run. */
nlohmann::ordered_json run_json(const RunSettings &settings, const Figures &figures,
                                const std::vector<uint64_t> &counters);

/* Prints a run for people: each figure on a line, with its JSON name. */
void print_run(const nlohmann::ordered_json &run);

/* Returns sizes that suit a trace, and the properties of such a device. A size of 0 is chosen. */
nlohmann::ordered_json plan_json(const std::vector<Request> &requests, uint64_t fast_blocks,
                                 uint64_t slow_blocks, double scale, uint64_t seed);

/* Returns the settings of a device in this process for such a plan. */
LoopbackConfig loopback_of(const nlohmann::ordered_json &plan);

}  // namespace kvcpu::serving

#endif  // KVCPU_SERVING_REPORT_H
