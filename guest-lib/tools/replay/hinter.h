// SPDX-License-Identifier: MIT
#ifndef KVCPU_REPLAY_HINTER_H
#define KVCPU_REPLAY_HINTER_H

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "kvcpu/batch.h"
#include "store.h"
#include "trace.h"

namespace kvcpu::replay {

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

/*
 * Says to the device what a serving runtime may know: requests that have arrived, their order,
 * and what runs. Nothing from the future of the trace.
 */
class Hinter {
  public:
    Hinter(const HintKinds &kinds, const std::vector<Request> &requests, Store &store,
           uint64_t prefill_tokens_per_step)
        : kinds_(kinds),
          requests_(requests),
          store_(store),
          tokens_per_step_(prefill_tokens_per_step),
          targets_(requests.size()) {}

    /* A step begins. `room` is what of the fast tier running requests do not need. */
    void step(Batch &batch, uint64_t step, const Queue &queue, uint64_t room);
    /* A request has arrived. */
    void announce(Batch &batch, const Queue &queue, uint64_t room);
    /* A running request holds, or lets go of, a block that others may hold too. */
    void held(Batch &batch, const std::vector<uint32_t> &blocks);
    void let_go(Batch &batch, const std::vector<uint32_t> &blocks);
    /* Blocks that the runtime itself will not look up again. */
    void done_with(Batch &batch, const std::vector<uint32_t> &blocks);

    [[nodiscard]] bool is_quiet() const { return !kinds_.step && !kinds_.prefetchable; }

  private:
    void prefetch(Batch &batch, std::size_t request, uint64_t target, uint64_t &room);

    HintKinds kinds_;
    const std::vector<Request> &requests_;
    Store &store_;
    uint64_t tokens_per_step_;
    std::vector<uint64_t> targets_;  // by request: the step it was last hinted for
    uint64_t step_ = 0;
};

}  // namespace kvcpu::replay

#endif  // KVCPU_REPLAY_HINTER_H
