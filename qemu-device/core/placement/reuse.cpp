// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/reuse.h"

#include <algorithm>
#include <bit>

namespace kvcpu {

namespace {

using Wide = Reuse::Wide;

/* Fractions in fixed point. A density is in uses a nanosecond, times 2^63. */
constexpr unsigned hazard_bits = 40;
constexpr unsigned chance_bits = 24;
constexpr uint64_t certain = uint64_t{1} << chance_bits;
constexpr unsigned density_bits = 63 - Reuse::tick_bits;

/* Ages of the first bucket, in ticks; two buckets double them, up to 4.9 hours. */
constexpr uint64_t first_width = 16;
constexpr uint64_t learn_every_uses = 1024;
constexpr uint64_t fade_at_hits = 1 << 16;
constexpr uint64_t fade_at_exposure = uint64_t{1} << 56;
/* The counts of a cell are smoothed over this many neighbours in age on either side. */
constexpr unsigned smooth_over = 3;
/* The weight, in uses, of all blocks of a cell's kind and age in its own counts. */
constexpr uint64_t prior_hits = 2;
/* The prior: of this many blocks of any kind that reach an age, one is used at that age. */
constexpr uint64_t prior_passages = 16;
/* The divisor of the prior for blocks that a hint says will not be used. */
constexpr uint64_t doubt = 64;
constexpr unsigned count_bits = 16;

/* Age at which a bucket ends: 16, 24, 32, 48, 64, ... ticks. */
constexpr uint64_t bucket_end(unsigned bucket) {
    // The analyzer takes bit_width() of what is not 0 for 0, and octaves for negative ones.
    // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult)
    const uint64_t octave = first_width << (bucket / 2);
    return bucket % 2 == 0 ? octave : octave + octave / 2;
}
constexpr uint64_t bucket_width(unsigned bucket) {
    return bucket_end(bucket) - (bucket == 0 ? 0 : bucket_end(bucket - 1));
}
/* The logarithm of a bucket's width, which is a power of two. */
constexpr auto width_bits = [] {
    std::array<uint8_t, Reuse::buckets> bits{};
    for (unsigned bucket = 0; bucket < Reuse::buckets; ++bucket) {
        bits[bucket] = static_cast<uint8_t>(std::countr_zero(bucket_width(bucket)));
    }
    return bits;
}();
static_assert([] {
    for (unsigned bucket = 0; bucket < Reuse::buckets; ++bucket) {
        if (!std::has_single_bit(bucket_width(bucket))) {
            return false;
        }
    }
    return true;
}());
constexpr unsigned bucket_of(uint64_t age) {
    if (age < first_width) {
        return 0;
    }
    const auto octave = static_cast<unsigned>(std::bit_width(age / first_width)) - 1;
    const unsigned upper = age >= bucket_end(octave * 2 + 1) ? 1 : 0;
    return std::min(octave * 2 + 1 + upper, Reuse::buckets - 1);
}
static_assert(bucket_of(15) == 0 && bucket_of(16) == 1 && bucket_of(23) == 1);
static_assert(bucket_of(24) == 2 && bucket_of(31) == 2 && bucket_of(32) == 3);
static_assert(bucket_of(1000000) == bucket_of(bucket_end(bucket_of(1000000)) - 1));

/* The most ticks by which a block may change its bucket late. */
constexpr uint64_t aging_interval(unsigned bucket) {
    return std::max<uint64_t>(bucket_width(bucket) / 8, 1);
}

/* Classes of use counts: 1, 2, 3 to 7, 8 to 15, 16 to 31, more. */
constexpr unsigned class_of(unsigned uses, Reuse::Kind kind) {
    const unsigned by_uses =
        uses < 3 ? std::max(uses, 1U)
                 : std::clamp(static_cast<unsigned>(std::bit_width(uses)), 3U, Reuse::use_classes);
    return (by_uses - 1) * Reuse::kinds + static_cast<unsigned>(kind);
}
static_assert(class_of(2, Reuse::Kind::body) == 4 && class_of(3, Reuse::Kind::body) == 8);
static_assert(class_of(7, Reuse::Kind::tail) == 9 && class_of(8, Reuse::Kind::tail) == 13);
static_assert(class_of(255, Reuse::Kind::released) == Reuse::classes - 1);
constexpr bool is_said_to_be_over(unsigned in_class) {
    return in_class % Reuse::kinds >= static_cast<unsigned>(Reuse::Kind::evictable);
}

/* The result of keeping a block for some time, if it is not used before. */
struct Stay {
    uint64_t hits = 0;   // probability of a use, in units of `certain`
    Wide time = 0;       // expected ticks, in the same units
    uint64_t alive = 0;  // probability that the time ends without a use

