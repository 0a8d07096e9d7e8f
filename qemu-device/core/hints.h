// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_HINTS_H
#define KVCPU_CORE_HINTS_H

#include <array>
#include <cstdint>

#include "completions.h"
#include "device.h"
#include "mover.h"
#include "placement.h"
#include "steps.h"

namespace kvcpu {

struct HintRequest {
    kvcpu_opcode opcode = KVCPU_OP_STEP;
    uint16_t flags = 0;
    uint16_t context = 0;
    uint64_t first = 0;
    uint64_t count = 0;
    uint64_t arg = 0;
};

/*
 * Applies hints. A long one is applied in portions: the first within the register write, the
 * others each a microsecond later; hints that come meanwhile wait behind it, so that they take
 * effect in the order in which they were given.
 */
class Hints {
  public:
    Hints(Device &device, Placement &placement, Mover &mover, Steps &steps);

    void clear() noexcept;
    /* The request is well-formed. Never fails: the result's AUX says what became of it. */
    Result execute(const HintRequest &request) noexcept;

    void resume() noexcept;
    /* When the next portion is due. */
    [[nodiscard]] uint64_t next_portion() const noexcept {
        return count_ == 0 ? KVCPU_TIMER_OFF : due_ns_;
    }
    /* Drops what waits in a context's name. */
    void drop(uint16_t context) noexcept;

  private:
    /* A hint and how far it has come. */
    struct Progress {
        HintRequest request;
        bool begun = false;  // a STEP
        uint32_t next = 0;
        uint32_t end = 0;
        uint32_t applied = 0;
        uint8_t left_out = 0;  // a bit a reason
    };

    Result settle(const HintRequest &request, kvcpu_hint_outcome outcome, kvcpu_hint_reason reason,
                  uint32_t applied) noexcept;
    Result begin(Progress &progress) noexcept;
    [[nodiscard]] bool is_used_by_policy(kvcpu_opcode opcode) const noexcept;
    void push(const Progress &progress) noexcept;
    /* Returns true when the hint is done. */
    bool work(Progress &progress, uint32_t &budget) noexcept;

    kvcpu_hint_reason apply(const HintRequest &request, uint32_t block) noexcept;
    void apply_hot(const HintRequest &request, uint32_t block) noexcept;
    void apply_evictable(const HintRequest &request, uint32_t block) noexcept;
    bool add_sharers(uint32_t block, int change) noexcept;

    Device &d_;
    Placement &placement_;
    Mover &mover_;
    Steps &steps_;
    std::array<Progress, KVCPU_HINT_QUEUE_MAX> queue_{};  // oldest first
    uint32_t count_ = 0;
    uint64_t due_ns_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_HINTS_H
