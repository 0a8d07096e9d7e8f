// SPDX-License-Identifier: MIT
#include "point.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>

#include "foresight.h"
#include "report.h"

namespace kvcpu::sim {

namespace {

/* Returns the next request that uses the block, of those that have not started. */
uint64_t next_use(const serving::Foresight &foresight, const serving::Engine &engine,
                  uint32_t block) {
    const std::optional<uint64_t> id = engine.hash_of(block);
    return id ? foresight.next_user(*id, engine.started()).value_or(UINT64_MAX) : UINT64_MAX;
}

}  // namespace

const std::vector<Player> &players() {
    static const std::vector<Player> all = {
        {.name = "lru", .policy = "lru", .hints = "none"},
        {.name = "arc", .policy = "arc", .hints = "none"},
        {.name = "hepc", .policy = "hepc", .hints = "all"},
        {.name = "next-use-alone", .policy = "next-use", .hints = "step"},
        {.name = "next-use", .policy = "next-use", .hints = "all"},
        {.name = "next-use+ends", .policy = "next-use", .hints = "all", .knows_session_ends = true},
        {.name = "min", .policy = "", .hints = "step"},
        {.name = "min+queue", .policy = "", .hints = "step,prefetchable"},
        {.name = "min+perfect", .policy = "", .hints = "step,prefetchable", .foreseen = 256},
    };
    return all;
}

const Player &player(const std::string &name) {
    std::string names;
    for (const Player &one : players()) {
        if (one.name == name) {
            return one;
        }
        names += " " + one.name;
    }
    throw std::invalid_argument("'" + name + "' is neither policy nor bound; there are" + names);
}

std::vector<std::string> kinds_of(const Player &player) {
    if (player.policy.empty()) {
        return {};
    }
    std::vector<std::string> kinds = serving::HintKinds::parse(player.hints).names();
    if (player.knows_session_ends) {
        kinds.emplace_back("release");
    }
    return kinds;
}

std::string withheld(const Player &player, const std::string &list) {
    serving::Session session;
    serving::withhold(session, list);
    std::string result;
    for (const std::string &kind : kinds_of(player)) {
        if (std::find(session.without.begin(), session.without.end(), kind) !=
            session.without.end()) {
            result += (result.empty() ? "" : ",") + kind;
        }
    }
    return result;
}

Json run(const Point &point, const std::vector<serving::Request> &requests) {
    const Json plan =
        serving::plan_json(requests, point.fast_blocks, point.slow_blocks, point.scale, point.seed);
    const bool bound = point.player.policy.empty();
    const serving::Foresight foresight(requests);
    const serving::Engine *engine = nullptr;

    LoopbackConfig config = serving::loopback_of(plan);
    config.content = point.content;
    if (bound) {
        config.next_use = [&](uint32_t block) { return next_use(foresight, *engine, block); };
    }
    const std::unique_ptr<Transport> transport = make_loopback_transport(config);

    serving::Session session;
    session.policy = point.player.policy;
    session.bound = bound ? point.player.name : "";
    session.hints = serving::HintKinds::parse(point.player.hints);
    session.scale = point.scale;
    session.seed = point.seed;
    session.weights.evict_thresh = 0;
    session.weights.prefetch_thresh = 0xc800;
    session.model.content = point.content;
    session.model.foreseen = point.player.foreseen;
    session.model.cached = !bound;
    if (point.player.knows_session_ends) {
        session.model.ends = {.recall = 0.8, .false_alarms = 0.1, .foresight = &foresight};
    }
    serving::withhold(session, point.without);
    session.trace = std::filesystem::path(point.trace).filename().string();
    session.everything = point.slow_blocks == 0;
    Json result = serving::replay(
        *transport, requests, session, [](std::size_t) {},
        [&](const serving::Engine &started) { engine = &started; });
    result["policy"] = point.player.name;
    result["oracle"] = bound || point.player.knows_session_ends;
    return result;
}

}  // namespace kvcpu::sim
