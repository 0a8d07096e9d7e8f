// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/placement.h"

#include "placement/policies.h"
#include "placement/policy_min.h"

namespace kvcpu {

Placement::Placement(Device &device)
    : quotas(device),
      d_(device),
      places_(device.block_count()),
      victims_(device, places_),
      fetches_(device, places_),
      reclaim_(device),
      wheel_(device) {
    const PolicyTools tools = {.device = device,
                               .victims = victims_,
                               .fetches = fetches_,
                               .reclaim = reclaim_,
                               .wheel = wheel_,
                               .score = score,
                               .generation = generation};
    policies_ = make_policies(tools);
    in_force_ = policies_[d_.policy].get();
    if (device.host.knows_the_future()) {
        bound_ = std::make_unique<MinPolicy>(tools);
    }
}

void Placement::rebuild() noexcept {
    in_force_ = bound_ ? bound_.get() : policies_[d_.policy].get();
    victims_.clear();
    fetches_.clear();
    reclaim_.clear();
    wheel_.clear();
    policy().restart();
    for (uint32_t block = 0; block < d_.block_count(); ++block) {
        changed(block);
    }
    ++generation;
}

void Placement::touch(uint32_t block) noexcept {
    Block &b = d_.at(block);
    b.last_use = ++d_.use_sequence;
    reclaim_.remove(block);
    quotas.forget(block);
    b.used_at = d_.context_of(block).clock;
}

void Placement::count_use(uint32_t block, Use use) noexcept {
    Block &b = d_.at(block);
    b.frequency = static_cast<uint8_t>(b.frequency + (b.frequency < UINT8_MAX ? 1 : 0));
    b.used = true;
    touch(block);
    policy().used(block, use);
}

void Placement::use(uint32_t block, Use use) noexcept {
    count_use(block, use);
    changed(block);
}

void Placement::end_use(uint32_t block) noexcept {
    touch(block);
    Block &b = d_.at(block);
    if (b.claims == 0) {
        b.lingering = b.hint == Hint::hot;
        policy().unpinned(block);
    }
    changed(block);
}

void Placement::credit_prefetch(uint32_t block) noexcept {
    Block &b = d_.at(block);
    if (b.prefetched) {
        b.prefetched = false;
        d_.count(KVCPU_CNT_PREFETCH_USED);
    }
}

void Placement::set_hint(uint32_t block, Hint hint, uint64_t target) noexcept {
    Block &b = d_.at(block);
    quotas.forget(block);
    b.hint = hint;
    b.target = target;
    b.fetch_sequence = ++d_.fetch_sequence;
    b.lingering = false;
}

void Placement::hint(uint32_t block, Hint hint, uint64_t target) noexcept {
    set_hint(block, hint, target);
    changed(block);
}

void Placement::use_and_hint(uint32_t block, Hint hint, uint64_t target) noexcept {
    count_use(block, Use::access);
    set_hint(block, hint, target);
    changed(block);
}

void Placement::forget(uint32_t block) noexcept {
    wheel_.forget(block);
    quotas.forget(block);
    reclaim_.remove(block);
    policy().forget(block);
}

}  // namespace kvcpu
