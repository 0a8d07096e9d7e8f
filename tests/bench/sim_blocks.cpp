// SPDX-License-Identifier: MIT
// What the simulator's device costs with many blocks: hints a second, and memory a block, at
// 65,536 and at 10,000,000 blocks, under each policy that uses hints. Hints come as a runtime gives
// them, a run of blocks at a time, at random places, 64 to a SUBMIT.
//
// usage: kvcpu-bench-blocks [--run BLOCKS] [--least RATIO]
// With --least it exits 1 where the larger device has less than that part of the other's figure.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <random>
#include <string>

#include "kvcpu/batch.h"
#include "kvcpu/transport.h"

namespace {

constexpr unsigned samples = 9;
constexpr unsigned submits_a_sample = 400;
constexpr unsigned hints_a_submit = 64;

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double resident_bytes() {
    std::ifstream file("/proc/self/statm");
    double pages = 0;
    file >> pages >> pages;
    return pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

/* A device with every block allocated, used and hinted. */
class Subject {
  public:
    Subject(const char *policy, uint64_t blocks, uint64_t run) : blocks_(blocks), run_(run) {
        const double before = resident_bytes();
        kvcpu::LoopbackConfig config;
        config.slow_blocks = blocks;
        config.fast_blocks = blocks / 16;
        config.dma_bandwidth = 1'000'000'000'000'000;
        config.policy = policy;
        config.content = false;
        transport_ = kvcpu::make_loopback_transport(config);
        for (uint64_t first = 0; first < blocks; first += KVCPU_COMMAND_BLOCKS_MAX) {
            const uint64_t count = std::min<uint64_t>(KVCPU_COMMAND_BLOCKS_MAX, blocks - first);
            kvcpu::Batch batch;
            batch.alloc(count, 0, 0, 0);
            batch.hint(KVCPU_OP_TOUCH, first, count);
            submit(batch);
        }
        step(1000);
        bytes_ = resident_bytes() - before;
    }

    void sample() {
        const double start = cpu_seconds();
        for (unsigned i = 0; i < submits_a_sample; ++i) {
            kvcpu::Batch batch;
            for (unsigned hint = 0; hint < hints_a_submit; ++hint) {
                const uint64_t first = random_() % (blocks_ - run_);
                switch (random_() % 3) {
                    case 0:
                        batch.hint(KVCPU_OP_PREFETCHABLE, first, run_, step_ + random_() % 64);
                        break;
                    case 1:
                        batch.hint(KVCPU_OP_EVICTABLE, first, run_);
                        break;
                    default:
                        batch.hint(KVCPU_OP_TOUCH, first, run_);
                }
            }
            submit(batch);
        }
        hints_ += uint64_t{submits_a_sample} * hints_a_submit;
        best_ = std::max(best_, submits_a_sample * hints_a_submit / (cpu_seconds() - start));
        step(1);
    }

    /* Whether every block of every hint was examined, and none was skipped. */
    [[nodiscard]] bool is_honest() const {
        return transport_->counters()[KVCPU_CNT_HINT_BLOCKS] == blocks_ + hints_ * run_;
    }
    [[nodiscard]] double hints_a_second() const { return best_; }
    [[nodiscard]] double bytes_a_block() const { return bytes_ / static_cast<double>(blocks_); }

  private:
    void submit(kvcpu::Batch &batch) {
        if (batch.submit(*transport_)) {
            std::fputs("SUBMIT failed\n", stderr);
            std::exit(1);
        }
    }
    /*
     * Waits for the batches of the hint, one per microsecond: a hint before their end would be
     * queued or ignored.
     */
    void step(uint64_t by) {
        kvcpu::Batch batch;
        batch.step(step_ += by);
        submit(batch);
        std::size_t none = 0;
        const uint64_t until = now_ + 50'000'000;
        (void)transport_->wait({}, 0, until, none, now_);
    }

    std::unique_ptr<kvcpu::Transport> transport_;
    std::mt19937_64 random_{1};
    uint64_t blocks_;
    uint64_t run_;
    uint64_t step_ = 0;
    uint64_t hints_ = 0;
    uint64_t now_ = 0;
    double best_ = 0;
    double bytes_ = 0;
};

double measure(const char *policy, uint64_t run) {
    Subject small(policy, 65'536, run);
    Subject large(policy, 10'000'000, run);
    for (unsigned i = 0; i < samples; ++i) {
        small.sample();
        large.sample();
    }
    const double ratio = large.hints_a_second() / small.hints_a_second();
    std::printf(
        "figure: %s, hints of %llu blocks: %.0f a second with 65,536 blocks, %.0f with 10,000,000; "
        "ratio %.2f; %.0f bytes a block\n",
        policy, static_cast<unsigned long long>(run), small.hints_a_second(),
        large.hints_a_second(), ratio, large.bytes_a_block());
    if (!small.is_honest() || !large.is_honest()) {
        std::puts("some hints were left out: the figures mean nothing");
        return 0;
    }
    return ratio;
}

}  // namespace

int main(int argc, char **argv) {
    uint64_t run = 16;
    double least = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (std::strcmp(argv[i], "--run") == 0) {
            run = std::strtoull(argv[i + 1], nullptr, 10);
        } else if (std::strcmp(argv[i], "--least") == 0) {
            least = std::atof(argv[i + 1]);
        }
    }
    bool passed = true;
    for (const char *policy : {"hepc", "next-use"}) {
        passed = measure(policy, run) >= std::max(least, 1e-9) && passed;
    }
    return passed ? 0 : 1;
}
