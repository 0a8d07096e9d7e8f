// SPDX-License-Identifier: GPL-2.0-or-later
// Intrusive doubly linked lists of blocks, or of other numbered things, linked by index.
#ifndef KVCPU_CORE_UTIL_INDEX_LISTS_H
#define KVCPU_CORE_UTIL_INDEX_LISTS_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kvcpu {

/*
 * A fixed number of lists over the same blocks. A block is in at most one list. Each list is a ring
 * closed by a sentinel, so a block is removed without a search for its list. No operation allocates
 * after construction, and each takes constant time.
 */
class IndexLists {
  public:
    static constexpr uint32_t none = UINT32_MAX;

    IndexLists(uint32_t blocks, uint32_t lists);

    // Makes every list empty.
    void clear() noexcept;
    void push_back(uint32_t list, uint32_t block) noexcept {
        const uint32_t end = sentinel(list);
        unlink(block);
        const uint32_t last = nodes_[end].previous;
        nodes_[block] = {last, end};
        nodes_[last].next = block;
        nodes_[end].previous = block;
    }
    // Replaces a block that is in a list by `heir`.
    void replace(uint32_t block, uint32_t heir) noexcept;
    // Does nothing if the block is in no list.
    void remove(uint32_t block) noexcept {
        unlink(block);
        isolate(block);
    }
    // Appends everything in `from` to `to`, which leaves `from` empty.
    void splice(uint32_t from, uint32_t to) noexcept;

    // The oldest block of the list, or `none`.
    [[nodiscard]] uint32_t front(uint32_t list) const noexcept;
    // The block after this one in its list, or `none`.
    [[nodiscard]] uint32_t after(uint32_t block) const noexcept {
        return nodes_[block].next < blocks_ ? nodes_[block].next : none;
    }
    // The newest block of the list, or `none`; and the block before this one.
    [[nodiscard]] uint32_t back(uint32_t list) const noexcept { return before(sentinel(list)); }
    [[nodiscard]] uint32_t before(uint32_t node) const noexcept {
        return nodes_[node].previous < blocks_ ? nodes_[node].previous : none;
    }
    [[nodiscard]] bool contains(uint32_t block) const noexcept {
        return nodes_[block].next != block;
    }

    // Prefetches the block's node into the CPU cache; the deep form, its neighbours' nodes.
    void warm_cache(uint32_t block) const noexcept { __builtin_prefetch(&nodes_[block], 1); }
    void warm_neighbours(uint32_t block) const noexcept {
        __builtin_prefetch(&nodes_[nodes_[block].previous], 1);
        __builtin_prefetch(&nodes_[nodes_[block].next], 1);
    }

  private:
    // A node that is linked to itself is in no list. The sentinel of an empty list is linked to
    // itself.
    struct Node {
        uint32_t previous;
        uint32_t next;
    };

    [[nodiscard]] uint32_t sentinel(uint32_t list) const noexcept { return blocks_ + list; }
    void isolate(uint32_t node) noexcept { nodes_[node] = {node, node}; }
    void link(uint32_t before, uint32_t after) noexcept {
        nodes_[before].next = after;
        nodes_[after].previous = before;
    }
    // Unlinks the node from its neighbours. The caller sets the node's own links.
    void unlink(uint32_t node) noexcept { link(nodes_[node].previous, nodes_[node].next); }

    uint32_t blocks_;
    std::vector<Node> nodes_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_UTIL_INDEX_LISTS_H
