// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement.h"

namespace kvcpu {

Placement::Placement(Device &device)
    : wheel(device),
      d_(device),
      victim_positions_(device.block_count(), IndexedHeap::nowhere),
      fetch_positions_(device.block_count(), IndexedHeap::nowhere),
      class_in_(device.block_count()),
      fetches_(fetch_positions_, device.block_count()),
      fetch_is_promotion_(device.block_count()) {
    for (unsigned i = 0; i < KVCPU_VC_PINNED; ++i) {
        classes_.emplace_back(victim_positions_, device.slot_count);
    }
}

void Placement::changed(uint32_t block) noexcept {
    update_victims(block);
    update_fetches(block);
    if (d_.is_hepc() && d_.at(block).state != KVCPU_BS_SCRUBBING) {
        wheel.at_next_step(block);
    }
}

void Placement::rebuild() noexcept {
    for (IndexedHeap &heap : classes_) {
        heap.clear();
    }
    fetches_.clear();
    promotions_ = 0;
    wheel.clear();
    for (uint32_t block = 0; block < d_.block_count(); ++block) {
        d_.at(block).promoted = false;
        update_victims(block);
        update_fetches(block);
    }
    ++generation;
}

bool Placement::is_candidate(const Block &block) const noexcept {
    return (block.state == KVCPU_BS_FAST || block.state == KVCPU_BS_WRITING_BACK) &&
           block.claims == 0 && block.wanted == 0;
}

void Placement::update_victims(uint32_t block) noexcept {
    if (victim_positions_[block] != IndexedHeap::nowhere) {
        classes_[class_in_[block]].erase(block);
    }
    const Block &b = d_.at(block);
    if (!is_candidate(b)) {
        return;
    }
    const kvcpu_victim_class now_in = d_.class_of(b);
    HeapKey key = {b.stamp, 0, block};
    if (now_in == KVCPU_VC_PREFETCHED) {
        key = {~b.target, b.stamp, block};
    }
    class_in_[block] = now_in;
    classes_[now_in].insert(key);
}

bool Placement::is_fetch_wanted(const Block &block) const noexcept {
    return d_.is_hepc() && is_home(block) && (wants_fast(block) || block.promoted);
}

void Placement::update_fetches(uint32_t block) noexcept {
    if (is_queued(block)) {
        promotions_ -= fetch_is_promotion_[block] ? 1 : 0;
        fetches_.erase(block);
    }
    Block &b = d_.at(block);
    if (b.promoted && (!is_home(b) || b.hint == Hint::evictable || b.hint == Hint::released)) {
        b.promoted = false;
    }
    if (!is_fetch_wanted(b)) {
        return;
    }
    /* HOT, then PREFETCHABLE by target, then promotions; each in the order of asking. */
    const bool promotion = !wants_fast(b);
    const uint64_t rank = promotion ? UINT64_MAX : target_key(block);
    fetch_is_promotion_[block] = promotion;
    promotions_ += promotion ? 1 : 0;
    fetches_.insert({rank, b.asked, block});
}

void Placement::use(uint32_t block) noexcept {
    Block &b = d_.at(block);
    b.frequency = static_cast<uint8_t>(b.frequency + (b.frequency < UINT8_MAX ? 1 : 0));
    b.used = true;
    end_use(block);
}

void Placement::end_use(uint32_t block) noexcept {
    Block &b = d_.at(block);
    b.stamp = ++stamps_;
    b.used_at = d_.context_of(block).clock;
    changed(block);
}

void Placement::credit_prefetch(uint32_t block) noexcept {
    Block &b = d_.at(block);
    if (b.prefetched) {
        b.prefetched = false;
        d_.count(KVCPU_CNT_PREFETCH_USED);
    }
}

void Placement::hint(uint32_t block, Hint hint, uint64_t target) noexcept {
    Block &b = d_.at(block);
    b.hint = hint;
    b.target = target;
    b.asked = ++asks_;
    changed(block);
}

void Placement::promote(uint32_t block) noexcept {
    Block &b = d_.at(block);
    b.promoted = true;
    b.asked = ++asks_;
    changed(block);
}

bool Placement::shared_over_cap() const noexcept {
    return classes_[KVCPU_VC_SHARED].size() > d_.registers[Reg::SHARED_CAP];
}

Victim Placement::victim(Room room, uint64_t own_target) const noexcept {
    const auto top = [this](kvcpu_victim_class from) { return classes_[from].top().block; };
    if (room == Room::score) {
        return {};
    }
    for (const kvcpu_victim_class first :
         {KVCPU_VC_RELEASED, KVCPU_VC_EVICTABLE, KVCPU_VC_UNHINTED}) {
        if (!classes_[first].empty()) {
            return {top(first), first, false};
        }
    }
    if (shared_over_cap()) {
        return {top(KVCPU_VC_SHARED), KVCPU_VC_SHARED, false};
    }
    const IndexedHeap &prefetched = classes_[KVCPU_VC_PREFETCHED];
    if (!prefetched.empty() &&
        (room == Room::pin || d_.at(prefetched.top().block).target > own_target)) {
        return {prefetched.top().block, KVCPU_VC_PREFETCHED, false};
    }
    if (room == Room::pin) {
        for (const kvcpu_victim_class last : {KVCPU_VC_HOT, KVCPU_VC_SHARED}) {
            if (!classes_[last].empty()) {
                return {top(last), last, true};
            }
        }
    }
    return {};
}

}  // namespace kvcpu
