// SPDX-License-Identifier: MIT
#include "session.h"

#include <fmt/core.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace kvcpu::serving {

namespace {

/* Throws if the trace does not fit into the device. */
void check_sizes(const kvcpu_info &info, const std::vector<Request> &requests) {
    const uint64_t largest = facts_of(requests).largest_request;
    if (largest > info.fast_slots || largest > info.blocks) {
        throw std::invalid_argument(
            fmt::format("a request of this trace needs {} blocks at once; the device has {} fast "
                        "and {} in all",
                        largest, info.fast_slots, info.blocks));
    }
}

}  // namespace

std::string policy_name(uint32_t number) {
    switch (number) {
#define NAME(name, value, text) \
    case value:                 \
        return text;
        KVCPU_POLICIES(NAME)
#undef NAME
        default:
            return std::to_string(number);
    }
}

void check_policy(const std::string &name) {
    std::string names;
#define NAME(policy, value, text) \
    if (name == (text)) {         \
        return;                   \
    }                             \
    names += (names.empty() ? "" : ", ") + std::string(text);
    KVCPU_POLICIES(NAME)
#undef NAME
    throw std::invalid_argument("'" + name + "' is not a policy; there are " + names);
}

void withhold(Session &session, const std::string &list) {
    std::istringstream words(list);
    for (std::string word; std::getline(words, word, ',');) {
        if (word == "prefetch" || word == "prefetchable") {
            session.hints.prefetchable = false;
            word = "prefetchable";
        } else if (word == "step") {
            session.hints.step = false;
        } else if (word == "evictable") {
            session.hints.evictable = false;
        } else if (word == "share") {
            session.hints.share = false;
        } else if (word == "release") {
            session.model.ends = {};
        } else if (word == "none") {
            continue;
        } else if (word != "hot") { /* the serving model never gives HOT */
            throw std::invalid_argument("'" + word + "' is no kind of hint; there are " +
                                        "step, hot, prefetch, evictable, release, share");
        }
        if (std::find(session.without.begin(), session.without.end(), word) ==
            session.without.end()) {
            session.without.push_back(word);
        }
    }
}

nlohmann::ordered_json replay(Transport &transport, const std::vector<Request> &requests,
                              const Session &session,
                              const std::function<void(std::size_t)> &progress,
                              const std::function<void(const Engine &)> &started) {
    /* With a stopped clock the counts do not depend on the machine's speed and equal a loopback's.
     */
    if (!session.shared) {
        transport.stop_clock_between_waits();
    }
    if (!session.policy.empty()) {
        transport.set_policy(session.policy);
    }
    transport.set_weights(session.weights);
    transport.restart_event_log();
    const std::vector<uint64_t> before = transport.counters();
    const kvcpu_info info = transport.info();
    check_sizes(info, requests);

    Engine engine(transport, session.model, requests,
                  arrival_times(requests, session.scale, session.seed), session.hints,
                  session.seed);
    if (started) {
        started(engine);
    }
    const Figures figures = engine.run(progress);
    std::vector<uint64_t> counters = transport.counters();
    for (std::size_t i = 0; i < counters.size(); ++i) {
        counters[i] -= before[i];
    }
    return run_json({.policy = session.bound.empty() ? policy_name(info.policy) : session.bound,
                     .hints = session.hints,
                     .fast_blocks = info.fast_slots,
                     .slow_blocks = info.blocks,
                     .scale = session.scale,
                     .seed = session.seed,
                     .without = session.without,
                     .trace = session.trace,
                     .machine = session.machine,
                     .bound = !session.bound.empty(),
                     .oracle = !session.bound.empty() || session.model.foreseen > 0 ||
                               session.model.ends.foresight != nullptr,
                     .everything = session.everything},
                    figures, counters);
}

}  // namespace kvcpu::serving
