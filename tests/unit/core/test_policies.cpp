// SPDX-License-Identifier: MIT
// Policies against plain models of themselves, and against the bound that none may beat.
#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "paper_arc.h"
#include "suites.h"
#include "test_device.h"

namespace kvcpu_test {

namespace {

using Uses = std::vector<uint32_t>;

constexpr uint32_t blocks = 400;
constexpr uint32_t slots = 40;

/* Uses some blocks far more often than others, with a long scan from time to time. */
Uses skewed_uses(unsigned seed, size_t count) {
    std::mt19937 random(seed);
    Uses uses;
    uint32_t scan = 0;
    while (uses.size() < count) {
        if (random() % 40 == 0) {
            for (int i = 0; i < 60; ++i) {
                uses.push_back(blocks / 2 + scan++ % (blocks / 2));
            }
        }
        const double skewed = std::pow(static_cast<double>(random() % 10000) / 10000, 2);
        uses.push_back(static_cast<uint32_t>(skewed * blocks / 2));
    }
    return uses;
}

kvcpu_config device_for(uint32_t policy) {
    kvcpu_config config = small_config();
    config.policy = policy;
    config.fast_size = uint64_t{slots} * 4096;
    config.slow_size = uint64_t{blocks} * 4096;
    return config;
}

/* Executes one use after the other, and returns which of them hit. */
std::vector<bool> hits_of(TestDevice &device, const Uses &uses, size_t *place = nullptr) {
    device.keep_log = false;
    for (uint32_t taken = 0; taken < device.config.slow_size / 4096;) {
        taken += device.alloc(4096).aux;
    }
    std::vector<bool> hits;
    for (size_t i = 0; i < uses.size(); ++i) {
        if (place != nullptr) {
            *place = i;
        }
        hits.push_back(device.pin(uses[i]).aux == 1);
        device.run_dry();
        if (!hits.back()) {
            device.write(KVCPU_REG_CPL_POP, 1);
        }
        device.unpin(uses[i]);
    }
    return hits;
}

std::vector<bool> hits_under(uint32_t policy, const Uses &uses) {
    TestDevice device(device_for(policy));
    device.write(KVCPU_REG_EVICT_THRESH, 0);
    return hits_of(device, uses);
}

/* A device with an oracle that searches the list of uses. */
std::vector<bool> hits_of_bound(const Uses &uses) {
    size_t now = 0;
    TestDevice device(device_for(KVCPU_POLICY_LRU), [&](uint32_t block) {
        const auto next =
            std::find(uses.begin() + static_cast<std::ptrdiff_t>(now) + 1, uses.end(), block);
        return next == uses.end() ? UINT64_MAX : static_cast<uint64_t>(next - uses.begin());
    });
    return hits_of(device, uses, &now);
}

size_t count(const std::vector<bool> &hits) {
    return static_cast<size_t>(std::count(hits.begin(), hits.end(), true));
}

/* Belady's MIN, by a search of the future uses at every miss. */
size_t belady_hits(const Uses &uses) {
    std::vector<uint32_t> cache;
    size_t hits = 0;
    for (size_t i = 0; i < uses.size(); ++i) {
        if (std::find(cache.begin(), cache.end(), uses[i]) != cache.end()) {
            ++hits;
            continue;
        }
        if (cache.size() == slots) {
            const auto rest = uses.begin() + static_cast<std::ptrdiff_t>(i);
            const auto farthest =
                std::max_element(cache.begin(), cache.end(), [&](uint32_t a, uint32_t b) {
                    return std::find(rest, uses.end(), a) < std::find(rest, uses.end(), b);
                });
            cache.erase(farthest);
        }
        cache.push_back(uses[i]);
    }
    return hits;
}

void min_equals_looking_ahead() {
    for (const unsigned seed : {1U, 2U, 3U}) {
        const Uses uses = skewed_uses(seed, 4000);
        const size_t hits = count(hits_of_bound(uses));
        CU_ASSERT_EQUAL(hits, belady_hits(uses));
        CU_ASSERT(hits > 1000 && hits < 3500);
    }
}

void arc_equals_its_paper() {
    for (const unsigned seed : {4U, 5U, 6U, 7U}) {
        const Uses uses = skewed_uses(seed, 6000);
        PaperArc paper(slots);
        std::vector<bool> expected;
        for (const uint32_t block : uses) {
            expected.push_back(paper.use(block));
        }
        CU_ASSERT(hits_under(KVCPU_POLICY_ARC, uses) == expected);
        CU_ASSERT(count(expected) > 500 && count(expected) < 5500);
    }
}

void no_policy_beats_its_bound() {
    for (const unsigned seed : {8U, 9U}) {
        const Uses uses = skewed_uses(seed, 5000);
        const size_t bound = count(hits_of_bound(uses));
#define COMPARE(name, number, text)                          \
    {                                                        \
        const size_t hits = count(hits_under(number, uses)); \
        CU_ASSERT(hits <= bound && hits > 0);                \
    }
        KVCPU_POLICIES(COMPARE)
#undef COMPARE
    }
}

/*
 * A third of the uses are of blocks that are used again, and the others of blocks that are used
 * once.
 */
void next_use_learns_which_blocks_return() {
    constexpr uint32_t back = 35;
    Uses uses;
    std::mt19937 random(10);
    for (uint32_t i = 0; i < 15000; ++i) {
        uses.push_back(i % 3 == 0 ? static_cast<uint32_t>(random() % back) : back + i);
    }
    const auto hits = [&](uint32_t policy) {
        kvcpu_config config = device_for(policy);
        config.slow_size = (back + uses.size()) * 4096;
        TestDevice device(config);
        return count(hits_of(device, uses));
    };
    CU_ASSERT(hits(KVCPU_POLICY_LRU) < 2000);
    CU_ASSERT(hits(KVCPU_POLICY_NEXT_USE) > 4000); /* of 5,000 at most */
}

void next_use_takes_the_farthest_first() {
    kvcpu_config config = small_config();
    config.policy = KVCPU_POLICY_NEXT_USE;
    TestDevice device(config);
    device.alloc(12);
    for (uint64_t block = 0; block < 12; ++block) {
        device.fill(block, static_cast<uint8_t>(block + 1));
    }
    for (uint64_t block = 0; block < 4; ++block) {
        device.demand(block);
    }
    device.step(1);
    device.command(KVCPU_OP_PREFETCHABLE, 0, 1, 20);
    device.command(KVCPU_OP_PREFETCHABLE, 1, 1, 30);
    device.command(KVCPU_OP_HOT, 2, 1, 100);
    device.command(KVCPU_OP_RELEASE, 3, 1);
    device.command(KVCPU_OP_PREFETCHABLE, 4, 1, 25); /* takes the slot of the released block */
    device.run_dry();
    CU_ASSERT(device.is_fast(4) && !device.is_fast(3));
    device.command(KVCPU_OP_PREFETCHABLE, 5, 1, 26); /* the farthest target of those that wait */
    device.run_dry();
    CU_ASSERT(device.is_fast(5) && !device.is_fast(1));
    device.command(KVCPU_OP_PREFETCHABLE, 6, 1, 40); /* farther than all blocks in slots */
    device.run_dry();
    CU_ASSERT_FALSE(device.is_fast(6));
    CU_ASSERT(device.is_fast(0) && device.is_fast(2) && device.is_fast(4));
    device.pin(7); /* the farthest requested block, before hot blocks */
    device.run_dry();
    CU_ASSERT(device.is_fast(7) && !device.is_fast(5));
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_PINS_DISPLACED), 0);
    CU_ASSERT(device.is_fast(0) && device.is_fast(2) && device.is_fast(4));
    CU_ASSERT(device.holds(7, 8) && device.holds(0, 1));
}

