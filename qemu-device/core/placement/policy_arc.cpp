// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/policy_arc.h"

#include <algorithm>

namespace kvcpu {

namespace {

/* T1 and T2 are ordered by last use. They use two heaps, whose victim classes have no meaning here.
 */
constexpr kvcpu_victim_class once_class = KVCPU_VC_UNHINTED;
constexpr kvcpu_victim_class again_class = KVCPU_VC_SHARED;

}  // namespace

ArcPolicy::ArcPolicy(const PolicyTools &tools)
    : d_(tools.device),
      victims_(tools.victims),
      reclaim_(tools.reclaim),
      ghosts_(d_.block_count(), 2),
      of_(d_.block_count()) {}

void ArcPolicy::restart() noexcept {
    ghosts_.clear();
    std::fill(of_.begin(), of_.end(), Entry{});
    sizes_.fill(0);
    sizes_[0] = d_.block_count();
    share_ = 0;
    for (uint32_t block = 0; block < d_.block_count(); ++block) {
        if (has_slot_copy(d_.at(block)) || d_.at(block).state == KVCPU_BS_FETCHING) {
            put(block, Place::once);
        }
    }
}

void ArcPolicy::put(uint32_t block, Place place) noexcept {
    ghosts_.remove(block);
    --sizes_[static_cast<size_t>(of_[block].place)];
    ++sizes_[static_cast<size_t>(place)];
    of_[block].place = place;
    if (place == Place::left_once) {
        ghosts_.push_back(ghosts_once, block);
    } else if (place == Place::left_again) {
        ghosts_.push_back(ghosts_again, block);
    }
}

void ArcPolicy::changed(uint32_t block) noexcept {
    if (may_leave(d_.at(block))) {
        victims_.put(block, of_[block].place == Place::again ? again_class : once_class,
                     d_.at(block).last_use, 0);
    } else {
        victims_.remove(block);
    }
}

/* A hit in the ghosts shows which of the two lists should have been larger. */
void ArcPolicy::missed(uint32_t block) noexcept {
    const uint64_t once = size(Place::left_once);
    const uint64_t again = size(Place::left_again);
    const auto change = [](uint64_t larger, uint64_t than) {
        return (std::max(larger, than) << share_bits) / than;
    };
    if (of_[block].place == Place::left_once) {
        share_ = std::min(share_ + change(again, once), uint64_t{d_.slot_count} << share_bits);
    } else if (of_[block].place == Place::left_again) {
        share_ -= std::min(share_, change(once, again));
    }
}

void ArcPolicy::entered(uint32_t block) noexcept {
    const bool known =
        of_[block].place == Place::left_once || of_[block].place == Place::left_again;
    put(block, known ? Place::again : Place::once);
    of_[block].fresh = true;
    trim_ghosts();
}

void ArcPolicy::used(uint32_t block, Use use) noexcept {
    Entry &entry = of_[block];
    const bool here = entry.place == Place::once || entry.place == Place::again;
    if (!here || (use == Use::access && d_.at(block).claims > 0)) {
        return;
    }
    if (!entry.fresh) {
        put(block, Place::again);
    }
    entry.fresh = false;
}

void ArcPolicy::left(uint32_t block) noexcept {
    put(block, of_[block].place == Place::again ? Place::left_again : Place::left_once);
    of_[block].fresh = false;
}

void ArcPolicy::forget(uint32_t block) noexcept {
    put(block, Place::nowhere);
    of_[block].fresh = false;
}

/* As many ghosts as the paper's cache keeps: |T1| + |B1| <= c, and 2c in all. */
void ArcPolicy::trim_ghosts() noexcept {
    while (size(Place::once) + size(Place::left_once) > d_.slot_count &&
           size(Place::left_once) > 0) {
        put(ghosts_.front(ghosts_once), Place::nowhere);
    }
    while (d_.block_count() - size(Place::nowhere) > uint64_t{2} * d_.slot_count &&
           size(Place::left_again) > 0) {
        put(ghosts_.front(ghosts_again), Place::nowhere);
    }
}

Victim ArcPolicy::victim(const Want &want) const noexcept {
    if (want.purpose != SlotPurpose::pin) {
        return {};
    }
    const uint64_t once = size(Place::once) << share_bits;
    const bool from_once =
        once > share_ || (once == share_ && of_[want.block].place == Place::left_again);
    const uint32_t block = victims_.first(from_once ? once_class : again_class);
    return {block != no_block ? block : victims_.first(from_once ? again_class : once_class)};
}

}  // namespace kvcpu
