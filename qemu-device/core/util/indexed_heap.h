// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_UTIL_INDEXED_HEAP_H
#define KVCPU_CORE_UTIL_INDEXED_HEAP_H

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace kvcpu {

/* The order of a heap: the smallest key is first. The block number is the last part of the key, so
 * that no two keys are equal. */
struct HeapKey {
    uint64_t first = 0;
    uint64_t second = 0;
    uint32_t block = 0;

    // clang-tidy 14 takes the comparison's zero for a pointer.
    // NOLINTNEXTLINE(modernize-use-nullptr)
    bool operator==(const HeapKey &) const = default;
    [[nodiscard]] bool operator<(const HeapKey &other) const noexcept {
        __extension__ using Wide = unsigned __int128;
        const Wide mine = Wide{first} << 64 | second;
        const Wide its = Wide{other.first} << 64 | other.second;
        return mine < its || (mine == its && block < other.block);
    }
};

/* The heap that a block is in, as numbered by the heaps' owner, and its index in that heap. */
struct HeapPlace {
    static constexpr uint32_t nowhere = UINT32_MAX;
    static constexpr uint8_t none = UINT8_MAX;

    uint32_t position = nowhere;
    uint8_t heap = none;
};

/*
 * A heap of blocks from which any member can be removed. Several heaps share one array of places,
 * as a block is in at most one of them. A node has four children, so the heap is half as deep as a
 * binary heap, and the children of a node are in one cache line.
 */
class IndexedHeap {
  public:
    using Places = std::vector<HeapPlace>;

    // Reserves `capacity` members. No later call allocates below this number.
    IndexedHeap(Places &places, uint32_t capacity, uint8_t number = 0)
        : places_(&places), number_(number) {
        keys_.reserve(capacity);
    }

    [[nodiscard]] bool empty() const noexcept { return keys_.empty(); }
    [[nodiscard]] uint32_t size() const noexcept { return static_cast<uint32_t>(keys_.size()); }
    [[nodiscard]] const HeapKey &top() const noexcept { return keys_.front(); }

    void insert(const HeapKey &key) noexcept {
        (*places_)[key.block].heap = number_;
        keys_.push_back(key);
        rise(size() - 1);
    }

    /* Changes the key of a member. */
    void update(const HeapKey &key) noexcept {
        const uint32_t at = (*places_)[key.block].position;
        if (keys_[at] == key) {
            return;
        }
        const bool is_less = key < keys_[at];
        keys_[at] = key;
        if (is_less) {
            rise(at);
        } else {
            sink(at);
        }
    }
    /* Prefetches what an operation on the block will access into the CPU cache. */
    void warm_cache(uint32_t block) const noexcept {
        const uint32_t at = (*places_)[block].position;
        if (at < keys_.size()) {
            __builtin_prefetch(&keys_[at]);
            __builtin_prefetch(keys_.data() + std::min(first_child(at), keys_.size() - 1));
        }
    }

    void erase(uint32_t block) noexcept {
        const uint32_t hole = (*places_)[block].position;
        (*places_)[block] = {};
        const HeapKey last = keys_.back();
        keys_.pop_back();
        if (hole == size()) {
            return;
        }
        keys_[hole] = last;
        if (hole > 0 && last < keys_[parent(hole)]) {
            rise(hole);
        } else {
            sink(hole);
        }
    }

    void clear() noexcept {
        for (const HeapKey &key : keys_) {
            (*places_)[key.block] = {};
        }
        keys_.clear();
    }

  private:
    static constexpr size_t arity = 4;

    [[nodiscard]] static size_t first_child(uint32_t at) noexcept { return at * arity + 1; }
    [[nodiscard]] static uint32_t parent(uint32_t at) noexcept {
        return static_cast<uint32_t>((at - 1) / arity);
    }

    void place(uint32_t at, const HeapKey &key) noexcept {
        keys_[at] = key;
        (*places_)[key.block].position = at;
    }

    void rise(uint32_t at) noexcept {
        const HeapKey key = keys_[at];
        while (at > 0 && key < keys_[parent(at)]) {
            place(at, keys_[parent(at)]);
            at = parent(at);
        }
        place(at, key);
    }

    void sink(uint32_t at) noexcept {
        const HeapKey key = keys_[at];
        for (size_t child = first_child(at); child < keys_.size(); child = first_child(at)) {
            const size_t end = std::min(child + arity, keys_.size());
            size_t least = child;
            while (++child < end) {
                least = keys_[child] < keys_[least] ? child : least;
            }
            if (!(keys_[least] < key)) {
                break;
            }
            place(at, keys_[least]);
            at = static_cast<uint32_t>(least);
        }
        place(at, key);
    }

    Places *places_;
    uint8_t number_;
    std::vector<HeapKey> keys_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_UTIL_INDEXED_HEAP_H
