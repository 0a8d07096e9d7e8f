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
 * Traffic, hits and residency over the model's time, in equal intervals. A sample is taken when
 * the first step ends behind an interval's end, so that it needs no look at the device in between.
 */
class Timeline {
  public:
    /* Intervals of whole seconds, about `intervals` of them until the last arrival. */
    Timeline(Transport &transport, uint64_t last_arrival_ns);

    [[nodiscard]] bool is_due(uint64_t clock_ns) const { return clock_ns >= next_ns_; }
    /* To be called when it is due, with the device's clock at the engine's. */
    void sample(const Figures &figures, uint64_t clock_ns);
    /* What there was since the last sample. */
    void finish(const Figures &figures) { rows_.push_back(look(figures)); }

    [[nodiscard]] nlohmann::ordered_json json() const;

  private:
    static constexpr uint64_t intervals = 120;

    /* Sums since the start; a row is the difference of two. */
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
