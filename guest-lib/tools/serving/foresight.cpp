// SPDX-License-Identifier: MIT
#include "foresight.h"

#include <algorithm>

namespace kvcpu::serving {

Foresight::Foresight(const std::vector<Request> &requests) {
    for (uint32_t number = 0; number < requests.size(); ++number) {
        for (const uint64_t id : requests[number].hash_ids) {
            users_[id].push_back(number);
        }
    }
}

std::optional<uint64_t> Foresight::next_user(uint64_t hash_id, uint64_t from) const {
    const auto users = users_.find(hash_id);
    if (users == users_.end()) {
        return std::nullopt;
    }
    const auto next = std::lower_bound(users->second.begin(), users->second.end(), from);
    return next == users->second.end() ? std::nullopt : std::optional<uint64_t>(*next);
}

}  // namespace kvcpu::serving
