// SPDX-License-Identifier: MIT
// A queue on a small device in this process, and what its tests do with it.
#ifndef KVCPU_TEST_QUEUES_H
#define KVCPU_TEST_QUEUES_H

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "kvcpu/queue.h"
#include "loopback.h"

namespace kvcpu_test {

/* Lets a test write invalid values to doorbells. */
class Tapped : public Passing {
  public:
    using Passing::Passing;
    std::unique_ptr<kvcpu::QueueLink> open_queue(const kvcpu::QueueConfig &config) override {
        std::unique_ptr<kvcpu::QueueLink> opened = inner().open_queue(config);
        link = opened.get();
        return opened;
    }

    kvcpu::QueueLink *link = nullptr;
};

struct QueueOnLoopback {
    Tapped transport;
    kvcpu::Queue queue;

    explicit QueueOnLoopback(const kvcpu::QueueConfig &config = small_queue(),
                             const char *policy = "hepc")
        : transport(small_transport(policy)), queue(transport, config) {}

    static kvcpu::QueueConfig small_queue() {
        kvcpu::QueueConfig config;
        config.submission_entries = 8;
        config.completion_entries = 8;
        return config;
    }

    kvcpu::Result execute(const kvcpu::Entry &entry) {
        kvcpu::Result result(KVCPU_STATUS_COUNT);
        return queue.execute(entry, result) ? kvcpu::Result(KVCPU_STATUS_COUNT) : result;
    }
    uint64_t counter(kvcpu_counter which) { return transport.counters()[which]; }
    uint64_t claims(uint64_t block) {
        return transport.block(block).place >> KVCPU_BPL_CLAIMS_SHIFT & KVCPU_BPL_CLAIMS_MASK;
    }
    uint64_t state(uint64_t block) {
        return transport.block(block).state >> KVCPU_BST_STATE_SHIFT & KVCPU_BST_STATE_MASK;
    }
    bool has(uint64_t block, uint64_t flag) {
        return (transport.block(block).state >> KVCPU_BST_FLAGS_SHIFT & flag) != 0;
    }
    std::vector<kvcpu::Completion> poll() {
        std::array<kvcpu::Completion, 16> into;
        const std::size_t taken = queue.poll(into);
        return {into.begin(), into.begin() + static_cast<std::ptrdiff_t>(taken)};
    }
};

}  // namespace kvcpu_test

#endif  // KVCPU_TEST_QUEUES_H
