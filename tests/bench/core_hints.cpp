// SPDX-License-Identifier: MIT
// Hints a second through a ring, on one core, at 65,536 and at 1,048,576 blocks, beside the
// machine's limit in the same run: dependent loads at random over as many directory entries of 64
// bytes. What is timed is the doorbell write, in which the device takes and carries out a batch.
//
// usage: kvcpu-bench-core [--json] [--batch N] [--policy NAME] [--seconds S]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "test_device.h"
#include "test_ring.h"

namespace {

using kvcpu_test::Ring;
using kvcpu_test::TestDevice;

constexpr uint64_t ring_entries = 1024;
constexpr uint64_t chunk = 4096; /* the most blocks of one ALLOC */

struct Options {
    bool json = false;
    uint64_t batch = 512;
    double seconds = 2;
    std::vector<std::string> policies = {"hepc", "next-use"};
    std::vector<uint64_t> sizes = {65536, 1048576};
};

/* Processor time of this thread, without that of other threads. */
double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/* -- The device ------------------------------------------------------------ */

class Subject {
  public:
    Subject(uint64_t blocks, const std::string &policy, uint64_t batch)
        : blocks_(blocks), batch_(batch), device_(config(blocks, policy)) {
        device_.keep_log = false;
        ring_.open(Ring::polling);
        while (device_.read(KVCPU_REG_BLOCKS_FREE) > 0) {
            ring_.push(KVCPU_OP_ALLOC, 0, chunk);
            ring_.advance_tail();
            device_.run(2000);
        }
        /* Every slot is in use, and every block has been used. */
        for (uint64_t first = 0; first < blocks; first += chunk) {
            ring_.push(KVCPU_OP_TOUCH, first, chunk);
            ring_.push(KVCPU_OP_HOT, first, first < blocks / 16 ? chunk : 0, 1);
            ring_.advance_tail();
            device_.run(2000);
        }
        device_.run_dry();
    }

    /* Hints per second in this sample. */
    double sample(double seconds) {
        double spent = 0;
        uint64_t done = 0;
        while (spent < seconds) {
            fill();
            const double start = cpu_seconds();
            ring_.advance_tail();
            spent += cpu_seconds() - start;
            done += batch_;
            if (ring_.head() != ring_.tail) {
                device_.run(2000); /* the budget of a slice was used up */
            }
        }
        return static_cast<double>(done) / spent;
    }

  private:
    static kvcpu_config config(uint64_t blocks, const std::string &policy) {
        kvcpu_config config = kvcpu_test::small_config();
        config.slow_size = blocks * 4096;
        config.fast_size = blocks / 16 * 4096;
        config.dma_bandwidth = 1'000'000'000'000'000;
        config.dma_latency_ns = 0;
        config.max_contexts = 2;
        config.policy = static_cast<uint32_t>(kvcpu_policy_number(policy.c_str()));
        return config;
    }

    /* The hints of a runtime for single blocks at random places, several of one kind in a row. */
    void fill() {
        static constexpr uint64_t in_a_row = 64;
        static constexpr unsigned kinds[] = {
            KVCPU_OP_TOUCH,        KVCPU_OP_HOT,   KVCPU_OP_EVICTABLE, KVCPU_OP_RELEASE,
            KVCPU_OP_PREFETCHABLE, KVCPU_OP_CLEAR, KVCPU_OP_TOUCH,     KVCPU_OP_HOT};
        unsigned kind = 0;
        for (uint64_t i = 0; i < batch_; ++i) {
            const uint64_t random = random_();
            kind = i % in_a_row == 0 ? kinds[random >> 61] : kind;
            ring_.push(kind, (random >> 8) % blocks_, 1, 40 + (random >> 4) % 16);
        }
    }

