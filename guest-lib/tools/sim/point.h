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

/* A policy as it is used: what a runtime says to it, and what an oracle says beyond. */
struct Player {
    std::string name;    // as in the table and in the JSON
    std::string policy;  // of the device; empty for a bound
    std::string hints;
    std::size_t foreseen = 0;  // an oracle: requests that have not arrived, of which it is told
    bool knows_session_ends =
        false;  // an oracle: which sessions are over; recall .8, false alarms .1
};

/* All that there are: policies, each with the hints that suit it, then bounds. */
const std::vector<Player> &players();
/* Throws std::invalid_argument that names it, and what there is. */
const Player &player(const std::string &name);

/* The kinds of hints that a policy is given; none of a bound, which is no policy. */
std::vector<std::string> kinds_of(const Player &player);
/*
 * Of a list of kinds with commas, those that the player is given, in the order of kinds_of(): two
 * lists that take the same from it are one. Throws std::invalid_argument for what is no kind.
 */
std::string withheld(const Player &player, const std::string &list);

/* One simulation. */
struct Point {
    std::string trace;         // its path
    std::size_t requests = 0;  // of the trace, the first ones alone; 0: all
    Player player;
    uint64_t fast_blocks = 3000;
    uint64_t slow_blocks = 0;  // 0: as many as are ever asked for
    double scale = 0.4;
    uint64_t seed = 1;
    std::string without;  // kinds of hints withheld: withheld() of the player
    bool content = false;
};

/* Runs it: an element of `runs`. */
Json run(const Point &point, const std::vector<serving::Request> &requests);

}  // namespace kvcpu::sim

#endif  // KVCPU_SIM_POINT_H
