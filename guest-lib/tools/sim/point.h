// SPDX-License-Identifier: MIT
#ifndef KVCPU_SIM_POINT_H
#define KVCPU_SIM_POINT_H

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "session.h"
#include "trace.h"

namespace kvcpu::sim {

using Json = nlohmann::ordered_json;

/* A policy with the hints that a runtime gives it, and those that an oracle adds. */
struct Player {
    std::string name;    // as in the table and in the JSON
    std::string policy;  // of the device; empty for a bound
    std::string hints;
    std::size_t foreseen = 0;  // an oracle: requests that have not arrived, of which it is told
    bool knows_session_ends =
        false;  // an oracle: which sessions are over; recall .8, false alarms .1
};

/* Returns all policies, each with the hints that suit it, and then all bounds. */
const std::vector<Player> &players();
/* Throws std::invalid_argument that has the unknown name and all known ones. */
const Player &player(const std::string &name);

/* Returns the kinds of hints that a policy gets. A bound is no policy and has none. */
std::vector<std::string> kinds_of(const Player &player);
/*
 * Returns those kinds of a list with commas that the player gets, in the order of kinds_of(), so
 * that lists with the same effect are equal. Throws std::invalid_argument for an unknown kind.
 */
std::string withheld(const Player &player, const std::string &list);

/* One simulation. */
struct Point {
    std::string trace;         // its path
    std::size_t requests = 0;  // the number of requests to replay; 0: all
    Player player;
    uint64_t fast_blocks = 3000;
    uint64_t slow_blocks = 0;  // 0: all blocks of the trace
    double scale = 0.4;
    uint64_t seed = 1;
    std::string without;  // the withheld kinds of hints, from withheld()
    bool content = false;
};

/* Runs a simulation, and returns an element of `runs`. */
Json run(const Point &point, const std::vector<serving::Request> &requests);

}  // namespace kvcpu::sim

#endif  // KVCPU_SIM_POINT_H
