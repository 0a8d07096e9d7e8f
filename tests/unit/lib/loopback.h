// SPDX-License-Identifier: MIT
// A small device on the loopback transport, and what most tests do with it.
#ifndef KVCPU_TEST_LOOPBACK_H
#define KVCPU_TEST_LOOPBACK_H

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "kvcpu/batch.h"
#include "kvcpu/transport.h"

namespace kvcpu_test {

/* 16 blocks, 4 of them fast, 2 channels; a move takes 9,192 ns: 1,000 + 4,096 x 2 / 1 GB/s. */
inline kvcpu::LoopbackConfig small_loopback(const char *policy = "lru") {
    kvcpu::LoopbackConfig config;
    config.block_size = 4096;
    config.fast_blocks = 4;
    config.slow_blocks = 16;
    config.dma_channels = 2;
    config.dma_latency_ns = 1000;
    config.dma_bandwidth = 1'000'000'000;
    config.policy = policy;
    return config;
}
inline constexpr uint64_t small_move_ns = 9192;

inline std::unique_ptr<kvcpu::Transport> small_transport(const char *policy = "lru") {
    return kvcpu::make_loopback_transport(small_loopback(policy));
}

inline std::vector<std::byte> bytes_of(std::size_t size, unsigned seed) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<std::byte>((i + 1) * (seed * 2 + 1) >> 3);
    }
    return bytes;
}

/* Submits a batch that `fill` fills, and returns its first result. */
inline kvcpu::Result run(kvcpu::Transport &transport,
                         const std::function<void(kvcpu::Batch &)> &fill) {
    kvcpu::Batch batch;
    fill(batch);
    if (batch.submit(transport) || batch.done() != batch.size()) {
        return kvcpu::Result(KVCPU_STATUS_COUNT);
    }
    return batch.result(0);
}

/* The result of wait(). */
struct Waited {
    std::error_code error;
    std::vector<kvcpu_completion> completions;
    uint64_t time_ns = 0;
};

inline Waited wait(kvcpu::Transport &transport, std::size_t minimum, uint64_t until_ns,
                   std::size_t capacity = 64) {
    Waited waited;
    waited.completions.resize(capacity);
    std::size_t taken = 0;
    waited.error = transport.wait(waited.completions, minimum, until_ns, taken, waited.time_ns);
    waited.completions.resize(taken);
    return waited;
}

inline void let_pass(kvcpu::Transport &transport, uint64_t ns) {
    wait(transport, 0, transport.info().time_ns + ns, 0);
}

/* Forwards all calls. A test overrides the calls that it observes or changes. */
class Passing : public kvcpu::Transport {
  public:
    explicit Passing(std::unique_ptr<kvcpu::Transport> inner) : inner_(std::move(inner)) {}

    kvcpu_info info() override { return inner_->info(); }
    std::error_code submit(std::span<kvcpu_command> commands, bool go_on,
                           std::size_t &done) noexcept override {
        return inner_->submit(commands, go_on, done);
    }
    std::error_code wait(std::span<kvcpu_completion> into, std::size_t minimum, uint64_t until_ns,
                         std::size_t &taken, uint64_t &time_ns) noexcept override {
        return inner_->wait(into, minimum, until_ns, taken, time_ns);
    }
    kvcpu_block block(uint64_t number) override { return inner_->block(number); }
    std::vector<uint64_t> counters() override { return inner_->counters(); }
    std::vector<kvcpu_record> history(uint64_t block, std::size_t most) override {
        return inner_->history(block, most);
    }
    void set_weights(const kv_cpu_weights &weights) override { inner_->set_weights(weights); }
    void set_policy(const std::string &name) override { inner_->set_policy(name); }
    void restart_event_log() override { inner_->restart_event_log(); }
    void stop_clock_between_waits() override { inner_->stop_clock_between_waits(); }

  protected:
    Transport &inner() { return *inner_; }

  private:
    std::unique_ptr<kvcpu::Transport> inner_;
};

}  // namespace kvcpu_test

#endif  // KVCPU_TEST_LOOPBACK_H