    [[nodiscard]] uint64_t density() const {
        return static_cast<uint64_t>((Wide{hits} << density_bits) / std::max<Wide>(time, 1));
    }
    /* Extends the stay by another one, for a block that is not used in the first. */
    void go_on(const Stay &next) {
        hits += static_cast<uint64_t>(Wide{alive} * next.hits >> chance_bits);
        time += Wide{alive} * next.time >> chance_bits;
        alive = static_cast<uint64_t>(Wide{alive} * next.alive >> chance_bits);
    }
};

/* A stay for one bucket's time, at a rate of uses per tick. */
Stay stay_in(unsigned bucket, uint64_t hazard) {
    const uint64_t width = bucket_width(bucket);
    const Wide expected = std::min(Wide{hazard} * width, Wide{16} << hazard_bits);
    const auto chance =
        static_cast<uint64_t>((expected << chance_bits) / ((Wide{1} << hazard_bits) + expected));
    return {.hits = chance,
            .time = Wide{width} * (2 * certain - chance) / 2,
            .alive = certain - chance};
}

}  // namespace

Reuse::Reuse(uint32_t blocks) : of_(blocks), by_age_(blocks, cells) {
    clear();
}

void Reuse::clear() noexcept {
    std::fill(of_.begin(), of_.end(), Entry{});
    by_age_.clear();
    cells_.fill({});
    looked_at_.fill(0);
    now_ = uses_ = nothing_due_before_ = 0;
    aging_cell_ = cells;
    /* The initial order: by age, and by kind. */
    for (unsigned i = 0; i < cells; ++i) {
        order_[i] = static_cast<uint16_t>(i % classes * buckets + (buckets - 1 - i / classes));
    }
    learn();
}

/* -- Counting -------------------------------------------------------------- */

void Reuse::count(Cell &cell) const noexcept {
    cell.exposure += cell.members * (now_ - cell.counted_until);
    cell.counted_until = now_;
}

void Reuse::enter(uint32_t block) noexcept {
    of_[block].bucket = static_cast<uint8_t>(bucket_of(age(block)));
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
    of_[block].bucket = no_bucket;
}

void Reuse::rest(uint32_t block, Kind kind) noexcept {
    if (rests(block)) {
        leave(block);
    }
    Entry &entry = of_[block];
    entry.since = static_cast<uint32_t>(now_);
    entry.in_class = static_cast<uint8_t>(class_of(entry.uses, kind));
    enter(block);
}

void Reuse::mark(uint32_t block, Kind kind) noexcept {
    if (rests(block)) {
        leave(block);
        of_[block].in_class = static_cast<uint8_t>(class_of(of_[block].uses, kind));
        enter(block);
    }
}

void Reuse::use(uint32_t block) noexcept {
    Entry &entry = of_[block];
    if (rests(block)) {
        ++cells_[cell(block)].hits;
        leave(block);
    }
    ++uses_;
    entry.uses = static_cast<uint8_t>(entry.uses + (entry.uses < UINT8_MAX ? 1 : 0));
}

void Reuse::forget(uint32_t block) noexcept {
    if (rests(block)) {
        leave(block);
    }
    of_[block] = {};
}

void Reuse::bequeath(uint32_t block, uint32_t heir) noexcept {
    if (rests(heir)) {
        leave(heir);
    }
    of_[heir] = of_[block];
    by_age_.replace(block, heir);
    of_[block] = {};
}

/* -- Time ------------------------------------------------------------------ */

bool Reuse::advance(uint64_t now_ns) noexcept {
    now_ = now_ns >> tick_bits;
    aging_cell_ = 0;
    if (uses_ < learn_every_uses) {
        return false;
    }
    learn();
    return true;
}

uint32_t Reuse::age_one() noexcept {
    if (now_ < nothing_due_before_) {
        return IndexLists::none;
    }
    /* Cells of one age are adjacent, so that an age that is not due is skipped at once. */
    for (; aging_cell_ < classes * (buckets - 1); ++aging_cell_) {
        const unsigned bucket = aging_cell_ / classes;
        const unsigned in_class = aging_cell_ % classes;
        if (in_class == 0 && now_ - looked_at_[bucket] < aging_interval(bucket)) {
            aging_cell_ += classes - 1;
            continue;
        }
        if (cells_[in_class * buckets + bucket].members > 0) {
            const uint32_t block = by_age_.front(in_class * buckets + bucket);
            if (age(block) >= bucket_end(bucket)) {
                leave(block);
                enter(block);
                return block;
            }
        }
        if (in_class == classes - 1) {
            looked_at_[bucket] = now_;
        }
    }
    nothing_due_before_ = UINT64_MAX;
    for (unsigned bucket = 0; bucket + 1 < buckets; ++bucket) {
        nothing_due_before_ =
            std::min(nothing_due_before_, looked_at_[bucket] + aging_interval(bucket));
    }
    return IndexLists::none;
}

/* -- Learning -------------------------------------------------------------- */

void Reuse::fade() noexcept {
    for (Cell &cell : cells_) {
        cell.hits /= 2;
        cell.exposure /= 2;
    }
}

void Reuse::learn() noexcept {
    uses_ = 0;
    std::array<ByAge, kinds> pools{};
    uint64_t hits = 0;
    uint64_t exposure_max = 0;
    for (unsigned i = 0; i < cells; ++i) {
        count(cells_[i]);
        Cell &pool = pools[i / buckets % kinds][i % buckets];
        pool.hits += cells_[i].hits;
        pool.exposure += cells_[i].exposure;
        hits += cells_[i].hits;
        exposure_max = std::max(exposure_max, cells_[i].exposure);
    }
    std::array<PassagesByAge, kinds> of_kinds{};
    for (unsigned kind = 0; kind < kinds; ++kind) {
        of_kinds[kind] = smoothed(pools[kind].data());
    }
    for (unsigned in_class = 0; in_class < classes; ++in_class) {
        learn_class(in_class, of_kinds[in_class % kinds]);
    }
    /*
     * A block with more uses may be the prefix of a block with fewer uses, which is useless without
     * the prefix. So a cell of more uses is at least as dense.
     */
    for (unsigned i = kinds * buckets; i < cells; ++i) {
        density_[i] = std::max(density_[i], density_[i - kinds * buckets]);
    }
    sort();
    if (hits > fade_at_hits || exposure_max > fade_at_exposure) {
        fade();
    }
}

/*
 * The width of a bucket is in proportion to its age, so neighbours have similar probabilities of a
 * use, but not similar rates per tick. The weight of a neighbour falls with its distance.
 */
Reuse::PassagesByAge Reuse::smoothed(const Cell *of_class) noexcept {
    PassagesByAge sums{};
    for (unsigned bucket = 0; bucket < buckets; ++bucket) {
        if (of_class[bucket].exposure == 0 && of_class[bucket].hits == 0) {
            continue;
        }
        for (unsigned apart = 0; apart <= smooth_over; ++apart) {
            const unsigned weight = smooth_over + 1 - apart;
            const Wide hits = (Wide{of_class[bucket].hits} * weight) << count_bits;
            const Wide all =
                ((Wide{of_class[bucket].exposure} * weight) << count_bits) >> width_bits[bucket];
            if (bucket >= apart) {
                sums[bucket - apart].hits += hits;
                sums[bucket - apart].all += all;
            }
            if (apart > 0 && bucket + apart < buckets) {
                sums[bucket + apart].hits += hits;
                sums[bucket + apart].all += all;
            }
        }
    }
    return sums;
}

void Reuse::learn_class(unsigned in_class, const PassagesByAge &of_kind) noexcept {
    std::array<Stay, buckets> stays{}; /* of the later ages, the next age last */
    std::array<uint64_t, buckets> densities{};
    unsigned depth = 0;
    const Wide one = Wide{1} << count_bits;
    const uint64_t unlikely = prior_passages * (is_said_to_be_over(in_class) ? doubt : 1);
    PassagesByAge of_class = smoothed(&cells_[size_t{in_class} * buckets]);
    for (unsigned bucket = buckets; bucket-- > 0;) {
        const Wide kind_hits = of_kind[bucket].hits + one;
        const Wide kind_all = of_kind[bucket].all + one * unlikely;
        Passages &cell = of_class[bucket];
        cell.hits += one * prior_hits;
        cell.all += (kind_all * prior_hits << count_bits) / kind_hits;
        const Wide hazard = ((cell.hits << hazard_bits) / (cell.all + 1)) >> width_bits[bucket];
        Stay stay =
            stay_in(bucket, static_cast<uint64_t>(std::min(hazard, Wide{1} << hazard_bits)));
        /* The stay is extended as long as the next one is denser. */
        uint64_t density = stay.density();
        while (depth > 0 && densities[depth - 1] > density) {
            stay.go_on(stays[--depth]);
            density = stay.density();
        }
        density_[in_class * buckets + bucket] = density;
        stays[depth] = stay;
        densities[depth++] = density;
    }
}

void Reuse::sort() noexcept {
    /* An insertion sort, as the previous order is nearly right. Of equal cells the oldest is first.
     */
    const auto precedes = [this](unsigned a, unsigned b) {
        if (density_[a] != density_[b]) {
            return density_[a] < density_[b];
        }
        return a % buckets != b % buckets ? a % buckets > b % buckets : a < b;
    };
    for (unsigned i = 1; i < cells; ++i) {
        const uint16_t cell = order_[i];
        unsigned at = i;
        for (; at > 0 && precedes(cell, order_[at - 1]); --at) {
            order_[at] = order_[at - 1];
        }
        order_[at] = cell;
    }
    for (unsigned i = 0; i < cells; ++i) {
        rank_[order_[i]] = static_cast<uint16_t>(i);
    }
}

}  // namespace kvcpu
