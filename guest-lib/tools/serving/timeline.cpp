// SPDX-License-Identifier: MIT
#include "timeline.h"

#include <algorithm>
#include <array>

#include "figures.h"

namespace kvcpu::serving {

namespace {

constexpr uint64_t second_ns = 1'000'000'000;

/* In the order of the registers OCCUPANCY_*. */
constexpr std::array residency_names = {"free",       "scrubbing",  "slow",        "fetching",
                                        "fast_clean", "fast_dirty", "fast_pinned", "evicting"};
/* The order in which they are stacked, with the fast tier at the bottom. */
constexpr std::array<std::size_t, residency_names.size()> residency_order = {6, 4, 5, 7,
                                                                             3, 2, 1, 0};

}  // namespace

Timeline::Timeline(Transport &transport, uint64_t last_arrival_ns)
    : transport_(transport),
      interval_ns_(std::max<uint64_t>(last_arrival_ns / intervals / second_ns, 1) * second_ns),
      next_ns_(interval_ns_),
      counted_before_(transport.counters()) {}

Timeline::Row Timeline::look(const Figures &figures) const {
    const std::vector<uint64_t> counters = transport_.counters();
    const auto counted = [&](kvcpu_counter counter) {
        return counters[counter] - counted_before_[counter];
    };
    return {.sums = {.blocks_in =
                         counted(KVCPU_CNT_FETCHES_DEMAND) + counted(KVCPU_CNT_FETCHES_PREFETCH),
                     .blocks_out = counted(KVCPU_CNT_WRITE_BACKS),
                     .blocks_reclaimed = counted(KVCPU_CNT_BLOCKS_RECLAIMED),
                     .fast = figures.fast,
                     .slow = figures.slow,
                     .recomputed = figures.recomputed},
            .device = transport_.info()};
}

/* Adds equal rows for intervals in which no step ended. */
void Timeline::sample(const Figures &figures, uint64_t clock_ns) {
    const Row row = look(figures);
    for (; next_ns_ <= clock_ns; next_ns_ += interval_ns_) {
        rows_.push_back(row);
    }
}

nlohmann::ordered_json Timeline::json() const {
    nlohmann::ordered_json json;
    json["interval_ns"] = interval_ns_;
    const auto add = [&](const char *name, uint64_t Sums::*sum) {
        nlohmann::ordered_json &list = json[name] = nlohmann::ordered_json::array();
        uint64_t before = 0;
        for (const Row &row : rows_) {
            list.push_back(row.sums.*sum - before);
            before = row.sums.*sum;
        }
    };
    add("blocks_in", &Sums::blocks_in);
    add("blocks_out", &Sums::blocks_out);
    add("blocks_reclaimed", &Sums::blocks_reclaimed);
    add("fast", &Sums::fast);
    add("slow", &Sums::slow);
    add("recomputed", &Sums::recomputed);
    for (const std::size_t kind : residency_order) {
        nlohmann::ordered_json &list = json["residency"][residency_names.at(kind)];
        list = nlohmann::ordered_json::array();
        for (const Row &row : rows_) {
            list.push_back(row.device.occupancy[kind]);
        }
    }
    return json;
}

}  // namespace kvcpu::serving
