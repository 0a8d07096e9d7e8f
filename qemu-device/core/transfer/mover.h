// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_TRANSFER_MOVER_H
#define KVCPU_CORE_TRANSFER_MOVER_H

#include <cstdint>
#include <vector>

#include "placement/placement.h"
#include "queues/event_queue.h"
#include "state/device.h"
#include "transfer/pins.h"
#include "transfer/victim_search.h"
#include "util/index_lists.h"

namespace kvcpu {

/*
 * Concepts. A *channel* copies one block at a time between the tiers; all channels share the link's
 * bandwidth. The *scrubber* zeroes freed blocks. A *move* is a fetch (slow to fast) or a write-back
 * (fast to slow). An idle channel starts the most urgent move. The bytes are copied when the move
 * ends.
 */
class Mover final : public Evictions {
  public:
    Mover(Device &device, Placement &placement, Pins &pins, EventQueue &events);

    /* Removes all moves and scrubs, after a reset. */
    void clear() noexcept;

    /* Evicts a block, as a policy decided in a STEP; as evict_for(). */
    bool evict(uint32_t block, kvcpu_victim_class as) noexcept override {
        return evict_for(block, as, {.cause = KVCPU_EC_DEMOTED, .revoke = KVCPU_RV_EVICT});
    }
    /* The same for EVICTABLE with F_NOW. */
    void evict_now(uint32_t block) noexcept {
        evict_for(block, KVCPU_VC_EVICTABLE, {.cause = KVCPU_EC_NOW, .revoke = KVCPU_RV_EVICT});
    }
    /*
     * Writes a dirty block back when no more urgent move needs the link. The block keeps its slot.
     */
    void clean(uint32_t block) noexcept;
    /* The block is freed: its move is aborted, and it is scrubbed. */
    void abort_and_scrub(uint32_t block) noexcept;
    /* Puts a block that is SCRUBBING into the scrubber's queue, unless it is held. */
    void scrub(uint32_t block) noexcept {
        if (!d_.at(block).held) {
            jobs_.push_back(scrub_jobs, block);
        }
    }
    /* The block got a hold; the block's last hold was released. */
    void held(uint32_t block) noexcept;
    void released(uint32_t block) noexcept;
    /* Whether a fetch is waiting for a slot. */
    [[nodiscard]] bool is_slot_wanted() const noexcept {
        return pins_.unstarted() + placement_.queued() > 0;
    }

    /* Completes the moves that end by now: channels by number, then the scrubber. */
    void finish() noexcept;
    void take_work() noexcept;
    /* When the next move or scrub ends. */
    [[nodiscard]] uint64_t next_end() const noexcept;
    /* A lower limit of the time at which a pending PIN can be granted. */
    [[nodiscard]] uint64_t earliest_grant() const noexcept;
    /* A time in which the engines complete few enough moves to be handled at once. */
    [[nodiscard]] uint64_t batch_ns() const noexcept {
        return batch_moves * (scrubber_.kind == Kind::idle ? move_ns_ : scrub_ns_);
    }

  private:
    enum class Kind : uint8_t { idle, fetch, write_back, zero_fill, scrub };

    /* A channel or the scrubber, and its current move. */
    struct Engine {
        Kind kind = Kind::idle;
        uint16_t reason = KVCPU_MOVE_DEMAND;
        bool aborted = false;
        uint32_t block = no_block;
        uint64_t end_ns = 0;
    };

    static constexpr uint64_t batch_moves = 16;

    static constexpr uint32_t eviction_jobs = 0;
    static constexpr uint32_t clean_jobs = 1;
    static constexpr uint32_t scrub_jobs = 2;
    static constexpr uint32_t job_lists = 3;

    /* Why a block is evicted, and the reason in the REVOKE if the block is held. */
    struct Cause {
        kvcpu_eviction_cause cause;
        kvcpu_revoke_reason revoke;
        uint32_t wanted_by = no_block;
    };

    /*
     * Evicts a block that is in FAST or WRITING_BACK, at once if it is clean. If the block is
     * held, its holders get a REVOKE instead, and the function returns false.
     */
    bool evict_for(uint32_t block, kvcpu_victim_class as, const Cause &cause) noexcept;
    void record_choice(uint32_t block, kvcpu_victim_class as, const Cause &cause) noexcept;
    void leave_slot(uint32_t block, kvcpu_block_event event) noexcept;
    bool exchange(uint32_t wanted_by, SlotPurpose purpose) noexcept;
    uint32_t next_for_pins(bool written) noexcept;
    [[nodiscard]] bool make_slot_free(uint32_t wanted_by, SlotPurpose purpose) noexcept;
    [[nodiscard]] uint32_t evictions_on_channels() const noexcept;
    [[nodiscard]] uint64_t earliest_end(Pins::Lack lack) const noexcept;

    void begin(Engine &engine, Kind kind, uint32_t block, uint16_t reason) noexcept;
    void begin_fetch(Engine &engine, Kind kind, uint32_t block, uint16_t reason) noexcept;
    void revoke(uint32_t block, kvcpu_revoke_reason why) noexcept;
    void revoke_for_fetches() noexcept;
    void clear_fetch_request(uint32_t block) noexcept;
    bool begin_eviction(Engine &channel, uint16_t reason) noexcept;
    bool take_demand(Engine &channel) noexcept;
    bool take_prefetch(Engine &channel) noexcept;
    bool take_clean(Engine &channel) noexcept;
    bool take_zero_fill() noexcept;
    bool take_scrub() noexcept;

    void end(Engine &engine) noexcept;
    void end_fetch(const Engine &engine) noexcept;
    void end_write_back(const Engine &engine) noexcept;
    void end_scrub(uint32_t block) noexcept;
    void end_aborted(const Engine &engine) noexcept;
    void record_move(kvcpu_event_kind kind, const Engine &engine) noexcept;

    Device &d_;
    Placement &placement_;
    Pins &pins_;
    EventQueue &events_;
    VictimSearch victims_;
    uint32_t fetches_requested_ =
        0;  // held blocks that are to be fetched for a hint after their release
    IndexLists jobs_;
    std::vector<Engine> channels_;
    Engine scrubber_;
    uint64_t move_ns_;
    uint64_t scrub_ns_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_TRANSFER_MOVER_H
