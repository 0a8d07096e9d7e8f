// SPDX-License-Identifier: MIT
// What the replay knows of its blocks, its runs of them, and what they hold.
#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "hinter.h"
#include "loopback.h"
#include "pattern.h"
#include "store.h"
#include "suites.h"

namespace kvcpu_test {

namespace {

using kvcpu::serving::HintKinds;
using kvcpu::serving::Pattern;
using kvcpu::serving::Run;
using kvcpu::serving::runs_of;

void runs_are_blocks_that_follow_each_other() {
    const auto same = [](const std::vector<Run> &runs, const std::vector<Run> &expected) {
        return std::equal(runs.begin(), runs.end(), expected.begin(), expected.end(),
                          [](const Run &one, const Run &other) {
                              return one.first == other.first && one.count == other.count;
                          });
    };
    CU_ASSERT(runs_of({}).empty());
    CU_ASSERT(same(runs_of({5}), {{5, 1}}));
    CU_ASSERT(same(runs_of({5, 6, 7, 9, 8, 10}), {{5, 3}, {9, 1}, {8, 1}, {10, 1}}));
    std::vector<uint32_t> many;
    for (uint32_t block = 0; block < KVCPU_COMMAND_BLOCKS_MAX + 2; ++block) {
        many.push_back(block);
    }
    CU_ASSERT(same(runs_of(many), {{0, KVCPU_COMMAND_BLOCKS_MAX}, {KVCPU_COMMAND_BLOCKS_MAX, 2}}));
}

void a_pattern_is_its_blocks_alone() {
    std::vector<std::byte> bytes(4096);
    Pattern(7, 1).write(bytes);
    CU_ASSERT(Pattern(7, 1).matches(bytes));
    CU_ASSERT(!Pattern(8, 1).matches(bytes));
    CU_ASSERT(!Pattern(7, 2).matches(bytes));
    for (const std::size_t at : {0U, 1U, 7U, 8U, 2047U, 4095U}) {
        bytes[at] ^= std::byte{1};
        CU_ASSERT(!Pattern(7, 1).matches(bytes));
        bytes[at] ^= std::byte{1};
    }
    /* Shifted by a word, and half of another block. */
    std::vector<std::byte> shifted(bytes.begin() + 8, bytes.end());
    shifted.insert(shifted.end(), bytes.begin(), bytes.begin() + 8);
    CU_ASSERT(!Pattern(7, 1).matches(shifted));
    Pattern(8, 1).write(std::span(bytes).last(2048));
    CU_ASSERT(!Pattern(7, 1).matches(bytes));
    CU_ASSERT(!Pattern(7, 1).matches(std::vector<std::byte>(4096)));
}

void kinds_of_hints_are_named() {
    CU_ASSERT(HintKinds::parse("none").names().empty());
    CU_ASSERT(HintKinds::parse("all").names() ==
              (std::vector<std::string>{"step", "prefetchable", "evictable", "share"}));
    CU_ASSERT(HintKinds::parse("share,step").names() ==
              (std::vector<std::string>{"step", "share"}));
    try {
        (void)HintKinds::parse("step,hott");
        CU_FAIL("accepted");
    } catch (const std::invalid_argument &error) {
        CU_ASSERT_PTR_NOT_NULL(std::strstr(error.what(), "'hott'"));
    }
}

}  // namespace

void add_store_suite() {
    Suite("store")
        .test("runs are blocks that follow each other", runs_are_blocks_that_follow_each_other)
        .test("a pattern is its block's alone", a_pattern_is_its_blocks_alone)
        .test("kinds of hints are named", kinds_of_hints_are_named);
}

}  // namespace kvcpu_test
