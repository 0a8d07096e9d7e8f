// SPDX-License-Identifier: MIT
// The containers that the core is made of.
#include <algorithm>
#include <random>
#include <set>

#include "suites.h"
#include "util/index_lists.h"
#include "util/indexed_heap.h"
#include "util/number_set.h"

namespace kvcpu_test {

namespace {

using kvcpu::HeapKey;
using kvcpu::IndexedHeap;
using kvcpu::IndexLists;
using kvcpu::NumberSet;

void number_set_equals_std_set() {
    std::mt19937 random(1);
    for (const uint32_t size : {1U, 63U, 64U, 65U, 5000U}) {
        NumberSet set(size);
        CU_ASSERT_EQUAL(set.count(), size);
        set.clear();
        std::set<uint32_t> expected;
        for (int i = 0; i < 3000; ++i) {
            const auto number = static_cast<uint32_t>(random() % size);
            if (random() % 2 == 0) {
                set.insert(number);
                expected.insert(number);
            } else {
                set.erase(number);
                expected.erase(number);
            }
            CU_ASSERT_EQUAL(set.count(), expected.size());
            CU_ASSERT_EQUAL(set.first(), expected.empty() ? NumberSet::none : *expected.begin());
            CU_ASSERT_EQUAL(set.contains(number), expected.contains(number));
        }
    }
}

void number_set_finds_runs() {
    NumberSet set(300);
    CU_ASSERT_EQUAL(set.lowest_run(1000).count, 300);
    CU_ASSERT_EQUAL(set.lowest_run(128).count, 128);
    for (uint32_t number = 0; number < 60; ++number) {
        set.erase(number);
    }
    set.erase(200);
    const NumberSet::Run run = set.lowest_run(1000);
    CU_ASSERT_EQUAL(run.first, 60);
    CU_ASSERT_EQUAL(run.count, 140);
    set.clear();
    CU_ASSERT_EQUAL(set.lowest_run(5).count, 0);
    set.fill();
    CU_ASSERT_EQUAL(set.count(), 300);
    CU_ASSERT_EQUAL(set.first(), 0);
}

void heap_gives_keys_in_order() {
    std::mt19937 random(2);
    constexpr uint32_t blocks = 500;
    IndexedHeap::Places places(blocks);
    IndexedHeap heap(places, blocks);
    std::set<HeapKey> expected;
    for (int i = 0; i < 20000; ++i) {
        const auto block = static_cast<uint32_t>(random() % blocks);
        const auto present =
            std::find_if(expected.begin(), expected.end(),
                         [block](const HeapKey &key) { return key.block == block; });
        if (present == expected.end()) {
            const HeapKey key = {random() % 20, random() % 3, block};
            heap.insert(key);
            expected.insert(key);
        } else {
            heap.erase(block);
            expected.erase(present);
        }
        CU_ASSERT_EQUAL(heap.size(), expected.size());
        if (!expected.empty()) {
            CU_ASSERT(heap.top() == *expected.begin());
        }
    }
    heap.clear();
    CU_ASSERT(heap.empty());
    CU_ASSERT_EQUAL(places[0].heap, kvcpu::HeapPlace::none);
}

void rings_keep_order_and_let_go() {
    IndexLists rings(10, 3);
    for (const uint32_t block : {3U, 1U, 4U}) {
        rings.push_back(0, block);
    }
    rings.push_back(1, 5);
    rings.remove(3);
    rings.remove(3);
    CU_ASSERT_FALSE(rings.contains(3));
    CU_ASSERT_EQUAL(rings.front(0), 1);
    rings.splice(0, 1);
    CU_ASSERT_EQUAL(rings.front(0), IndexLists::none);
    rings.splice(0, 1);
    for (const uint32_t expected : {5U, 1U, 4U}) {
        CU_ASSERT_EQUAL(rings.front(1), expected);
        rings.remove(expected);
    }
    CU_ASSERT_EQUAL(rings.front(1), IndexLists::none);
    rings.push_back(2, 7);
    rings.push_back(0, 7);
    CU_ASSERT_EQUAL(rings.front(2), IndexLists::none);
    CU_ASSERT_EQUAL(rings.front(0), 7);
}

}  // namespace

void add_parts_suite() {
    Suite("parts")
        .test("a number set equals std::set", number_set_equals_std_set)
        .test("a number set finds its lowest run", number_set_finds_runs)
        .test("a heap gives keys in order and any member back", heap_gives_keys_in_order)
        .test("rings keep order, and let members go", rings_keep_order_and_let_go);
}

}  // namespace kvcpu_test
