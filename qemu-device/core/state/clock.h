// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_STATE_CLOCK_H
#define KVCPU_CORE_STATE_CLOCK_H

#include <algorithm>
#include <cstdint>

#include "kvcpu_core.h"
#include "kvcpu_hw.h"

namespace kvcpu {

/*
 * The device's time: the host's time minus the time for which the clock was stopped. The clock
 * stops at `stop`, until the stop time is changed.
 */
class Clock {
  public:
    /* `host_ns` does not fall from call to call. */
    uint64_t now(uint64_t host_ns) noexcept {
        if (host_ns - behind_ > stop_) {
            behind_ = host_ns - stop_;
        }
        return host_ns - behind_;
    }
    [[nodiscard]] bool may_stand() const noexcept { return stop_ != never; }
    /* The value of register CLOCK_STOP. */
    [[nodiscard]] uint64_t stop() const noexcept { return may_stand() ? stop_ : KVCPU_CLOCK_RUNS; }

    void run() noexcept { stop_ = never; }
    /* The time is `now_ns`. A stop time in the past stops the clock now. */
    void stop_at(uint64_t stop, uint64_t now_ns) noexcept {
        stop_ = stop == KVCPU_CLOCK_RUNS ? never : std::clamp(stop, now_ns, never - 1);
    }

    /* Converts a device time to host time; KVCPU_TIMER_OFF if the clock stops before it. */
    [[nodiscard]] uint64_t on_host(uint64_t ns) const noexcept {
        return ns == KVCPU_TIMER_OFF || ns > stop_ ? KVCPU_TIMER_OFF : ns + behind_;
    }

  private:
    static constexpr uint64_t never = UINT64_MAX;

    uint64_t stop_ = never;
    uint64_t behind_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_STATE_CLOCK_H
