// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_PLACEMENT_QUOTAS_H
#define KVCPU_CORE_PLACEMENT_QUOTAS_H

#include <algorithm>
#include <cstdint>
#include <vector>

#include "state/device.h"
#include "util/index_lists.h"

namespace kvcpu {

/*
 * Minima and maxima of slots: "Quotas" in the specification. Policies do not know quotas. A block
 * that a policy chooses, but that its context's minimum protects, is *parked*: it is in no queue of
 * the policy until its context uses more slots, or the block changes. A fetch that its context's
 * maximum forbids is parked as well, until the context uses fewer slots or has a victim of its own.
 * So no unavailable block is examined twice, and a context without a quota costs nothing.
 *
 * unpark_*() only return the block to unpark; the caller must then call Placement::changed().
 */
class Quotas {
  public:
    explicit Quotas(Device &device);

    /* The caller also clears contexts and blocks: no quota is set, and no block is parked. */
    void clear() noexcept;
    /* Whether a context has had a quota since the last reset. */
    [[nodiscard]] bool in_use() const noexcept { return in_use_; }
    /* Whether the sum of all minima, with this one, is at most the number of slots. */
    [[nodiscard]] bool allows(uint16_t context, uint32_t min) const noexcept;
    void set(uint16_t context, uint32_t min, uint32_t max) noexcept;

    /* Must be called after any change of the block. */
    void changed(uint32_t block) noexcept {
        if (in_use_) {
            update(block);
        }
    }
    /* Must be called before a change of its rank, slot or owner. A call of changed() follows. */
    void forget(uint32_t block) noexcept {
        if (in_use_) {
            take_out(block);
        }
    }

    [[nodiscard]] bool is_at_maximum(uint16_t context) const noexcept {
        return d_.contexts[context].slots_used >= d_.contexts[context].slots_max;
    }
    /* The same, but a slot in EVICTING or with a pending REVOKE counts as free. */
    [[nodiscard]] bool must_evict(uint16_t context) const noexcept {
        return staying(context) >= d_.contexts[context].slots_max;
    }
    /* Whether a minimum protects the block from the context that needs a slot. */
    [[nodiscard]] bool protects(uint32_t block, uint16_t wanted_by) const noexcept {
        const uint16_t owner = d_.at(block).owner;
        return owner != wanted_by && staying(owner) <= d_.contexts[owner].slots_min;
    }

    void park_victim(uint32_t block) noexcept;
    void park_fetch(uint32_t block) noexcept;
    /* How many parked victims of the context may be evicted, as it uses more than its minimum. */
    [[nodiscard]] uint32_t to_spare(uint16_t context) const noexcept {
        const uint32_t stay = staying(context);
        return stay - std::min(stay, d_.contexts[context].slots_min);
    }
    /* The block that was parked first, or no_block. */
    uint32_t unpark_victim(uint16_t context) noexcept;
    /* The first parked fetch of the context, if it is below its maximum or has a victim of its own.
     */
    uint32_t unpark_fetch(uint16_t context) noexcept;

    /* The context's blocks that may be evicted, least recently used first. */
    [[nodiscard]] uint32_t first_of(uint16_t context) const noexcept {
        return block_in(own_.front(context));
    }
    [[nodiscard]] uint32_t after(uint32_t block) const noexcept {
        return block_in(own_.after(d_.at(block).slot));
    }

  private:
    [[nodiscard]] uint32_t staying(uint16_t context) const noexcept {
        return d_.contexts[context].slots_used - d_.contexts[context].slots_evicting;
    }
    [[nodiscard]] uint32_t block_in(uint32_t slot) const noexcept {
        return slot == IndexLists::none ? no_block : in_slot_[slot];
    }
    void update(uint32_t block) noexcept;
    void take_out(uint32_t block) noexcept;
    void take_all_in() noexcept;

    Device &d_;
    bool in_use_ = false;
    IndexLists own_;                 // slots, one list per context
    IndexLists victims_;             // slots of parked blocks, one list per context
    IndexLists fetches_;             // parked fetches: blocks, one list per context
    std::vector<uint32_t> in_slot_;  // by slot, of those in own_ and victims_
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_QUOTAS_H
