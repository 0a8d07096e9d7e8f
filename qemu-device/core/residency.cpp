// SPDX-License-Identifier: GPL-2.0-or-later
#include "residency.h"

#include <algorithm>

#include "device.h"
#include "words.h"

namespace kvcpu {

Residency::Residency(Device &device)
    : d_(device),
      parts_a_context_((device.block_count() + KVCPU_RESIDENCY_PART - 1) / KVCPU_RESIDENCY_PART),
      parts_(device.contexts.size() * parts_a_context_) {}

void Residency::clear() noexcept {
    std::fill(parts_.begin(), parts_.end(), Part{});
    d_.maps = 0;
}

uint64_t Residency::word(const Block &block) noexcept {
    const uint64_t tier = has_slot_copy(block) ? KVCPU_TIER_HBM : KVCPU_TIER_DRAM;
    return uint64_t{1} << KVCPU_RSD_OWNED_SHIFT | tier << KVCPU_RSD_TIER_SHIFT |
           uint64_t{block.state} << KVCPU_RSD_STATE_SHIFT |
           uint64_t{block.generation} << KVCPU_RSD_GENERATION_SHIFT;
}

kvcpu_dma_result Residency::store(const Part &part, uint32_t block, uint64_t word) noexcept {
    words_to_memory(&word, 1);
    const uint64_t index = block % KVCPU_RESIDENCY_PART;
    const kvcpu_dma_result result =
        d_.host.dma_write(part.address + index * KVCPU_RESIDENCY_BYTES, &word, sizeof(word));
    d_.count(result == KVCPU_DMA_OK ? KVCPU_CNT_RESIDENCY_WRITES : KVCPU_CNT_DMA_FAULTS);
    return result;
}

void Residency::drop(uint16_t context, Part &part) noexcept {
    if (part.count > 0) {
        part = {};
        --d_.contexts[context].map_parts;
        --d_.maps;
    }
}

/*
 * Both ends are stored in any case, which shows whether the memory can be written; the memory is
 * zero, so that is all there is to be done for a context that owns nothing yet.
 */
kvcpu_dma_result Residency::add(uint16_t context, uint32_t first, uint32_t count,
                                uint64_t address) noexcept {
    const Part part = {address, count};
    const auto is_owned = [this, context](uint32_t block) {
        return d_.at(block).allocated && d_.at(block).owner == context;
    };
    const bool any = d_.contexts[context].owned > 0;
    for (uint32_t i = 0; i < count; ++i) {
        const uint32_t block = first + i;
        const bool owned = any && is_owned(block);
        if (!owned && i != 0 && i != count - 1) {
            continue;
        }
        const kvcpu_dma_result result = store(part, block, owned ? word(d_.at(block)) : 0);
        if (result != KVCPU_DMA_OK) {
            return result;
        }
    }
    Part &place = part_of(context, first);
    if (place.count == 0) {
        ++d_.contexts[context].map_parts;
        ++d_.maps;
    }
    place = part;
    d_.record({.kind = KVCPU_EV_MAP, .context = context, .first = first, .value = count});
    return KVCPU_DMA_OK;
}

void Residency::remove(uint16_t context, uint32_t first) noexcept {
    drop(context, part_of(context, first));
    d_.record({.kind = KVCPU_EV_MAP, .context = context, .first = first, .value = 0});
}

void Residency::remove_all(uint16_t context) noexcept {
    for (size_t part = 0; part < parts_a_context_ && d_.contexts[context].map_parts > 0; ++part) {
        drop(context, parts_[context * parts_a_context_ + part]);
    }
}

void Residency::show(uint32_t block) noexcept {
    const Block &b = d_.at(block);
    if (b.allocated && d_.contexts[b.owner].map_parts > 0) {
        show_in(b.owner, block, word(b));
    }
}

void Residency::hide(uint16_t context, uint32_t block) noexcept {
    if (d_.contexts[context].map_parts > 0) {
        show_in(context, block, 0);
    }
}

void Residency::show_in(uint16_t context, uint32_t block, uint64_t word) noexcept {
    Part &part = part_of(context, block);
    if (block % KVCPU_RESIDENCY_PART >= part.count) {
        return;
    }
    if (store(part, block, word) != KVCPU_DMA_OK) {
        drop(context, part);
        d_.map_faults.insert(context);
        d_.record({.kind = KVCPU_EV_MAP,
                   .context = context,
                   .first = block - block % KVCPU_RESIDENCY_PART,
                   .value = 0});
    }
}

}  // namespace kvcpu
