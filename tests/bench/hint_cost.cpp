// SPDX-License-Identifier: MIT
// Measures the cost of a hint in the guest: through the reference interface, with one ioctl for
// each hint, and through a ring, with several hints for each doorbell write, or with a range in one
// entry. Runs in a guest in virtual time, in which an instruction takes a fixed time, so that the
// clock counts instructions: `./kvcpu bench hints`.
//
// usage: kvcpu-bench-hints [--device PATH] NS_PER_INSTRUCTION
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "kvcpu/device.h"
#include "kvcpu/queue.h"

namespace {

using kvcpu::Queue;

constexpr uint64_t blocks = 512; /* blocks that are hinted, one after the other */
constexpr int samples = 31; /* the result is the median, as some samples contain a timer tick */
constexpr uint64_t sample = 2048; /* the minimum number of hints of a sample */

struct Row {
    const char *path;
    uint64_t batch;
    double ns;
};

uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void must(bool good, const char *what) {
    if (!good) {
        throw std::runtime_error(what);
    }
}

/* Nanoseconds per hint; `batch` gives that many hints, on blocks from a number on. */
double cost(uint64_t batch, const std::function<void(uint64_t from)> &give) {
    std::vector<double> costs;
    const uint64_t rounds = (sample + batch - 1) / batch;
    for (int i = 0; i < samples; ++i) {
        const uint64_t start = now_ns();
        for (uint64_t round = 0; round < rounds; ++round) {
            give(round * batch % blocks);
        }
        costs.push_back(static_cast<double>(now_ns() - start) /
                        static_cast<double>(rounds * batch));
    }
    std::nth_element(costs.begin(), costs.begin() + samples / 2, costs.end());
    return costs[samples / 2];
}

uint64_t hints_so_far(kvcpu::Transport &transport) {
    const std::vector<uint64_t> counters = transport.counters();
    return counters[KVCPU_CNT_HINTS_ACCEPTED] + counters[KVCPU_CNT_HINTS_IGNORED] +
           counters[KVCPU_CNT_HINTS_CLIPPED] + counters[KVCPU_CNT_HINTS_DEFERRED];
}

class Bench {
  public:
    explicit Bench(const std::string &path)
        : file_(::open(path.c_str(), O_RDWR | O_CLOEXEC)),
          transport_(kvcpu::open_kernel_transport(path)),
          queue_(*transport_, {.submission_entries = 1024}),
          own_(queue_.alloc(blocks)),
          block_size_(transport_->info().block_size) {
        must(file_ >= 0, "open");
        must(own_.count() == blocks, "the device has too few free blocks in a row");
    }
    ~Bench() { ::close(file_); }
    Bench(const Bench &) = delete;
    Bench &operator=(const Bench &) = delete;

    Row ioctl() {
        return measure("ioctl", 1, 1, [this](uint64_t from) {
            kv_cpu_block_info info = {(blocks + from) * block_size_, block_size_, 0};
            must(::ioctl(file_, KV_CPU_MARK_HOT, &info) == 0, "MARK_HOT");
        });
    }
    Row ring(uint64_t batch) {
        return measure("ring", batch, batch, [this, batch](uint64_t from) {
            Queue::Batch hints(queue_);
            const uint64_t first = own_.first() + from;
            for (uint64_t i = 0; i < batch; ++i) {
                must(hints.hint(KVCPU_OP_HOT, first + i, 1, step) == std::errc(),
                     "the ring is full");
            }
        });
    }
    Row range(uint64_t batch) {
        return measure("ring-range", batch, 1, [this, batch](uint64_t from) {
            Queue::Batch hints(queue_);
            must(hints.hint(KVCPU_OP_HOT, own_.first() + from, batch, step) == std::errc(),
                 "the ring is full");
        });
    }

  private:
    static constexpr uint64_t step = 1'000'000;

    /* A hint counts only if the device has counted it. */
    Row measure(const char *path, uint64_t batch, uint64_t entries,
                const std::function<void(uint64_t)> &give) {
        give(0);
        const uint64_t before = hints_so_far(*transport_);
        const Row row = {path, batch, cost(batch, give)};
        const uint64_t rounds = (sample + batch - 1) / batch;
        must(hints_so_far(*transport_) - before == samples * rounds * entries,
             "the device has counted another number of hints");
        must(queue_.failed() == 0, "a hint failed");
        return row;
    }

    int file_;
    std::unique_ptr<kvcpu::Transport> transport_;
    Queue queue_;
    Queue::Blocks own_;
    uint64_t block_size_;
};

void print(const std::vector<Row> &rows, double ns_per_instruction) {
    const char *separator = "{\"rows\": [";
    for (const Row &row : rows) {
        std::printf(
            "%s\n  {\"path\": \"%s\", \"batch\": %llu, \"instructions_per_hint\": %.2f, "
            "\"ns_per_hint\": %.2f}",
            separator, row.path, static_cast<unsigned long long>(row.batch),
            row.ns / ns_per_instruction, row.ns);
        separator = ",";
    }
    std::printf("\n]}\n");
}

}  // namespace

int main(int argc, char **argv) {
    std::string path = "/dev/kvcpu0";
    if (argc == 4 && std::strcmp(argv[1], "--device") == 0) {
        path = argv[2];
        argv += 2;
        argc -= 2;
    }
    const double ns_per_instruction = argc == 2 ? std::strtod(argv[1], nullptr) : 0;
    if (ns_per_instruction <= 0) {
        (void)std::fprintf(stderr, "usage: kvcpu-bench-hints [--device PATH] NS_PER_INSTRUCTION\n");
        return 2;
    }
    try {
        Bench bench(path);
        std::vector<Row> rows = {bench.ioctl()};
        for (const uint64_t batch : {1ULL, 8ULL, 64ULL, 512ULL}) {
            rows.push_back(bench.ring(batch));
        }
        for (const uint64_t batch : {8ULL, 64ULL, 512ULL}) {
            rows.push_back(bench.range(batch));
        }
        print(rows, ns_per_instruction);
    } catch (const std::exception &error) {
        (void)std::fprintf(stderr, "kvcpu-bench-hints: %s\n", error.what());
        return 1;
    }
    return 0;
}
