// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_STATE_RESIDENCY_H
#define KVCPU_CORE_STATE_RESIDENCY_H

#include <cstdint>
#include <vector>

#include "kvcpu_core.h"
#include "kvcpu_hw.h"
#include "kvcpu_hw_rings.h"
#include "state/block.h"
#include "state/context.h"
#include "state/counters.h"
#include "state/event_log.h"
#include "state/host.h"
#include "util/number_set.h"

namespace kvcpu {

/*
 * The residency maps: guest memory in which the device stores the place of each block. See
 * "Residency map" in the specification.
 */
class Residency {
  public:
    /* The parts of the device that residency maps read and write. */
    struct DeviceParts {
        Host &host;
        Counters &counters;
        EventLog &log;
        const uint64_t &now;
        const std::vector<Block> &blocks;
        std::vector<Context> &contexts;
    };

    explicit Residency(const DeviceParts &parts);

    void clear() noexcept;

    /* `first` is the first block of a part. The part lies in the KV space. */
    kvcpu_dma_result add(uint16_t context, uint32_t first, uint32_t count,
                         uint64_t address) noexcept;
    void remove(uint16_t context, uint32_t first) noexcept;
    void remove_all(uint16_t context) noexcept;

    /* Writes the block's word to its owner's map. */
    void show(uint32_t block) noexcept;
    /* Clears the block's word in the map of its former owner. */
    void hide(uint16_t context, uint32_t block) noexcept;

    [[nodiscard]] bool has_parts() const noexcept { return part_count_ > 0; }
    /* Contexts whose map could not be written. The caller stops their rings. */
    NumberSet &faults() noexcept { return faults_; }

  private:
    struct Part {
        uint64_t address = 0;
        uint32_t count = 0;  // 0: no part is set
    };

    [[nodiscard]] Part &part_of(uint16_t context, uint32_t block) noexcept {
        return parts_[context * parts_a_context_ + block / KVCPU_RESIDENCY_PART];
    }
    [[nodiscard]] static uint64_t word(const Block &block) noexcept;
    kvcpu_dma_result store(const Part &part, uint32_t block, uint64_t word) noexcept;
    void show_in(uint16_t context, uint32_t block, uint64_t word) noexcept;
    void drop(uint16_t context, Part &part) noexcept;

    [[nodiscard]] bool is_owned_by(uint16_t context, uint32_t block) const noexcept {
        return d_.blocks[block].allocated && d_.blocks[block].owner == context;
    }
    void record(uint16_t context, uint32_t first, uint32_t count) noexcept;

    DeviceParts d_;
    size_t parts_a_context_;
    std::vector<Part> parts_;
    uint32_t part_count_ = 0;
    NumberSet faults_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_STATE_RESIDENCY_H
