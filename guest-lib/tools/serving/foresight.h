// SPDX-License-Identifier: MIT
#ifndef KVCPU_SERVING_FORESIGHT_H
#define KVCPU_SERVING_FORESIGHT_H

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "trace.h"

namespace kvcpu::serving {

/*
 * The requests that are to come, which no runtime knows. Bounds use it, and hints that are marked
 * as an oracle's in all figures.
 */
class Foresight {
  public:
    explicit Foresight(const std::vector<Request> &requests);

    /* Returns the first request, from this number on, that uses the block with this id. */
    [[nodiscard]] std::optional<uint64_t> next_user(uint64_t hash_id, uint64_t from) const;

  private:
    std::unordered_map<uint64_t, std::vector<uint32_t>> users_;
};

}  // namespace kvcpu::serving

#endif  // KVCPU_SERVING_FORESIGHT_H
