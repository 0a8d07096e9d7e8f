// SPDX-License-Identifier: MIT
// Replays a request trace in plain demand mode: every use counted once, in file order.
// Usage: kvcpu-policy-trace TRACE POLICY BLOCKS=FRACTION... ; exits 1 if a fraction of hits differs
// in its fourth decimal. POLICY may be the bound `min`, too. A fraction of `?` asks for less: that
// `arc` has every hit and miss that the paper's lists have.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "paper_arc.h"
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

/* For each use, the place of the next use of its block. */
std::vector<uint64_t> next_uses(const std::vector<uint32_t> &uses, uint32_t distinct) {
    std::vector<uint64_t> next(uses.size());
    std::vector<uint64_t> seen(distinct, UINT64_MAX);
    for (size_t i = uses.size(); i-- > 0;) {
        next[i] = seen[uses[i]];
        seen[uses[i]] = i;
    }
    return next;
}

class Replay {
  public:
    Replay(std::vector<uint32_t> uses, uint32_t distinct)
        : uses_(std::move(uses)), distinct_(distinct), next_(next_uses(uses_, distinct)) {}

    std::vector<bool> hits(const std::string &policy, uint64_t slots) {
        kvcpu_config config = kvcpu_test::small_config();
        const int number = kvcpu_policy_number(policy.c_str());
        config.policy =
            static_cast<uint32_t>(std::max(number, 0)); /* `min` represents any policy */
        config.fast_size = slots * 4096;
        config.slow_size = distinct_ * uint64_t{4096};
        std::function<uint64_t(uint32_t)> oracle;
        if (policy == "min") {
            oracle = [this](uint32_t) { return next_[now_]; };
        }
        TestDevice device(config, oracle);
        device.keep_log = false;
        for (uint32_t taken = 0; taken < distinct_;) {
            taken += device.alloc(4096).aux;
        }
        std::vector<bool> found;
        for (now_ = 0; now_ < uses_.size(); ++now_) {
            found.push_back(device.pin(uses_[now_]).aux == 1);
            device.run_dry();
            if (!found.back()) {
                device.write(KVCPU_REG_CPL_POP, 1);
            }
            device.unpin(uses_[now_]);
        }
        return found;
    }

    [[nodiscard]] std::vector<bool> hits_of_paper(uint64_t slots) const {
        kvcpu_test::PaperArc paper(slots);
        std::vector<bool> found;
        for (const uint32_t block : uses_) {
            found.push_back(paper.use(block));
        }
        return found;
    }

  private:
    std::vector<uint32_t> uses_;
    uint32_t distinct_;
    std::vector<uint64_t> next_;
    size_t now_ = 0;
};

bool is_as_expected(Replay &replay, const std::string &policy, const char *expectation) {
    char *end = nullptr;
    const uint64_t slots = std::strtoull(expectation, &end, 10);
    const std::vector<bool> hits = replay.hits(policy, slots);
    const double measured = static_cast<double>(std::count(hits.begin(), hits.end(), true)) /
                            static_cast<double>(hits.size());
    const bool by_paper = *end == '=' && end[1] == '?';
    const double expected = by_paper ? 0 : std::strtod(end + 1, nullptr);
    const bool right = by_paper ? hits == replay.hits_of_paper(slots)
                                : std::lround(measured * 10000) == std::lround(expected * 10000);
    std::printf("%8llu blocks: %.4f, expected %s%s\n", static_cast<unsigned long long>(slots),
                measured, end + 1, right ? "" : "  DIFFERS");
    return right;
}

}  // namespace

int main(int argc, char **argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: %s TRACE POLICY BLOCKS=FRACTION...\n", argv[0]);
        return 2;
    }
    uint32_t distinct = 0;
    std::vector<uint32_t> uses = read_uses(argv[1], distinct);
    if (uses.empty()) {
        std::fprintf(stderr, "%s: no hash_ids found\n", argv[1]);
        return 2;
    }
    std::printf("%s: %zu uses of %u blocks\n", argv[2], uses.size(), distinct);
    Replay replay(std::move(uses), distinct);
    bool right = true;
    for (int i = 3; i < argc; ++i) {
        right = is_as_expected(replay, argv[2], argv[i]) && right;
    }
    return right ? 0 : 1;
}
