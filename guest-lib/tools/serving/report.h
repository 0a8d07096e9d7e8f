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

/* What a run was made with. */
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
    bool bound = false;                // knows the future, which no device can
    bool oracle = false;               // is told what no runtime can know
    bool everything = false;           // the slow tier holds all that is ever asked for
};

/* An element of `runs`; the schema is in docs/experiments.md. Counters: after minus before. */
nlohmann::ordered_json run_json(const RunSettings &settings, const Figures &figures,
                                const std::vector<uint64_t> &counters);

/* The same for people, a figure a line with its JSON name. */
void print_run(const nlohmann::ordered_json &run);

/* Sizes that suit a trace, and the properties of a device with them. 0: choose. */
nlohmann::ordered_json plan_json(const std::vector<Request> &requests, uint64_t fast_blocks,
                                 uint64_t slow_blocks, double scale, uint64_t seed);

/* The device that such a plan wants, in this process. */
LoopbackConfig loopback_of(const nlohmann::ordered_json &plan);

}  // namespace kvcpu::serving

#endif  // KVCPU_SERVING_REPORT_H
