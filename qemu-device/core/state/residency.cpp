// SPDX-License-Identifier: GPL-2.0-or-later
#include "state/residency.h"

#include <algorithm>

#include "util/words.h"

namespace kvcpu {

Residency::Residency(const DeviceParts &parts)
    : d_(parts),
      parts_a_context_((parts.blocks.size() + KVCPU_RESIDENCY_PART - 1) / KVCPU_RESIDENCY_PART),
      parts_(parts.contexts.size() * parts_a_context_),
      faults_(static_cast<uint32_t>(parts.contexts.size())) {
    faults_.clear();
}

void Residency::clear() noexcept {
    std::fill(parts_.begin(), parts_.end(), Part{});
    part_count_ = 0;
    faults_.clear();
}

void Residency::record(uint16_t context, uint32_t first, uint32_t count) noexcept {
    d_.log.append(d_.now,
                  {.kind = KVCPU_EV_MAP, .context = context, .first = first, .value = count});
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
    d_.counters.add(result == KVCPU_DMA_OK ? KVCPU_CNT_RESIDENCY_WRITES : KVCPU_CNT_DMA_FAULTS);
    return result;
}

void Residency::drop(uint16_t context, Part &part) noexcept {
    if (part.count > 0) {
        part = {};
        --d_.contexts[context].map_parts;
        --part_count_;
    }
}

/*
 * The first and the last word are always stored, which shows whether the memory can be written.
 * The guest provides zeroed memory, so a context that owns no block needs no other store.
 */
kvcpu_dma_result Residency::add(uint16_t context, uint32_t first, uint32_t count,
                                uint64_t address) noexcept {
    const Part part = {address, count};
    const bool any = d_.contexts[context].owned > 0;
    for (uint32_t i = 0; i < count; ++i) {
        const uint32_t block = first + i;
        const bool owned = any && is_owned_by(context, block);
        if (!owned && i != 0 && i != count - 1) {
            continue;
        }
        const kvcpu_dma_result result = store(part, block, owned ? word(d_.blocks[block]) : 0);
        if (result != KVCPU_DMA_OK) {
            return result;
        }
    }
    Part &place = part_of(context, first);
    if (place.count == 0) {
        ++d_.contexts[context].map_parts;
        ++part_count_;
    }
    place = part;
    record(context, first, count);
    return KVCPU_DMA_OK;
}

void Residency::remove(uint16_t context, uint32_t first) noexcept {
    drop(context, part_of(context, first));
    record(context, first, 0);
}

void Residency::remove_all(uint16_t context) noexcept {
    for (size_t part = 0; part < parts_a_context_ && d_.contexts[context].map_parts > 0; ++part) {
        drop(context, parts_[context * parts_a_context_ + part]);
    }
}

void Residency::show(uint32_t block) noexcept {
    const Block &b = d_.blocks[block];
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
        faults_.insert(context);
        record(context, block - block % KVCPU_RESIDENCY_PART, 0);
    }
}

}  // namespace kvcpu
