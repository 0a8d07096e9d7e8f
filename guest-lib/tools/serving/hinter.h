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

/* Which hints the runtime gives. SEAL is always given: write-back is not a matter of policy. */
struct HintKinds {
    bool step = false;
    bool prefetchable = false;
    bool evictable = false;
    bool share = false;

    [[nodiscard]] std::vector<std::string> names() const;
    /* "none", "all", or a list with commas. Throws std::invalid_argument that names the word. */
    static HintKinds parse(const std::string &text);
};

/* Requests that wait, in their order. An oracle foresees some that have yet to arrive. */
struct Queue {
    const std::deque<std::size_t> &arrived;
    std::size_t foreseen_from = 0;
    std::size_t foreseen_end = 0;
};

/* An oracle's word, of a given quality, on whether a session is over when its request ends. */
struct SessionEnds {
    double recall = 0;        // of those that are over, how many it tells of
    double false_alarms = 0;  // of those that go on, how many it says are over
    const Foresight *foresight = nullptr;
};

/*
 * Says to the device what a serving runtime may know: requests that have arrived, their order,
 * and what runs. Nothing from the future of the trace.
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

    /* A step begins. `room` is what of the fast tier running requests do not need. */
    void step(Batch &batch, uint64_t step, const Queue &queue, uint64_t room);
    /* A request has arrived. */
    void announce(Batch &batch, const Queue &queue, uint64_t room);
    /* A running request holds, or lets go of, a block that others may hold too. */
    void held(Batch &batch, const std::vector<uint32_t> &blocks);
    void let_go(Batch &batch, const std::vector<uint32_t> &blocks);
    /* A request has ended, of which an oracle may say that its session is over. */
    void ended(Batch &batch, std::size_t request, const std::vector<uint32_t> &blocks);
    /* What a request computed is found by others from now on. */
    void computed(std::size_t request);
    /* Blocks that the runtime itself will not look up again. */
    void done_with(Batch &batch, const std::vector<uint32_t> &blocks);

    [[nodiscard]] bool is_quiet() const { return !kinds_.step && !kinds_.prefetchable; }

  private:
    /* Of blocks that more than one request uses. */
    void hint_shared(Batch &batch, kvcpu_opcode opcode, const std::vector<uint32_t> &blocks);

    /* Full blocks that follow one in the prompts seen so far. */
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
