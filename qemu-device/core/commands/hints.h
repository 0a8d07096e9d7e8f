// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_COMMANDS_HINTS_H
#define KVCPU_CORE_COMMANDS_HINTS_H

#include <array>
#include <cstdint>
#include <vector>

#include "placement/placement.h"
#include "state/device.h"
#include "state/hint_request.h"
#include "transfer/fences.h"
#include "transfer/mover.h"
#include "transfer/steps.h"

namespace kvcpu {

/* Virtual time between two batches of one long hint, or of closing contexts. */
inline constexpr uint64_t batch_interval_ns = 1000;

/* A hint and its progress. */
struct HintProgress {
    HintRequest request;
    uint64_t step = 0;  // number of the STEP that has begun
    uint32_t next = 0;
    uint32_t end = 0;
    uint32_t applied = 0;
    uint8_t skipped = 0;    // one bit per reason
    uint64_t sequence = 0;  // for fences
};

/*
 * Applies hints. A long hint is applied in batches: the first within the register write, each
 * further batch a microsecond later. Hints that arrive in between are queued behind it, so that all
 * hints take effect in their order.
 */
class Hints {
  public:
    Hints(Device &device, Placement &placement, Mover &mover, Steps &steps, Fences &fences);

    void clear() noexcept;
    /* The request must be well-formed. A hint never fails: AUX of the result has its outcome. */
    Result execute(const HintRequest &request) noexcept;

    /* The block must be in the KV space. */
    void apply_to_one(const HintRequest &request) noexcept;
    /*
     * A ring's hint is not queued here. The scheduler calls work() with a budget until work()
     * returns true, and then settle() for the outcome.
     */
    [[nodiscard]] HintProgress prepare(const HintRequest &request) noexcept;
    bool work(HintProgress &progress, uint32_t &budget) noexcept;
    Result settle(const HintProgress &progress) noexcept;
    /* A hint that its ring continues in a later slice. A ring has at most one. */
    void keep(uint16_t ring, const HintProgress &progress,
              const CompletionTarget &completion) noexcept {
        under_way_[ring] = {progress, completion, true};
    }
    [[nodiscard]] bool is_under_way(uint16_t ring) const noexcept {
        return under_way_[ring].is_active;
    }
    /* Returns true when the hint is done. */
    bool go_on(uint16_t ring, uint32_t &budget, CompletionTarget &completion,
               Result &result) noexcept;
    /* Discards the rest of the ring's hint. */
    void stop(uint16_t ring) noexcept;

    void resume() noexcept;
    /* When the next batch is due, in virtual ns. */
    [[nodiscard]] uint64_t next_batch() const noexcept {
        return count_ == 0 ? KVCPU_TIMER_OFF : due_ns_;
    }
    /* waiting_of() returns the number of queued hints of a context; drop() discards them. */
    [[nodiscard]] uint32_t waiting_of(uint16_t context) const noexcept;
    void drop(uint16_t context) noexcept;

  private:
    Result conclude(const HintRequest &request, kvcpu_hint_outcome outcome,
                    kvcpu_hint_reason reason, uint32_t applied) noexcept;
    [[nodiscard]] bool is_used_by_policy(kvcpu_opcode opcode) const noexcept;
    void push(const HintProgress &progress) noexcept;
    void abandon(const HintProgress &progress) noexcept;
    void count_block(kvcpu_hint_reason reason) noexcept;
    bool work_step(HintProgress &progress, uint32_t &budget) noexcept;

    kvcpu_hint_reason apply(const HintRequest &request, uint32_t block) noexcept;
    void apply_hot(const HintRequest &request, uint32_t block) noexcept;
    void apply_evictable(const HintRequest &request, uint32_t block) noexcept;
    bool add_sharers(uint32_t block, int change) noexcept;

    Device &d_;
    Placement &placement_;
    Mover &mover_;
    Steps &steps_;
    Fences &fences_;
    std::array<HintProgress, KVCPU_HINT_QUEUE_MAX> queue_{};  // oldest first
    struct UnderWay {
        HintProgress progress;
        CompletionTarget completion;
        bool is_active = false;
    };
    std::vector<UnderWay> under_way_;  // by ring
    uint32_t count_ = 0;
    uint64_t due_ns_ = 0;
    uint64_t steps_begun_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_COMMANDS_HINTS_H