/*
 * A block that is requested later and needed earlier is fetched first, when a channel becomes idle.
 */
void next_use_binds_fetches_late() {
    kvcpu_config config = small_config();
    config.policy = KVCPU_POLICY_NEXT_USE;
    config.dma_channels = 1;
    TestDevice device(config);
    device.alloc(12);
    for (uint64_t block = 0; block < 12; ++block) {
        device.fill(block, static_cast<uint8_t>(block + 1));
    }
    device.step(1);
    device.command(KVCPU_OP_PREFETCHABLE, 0, 1,
                   50); /* the channel starts it, as no other fetch is known */
    device.command(KVCPU_OP_PREFETCHABLE, 1, 1, 40);
    device.command(KVCPU_OP_PREFETCHABLE, 2, 1, 10);
    device.command(KVCPU_OP_PREFETCHABLE, 3, 1, 20);
    std::vector<uint64_t> order;
    while (order.size() < 4 && device.now < 1'000'000) {
        device.run(100);
        for (uint64_t block = 0; block < 4; ++block) {
            if (device.is_fast(block) && std::count(order.begin(), order.end(), block) == 0) {
                order.push_back(block);
            }
        }
    }
    CU_ASSERT(order == (std::vector<uint64_t>{0, 2, 3, 1}));
    device.command(KVCPU_OP_PREFETCHABLE, 4, 1, 60); /* all blocks in slots are needed earlier */
    device.run_dry();
    CU_ASSERT_FALSE(device.is_fast(4));
    device.command(KVCPU_OP_PREFETCHABLE, 5, 1, 30); /* the farthest is evicted */
    device.run_dry();
    CU_ASSERT(device.is_fast(5) && !device.is_fast(0) && device.is_fast(1));
}

