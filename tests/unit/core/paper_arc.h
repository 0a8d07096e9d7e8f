// SPDX-License-Identifier: MIT
#ifndef KVCPU_TEST_PAPER_ARC_H
#define KVCPU_TEST_PAPER_ARC_H

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <list>
#include <unordered_map>

namespace kvcpu_test {

/*
 * The adaptive replacement cache of the paper (Megiddo and Modha, FAST 2003, figure 4), on four
 * lists, without code of the device.
 */
class PaperArc {
  public:
    explicit PaperArc(size_t capacity) : c_(capacity) {}

    /* Returns whether the block was in the cache. */
    bool use(uint32_t block) {
        const auto found = where_.find(block);
        const Name in = found == where_.end() ? none : found->second.in;
        if (in == t1 || in == t2) {
            move(block, t2);
            return true;
        }
        if (in == b1) {
            p_ = std::min(static_cast<double>(c_), p_ + ratio(size(b2), size(b1)));
        } else if (in == b2) {
            p_ = std::max(0.0, p_ - ratio(size(b1), size(b2)));
        } else {
            make_room_for_unknown();
            move(block, t1);
            return false;
        }
        replace(in == b2);
        move(block, t2);
        return false;
    }

  private:
    enum Name { t1, t2, b1, b2, none };
    struct Place {
        Name in;
        std::list<uint32_t>::iterator at;
    };

    [[nodiscard]] size_t size(Name name) const { return lists_[name].size(); }
    /* In steps of 2^-16, as in the specification. */
    static double ratio(size_t larger, size_t than) {
        const double exact = static_cast<double>(larger) / static_cast<double>(than);
        return std::max(1.0, std::floor(exact * 65536) / 65536);
    }
    /* The block that was used last is at the front. */
    void move(uint32_t block, Name to) {
        const auto found = where_.find(block);
        if (found != where_.end()) {
            lists_[found->second.in].erase(found->second.at);
            where_.erase(found);
        }
        if (to != none) {
            lists_[to].push_front(block);
            where_[block] = {to, lists_[to].begin()};
        }
    }
    void drop_last(Name from, Name to) { move(lists_[from].back(), to); }
    void replace(bool in_b2) {
        if (size(t1) + size(t2) < c_) {
            return; /* the device uses a free slot first */
        }
        const auto once = static_cast<double>(size(t1));
        if (size(t1) > 0 && (once > p_ || (in_b2 && once == p_))) {
            drop_last(t1, b1);
        } else {
            drop_last(t2, b2);
        }
    }
    void make_room_for_unknown() {
        const size_t once = size(t1) + size(b1);
        const size_t all = once + size(t2) + size(b2);
        if (once == c_) {
            if (size(t1) < c_) {
                drop_last(b1, none);
                replace(false);
            } else {
                drop_last(t1, none);
            }
        } else if (all >= c_) {
            if (all == 2 * c_) {
                drop_last(b2, none);
            }
            replace(false);
        }
    }

    size_t c_;
    double p_ = 0;
    std::array<std::list<uint32_t>, 4> lists_;
    std::unordered_map<uint32_t, Place> where_;
};

}  // namespace kvcpu_test

#endif  // KVCPU_TEST_PAPER_ARC_H
