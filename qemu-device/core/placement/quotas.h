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
 * Minima and maxima of slots: section 21 of the specification. Policies know nothing of them. A
 * block that a policy would take, and that its context's minimum protects, is *parked*: it is in no
 * order any more until its context uses more, or something is done to it. A fetch that its
 * context's maximum forbids is parked likewise, until the context uses less or has one to give.
 * So no unavailable block is examined twice, and a context without a quota costs nothing.
 *
 * unpark_*() only return the block to put back; the caller then calls Placement::changed().
 */
class Quotas {
  public:
    explicit Quotas(Device &device);

    /* Contexts and blocks begin anew with it, without quota and not parked. */
    void clear() noexcept;
    /* Some context has one, or had since the last reset. */
    [[nodiscard]] bool in_use() const noexcept { return in_use_; }
    /* The minima of all contexts fit together. */
    [[nodiscard]] bool allows(uint16_t context, uint32_t min) const noexcept;
    void set(uint16_t context, uint32_t min, uint32_t max) noexcept;

    /* Anything of the block may have changed. */
    void changed(uint32_t block) noexcept {
        if (in_use_) {
            update(block);
        }
    }
    /* Before its rank, slot or owner changes; changed() follows. */
    void forget(uint32_t block) noexcept {
        if (in_use_) {
            take_out(block);
        }
    }

    [[nodiscard]] bool is_at_maximum(uint16_t context) const noexcept {
        return d_.contexts[context].slots_used >= d_.contexts[context].slots_max;
    }
    /* As above, counting the slots that are being evicted as in use. */
    [[nodiscard]] bool must_evict(uint16_t context) const noexcept {
        return staying(context) >= d_.contexts[context].slots_max;
    }
    /* True if a minimum protects the block from the context that wants its slot. */
    [[nodiscard]] bool protects(uint32_t block, uint16_t wanted_by) const noexcept {
        const uint16_t owner = d_.at(block).owner;
        return owner != wanted_by && staying(owner) <= d_.contexts[owner].slots_min;
    }

    void park_victim(uint32_t block) noexcept;
    void park_fetch(uint32_t block) noexcept;
    /* So many of them are worth another look, as the context uses more than its minimum. */
    [[nodiscard]] uint32_t to_spare(uint16_t context) const noexcept {
        const uint32_t stay = staying(context);
        return stay - std::min(stay, d_.contexts[context].slots_min);
    }
    /* The block that was parked first, or no_block. */
    uint32_t unpark_victim(uint16_t context) noexcept;
    /* And which fetch, as it uses less than its maximum, or has a slot to give. */
    uint32_t unpark_fetch(uint16_t context) noexcept;

    /* The context's blocks that may leave, from the one that was used longest ago on. */
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
    IndexLists own_;                 // slots, a list a context
    IndexLists victims_;             // slots of parked blocks, a list a context
    IndexLists fetches_;             // blocks, a list a context
    std::vector<uint32_t> in_slot_;  // by slot, of those in own_ and victims_
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_QUOTAS_H
