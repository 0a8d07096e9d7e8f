// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_INDEXED_HEAP_H
#define KVCPU_CORE_INDEXED_HEAP_H

#include <compare>
#include <cstdint>
#include <utility>
#include <vector>

namespace kvcpu {

/* Order in a heap: smaller leaves first. The block number decides last, so order is total. */
struct HeapKey {
    uint64_t first = 0;
    uint64_t second = 0;
    uint32_t block = 0;

    // clang-tidy 14 takes the comparison's zero for a pointer.
    // NOLINTNEXTLINE(modernize-use-nullptr)
    auto operator<=>(const HeapKey &) const = default;
};

/*
 * A binary heap of blocks from which any member can be taken. Several heaps share one array of
 * positions, as a block is in at most one of them; the caller knows which.
 */
class IndexedHeap {
  public:
    static constexpr uint32_t nowhere = UINT32_MAX;
    using Positions = std::vector<uint32_t>;

    // `capacity` is reserved, so that no later call allocates while it is kept.
    IndexedHeap(Positions &positions, uint32_t capacity) : positions_(&positions) {
        keys_.reserve(capacity);
    }

    [[nodiscard]] bool empty() const noexcept { return keys_.empty(); }
    [[nodiscard]] uint32_t size() const noexcept { return static_cast<uint32_t>(keys_.size()); }
    [[nodiscard]] const HeapKey &top() const noexcept { return keys_.front(); }

    void insert(const HeapKey &key) noexcept {
        keys_.push_back(key);
        rise(size() - 1);
    }

    void erase(uint32_t block) noexcept {
        const uint32_t hole = (*positions_)[block];
        (*positions_)[block] = nowhere;
        const HeapKey last = keys_.back();
        keys_.pop_back();
        if (hole == size()) {
            return;
        }
        place(hole, last);
        rise(hole);
        sink((*positions_)[last.block]);
    }

    void clear() noexcept {
        for (const HeapKey &key : keys_) {
            (*positions_)[key.block] = nowhere;
        }
        keys_.clear();
    }

  private:
    void place(uint32_t at, const HeapKey &key) noexcept {
        keys_[at] = key;
        (*positions_)[key.block] = at;
    }

    void rise(uint32_t at) noexcept {
        const HeapKey key = keys_[at];
        while (at > 0 && key < keys_[(at - 1) / 2]) {
            place(at, keys_[(at - 1) / 2]);
            at = (at - 1) / 2;
        }
        place(at, key);
    }

    void sink(uint32_t at) noexcept {
        const HeapKey key = keys_[at];
        for (;;) {
            uint64_t child = uint64_t{at} * 2 + 1;
            if (child >= keys_.size()) {
                break;
            }
            if (child + 1 < keys_.size() && keys_[child + 1] < keys_[child]) {
                ++child;
            }
            if (!(keys_[child] < key)) {
                break;
            }
            place(at, keys_[child]);
            at = static_cast<uint32_t>(child);
        }
        place(at, key);
    }

    Positions *positions_;
    std::vector<HeapKey> keys_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_INDEXED_HEAP_H
