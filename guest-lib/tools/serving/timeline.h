// SPDX-License-Identifier: MIT
#ifndef KVCPU_SERVING_TIMELINE_H
#define KVCPU_SERVING_TIMELINE_H

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "kvcpu/transport.h"

namespace kvcpu::serving {

struct Figures;

/*
 * Traffic, hits and residency over the model's time, in equal intervals. A sample is taken when the
 * first step after the end of an interval ends, so the device is read between steps only.
 */
class Timeline {
  public:
    /* The length of an interval is a number of whole seconds, for about `intervals` intervals. */
    Timeline(Transport &transport, uint64_t last_arrival_ns);

    [[nodiscard]] bool is_due(uint64_t clock_ns) const { return clock_ns >= next_ns_; }
    /* Must be called when a sample is due, with the device's clock at the engine's. */
    void sample(const Figures &figures, uint64_t clock_ns);
    /* Adds the row since the last sample. */
    void finish(const Figures &figures) { rows_.push_back(look(figures)); }

    [[nodiscard]] nlohmann::ordered_json json() const;

  private:
    static constexpr uint64_t intervals = 120;

    /* Sums since the start. An interval is the difference of two rows. */
    struct Sums {
        uint64_t blocks_in = 0;
        uint64_t blocks_out = 0;
        uint64_t blocks_reclaimed = 0;
        uint64_t fast = 0;
        uint64_t slow = 0;
        uint64_t recomputed = 0;
    };
    struct Row {
        Sums sums;
        kvcpu_info device;
    };

    [[nodiscard]] Row look(const Figures &figures) const;

    Transport &transport_;
    uint64_t interval_ns_;
    uint64_t next_ns_;
    std::vector<uint64_t> counted_before_;  // by the device
    std::vector<Row> rows_;
};

}  // namespace kvcpu::serving

#endif  // KVCPU_SERVING_TIMELINE_H
