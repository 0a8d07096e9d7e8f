// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_PLACEMENT_SCORE_H
#define KVCPU_CORE_PLACEMENT_SCORE_H

#include <array>
#include <cstdint>
#include <vector>

#include "state/block.h"
#include "state/context.h"

namespace kvcpu {

/* The verdict of the score on a block. With some thresholds it can be both. */
struct Verdict {
    bool demote = false;
    bool promote = false;

    bool operator==(const Verdict &) const = default;
};

struct Weights {
    uint32_t r = KVCPU_WEIGHT_R_DEFAULT;
    uint32_t f = KVCPU_WEIGHT_F_DEFAULT;
    uint32_t s = KVCPU_WEIGHT_S_DEFAULT;
    uint32_t d = KVCPU_WEIGHT_D_DEFAULT;
    uint32_t evict_below = KVCPU_EVICT_THRESH_DEFAULT;
    uint32_t promote_above = KVCPU_PREFETCH_THRESH_DEFAULT;

    bool operator==(const Weights &) const = default;
};

/*
 * The published placement score, P = (w_r R + w_f F + w_s S + w_d D) mod 2^16; the
 * specification defines R, F, S and D ("Placement").
 *
 * The verdict on a block changes at few ages. A row for each (F, D), filled at its first use, has
 * the next such age, so that a step examines only the blocks whose verdict changes.
 */
class Score {
  public:
    static constexpr uint64_t never = UINT64_MAX;
    static constexpr uint64_t age_max = 255;  // the score is constant above

    Score();

    [[nodiscard]] const Weights &weights() const noexcept { return weights_; }
    void set_weights(const Weights &weights) noexcept;

    [[nodiscard]] static uint8_t recency(uint64_t age) noexcept;
    [[nodiscard]] uint16_t value(const Block &block, const Context &context) const noexcept;
    [[nodiscard]] Verdict verdict(const Block &block, const Context &context) const noexcept {
        return verdict(value(block, context));
    }
    /* The number of steps until the verdict on an unused block changes, or `never`. */
    [[nodiscard]] uint64_t steps_to_change(const Block &block, const Context &context) noexcept;

  private:
    struct Row {
        bool filled = false;
        // Age at which the verdict differs from the one at this age; 0: at none.
        std::array<uint16_t, age_max + 1> changes{};
    };

    [[nodiscard]] uint16_t value(uint64_t age, uint8_t frequency, bool prefix) const noexcept;
    [[nodiscard]] Verdict verdict(uint16_t value) const noexcept {
        return {value<weights_.evict_below, value> weights_.promote_above};
    }
    void fill(Row &row, uint8_t frequency, bool prefix) const noexcept;

    Weights weights_;
    std::vector<Row> rows_;  // by frequency and prefix
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_SCORE_H