    uint64_t blocks_;
    uint64_t batch_;
    std::mt19937_64 random_{1};
    TestDevice device_;
    Ring ring_{device_, 1, {ring_entries, 8}};
};

/* -- The machine ----------------------------------------------------------- */

class Limit {
  public:
    explicit Limit(uint64_t entries) : next_(entries) {
        std::vector<uint32_t> order(entries);
        std::iota(order.begin(), order.end(), 0U);
        std::shuffle(order.begin(), order.end(), std::mt19937_64(2));
        for (uint64_t i = 0; i < entries; ++i) {
            next_[order[i]].entry = order[(i + 1) % entries];
        }
    }

    double sample(double seconds) {
        constexpr uint64_t loads = 100000;
        uint64_t done = 0;
        const double start = cpu_seconds();
        double spent = 0;
        while (spent < seconds) {
            for (uint64_t i = 0; i < loads; ++i) {
                at_ = next_[at_].entry;
            }
            done += loads;
            spent = cpu_seconds() - start;
        }
        return at_ == UINT32_MAX ? 0 : static_cast<double>(done) / spent;
    }

  private:
    struct alignas(64) Line {
        uint32_t entry = 0;
    };
    std::vector<Line> next_;
    uint32_t at_ = 0;
};

struct Row {
    std::string policy;
    uint64_t blocks = 0;
    double hints = 0;
    double limit = 0;
};

/*
 * The best of many short samples each, interleaved, as other work on the machine can only lower a
 * result.
 */
Row measure(const Options &options, const std::string &policy, uint64_t blocks) {
    constexpr int samples = 50;
    Row row = {policy, blocks};
    Subject subject(blocks, policy, options.batch);
    Limit limit(blocks);
    for (int i = 0; i < samples; ++i) {
        row.hints = std::max(row.hints, subject.sample(options.seconds / samples));
        row.limit = std::max(row.limit, limit.sample(options.seconds / samples / 2));
    }
    return row;
}

void print(const Options &options, const std::vector<Row> &rows) {
    const char *separator = "{\"rows\": [";
    for (const Row &row : rows) {
        if (options.json) {
            std::printf(
                "%s\n  {\"policy\": \"%s\", \"blocks\": %llu, \"batch\": %llu, "
                "\"hints_per_second\": %.0f, \"limit_per_second\": %.0f}",
                separator, row.policy.c_str(), static_cast<unsigned long long>(row.blocks),
                static_cast<unsigned long long>(options.batch), row.hints, row.limit);
            separator = ",";
        } else {
            std::printf(
                "%-9s %8llu blocks: %6.2f million hints/s, limit %6.2f million loads/s, "
                "ratio %.2f\n",
                row.policy.c_str(), static_cast<unsigned long long>(row.blocks), row.hints / 1e6,
                row.limit / 1e6, row.limit / row.hints);
        }
    }
    if (options.json) {
        std::printf("\n]}\n");
    }
}

bool parse(int argc, char **argv, Options &options) {
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--json") {
            options.json = true;
            continue;
        }
        if (i + 1 == argc) {
            return false;
        }
        const char *const value = argv[++i];
        if (name == "--batch") {
            options.batch = std::strtoull(value, nullptr, 10);
        } else if (name == "--seconds") {
            options.seconds = std::strtod(value, nullptr);
        } else if (name == "--blocks") {
            options.sizes = {std::strtoull(value, nullptr, 10)};
        } else if (name == "--policy") {
            options.policies = {value};
        } else {
            return false;
        }
    }
    return options.batch > 0 && options.batch <= ring_entries && options.seconds > 0 &&
           std::all_of(options.policies.begin(), options.policies.end(),
                       [](const auto &policy) { return kvcpu_policy_number(policy.c_str()) >= 0; });
}

}  // namespace

int main(int argc, char **argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        (void)std::fprintf(stderr,
                           "usage: %s [--json] [--batch 1..1024] [--policy NAME] [--seconds S]\n",
                           argv[0]);
        return 2;
    }
    std::vector<Row> rows;
    for (const std::string &policy : options.policies) {
        for (const uint64_t blocks : options.sizes) {
            rows.push_back(measure(options, policy, blocks));
        }
    }
    print(options, rows);
    return 0;
}
