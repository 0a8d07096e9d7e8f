// SPDX-License-Identifier: MIT
#ifndef KVCPU_SERVING_ENGINE_H
#define KVCPU_SERVING_ENGINE_H

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "channel.h"
#include "figures.h"
#include "hinter.h"
#include "kvcpu/batch.h"
#include "kvcpu/transport.h"
#include "store.h"
#include "timeline.h"
#include "trace.h"

namespace kvcpu::serving {

/* The serving model; docs/experiments.md has the source of each figure. */
struct Model {
    uint64_t step_ns = 25'000'000;
    uint64_t step_per_decoding_ns = 200'000;
    uint64_t step_per_prefill_token_ns = 50'000;
    uint64_t prefill_tokens_per_step = 2048;
    std::size_t running_max = 128;
    /* Whether blocks hold bytes that are written and verified. The counts do not depend on it. */
    bool content = true;
    /* Whether blocks are cached, and reclaimed by the device when space is full. Otherwise the
     * runtime frees them. */
    bool cached = false;
    /* The number of requests that the runtime knows before they arrive: an oracle. */
    std::size_t foreseen = 0;
    /* An oracle as well: the sessions that are over, for RELEASE. */
    SessionEnds ends;
};

/*
 * The memory behaviour of a serving engine. It admits requests in order, finds and loads the
 * prefixes that it has, computes the rest in chunks, decodes, and releases the blocks. Its clock is
 * that of the model. The device's clock is advanced to it whenever the device is used, so that the
 * run time of the engine's own code does not count.
 */
class Engine {
  public:
    Engine(Transport &transport, const Model &model, const std::vector<Request> &requests,
           std::vector<double> arrivals, const HintKinds &hints, uint64_t seed);

    /* Returns the hash id by which a block is found. */
    [[nodiscard]] std::optional<uint64_t> hash_of(uint32_t block) const {
        return store_.published(block);
    }
    /* Returns the number of requests that have started. They start in order. */
    [[nodiscard]] std::size_t started() const { return started_; }

    /* Runs all requests. `progress` is called from time to time with the number of finished ones.
     */
    Figures run(const std::function<void(std::size_t)> &progress);

  private:
    enum class Phase : uint8_t { loading, prefill, decode };

    /* A running request. */
    struct Active {
        const Request *request = nullptr;
        uint64_t number = 0;
        Phase phase = Phase::loading;
        std::vector<uint32_t> blocks;  // of the prompt, then of the output
        std::vector<bool> is_private;  // computed though another request had published it
        std::size_t found = 0;         // leading blocks that were found
        std::size_t pinned = 0;        // leading blocks that are pinned, or whose PIN is pending
        std::size_t written = 0;       // leading blocks that hold their content
        uint64_t computed_tokens = 0;
        uint64_t output_tokens = 0;
        unsigned pins_waiting = 0;
        bool to_verify = false;
        uint64_t admitted_ns = 0;

        [[nodiscard]] bool is_done() const {
            return phase == Phase::decode && output_tokens >= request->output_tokens;
        }
    };

    /* Advances the device's clock to the engine's, and takes completions. */
    void synchronize();
    void take_completions(std::size_t minimum, uint64_t until_ns);
    void complete(const kvcpu_completion &completion);

    void take_arrivals();
    void schedule();
    uint64_t schedule_prefill(Active &active, uint64_t budget);
    [[nodiscard]] bool fits(const Request &request) const;
    void admit();
    void load(Active &active);
    void take_prompt(Active &active);
    void pin(Active &active, std::size_t first, std::size_t end);
    void loaded(Active &active, uint64_t when_ns);

    void end_step();
    void pass_time(uint64_t until_ns);
    [[nodiscard]] uint64_t room() const;
    [[nodiscard]] Queue queue() const;
    void write_computed(Active &active);
    void write_until(Active &active, std::size_t end);
    void verify(Active &active);
    void decode(Active &active);
    void finish(Active &active);
    void skip_idle_time();
    void drain();

    [[nodiscard]] uint64_t identity(const Active &active, std::size_t index) const;
    [[nodiscard]] uint64_t arrival_ns(std::size_t number) const;

    Transport &transport_;
    Model model_;
    const std::vector<Request> &requests_;
    std::vector<double> arrivals_;
    uint64_t seed_;
    uint64_t block_size_;
    uint64_t fast_blocks_;
    Store store_;
    Hinter hinter_;
    std::vector<std::byte> buffer_;
    Channel channel_;

    uint64_t base_ns_ = 0;    // the device's time when the engine's clock was 0
    uint64_t clock_ns_ = 0;   // the engine's
    uint64_t device_ns_ = 0;  // the device's, when it was last asked
    std::size_t next_arrival_ = 0;
    std::size_t started_ = 0;
    std::deque<std::size_t> queue_;
    std::vector<std::unique_ptr<Active>> running_;  // in the order of admission
    uint64_t reserved_ = 0;                         // blocks that running requests have yet to take
    unsigned loading_ = 0;
    unsigned pins_waiting_ = 0;
    uint64_t prefill_tokens_ = 0;  // of the present step
    unsigned decoding_ = 0;
    Figures figures_;
};

}  // namespace kvcpu::serving

#endif  // KVCPU_SERVING_ENGINE_H
