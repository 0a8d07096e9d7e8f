// SPDX-License-Identifier: GPL-2.0-or-later
// What a placement policy is. docs/policies.md shows how to add one.
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

/* A granted PIN; or READ, WRITE, TOUCH or HOT. */
enum class Use : uint8_t { claim, access };

/* The fetch that wants a slot. */
struct Want {
    uint32_t block = no_block;
    SlotPurpose purpose = SlotPurpose::pin;
};

struct Victim {
    uint32_t block = no_block;
    kvcpu_victim_class as = KVCPU_VC_UNHINTED;
    bool displaced = false;  // a hot or shared block, for want of another
};

/* What a policy may do to a block by itself, in a STEP. */
class Evictions {
  public:
    /* False: the block is held. It is asked back, and may leave once it is not. */
    virtual bool evict(uint32_t block, kvcpu_victim_class as) noexcept = 0;

  protected:
    Evictions() = default;
    Evictions(const Evictions &) = default;
    Evictions &operator=(const Evictions &) = default;
    Evictions(Evictions &&) = default;
    Evictions &operator=(Evictions &&) = default;
    ~Evictions() = default;
};

/* What policies share, as one is in force at a time; cleared when another takes over. */
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
 * Which block leaves the fast tier next, and which is fetched into it next: section 11 of the
 * specification. A policy only decides: it is notified of what happens to blocks, and keeps what it
 * needs to answer. It allocates at construction alone, and does a bounded amount of work in each
 * call.
 */
class Policy {
  public:
    Policy() = default;
    virtual ~Policy() = default;
    Policy(const Policy &) = delete;
    Policy &operator=(const Policy &) = delete;
    Policy(Policy &&) = delete;
    Policy &operator=(Policy &&) = delete;

    /* Whether hints other than STEP, SHARE, UNSHARE and SEAL mean anything. */
    [[nodiscard]] virtual bool uses_hints() const noexcept = 0;
    /* The victim class of a block without a claim. */
    [[nodiscard]] virtual kvcpu_victim_class class_of(const Block &block) const noexcept = 0;

    /* Comes into force: knows nothing; added() and changed() follow for every block. */
    virtual void restart() noexcept {}
    /* Anything of the block may have changed: state, claims, hint, sharers, use. */
    virtual void changed(uint32_t block) noexcept = 0;
    /* A PIN waits for a block that is in no slot. */
    virtual void missed(uint32_t /*block*/) noexcept {}
    /* Of the block; changed() follows. */
    virtual void used(uint32_t /*block*/, Use /*use*/) noexcept {}
    /* The last claim of a block is given back; changed() follows. */
    virtual void unclaimed(uint32_t /*block*/) noexcept {}
    /* Its fetch has begun; it has left its slot. changed() follows. */
    virtual void entered(uint32_t /*block*/) noexcept {}
    virtual void left(uint32_t /*block*/) noexcept {}
    /* The block is about to change owner: what was known of it counts no longer. */
    virtual void forget(uint32_t /*block*/) noexcept {}

    /* The block was sealed, and holds this content (0: unknown). */
    virtual void sealed(uint32_t /*block*/, uint64_t /*content*/) noexcept {}
    /* The cached block to reclaim first; no_block if no block may be reclaimed. */
    [[nodiscard]] virtual uint32_t reclaim_next() const noexcept = 0;
    /* A hint of the block is about to come: has what it will touch come nearer, in two steps. */
    virtual void warm_cache(uint32_t /*block*/) const noexcept {}
    virtual void warm_cache_deep(uint32_t /*block*/) const noexcept {}

    /* The block to evict, or no_block if no block should be evicted. */
    [[nodiscard]] virtual Victim victim(const Want &want) const noexcept = 0;

    /* The context's clock went on from `before`: what is to be done about it, if anything. */
    virtual void begin_step(uint16_t /*context*/, uint64_t /*before*/) noexcept {}
    /* Goes on with it; takes what it does from the budget. Returns true when it is done. */
    virtual bool work_step(uint32_t & /*budget*/, Evictions & /*evictions*/) noexcept {
        return true;
    }
    virtual void abandon_step() noexcept {}
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_POLICY_H