void next_use_lets_hot_blocks_linger() {
    kvcpu_config config = small_config();
    config.policy = KVCPU_POLICY_NEXT_USE;
    TestDevice device(config);
    device.alloc(12);
    for (uint64_t block = 0; block < 12; ++block) {
        device.fill(block, static_cast<uint8_t>(block + 1));
    }
    device.command(KVCPU_OP_HOT, 0, 2, 100);
    device.demand(0); /* and unpinned */
    device.command(KVCPU_OP_PREFETCHABLE, 2, 2, 50);
    device.run_dry();
    CU_ASSERT(device.is_fast(0) && device.is_fast(1) && device.is_fast(2) && device.is_fast(3));
    device.command(KVCPU_OP_PREFETCHABLE, 4, 1, 60);
    device.run_dry();
    CU_ASSERT_FALSE(device.is_fast(0)); /* which lingers, and is not fetched again */
    CU_ASSERT(device.is_fast(1) && device.is_fast(2) && device.is_fast(3) && device.is_fast(4));
    device.command(KVCPU_OP_HOT, 0, 1, 100); /* hinted again */
    device.run_dry();
    CU_ASSERT(device.is_fast(0) && device.is_fast(1) && !device.is_fast(4));
}

/* The suffix of a prompt is evicted before the prefix that it depends on. */
void next_use_evicts_suffixes_first() {
    kvcpu_config config = small_config();
    config.policy = KVCPU_POLICY_NEXT_USE;
    TestDevice device(config);
    device.alloc(8);
    device.pin(0, 4);
    device.run_dry();
    device.unpin(0, 4);
    for (uint64_t block = 4; block < 7; ++block) {
        device.pin(block);
        device.run_dry();
        CU_ASSERT_FALSE(device.is_fast(7 - block));
    }
    CU_ASSERT(device.is_fast(0));
}

void policies_can_be_changed_at_run_time() {
    const Uses uses = skewed_uses(11, 600);
    TestDevice device(device_for(KVCPU_POLICY_ARC));
    device.keep_log = false;
    device.alloc(blocks);
    for (size_t i = 0; i < uses.size(); ++i) {
        if (i % 50 == 0) {
            device.write(KVCPU_REG_POLICY, i / 50 % 4);
        }
        device.fill(uses[i], static_cast<uint8_t>(uses[i]));
        device.demand(uses[i]);
        CU_ASSERT(device.is_fast(uses[i]));
        CU_ASSERT(device.holds(uses[i], static_cast<uint8_t>(uses[i])));
    }
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_FAST_FREE), 0);
}

}  // namespace

void add_policies_suite() {
    Suite("policies")
        .test("min equals looking ahead", min_equals_looking_ahead)
        .test("arc equals its paper", arc_equals_its_paper)
        .test("no policy beats its bound", no_policy_beats_its_bound)
        .test("next-use learns which blocks return", next_use_learns_which_blocks_return)
        .test("next-use takes the farthest first", next_use_takes_the_farthest_first)
        .test("next-use binds fetches late", next_use_binds_fetches_late)
        .test("next-use lets hot blocks linger", next_use_lets_hot_blocks_linger)
        .test("next-use evicts suffixes first", next_use_evicts_suffixes_first)
        .test("policies can be changed at run time", policies_can_be_changed_at_run_time);
}

}  // namespace kvcpu_test
