// SPDX-License-Identifier: MIT
#ifndef KVCPU_SERVING_FIGURES_H
#define KVCPU_SERVING_FIGURES_H

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

namespace kvcpu::serving {

/* What a replay measured. Times in virtual nanoseconds. */
// That moving JSON throws is a false alarm. NOLINTNEXTLINE(bugprone-exception-escape)
struct Figures {
    uint64_t requests = 0;
    uint64_t block_uses = 0;  // at request start: found fast, found slow, found nowhere
    uint64_t fast = 0;
    uint64_t slow = 0;
    uint64_t recomputed = 0;
    uint64_t steps = 0;
    uint64_t blocks_written = 0;
    uint64_t blocks_verified = 0;
    uint64_t verification_failures = 0;
    uint64_t hints_given = 0;
    uint64_t hint_system_calls = 0;  // made to give them
    std::vector<uint64_t> stall_ns;  // load complete - admission, of every request
    std::vector<uint64_t> ttft_ns;   // first token - arrival
    nlohmann::ordered_json timeline;
};

}  // namespace kvcpu::serving

#endif  // KVCPU_SERVING_FIGURES_H
