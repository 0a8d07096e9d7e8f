// SPDX-License-Identifier: GPL-2.0-or-later
#include "reuse.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace kvcpu {

namespace {

constexpr uint64_t hazard_bits = 32;
constexpr uint64_t chance_bits = 24;
constexpr uint64_t one = uint64_t{1} << chance_bits;
/* Ages of the first bucket; two buckets double them. */
constexpr uint64_t first_width = 16;
constexpr uint64_t learn_every = 256;
constexpr uint64_t fade_at_hits = 1 << 16;
constexpr uint64_t fade_at_exposure = uint64_t{1} << 52;
/* How many uses a cell must have seen to count as much as all of its age do. */
constexpr uint64_t prior_hits = 8;
constexpr uint64_t prior_wait = 1 << 16;

/* Age at which a bucket ends: 16, 24, 32, 48, 64, ... */
constexpr uint64_t bucket_end(unsigned bucket) {
    const uint64_t octave = first_width << (bucket / 2);
    return bucket % 2 == 0 ? octave : octave + octave / 2;
}
constexpr uint64_t bucket_width(unsigned bucket) {
    return bucket_end(bucket) - (bucket == 0 ? 0 : bucket_end(bucket - 1));
}
/* Blocks may change bucket this much late. */
constexpr uint64_t aging_interval(unsigned bucket) {
    return std::bit_floor(std::max<uint64_t>(bucket_width(bucket) / 8, 1));
}

}  // namespace

Reuse::Reuse(uint32_t blocks) : of_(blocks), by_age_(blocks, cells) {
    clear();
}

void Reuse::clear() noexcept {
    std::fill(of_.begin(), of_.end(), Entry{});
    by_age_.clear();
    cells_.fill({});
    now_ = hits_ = learnt_at_ = 0;
    aging_bucket_ = buckets;
    learn();
}

unsigned Reuse::class_of(uint8_t uses, bool tail) noexcept {
    /* 1, 2, 3, 4 to 7, 8 to 15, more */
    unsigned by_uses = 0;
    if (uses > 3) {
        by_uses = std::min(static_cast<unsigned>(std::bit_width(uses)), use_classes);
    } else {
        by_uses = std::max<unsigned>(uses, 1);
    }
    return (by_uses - 1) * 2 + (tail ? 1 : 0);
}

/* -- Counting -------------------------------------------------------------- */

void Reuse::count(Cell &cell) noexcept {
    cell.exposure += cell.members * (now_ - cell.counted_until);
    cell.counted_until = now_;
}

void Reuse::enter(uint32_t block, unsigned bucket) noexcept {
    of_[block].bucket = static_cast<uint8_t>(bucket);
    Cell &into = cells_[cell(block)];
    count(into);
    ++into.members;
    by_age_.push_back(cell(block), block);
}

void Reuse::leave(uint32_t block) noexcept {
    Cell &from = cells_[cell(block)];
    count(from);
    --from.members;
    by_age_.remove(block);
    of_[block].bucket = no_cell_bucket;
}

void Reuse::rest(uint32_t block, bool tail) noexcept {
    if (rests(block)) {
        leave(block);
    }
    Entry &entry = of_[block];
    entry.since = now_;
    entry.in_class = static_cast<uint8_t>(class_of(entry.uses, tail));
    enter(block, 0);
}

void Reuse::use(uint32_t block) noexcept {
    Entry &entry = of_[block];
    if (rests(block)) {
        ++cells_[cell(block)].hits;
        ++hits_;
        leave(block);
    }
    entry.uses = static_cast<uint8_t>(entry.uses + (entry.uses < UINT8_MAX ? 1 : 0));
}

void Reuse::forget(uint32_t block) noexcept {
    if (rests(block)) {
        leave(block);
    }
    of_[block] = {};
}

/* -- Time ------------------------------------------------------------------ */

