// SPDX-License-Identifier: MIT
#ifndef KVCPU_SERVING_HINTER_H
#define KVCPU_SERVING_HINTER_H

#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "foresight.h"
#include "kvcpu/batch.h"
#include "store.h"
#include "trace.h"

namespace kvcpu::serving {

/* The kinds of hints that the runtime gives. It always gives SEAL, since write-back is no policy.
 */
struct HintKinds {
    bool step = false;
    bool prefetchable = false;
    bool evictable = false;
    bool share = false;

    [[nodiscard]] std::vector<std::string> names() const;
    /* "none", "all", or a list with commas. Throws std::invalid_argument that names the word. */
    static HintKinds parse(const std::string &text);
};

/* Waiting requests, in order. An oracle also has requests that have not arrived. */
struct Queue {
    const std::deque<std::size_t> &arrived;
    std::size_t foreseen_from = 0;
    std::size_t foreseen_end = 0;
};

/* An oracle of a given quality for whether a session is over when its request ends. */
struct SessionEnds {
    double recall = 0;        // the fraction of ended sessions that it reports
    double false_alarms = 0;  // the fraction of other sessions that it reports as ended
    const Foresight *foresight = nullptr;
};

/*
 * Gives hints from what a serving runtime knows: the requests that have arrived, their order, and
 * the running requests. It does not use the future of the trace.
 */
class Hinter {
  public:
    Hinter(const HintKinds &kinds, const std::vector<Request> &requests, Store &store,
           uint64_t prefill_tokens_per_step, const SessionEnds &ends = {}, uint64_t seed = 1)
        : kinds_(kinds),
          requests_(requests),
          store_(store),
          tokens_per_step_(prefill_tokens_per_step),
          ends_(ends),
          random_(seed),
          targets_(requests.size()) {}

    /* Called at the start of a step. `room` is the number of fast blocks that no running request
     * needs. */
    void step(Batch &batch, uint64_t step, const Queue &queue, uint64_t room);
    /* Called when a request has arrived: hints the blocks of the waiting requests. */
    void prefetch_queue(Batch &batch, const Queue &queue, uint64_t room);
    /* Called when a running request begins or ends its use of blocks, which may be shared. */
    void held(Batch &batch, const std::vector<uint32_t> &blocks);
    void release(Batch &batch, const std::vector<uint32_t> &blocks);
    /* Called when a request has ended. An oracle may report that its session is over. */
    void ended(Batch &batch, std::size_t request, const std::vector<uint32_t> &blocks);
    /* Called when other requests can find the blocks that a request has computed. */
    void computed(std::size_t request);
    /* Called with blocks that the runtime will not look up again. */
    void done_with(Batch &batch, const std::vector<uint32_t> &blocks);

    [[nodiscard]] bool is_quiet() const { return !kinds_.step && !kinds_.prefetchable; }

  private:
    /* Gives a hint for those of the blocks that more than one request uses. */
    void hint_shared(Batch &batch, kvcpu_opcode opcode, const std::vector<uint32_t> &blocks);

    /* The full blocks that follow a block in the prompts seen so far. */
    struct Branch {
        uint64_t first = 0;
        bool several = false;
    };

    [[nodiscard]] bool is_said_to_be_over(std::size_t request);
    [[nodiscard]] std::size_t own_blocks_from(std::size_t request) const;
    void prefetch(Batch &batch, std::size_t request, uint64_t target, uint64_t &room);

    HintKinds kinds_;
    const std::vector<Request> &requests_;
    Store &store_;
    uint64_t tokens_per_step_;
    SessionEnds ends_;
    std::mt19937_64 random_;
    std::unordered_map<uint64_t, Branch> branches_;  // by the block's id
    std::vector<uint64_t> targets_;                  // by request: the step it was last hinted for
    uint64_t step_ = 0;
};

}  // namespace kvcpu::serving

#endif  // KVCPU_SERVING_HINTER_H
