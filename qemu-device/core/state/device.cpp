// SPDX-License-Identifier: GPL-2.0-or-later
#include "state/device.h"

#include <cassert>

#include "state/transitions.h"

namespace kvcpu {

Device::Device(const kvcpu_config &cfg, const kvcpu_host_ops &ops, void *opaque, void *fast,
               void *slow)
    : config(cfg),
      host(ops, opaque),
      log(host),
      tiers(host, fast, slow, cfg.block_size),
      policy(static_cast<kvcpu_policy>(cfg.policy)),
      slot_count(static_cast<uint32_t>(cfg.fast_size / cfg.block_size)),
      blocks(cfg.slow_size / cfg.block_size),
      occupancy(blocks.size()),
      contexts(cfg.max_contexts),
      free_blocks(block_count()),
      free_slots(slot_count),
      holds(block_count()),
      residency({host, counters, log, now, blocks, contexts}) {}

void Device::change(uint32_t block, kvcpu_block_event event, kvcpu_block_state to) noexcept {
    assert(is_transition_allowed(at(block).state, event, to));
    assert(!at(block).held || held_rule(event, at(block).write_held) == HeldRule::yes);
    (void)event;
    const uint32_t was_evicting = at(block).state == KVCPU_BS_EVICTING ? 1 : 0;
    const uint32_t is_evicting = to == KVCPU_BS_EVICTING ? 1 : 0;
    evicting += is_evicting - was_evicting;
    context_of(block).slots_evicting += is_evicting - was_evicting;
    at(block).state = to;
    recount(block);
    update_free(block);
    if (residency.has_parts()) {
        residency.show(block);
    }
}

void Device::update_free(uint32_t block) noexcept {
    Block &b = at(block);
    if (b.allocated || (b.state != KVCPU_BS_FREE && b.state != KVCPU_BS_FAST)) {
        free_blocks.erase(block);
        return;
    }
    free_blocks.insert(block);
    if (b.reclaimed) {
        b.reclaimed = false;
        --reclaimed;
    }
}

}  // namespace kvcpu
