// SPDX-License-Identifier: GPL-2.0-or-later
// The interface of placement policies. docs/policies.md shows how to add one.
#ifndef KVCPU_CORE_PLACEMENT_POLICY_H
#define KVCPU_CORE_PLACEMENT_POLICY_H

#include <cstdint>

#include "placement/policy_queues.h"
#include "placement/reclaim_queue.h"
#include "placement/score.h"
#include "placement/wheel.h"
#include "state/device.h"

namespace kvcpu {

/* Why a slot is needed. The purpose decides which victim classes may be taken. */
enum class SlotPurpose : uint8_t { pin, hint, score };

/* claim: a granted PIN. access: READ, WRITE, a granted HOLD, TOUCH or HOT. */
enum class Use : uint8_t { claim, access };

/* The fetch that needs a slot. */
struct Want {
    uint32_t block = no_block;
    SlotPurpose purpose = SlotPurpose::pin;
};

struct Victim {
    uint32_t block = no_block;
    kvcpu_victim_class as = KVCPU_VC_UNHINTED;
    bool displaced = false;  // a hot or shared block, as no other can be evicted
};

/* What a policy may do to a block in a STEP. */
class Evictions {
  public:
    /* False: the block is held. A REVOKE has been sent, and the block may be evicted after it. */
    virtual bool evict(uint32_t block, kvcpu_victim_class as) noexcept = 0;

  protected:
    Evictions() = default;
    Evictions(const Evictions &) = default;
    Evictions &operator=(const Evictions &) = default;
    Evictions(Evictions &&) = default;
    Evictions &operator=(Evictions &&) = default;
    ~Evictions() = default;
};

/* The queues that all policies share. They are cleared when the policy changes. */
struct PolicyTools {
    Device &device;
    VictimQueue &victims;
    FetchQueue &fetches;
    ReclaimQueue &reclaim;
    Wheel &wheel;
    Score &score;
    uint32_t &generation;
};

/*
 * Chooses the next block to evict from the fast tier, and the next block to fetch: "Placement" in
 * the specification. A policy only decides. It is notified of changes of blocks, and keeps the
 * state for its decisions. It allocates memory only at construction, and does a bounded amount of
 * work in each call.
 */
class Policy {
  public:
    Policy() = default;
    virtual ~Policy() = default;
    Policy(const Policy &) = delete;
    Policy &operator=(const Policy &) = delete;
    Policy(Policy &&) = delete;
    Policy &operator=(Policy &&) = delete;

    /* Whether the policy uses hints other than STEP, SHARE, UNSHARE and SEAL. */
    [[nodiscard]] virtual bool uses_hints() const noexcept = 0;
    /* The victim class of a block that is not pinned. */
    [[nodiscard]] virtual kvcpu_victim_class class_of(const Block &block) const noexcept = 0;

    /* Becomes the current policy, with no state. Calls of added() and changed() follow for all
     * blocks. */
    virtual void restart() noexcept {}
    /* The block's state, pin count, hint, sharers or use may have changed. */
    virtual void changed(uint32_t block) noexcept = 0;
    /* A PIN is pending for a block that is not in a slot. */
    virtual void missed(uint32_t /*block*/) noexcept {}
    /* The block was used. A call of changed() follows. */
    virtual void used(uint32_t /*block*/, Use /*use*/) noexcept {}
    /* The block's pin count fell to 0. A call of changed() follows. */
    virtual void unpinned(uint32_t /*block*/) noexcept {}
    /* A fetch of the block has started; the block has left its slot. A call of changed() follows.
     */
    virtual void entered(uint32_t /*block*/) noexcept {}
    virtual void left(uint32_t /*block*/) noexcept {}
    /* The block is about to change owner: its history is forgotten. */
    virtual void forget(uint32_t /*block*/) noexcept {}

    /* The block was sealed with this content (0: unknown). */
    virtual void sealed(uint32_t /*block*/, uint64_t /*content*/) noexcept {}
    /* The cached block to reclaim first; no_block if no block may be reclaimed. */
    [[nodiscard]] virtual uint32_t reclaim_next() const noexcept = 0;
    /* A hint of the block follows: prefetches what it accesses into the CPU cache, in two steps. */
    virtual void warm_cache(uint32_t /*block*/) const noexcept {}
    virtual void warm_cache_deep(uint32_t /*block*/) const noexcept {}

    /* The block to evict, or no_block if no block should be evicted. */
    [[nodiscard]] virtual Victim victim(const Want &want) const noexcept = 0;

    /* The context's clock has advanced from `before`. Prepares the work of this step. */
    virtual void begin_step(uint16_t /*context*/, uint64_t /*before*/) noexcept {}
    /* Continues the work of the step within the budget. Returns true when it is done. */
    virtual bool work_step(uint32_t & /*budget*/, Evictions & /*evictions*/) noexcept {
        return true;
    }
    virtual void abandon_step() noexcept {}
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_POLICY_H
