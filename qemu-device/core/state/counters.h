// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_STATE_COUNTERS_H
#define KVCPU_CORE_STATE_COUNTERS_H

#include <array>
#include <cstdint>

#include "kvcpu_hw.h"

namespace kvcpu {

/* The counters of KVCPU_COUNTERS, and one for each status code. They wrap at 2^64. */
class Counters {
  public:
    void add(kvcpu_counter counter, uint64_t amount = 1) noexcept { values_[counter] += amount; }
    void add_status(kvcpu_status status) noexcept { ++statuses_[status]; }

    [[nodiscard]] uint64_t value(unsigned index) const noexcept { return values_[index]; }
    [[nodiscard]] uint64_t status(unsigned index) const noexcept { return statuses_[index]; }

    /* Clears all counters except RESETS. */
    void reset() noexcept {
        const uint64_t resets = values_[KVCPU_CNT_RESETS];
        values_.fill(0);
        statuses_.fill(0);
        values_[KVCPU_CNT_RESETS] = resets;
    }
    void power_on() noexcept {
        values_.fill(0);
        statuses_.fill(0);
    }

  private:
    std::array<uint64_t, KVCPU_COUNTER_COUNT> values_{};
    std::array<uint64_t, KVCPU_STATUS_COUNT> statuses_{};
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_STATE_COUNTERS_H
