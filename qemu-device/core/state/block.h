// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_STATE_BLOCK_H
#define KVCPU_CORE_STATE_BLOCK_H

#include <cstdint>

#include "kvcpu_hw.h"
#include "kvcpu_hw_rings.h"

namespace kvcpu {

inline constexpr uint32_t no_block = UINT32_MAX;
inline constexpr uint32_t no_slot = static_cast<uint32_t>(KVCPU_NO_SLOT);

/* The kinds of hint that last. A block has at most one of them: the latest. */
enum class Hint : uint8_t { none, hot, evictable, prefetchable, released };

/*
 * The directory's entry for a block. Steps are on the clock of its context (context.h), which keeps
 * counting when the decode step goes back.
 */
struct alignas(64) Block {
    uint64_t last_use = 0;  // sequence number of the last use or UNPIN in the device; 0: never
    uint64_t used_at = 0;   // clock at that use
    uint64_t target = 0;    // clock at which HOT or PREFETCHABLE ends
    uint64_t fetch_sequence = 0;  // sequence number of the latest fetch request
    uint32_t slot = no_slot;
    uint32_t generation = 0;
    uint32_t first_token = 0;
    uint32_t tokens = 0;
    uint16_t owner = 0;
    uint16_t claims = 0;
    uint16_t wanted = 0;  // pending PINs whose range includes it
    uint16_t request = 0;
    uint8_t layer = 0;
    uint8_t head = 0;
    uint8_t sharers = 0;
    uint8_t frequency = 0;  // F of the score
    kvcpu_block_state state : 4 = KVCPU_BS_FREE;
    kvcpu_victim_class eviction_class : 4 = KVCPU_VC_UNHINTED;  // class at the decision to evict it
    Hint hint : 4 = Hint::none;
    bool allocated : 1 = false;
    bool written : 1 = false;
    bool dirty : 1 = false;
    bool sealed : 1 = false;
    bool prefix : 1 = false;
    bool used : 1 = false;            // since it was allocated, or since reset
    bool moving : 1 = false;          // a channel or the scrubber is working on it
    bool prefetched : 1 = false;      // fetched for a hint or score, and not used since
    bool promoted : 1 = false;        // a fetch by score is requested
    bool cached : 1 = false;          // the device may reclaim it
    bool reclaimed : 1 = false;       // reclaimed, and not free yet
    bool unacknowledged : 1 = false;  // its former owner has not acknowledged the reclaim
    bool lingering : 1 = false;       // pinned and unpinned since its last HOT hint
    bool held : 1 = false;            // Device::holds has its holds
    bool write_held : 1 = false;
    bool revoking : 1 = false;         // its holders were asked to release it, and have not
    bool slot_requested : 1 = false;   // a revoke asked for its slot
    bool fetch_requested : 1 = false;  // a revoke asked for it, to fetch it for a hint
    bool due : 1 = false;              // examined in the next STEP (wheel.h)
    bool parked : 1 = false;           // a quota keeps it out of the policy's queues (quotas.h)
};
/* One cache line, as most operations on a block access no other part of the directory. */
static_assert(sizeof(Block) == 64);

/*
 * The fields at each change of ownership. A field that is not named here returns to its default, so
 * a new field cannot carry one owner's state over to the next.
 */

/* The block after ALLOC: it keeps its slot and its place in the order of last use. */
[[nodiscard]] inline Block block_after_alloc(const Block &before, uint16_t owner) noexcept {
    Block block;
    block.last_use = before.last_use;
    block.slot = before.slot;
    block.state = before.state;
    block.prefetched = before.prefetched;
    block.generation = before.generation + 1;
    block.unacknowledged = before.unacknowledged;
    block.allocated = true;
    block.owner = owner;
    return block;
}

/* The block after FREE or a reclaim: it keeps what scrubbing needs, and its holds. */
[[nodiscard]] inline Block block_after_free(const Block &before) noexcept {
    Block block;
    block.last_use = before.last_use;
    block.slot = before.slot;
    block.state = before.state;
    block.generation = before.generation;
    block.written = before.written;
    block.moving = before.moving;
    block.unacknowledged = before.unacknowledged;
    block.held = before.held;
    block.write_held = before.write_held;
    block.revoking = before.revoking;
    block.slot_requested = before.slot_requested;
    block.fetch_requested = before.fetch_requested;
    return block;
}

/* The block after a reset other than a cold one: it is scrubbed if it had an owner. */
[[nodiscard]] inline Block block_after_reset(const Block &before) noexcept {
    Block block;
    block.generation = before.generation;
    if (before.allocated || before.state == KVCPU_BS_SCRUBBING) {
        block.state = KVCPU_BS_SCRUBBING;
        block.written = before.written;
        block.slot = before.slot;
    }
    return block;
}

/* The block holds no data any more. The caller has taken its slot away and changes its state. */
inline void clear_scrubbed(Block &block) noexcept {
    block.slot = no_slot;
    block.written = false;
    block.dirty = false;
}

/* The holds of a block, and the reason of its REVOKE. */
struct Hold {
    uint16_t read = 0;
    uint16_t write = 0;
    uint16_t context = 0;  // the context that holds the block
    kvcpu_revoke_reason reason = KVCPU_RV_SLOT;
};

[[nodiscard]] inline bool has_slot_copy(const Block &block) noexcept {
    return block.state == KVCPU_BS_FAST || block.state == KVCPU_BS_WRITING_BACK ||
           block.state == KVCPU_BS_EVICTING;
}

/* The block is in the slow tier only, and no move of it is in progress. */
[[nodiscard]] inline bool is_in_slow_tier_only(const Block &block) noexcept {
    return block.state == KVCPU_BS_SLOW || block.state == KVCPU_BS_FREE;
}

/* A hint that requests a slot, and protects the block in its slot. */
[[nodiscard]] inline bool wants_fast(const Block &block) noexcept {
    return block.hint == Hint::hot || block.hint == Hint::prefetchable;
}

/* The block is in a slot and may be evicted. A held block may be, after a REVOKE. */
[[nodiscard]] inline bool can_leave(const Block &block) noexcept {
    return (block.state == KVCPU_BS_FAST || block.state == KVCPU_BS_WRITING_BACK) &&
           block.claims == 0 && block.wanted == 0 && !block.revoking;
}

/* The block may be evicted, and no quota keeps it: it is in the queues of policies. */
[[nodiscard]] inline bool may_leave(const Block &block) noexcept {
    return can_leave(block) && !block.parked;
}

/* A cached block without protection. A block whose former owner has not acknowledged an earlier
 * reclaim is protected. */
[[nodiscard]] inline bool may_be_reclaimed(const Block &block) noexcept {
    return block.cached && !block.unacknowledged && block.claims == 0 && block.wanted == 0 &&
           (block.state == KVCPU_BS_SLOW || block.state == KVCPU_BS_FAST ||
            block.state == KVCPU_BS_WRITING_BACK);
}

/* HOT is before every target in the order of targets. */
[[nodiscard]] inline uint64_t target_key(const Block &block) noexcept {
    return block.hint == Hint::hot ? 0 : block.target;
}

/*
 * Whether a fetch for a hint may evict a block that is in its slot for a hint as well. It may only
 * if its own target is earlier. Otherwise the two blocks would evict each other without end.
 */
[[nodiscard]] inline bool yields_slot_to(const Block &block, const Block &wanted) noexcept {
    return !wants_fast(block) || target_key(block) > target_key(wanted);
}

/* The class of a block that may be evicted, for a policy that uses hints. */
[[nodiscard]] inline kvcpu_victim_class class_by_hint(const Block &block) noexcept {
    if (block.sharers > 0) {
        return KVCPU_VC_SHARED;
    }
    switch (block.hint) {
        case Hint::none:
            break;
        case Hint::hot:
            return KVCPU_VC_HOT;
        case Hint::evictable:
            return KVCPU_VC_EVICTABLE;
        case Hint::prefetchable:
            return KVCPU_VC_PREFETCHED;
        case Hint::released:
            return KVCPU_VC_RELEASED;
    }
    return KVCPU_VC_UNHINTED;
}

/* When a hint of the block ends, on its context's clock, or UINT64_MAX. */
[[nodiscard]] inline uint64_t hint_ends_at(const Block &block) noexcept {
    switch (block.hint) {
        case Hint::hot:
            return block.target;
        case Hint::prefetchable:
            return block.target + 1;
        default:
            return UINT64_MAX;
    }
}
[[nodiscard]] inline bool has_hint_ended(const Block &block, uint64_t clock) noexcept {
    return clock >= hint_ends_at(block);
}

}  // namespace kvcpu

#endif  // KVCPU_CORE_STATE_BLOCK_H
