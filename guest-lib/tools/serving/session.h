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

/* What a replay is made with, besides the device and the trace. */
struct Session {
    /* Empty: the one in force. A bound, which is no policy of the device, has its own name. */
    std::string policy;
    std::string bound;
    HintKinds hints;
    double scale = 0.4;
    uint64_t seed = 1;
    std::vector<std::string> without;   // what withhold() took out of `hints`
    std::string trace;                  // the name of its file
    std::string machine = "simulator";  // or "device": one of its own, through the driver
    bool everything = false;            // the slow tier is as large as it ever needs to be
    kv_cpu_weights weights = {KVCPU_WEIGHT_R_DEFAULT,     KVCPU_WEIGHT_F_DEFAULT,
                              KVCPU_WEIGHT_S_DEFAULT,     KVCPU_WEIGHT_D_DEFAULT,
                              KVCPU_EVICT_THRESH_DEFAULT, KVCPU_PREFETCH_THRESH_DEFAULT};
    Model model;
    /* Others use the device, too: its clock runs while this process computes. */
    bool shared = false;
};

/*
 * Ablation: takes kinds of hints away, given as a list with commas. Throws std::invalid_argument
 * that names the word, and what there is. "none", and the empty list, take nothing.
 */
void withhold(Session &session, const std::string &list);

/*
 * One replay, on any transport: the same settings give the same counts on each. Returns an element
 * of `runs` (docs/experiments.md). `started` is given the engine before it runs, `progress` the
 * number of requests that have finished. Throws std::invalid_argument if the trace does not fit.
 */
nlohmann::ordered_json replay(Transport &transport, const std::vector<Request> &requests,
                              const Session &session,
                              const std::function<void(std::size_t)> &progress,
                              const std::function<void(const Engine &)> &started = {});

/* "lru" for its number. */
std::string policy_name(uint32_t number);
/* Throws std::invalid_argument that names it, and the policies there are. */
void check_policy(const std::string &name);

}  // namespace kvcpu::serving

#endif  // KVCPU_SERVING_SESSION_H
