// SPDX-License-Identifier: GPL-2.0-or-later
// The state that all parts of the core share.
#ifndef KVCPU_CORE_STATE_DEVICE_H
#define KVCPU_CORE_STATE_DEVICE_H

#include <cstdint>
#include <vector>

#include "kvcpu_core.h"
#include "kvcpu_hw_rings.h"
#include "state/block.h"
#include "state/clock.h"
#include "state/context.h"
#include "state/counters.h"
#include "state/event_log.h"
#include "state/host.h"
#include "state/occupancy.h"
#include "state/registers.h"
#include "state/residency.h"
#include "state/tiers.h"
#include "util/number_set.h"

namespace kvcpu {

/*
 * Concepts. The directory has an entry for each block (block.h). A block has one owner, a context
 * (context.h), and a backing block in the slow tier. It may also be in a slot of the fast tier.
 * This is passive state; the parts that hold a reference to it decide: placement, pins, mover,
 * steps, hints, commands.
 */
struct Device {
    Device(const kvcpu_config &cfg, const kvcpu_host_ops &ops, void *opaque, void *fast,
           void *slow);
    Device(const Device &) = delete;
    Device &operator=(const Device &) = delete;
    Device(Device &&) = delete;
    Device &operator=(Device &&) = delete;
    ~Device() = default;

    [[nodiscard]] Block &at(uint32_t block) noexcept { return blocks[block]; }
    [[nodiscard]] const Block &at(uint32_t block) const noexcept { return blocks[block]; }
    [[nodiscard]] Context &context_of(uint32_t block) noexcept {
        return contexts[blocks[block].owner];
    }
    [[nodiscard]] uint32_t block_count() const noexcept {
        return static_cast<uint32_t>(blocks.size());
    }

    /*
     * Changes a block's state. No other function does. Asserts that the transition table allows it.
     */
    void change(uint32_t block, kvcpu_block_event event, kvcpu_block_state to) noexcept;
    /* Must be called after a change that affects whether ALLOC may allocate the block. */
    void update_free(uint32_t block) noexcept;
    /* The state after EVICT without a write-back. */
    [[nodiscard]] static kvcpu_block_state rest_state(const Block &block) noexcept {
        return block.allocated ? KVCPU_BS_SLOW : KVCPU_BS_FREE;
    }

    /* Cancels the request for the slot of a held block. */
    void cancel_slot_request(uint32_t block) noexcept {
        if (at(block).slot_requested) {
            at(block).slot_requested = false;
            --slots_requested;
            --context_of(block).slots_evicting;
        }
    }
    void request_slot(uint32_t block) noexcept {
        if (!at(block).slot_requested) {
            at(block).slot_requested = true;
            ++slots_requested;
            ++context_of(block).slots_evicting;
        }
    }
    /* Must be called before and after a change of owner. */
    void count_slot_out(const Block &block) noexcept {
        contexts[block.owner].slots_used -= block.slot != no_slot ? 1 : 0;
        contexts[block.owner].slots_evicting -= is_evicting(block) ? 1 : 0;
    }
    void count_slot_in(const Block &block) noexcept {
        contexts[block.owner].slots_used += block.slot != no_slot ? 1 : 0;
        contexts[block.owner].slots_evicting += is_evicting(block) ? 1 : 0;
    }
    [[nodiscard]] static bool is_evicting(const Block &block) noexcept {
        return block.state == KVCPU_BS_EVICTING || block.slot_requested;
    }

    void recount(uint32_t block) noexcept { occupancy.recount(block, at(block)); }
    void count(kvcpu_counter counter, uint64_t amount = 1) noexcept {
        counters.add(counter, amount);
    }
    void raise(unsigned vector) noexcept {
        count(KVCPU_CNT_INTERRUPTS);
        host.notify(vector);
    }
    void record(const EventLog::Record &record) noexcept { log.append(now, record); }

    const kvcpu_config config;
    Host host;
    EventLog log;
    Counters counters;
    RegisterValues registers;
    Tiers tiers;
    Clock clock;
    uint64_t completions = 0;  // stored in the FIFO or a ring since power-on
    uint64_t now = 0;          // the instant in progress; it may be before clock.now()
    kvcpu_policy policy;
    const uint32_t slot_count;
    std::vector<Block> blocks;
    Occupancy occupancy;
    std::vector<Context> contexts;
    NumberSet free_blocks;         // blocks that ALLOC may allocate
    NumberSet free_slots;          // slots without a block, without a fetch and without a scrub
    uint32_t evicting = 0;         // blocks in EVICTING
    uint32_t reclaimed = 0;        // reclaimed blocks that are not scrubbed yet
    uint64_t use_sequence = 0;     // number of the last use
    uint64_t fetch_sequence = 0;   // number of the last request to fetch a block
    uint64_t wait_sequence = 0;    // number of the last command that became pending
    uint32_t slots_requested = 0;  // held blocks with slot_requested
    uint32_t held = 0;             // blocks that are held
    std::vector<Hold> holds;
    Residency residency;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_STATE_DEVICE_H
