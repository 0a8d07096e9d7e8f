// SPDX-License-Identifier: MIT
// What a STEP with nothing to do costs, at 65,536 and at 1,048,576 blocks. All blocks are
// allocated, used and hinted before, so that there is everything a scan could look at.
// Prints both, and their ratio, for each policy; with --limit R exits 1 where one exceeds R.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "test_device.h"

namespace {

using kvcpu_test::TestDevice;

constexpr uint64_t steps_a_sample = 20000;
constexpr int samples = 15;

/* Nanoseconds of the fastest sample, as noise only adds time. */
class Subject {
  public:
    Subject(uint32_t policy, uint64_t blocks) : device_(config(policy, blocks)) {
        device_.keep_log = false;
        for (uint64_t taken = 0; taken < blocks;) {
            taken += device_.alloc(4096).aux;
        }
        for (uint64_t first = 0; first < blocks; first += 4096) {
            device_.command(KVCPU_OP_TOUCH, first, 4096);
            device_.command(KVCPU_OP_RELEASE, first, 4096);
        }
        /* Beyond the age at which a score still changes. */
        for (int i = 0; i < 3; ++i) {
            device_.step(step_ += 600);
            device_.run_dry();
        }
    }

    void sample() {
        const auto start = std::chrono::steady_clock::now();
        for (uint64_t i = 0; i < steps_a_sample; ++i) {
            device_.write(KVCPU_REG_CMD_ARG, ++step_);
            device_.write(KVCPU_REG_CMD_CONTROL,
                          KVCPU_OP_STEP | uint64_t{1} << KVCPU_CTL_CONTEXT_SHIFT);
        }
        const std::chrono::duration<double, std::nano> taken =
            std::chrono::steady_clock::now() - start;
        best_ns_ = std::min(best_ns_, taken.count() / steps_a_sample);
    }

    [[nodiscard]] double best_ns() const { return best_ns_; }

  private:
    static kvcpu_config config(uint32_t policy, uint64_t blocks) {
        kvcpu_config config = kvcpu_test::small_config();
        config.policy = policy;
        config.slow_size = blocks * 4096;
        config.fast_size = blocks / 16 * 4096;
        config.dma_bandwidth = 1'000'000'000'000'000;
        return config;
    }

    TestDevice device_;
    uint64_t step_ = 0;
    double best_ns_ = 1e12;
};

/* The ratio of the two sizes. */
double measure(uint32_t policy) {
    Subject small(policy, 65536);
    Subject large(policy, 1048576);
    /* Interleaved, so that other work on the machine affects both. */
    for (int i = 0; i < samples; ++i) {
        small.sample();
        large.sample();
    }
    const double ratio = large.best_ns() / small.best_ns();
    std::printf(
        "figure: a STEP with nothing to do, %s: %.1f ns at 65,536 blocks, %.1f ns at 1,048,576; "
        "ratio %.2f\n",
        kvcpu_policy_name(policy), small.best_ns(), large.best_ns(), ratio);
    return ratio;
}

}  // namespace

int main(int argc, char **argv) {
    double limit = 0;
    if (argc == 3 && std::strcmp(argv[1], "--limit") == 0) {
        limit = std::atof(argv[2]);
    } else if (argc != 1) {
        std::fprintf(stderr, "usage: %s [--limit RATIO]\n", argv[0]);
        return 2;
    }
    bool passed = true;
    for (uint32_t policy = 0; kvcpu_policy_name(policy) != nullptr; ++policy) {
        const double ratio = measure(policy);
        passed = passed && (limit <= 0 || ratio <= limit);
    }
    return passed ? 0 : 1;
}
