// SPDX-License-Identifier: MIT
// Replays a request trace under `lru` in plain demand mode: every use counted once, in file order.
// Usage: kvcpu-lru-trace TRACE BLOCKS=FRACTION... ; exits 1 if a fraction of hits differs in its
// fourth decimal.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "test_device.h"

namespace {

using kvcpu_test::TestDevice;

/* The uses of all requests, as block numbers in order of first appearance. */
std::vector<uint32_t> read_uses(const char *path, uint32_t &distinct) {
    std::ifstream file(path);
    std::unordered_map<uint64_t, uint32_t> numbers;
    std::vector<uint32_t> uses;
    const std::string key = "\"hash_ids\"";
    for (std::string line; std::getline(file, line);) {
        const size_t start = line.find('[', line.find(key));
        const char *at = line.c_str() + start + 1;
        while (*at != ']' && *at != '\0') {
            char *end = nullptr;
            const uint64_t id = std::strtoull(at, &end, 10);
            if (end == at) {
                ++at;
                continue;
            }
            at = end;
            const auto next = static_cast<uint32_t>(numbers.size());
            uses.push_back(numbers.try_emplace(id, next).first->second);
        }
    }
    distinct = static_cast<uint32_t>(numbers.size());
    return uses;
}

double hit_fraction(const std::vector<uint32_t> &uses, uint32_t distinct, uint64_t slots) {
    kvcpu_config config = kvcpu_test::small_config();
    config.policy = KVCPU_POLICY_LRU;
    config.fast_size = slots * 4096;
    config.slow_size = distinct * uint64_t{4096};
    TestDevice device(config);
    device.keep_log = false;
    for (uint32_t taken = 0; taken < distinct;) {
        taken += device.alloc(4096).aux;
    }
    uint64_t hits = 0;
    for (const uint32_t block : uses) {
        hits += device.pin(block).aux;
        device.run_dry();
        if (device.read(KVCPU_REG_CPL_PENDING) > 0) {
            device.write(KVCPU_REG_CPL_POP, 1);
        }
        device.unpin(block);
    }
    return static_cast<double>(hits) / static_cast<double>(uses.size());
}

}  // namespace

int main(int argc, char **argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: %s TRACE BLOCKS=FRACTION...\n", argv[0]);
        return 2;
    }
    uint32_t distinct = 0;
    const std::vector<uint32_t> uses = read_uses(argv[1], distinct);
    if (uses.empty()) {
        std::fprintf(stderr, "%s: no hash_ids found\n", argv[1]);
        return 2;
    }
    std::printf("%zu uses of %u blocks\n", uses.size(), distinct);
    bool same = true;
    for (int i = 2; i < argc; ++i) {
        char *end = nullptr;
        const uint64_t slots = std::strtoull(argv[i], &end, 10);
        const double expected = std::strtod(end + 1, nullptr);
        const double measured = hit_fraction(uses, distinct, slots);
        const bool equal = std::lround(measured * 10000) == std::lround(expected * 10000);
        std::printf("%8llu blocks: %.4f, expected %.4f%s\n", static_cast<unsigned long long>(slots),
                    measured, expected, equal ? "" : "  DIFFERS");
        same = same && equal;
    }
    return same ? 0 : 1;
}
