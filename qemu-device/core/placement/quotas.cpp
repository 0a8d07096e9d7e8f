// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/quotas.h"

namespace kvcpu {

Quotas::Quotas(Device &device)
    : d_(device),
      own_(device.slot_count, static_cast<uint32_t>(device.contexts.size())),
      victims_(device.slot_count, static_cast<uint32_t>(device.contexts.size())),
      fetches_(device.block_count(), static_cast<uint32_t>(device.contexts.size())),
      in_slot_(device.slot_count, no_block) {}

void Quotas::clear() noexcept {
    in_use_ = false;
    own_.clear();
    victims_.clear();
    fetches_.clear();
}

bool Quotas::allows(uint16_t context, uint32_t min) const noexcept {
    uint64_t together = min;
    for (uint32_t other = 0; other < d_.contexts.size(); ++other) {
        together += other == context ? 0 : d_.contexts[other].slots_min;
    }
    return together <= d_.slot_count;
}

void Quotas::set(uint16_t context, uint32_t min, uint32_t max) noexcept {
    d_.contexts[context].slots_min = min;
    d_.contexts[context].slots_max = max;
    /* Quotas stay in use until a reset, as blocks may be parked from now on. */
    if (!in_use_ && (min > 0 || max < d_.slot_count)) {
        in_use_ = true;
        take_all_in();
    }
}

/* No list is kept without quotas, so the blocks are not in the order of last use. */
void Quotas::take_all_in() noexcept {
    for (uint32_t block = 0; block < d_.block_count(); ++block) {
        update(block);
    }
}

void Quotas::update(uint32_t block) noexcept {
    const Block &b = d_.at(block);
    if (b.slot == no_slot) {
        return;
    }
    if (!can_leave(b)) {
        own_.remove(b.slot);
    } else if (!own_.contains(b.slot)) {
        in_slot_[b.slot] = block;
        own_.push_back(b.owner, b.slot);
    }
}

void Quotas::take_out(uint32_t block) noexcept {
    Block &b = d_.at(block);
    if (b.slot != no_slot) {
        own_.remove(b.slot);
        victims_.remove(b.slot);
    }
    if (b.parked) {
        b.parked = false;
        fetches_.remove(block);
    }
}

void Quotas::park_victim(uint32_t block) noexcept {
    Block &b = d_.at(block);
    b.parked = true;
    in_slot_[b.slot] = block;
    victims_.push_back(b.owner, b.slot);
}

void Quotas::park_fetch(uint32_t block) noexcept {
    d_.at(block).parked = true;
    fetches_.push_back(d_.at(block).owner, block);
}

uint32_t Quotas::unpark_victim(uint16_t context) noexcept {
    const uint32_t block = block_in(victims_.front(context));
    if (block == no_block) {
        return no_block;
    }
    victims_.remove(d_.at(block).slot);
    d_.at(block).parked = false;
    return block;
}

uint32_t Quotas::unpark_fetch(uint16_t context) noexcept {
    const uint32_t block = fetches_.front(context);
    if (block == IndexLists::none) {
        return no_block;
    }
    fetches_.remove(block);
    d_.at(block).parked = false;
    return block;
}

}  // namespace kvcpu
