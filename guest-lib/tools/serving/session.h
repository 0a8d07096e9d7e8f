// SPDX-License-Identifier: MIT
#ifndef KVCPU_SERVING_SESSION_H
#define KVCPU_SERVING_SESSION_H

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine.h"
#include "kvcpu/transport.h"
#include "report.h"
#include "trace.h"

namespace kvcpu::serving {

/* The settings of a replay, besides the device and the trace. */
struct Session {
    /* The policy to set, or empty for the one in force. A bound is no policy; `bound` has its name.
     */
    std::string policy;
    std::string bound;
    HintKinds hints;
    double scale = 0.4;
    uint64_t seed = 1;
    std::vector<std::string> without;   // the kinds that withhold() removed from `hints`
    std::string trace;                  // the name of its file
    std::string machine = "simulator";  // or "device", through the driver
    bool everything = false;            // the slow tier holds all blocks of the trace
    kv_cpu_weights weights = {KVCPU_WEIGHT_R_DEFAULT,     KVCPU_WEIGHT_F_DEFAULT,
                              KVCPU_WEIGHT_S_DEFAULT,     KVCPU_WEIGHT_D_DEFAULT,
                              KVCPU_EVICT_THRESH_DEFAULT, KVCPU_PREFETCH_THRESH_DEFAULT};
    Model model;
    /* Other processes use the device: its clock also runs while this process computes. */
    bool shared = false;
};

/*
 * Removes kinds of hints, given as a list with commas, for an ablation. Throws
 * std::invalid_argument that names an unknown word and the known ones. "none" and the empty list
 * remove nothing.
 */
void withhold(Session &session, const std::string &list);

/*
 * Runs one replay. The same settings give the same counts on every transport. Returns an element of
 * `runs` (docs/experiments.md). `started` is called with the engine before it runs, and `progress`
 * with the number of finished requests. Throws std::invalid_argument if the trace does not fit.
 */
nlohmann::ordered_json replay(Transport &transport, const std::vector<Request> &requests,
                              const Session &session,
                              const std::function<void(std::size_t)> &progress,
                              const std::function<void(const Engine &)> &started = {});

/* Returns a policy's name for its number. */
std::string policy_name(uint32_t number);
/* Throws std::invalid_argument that names it, and the policies there are. */
void check_policy(const std::string &name);

}  // namespace kvcpu::serving

#endif  // KVCPU_SERVING_SESSION_H
