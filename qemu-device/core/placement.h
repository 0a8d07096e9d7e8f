// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_PLACEMENT_H
#define KVCPU_CORE_PLACEMENT_H

#include <cstdint>
#include <vector>

#include "device.h"
#include "indexed_heap.h"
#include "score.h"
#include "wheel.h"

namespace kvcpu {

/* For what room is made; decides which classes may be taken. */
enum class Room : uint8_t { pin, hint, score };

struct Victim {
    uint32_t block = no_block;
    kvcpu_victim_class as = KVCPU_VC_UNHINTED;
    bool displaced = false;  // a hot or shared block, for want of another
};

/*
 * Which block leaves the fast tier next, and which is fetched into it next, as use, hints and
 * scores say: section 11 of the specification. Decides only; the mover acts.
 */
class Placement {
  public:
    explicit Placement(Device &device);

    /* To be called whenever anything that placement looks at in a block has changed. */
    void changed(uint32_t block) noexcept;
    /* All blocks anew: after a reset, and after a change of policy. */
    void rebuild() noexcept;

    /* A granted PIN, READ, WRITE, TOUCH or HOT. */
    void use(uint32_t block) noexcept;
    /* UNPIN ends a use. */
    void end_use(uint32_t block) noexcept;
    /* PIN, READ or WRITE found a block that was prefetched. */
    void credit_prefetch(uint32_t block) noexcept;
    /* `target` is on the context's clock; for HOT and PREFETCHABLE. */
    void hint(uint32_t block, Hint hint, uint64_t target) noexcept;
    /* A fetch for the block's score, into a free slot. */
    void promote(uint32_t block) noexcept;

    /* `own_target` counts for Room::hint: the key of the fetch that wants the room. */
    [[nodiscard]] Victim victim(Room room, uint64_t own_target) const noexcept;

    /* The fetch to be made first, or no_block; it stays queued until it starts. */
    [[nodiscard]] uint32_t next_fetch() const noexcept {
        return fetches_.empty() ? no_block : fetches_.top().block;
    }
    [[nodiscard]] bool is_queued(uint32_t block) const noexcept {
        return fetch_positions_[block] != IndexedHeap::nowhere;
    }
    [[nodiscard]] uint32_t queued() const noexcept { return fetches_.size(); }
    [[nodiscard]] uint32_t queued_promotions() const noexcept { return promotions_; }
    [[nodiscard]] Room room_for(uint32_t block) const noexcept {
        return wants_fast(d_.at(block)) ? Room::hint : Room::score;
    }
    /* HOT comes before every target. */
    [[nodiscard]] uint64_t target_key(uint32_t block) const noexcept {
        return d_.at(block).hint == Hint::hot ? 0 : d_.at(block).target;
    }

    Score score;
    Wheel wheel;
    /* Rises with weights, thresholds and policy: each makes every block worth a look. */
    uint32_t generation = 1;

  private:
    void update_victims(uint32_t block) noexcept;
    void update_fetches(uint32_t block) noexcept;
    [[nodiscard]] bool is_candidate(const Block &block) const noexcept;
    [[nodiscard]] bool is_fetch_wanted(const Block &block) const noexcept;
    [[nodiscard]] bool shared_over_cap() const noexcept;

    Device &d_;
    uint64_t stamps_ = 0;
    uint64_t asks_ = 0;
    uint32_t promotions_ = 0;
    IndexedHeap::Positions victim_positions_;
    IndexedHeap::Positions fetch_positions_;
    std::vector<IndexedHeap> classes_;  // by victim class, below PINNED
    std::vector<uint8_t> class_in_;     // by block: the heap it is in
    IndexedHeap fetches_;
    std::vector<bool> fetch_is_promotion_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_H
