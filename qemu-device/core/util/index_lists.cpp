// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/index_lists.h"

namespace kvcpu {

IndexLists::IndexLists(uint32_t blocks, uint32_t lists)
    : blocks_(blocks), nodes_(std::size_t{blocks} + lists) {
    clear();
}

void IndexLists::clear() noexcept {
    for (std::size_t node = 0; node < nodes_.size(); ++node) {
        isolate(static_cast<uint32_t>(node));
    }
}

void IndexLists::replace(uint32_t block, uint32_t heir) noexcept {
    const Node old = nodes_[block];
    isolate(block);
    link(old.previous, heir);
    link(heir, old.next);
}

void IndexLists::splice(uint32_t from, uint32_t to) noexcept {
    const Node source = nodes_[sentinel(from)];
    if (source.next == sentinel(from)) {
        return;
    }
    const uint32_t end = sentinel(to);
    link(nodes_[end].previous, source.next);
    link(source.previous, end);
    isolate(sentinel(from));
}

uint32_t IndexLists::front(uint32_t list) const noexcept {
    const uint32_t first = nodes_[sentinel(list)].next;
    return first == sentinel(list) ? none : first;
}

}  // namespace kvcpu