bool Reuse::tick() noexcept {
    ++now_;
    aging_bucket_ = 0;
    aging_class_ = 0;
    if (now_ - learnt_at_ < learn_every) {
        return false;
    }
    learnt_at_ = now_;
    learn();
    return true;
}

uint32_t Reuse::age_one() noexcept {
    for (; aging_bucket_ + 1 < buckets; ++aging_bucket_, aging_class_ = 0) {
        if (now_ % aging_interval(aging_bucket_) != 0) {
            continue;
        }
        for (; aging_class_ < classes; ++aging_class_) {
            const uint32_t block = by_age_.front(aging_class_ * buckets + aging_bucket_);
            if (block != Rings::none && now_ - of_[block].since >= bucket_end(aging_bucket_)) {
                leave(block);
                enter(block, aging_bucket_ + 1);
                return block;
            }
        }
    }
    return Rings::none;
}

/* -- Learning -------------------------------------------------------------- */

void Reuse::fade() noexcept {
    for (Cell &cell : cells_) {
        cell.hits /= 2;
        cell.exposure /= 2;
    }
    hits_ /= 2;
}

void Reuse::learn() noexcept {
    std::array<uint64_t, buckets> prior{};
    uint64_t exposure_max = 0;
    for (unsigned bucket = 0; bucket < buckets; ++bucket) {
        uint64_t hits = 1;
        uint64_t exposure = prior_wait;
        for (unsigned in_class = 0; in_class < classes; ++in_class) {
            Cell &cell = cells_[in_class * buckets + bucket];
            count(cell);
            hits += cell.hits;
            exposure += cell.exposure;
            exposure_max = std::max(exposure_max, cell.exposure);
        }
        prior[bucket] = std::max<uint64_t>((hits << 20) / exposure << (hazard_bits - 20), 1);
    }
    if (hits_ > fade_at_hits || exposure_max > fade_at_exposure) {
        fade();
    }
    for (unsigned in_class = 0; in_class < classes; ++in_class) {
        learn_class(in_class, prior);
    }
    std::iota(order_.begin(), order_.end(), uint16_t{0});
    /* Of equals the oldest leave first. */
    std::sort(order_.begin(), order_.end(), [this](unsigned a, unsigned b) {
        if (density_[a] != density_[b]) {
            return density_[a] < density_[b];
        }
        return a % buckets != b % buckets ? a % buckets > b % buckets : a < b;
    });
    for (unsigned i = 0; i < cells; ++i) {
        rank_[order_[i]] = static_cast<uint16_t>(i);
    }
}

void Reuse::learn_class(unsigned in_class, const std::array<uint64_t, buckets> &prior) noexcept {
    std::array<uint64_t, buckets> chance{};
    for (unsigned bucket = 0; bucket < buckets; ++bucket) {
        const Cell &cell = cells_[in_class * buckets + bucket];
        const uint64_t prior_exposure = (prior_hits << hazard_bits) / prior[bucket];
        const uint64_t hazard = ((cell.hits + prior_hits) << hazard_bits) /
                                (cell.exposure + prior_exposure + 1);
        const uint64_t expected =
            std::min(hazard * bucket_width(bucket), uint64_t{16} << hazard_bits);
        chance[bucket] = (expected << chance_bits) / ((uint64_t{1} << hazard_bits) + expected);
    }
    for (unsigned from = 0; from < buckets; ++from) {
        uint64_t alive = one;
        uint64_t hits = 0;
        uint64_t time = 0;
        uint64_t best = 0;
        for (unsigned bucket = from; bucket < buckets && alive > one / 1024; ++bucket) {
            const uint64_t width = bucket_width(bucket);
            hits += alive * chance[bucket] >> chance_bits;
            time += alive * (width * (2 * one - chance[bucket]) >> (chance_bits + 1));
            alive = alive * (one - chance[bucket]) >> chance_bits;
            best = std::max(best, (hits << density_bits) / std::max<uint64_t>(time, 1));
        }
        density_[in_class * buckets + from] = best;
    }
}

}  // namespace kvcpu
