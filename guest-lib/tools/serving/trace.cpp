// SPDX-License-Identifier: MIT
#include "trace.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <unordered_set>

namespace kvcpu::serving {

namespace {

using Json = nlohmann::json;

constexpr uint64_t tick_ms = 3000;
constexpr uint64_t tokens_max = uint64_t{1} << 32;

constexpr uint64_t blocks_for(uint64_t tokens) {
    return (tokens + tokens_per_block - 1) / tokens_per_block;
}

/* A place in the input, for messages. */
struct Place {
    const std::string &name;
    std::size_t line;

    [[noreturn]] void fail(const std::string &what) const {
        throw TraceError(name + ":" + std::to_string(line) + ": " + what);
    }
};

uint64_t number(const Json &object, const char *key, const Place &place) {
    const auto found = object.find(key);
    if (found == object.end()) {
        place.fail(std::string("has no \"") + key + "\"");
    }
    if (!found->is_number_unsigned() || found->get<uint64_t>() >= tokens_max) {
        place.fail(std::string("\"") + key + "\" is " + found->dump() +
                   ", not a whole number from 0 to 4294967295");
    }
    return found->get<uint64_t>();
}

std::vector<uint64_t> hash_ids(const Json &object, const Place &place) {
    const auto found = object.find("hash_ids");
    if (found == object.end() || !found->is_array()) {
        place.fail("has no list \"hash_ids\"");
    }
    std::vector<uint64_t> ids;
    ids.reserve(found->size());
    for (const Json &id : *found) {
        if (!id.is_number_unsigned()) {
            place.fail("\"hash_ids\" holds " + id.dump() + ", not a whole number");
        }
        ids.push_back(id.get<uint64_t>());
    }
    return ids;
}

/* Refuses an object that has a key twice; the parser alone would use the second one. */
Json parse_json(const std::string &line, const Place &place) {
    std::set<std::string> keys;
    const auto look = [&](int depth, Json::parse_event_t event, const Json &parsed) {
        if (event == Json::parse_event_t::key && depth == 1 &&
            !keys.insert(parsed.get<std::string>()).second) {
            place.fail("has " + parsed.dump() + " twice");
        }
        return true;
    };
    return Json::parse(line, look, false);
}

Request parse(const std::string &line, const Place &place) {
    const Json object = parse_json(line, place);
    if (object.is_discarded()) {
        place.fail("is not JSON (cut short?): " + line.substr(0, 60));
    }
    if (!object.is_object()) {
        place.fail("is not a JSON object");
    }
    Request request;
    request.timestamp_ms = number(object, "timestamp", place);
    request.input_tokens = number(object, "input_length", place);
    request.output_tokens = number(object, "output_length", place);
    request.hash_ids = hash_ids(object, place);
    if (request.input_tokens == 0) {
        place.fail("\"input_length\" is 0: a request has a prompt");
    }
    if (request.hash_ids.size() != blocks_for(request.input_tokens)) {
        place.fail("\"hash_ids\" has " + std::to_string(request.hash_ids.size()) + " ids, and " +
                   std::to_string(request.input_tokens) + " tokens are " +
                   std::to_string(blocks_for(request.input_tokens)) + " blocks of 512");
    }
    return request;
}

}  // namespace

uint64_t Request::output_blocks() const noexcept {
    return blocks_for(input_tokens + output_tokens) - blocks_for(input_tokens);
}

std::vector<Request> read_trace(std::istream &stream, const std::string &name, std::size_t limit) {
    std::vector<Request> requests;
    std::size_t line_number = 0;
    for (std::string line; std::getline(stream, line);) {
        const Place place{name, ++line_number};
        if (line.find_first_not_of(" \t\r") == std::string::npos) {
            continue;
        }
        requests.push_back(parse(line, place));
        const std::size_t count = requests.size();
        if (count > 1 && requests[count - 1].timestamp_ms < requests[count - 2].timestamp_ms) {
            place.fail("\"timestamp\" goes back from the line before");
        }
        if (count == limit) {
            break;
        }
    }
    if (stream.bad()) {
        throw TraceError(name + ": cannot be read");
    }
    if (requests.empty()) {
        throw TraceError(name + ": holds no request");
    }
    return requests;
}

std::vector<Request> read_trace_file(const std::string &path, std::size_t limit) {
    std::ifstream file(path);
    if (!file) {
        throw TraceError(path + ": " + std::strerror(errno));
    }
    return read_trace(file, path, limit);
}

std::vector<double> arrival_times(const std::vector<Request> &requests, double scale,
                                  uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<double> times;
    times.reserve(requests.size());
    for (std::size_t first = 0; first < requests.size();) {
        const uint64_t tick = requests[first].timestamp_ms / tick_ms;
        std::size_t end = first;
        while (end < requests.size() && requests[end].timestamp_ms / tick_ms == tick) {
            ++end;
        }
        std::vector<double> within(end - first);
        for (double &offset : within) {
            /* 53 random bits: the same on every C++ library. */
            offset = static_cast<double>(random() >> 11) * 0x1p-53;
        }
        std::sort(within.begin(), within.end());
        for (const double offset : within) {
            times.push_back((static_cast<double>(tick) + offset) * (tick_ms / 1000.0) / scale);
        }
        first = end;
    }
    return times;
}

TraceFacts facts_of(const std::vector<Request> &requests) {
    TraceFacts facts;
    std::unordered_set<uint64_t> distinct;
    for (const Request &request : requests) {
        facts.block_uses += request.hash_ids.size();
        facts.output_blocks += request.output_blocks();
        facts.largest_request = std::max(facts.largest_request, request.total_blocks());
        distinct.insert(request.hash_ids.begin(), request.hash_ids.end());
    }
    facts.distinct_blocks = distinct.size();
    return facts;
}

}  // namespace kvcpu::serving
