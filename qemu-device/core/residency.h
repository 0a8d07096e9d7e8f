// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_RESIDENCY_H
#define KVCPU_CORE_RESIDENCY_H

#include <cstdint>
#include <vector>

#include "kvcpu_core.h"
#include "kvcpu_hw.h"
#include "kvcpu_hw_rings.h"

namespace kvcpu {

struct Block;
struct Device;

/* Where contexts can read where their blocks are: section 18 of the specification. */
class Residency {
  public:
    explicit Residency(Device &device);

    void clear() noexcept;

    /* `first` is where a part begins; all of it lies in the space. */
    kvcpu_dma_result add(uint16_t context, uint32_t first, uint32_t count,
                         uint64_t address) noexcept;
    void remove(uint16_t context, uint32_t first) noexcept;
    void remove_all(uint16_t context) noexcept;

    /* Stores the block's word in its owner's map. */
    void show(uint32_t block) noexcept;
    /* The block is no more the context's. */
    void hide(uint16_t context, uint32_t block) noexcept;

  private:
    struct Part {
        uint64_t address = 0;
        uint32_t count = 0;  // 0: there is none
    };

    [[nodiscard]] Part &part_of(uint16_t context, uint32_t block) noexcept {
        return parts_[context * parts_a_context_ + block / KVCPU_RESIDENCY_PART];
    }
    [[nodiscard]] static uint64_t word(const Block &block) noexcept;
    kvcpu_dma_result store(const Part &part, uint32_t block, uint64_t word) noexcept;
    void show_in(uint16_t context, uint32_t block, uint64_t word) noexcept;
    void drop(uint16_t context, Part &part) noexcept;

    Device &d_;
    size_t parts_a_context_;
    std::vector<Part> parts_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_RESIDENCY_H
