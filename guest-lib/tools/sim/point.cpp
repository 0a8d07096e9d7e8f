// SPDX-License-Identifier: MIT
#include "point.h"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <unordered_map>

#include "report.h"

namespace kvcpu::sim {

namespace {

/* Which requests use a block, in the order in which they start. */
class Foresight {
  public:
    explicit Foresight(const std::vector<replay::Request> &requests) {
        for (uint32_t number = 0; number < requests.size(); ++number) {
            for (const uint64_t id : requests[number].hash_ids) {
                users_[id].push_back(number);
            }
        }
    }

    /* The next request that uses it, of those that have not started. */
    [[nodiscard]] uint64_t next_use(const replay::Engine &engine, uint32_t block) const {
        const std::optional<uint64_t> id = engine.hash_of(block);
        const auto found = id ? users_.find(*id) : users_.end();
        if (found == users_.end()) {
            return UINT64_MAX;
        }
        const auto next =
            std::lower_bound(found->second.begin(), found->second.end(), engine.started());
        return next == found->second.end() ? UINT64_MAX : *next;
    }

  private:
    std::unordered_map<uint64_t, std::vector<uint32_t>> users_;
};

}  // namespace

const std::vector<Player> &players() {
    static const std::vector<Player> all = {
        {.name = "lru", .policy = "lru", .hints = "none"},
        {.name = "arc", .policy = "arc", .hints = "none"},
        {.name = "hepc", .policy = "hepc", .hints = "all"},
        {.name = "next-use-alone", .policy = "next-use", .hints = "step"},
        {.name = "next-use", .policy = "next-use", .hints = "all"},
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

Json run(const Point &point, const std::vector<replay::Request> &requests) {
    const Json plan =
        replay::plan_json(requests, point.fast_blocks, point.slow_blocks, point.scale, point.seed);
    const bool bound = point.player.policy.empty();
    std::unique_ptr<Foresight> foresight;
    const replay::Engine *engine = nullptr;

    LoopbackConfig config;
    config.block_size = plan["block_size"];
    config.fast_blocks = plan["fast_blocks"];
    config.slow_blocks = plan["slow_blocks"];
    config.dma_channels = plan["dma_channels"];
    config.dma_latency_ns = plan["dma_latency_ns"];
    config.dma_bandwidth = plan["dma_bandwidth"];
    config.content = point.content;
    if (bound) {
        foresight = std::make_unique<Foresight>(requests);
        config.next_use = [&](uint32_t block) { return foresight->next_use(*engine, block); };
    }
    const std::unique_ptr<Transport> transport = make_loopback_transport(config);

    replay::Session session;
    session.policy = point.player.policy;
    session.bound = bound ? point.player.name : "";
    session.hints = replay::HintKinds::parse(point.player.hints);
    session.scale = point.scale;
    session.seed = point.seed;
    session.weights.evict_thresh = 0;
    session.weights.prefetch_thresh = 0xc800;
    session.model.content = point.content;
    session.model.foreseen = point.player.foreseen;
    Json result = replay::replay(
        *transport, requests, session, [](std::size_t) {},
        [&](const replay::Engine &started) { engine = &started; });
    result["policy"] = point.player.name;
    return result;
}

}  // namespace kvcpu::sim
