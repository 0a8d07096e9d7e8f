// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_UTIL_WAIT_POOL_H
#define KVCPU_CORE_UTIL_WAIT_POOL_H

#include <cstdint>
#include <vector>

#include "util/index_lists.h"

namespace kvcpu {

/*
 * Pending requests in one list per context, oldest first. No operation allocates after
 * construction. Removal takes constant time, and a search of one context's list does not visit
 * those of others.
 */
template <typename T>
class WaitPool {
  public:
    static constexpr uint32_t none = IndexLists::none;

    WaitPool(uint32_t capacity, uint32_t contexts)
        : items_(capacity), lists_(capacity, contexts + 1), free_list_(contexts) {
        clear();
    }

    void clear() noexcept {
        lists_.clear();
        count_ = 0;
        for (uint32_t index = 0; index < items_.size(); ++index) {
            lists_.push_back(free_list_, index);
        }
    }
    /* The caller has reserved a place for the waiter (completions.h), so the pool has space. */
    uint32_t add(uint16_t context, const T &item) noexcept {
        const uint32_t index = lists_.front(free_list_);
        items_[index] = item;
        lists_.push_back(context, index);
        ++count_;
        return index;
    }
    void remove(uint32_t index) noexcept {
        lists_.push_back(free_list_, index);
        --count_;
    }

    [[nodiscard]] T &operator[](uint32_t index) noexcept { return items_[index]; }
    [[nodiscard]] const T &operator[](uint32_t index) const noexcept { return items_[index]; }
    [[nodiscard]] uint32_t count() const noexcept { return count_; }
    [[nodiscard]] uint32_t first(uint16_t context) const noexcept { return lists_.front(context); }
    [[nodiscard]] uint32_t after(uint32_t index) const noexcept { return lists_.after(index); }

  private:
    std::vector<T> items_;
    IndexLists lists_;
    uint32_t free_list_;
    uint32_t count_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_UTIL_WAIT_POOL_H
