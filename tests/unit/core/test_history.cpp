// SPDX-License-Identifier: MIT
// What became of a block, and why, as a driver reads it back.
#include <algorithm>
#include <iterator>

#include "suites.h"
#include "test_device.h"

namespace kvcpu_test {

namespace {

constexpr uint64_t latest = UINT64_MAX;

struct Record {
    uint64_t sequence;
    unsigned kind;
    unsigned detail;
    unsigned status;
    uint64_t first;
    uint64_t value;
};

/* All records of a block in the history, newest first. */
std::vector<Record> history_of(TestDevice &device, uint64_t block, unsigned *looks = nullptr) {
    std::vector<Record> records;
    device.write(KVCPU_REG_BLOCK_SELECT, block);
    uint64_t before = latest;
    for (;;) {
        device.write(KVCPU_REG_HISTORY_BEFORE, before);
        if (looks != nullptr) {
            ++*looks;
        }
        before = device.read(KVCPU_REG_HISTORY_BEFORE);
        const uint64_t state = device.read(KVCPU_REG_HISTORY_STATE);
        if (state == KVCPU_HS_END) {
            return records;
        }
        if (state == KVCPU_HS_FOUND) {
            const uint64_t what = device.read(KVCPU_REG_HISTORY_WHAT);
            records.push_back(
                {device.read(KVCPU_REG_HISTORY_SEQUENCE), static_cast<unsigned>(what & 0xffff),
                 static_cast<unsigned>(what >> 16 & 0xffff), static_cast<unsigned>(what >> 48),
                 device.read(KVCPU_REG_HISTORY_FIRST), device.read(KVCPU_REG_HISTORY_VALUE)});
        }
    }
}

std::vector<unsigned> kinds_of(const std::vector<Record> &records) {
    std::vector<unsigned> kinds;
    std::transform(records.rbegin(), records.rend(), std::back_inserter(kinds),
                   [](const Record &record) { return record.kind; });
    return kinds;
}

unsigned class_in(const Record &record) {
    return record.detail >> KVCPU_CHO_CLASS_SHIFT & KVCPU_CHO_CLASS_MASK;
}
unsigned cause_in(const Record &record) {
    return record.detail >> KVCPU_CHO_CAUSE_SHIFT & KVCPU_CHO_CAUSE_MASK;
}

/* Blocks 0 to 3 in the four slots, 4 to 7 in the slow tier; written, so that they are dirty. */
void fill_slots(TestDevice &device) {
    device.write(KVCPU_REG_EVICT_THRESH, 0);
    device.write(KVCPU_REG_PREFETCH_THRESH, 0xffff);
    device.alloc(8);
    for (uint64_t block = 0; block < 8; ++block) {
        device.fill(block, 1);
    }
    for (uint64_t block = 0; block < 4; ++block) {
        device.demand(block);
    }
}

void records_in_sequence() {
    TestDevice device;
    fill_slots(device);
    device.step(5);
    device.command(KVCPU_OP_HOT, 2, 2, 7);
    device.step(9);
    device.demand(6); /* block 0 is evicted: the least recently used */
    const std::vector<Record> records = history_of(device, 0);
    const std::vector<unsigned> expected = {
        KVCPU_EV_RESET,       KVCPU_EV_ALLOC,      KVCPU_EV_WRITE,       KVCPU_EV_PIN_WAITS,
        KVCPU_EV_FETCH_START, KVCPU_EV_FETCH_DONE, KVCPU_EV_PIN_GRANTED, KVCPU_EV_UNPIN,
        KVCPU_EV_CHOSEN,      KVCPU_EV_EVICTED,
    };
    CU_ASSERT(kinds_of(records) == expected);
    /* Finds a range that contains the block, and no range that ends before it. */
    const std::vector<Record> hot = history_of(device, 3);
    CU_ASSERT_EQUAL(hot.front().kind, KVCPU_EV_HINT);
    CU_ASSERT_EQUAL(hot.front().detail, KVCPU_OP_HOT);
    CU_ASSERT_EQUAL(hot.front().first, 2);
    CU_ASSERT(kinds_of(history_of(device, 4)) ==
              (std::vector<unsigned>{KVCPU_EV_RESET, KVCPU_EV_ALLOC, KVCPU_EV_WRITE}));
}

void a_choice_records_cause_and_block() {
    TestDevice device;
    fill_slots(device);
    device.step(12);
    device.demand(6);
    const Record pin = history_of(device, 0)[1];
    CU_ASSERT_EQUAL(pin.kind, KVCPU_EV_CHOSEN);
    CU_ASSERT_EQUAL(cause_in(pin), KVCPU_EC_PIN);
    CU_ASSERT_EQUAL(class_in(pin), KVCPU_VC_UNHINTED);
    CU_ASSERT_EQUAL(pin.value & KVCPU_CHW_FOR_MASK, 6);
    CU_ASSERT_EQUAL(pin.value >> KVCPU_CHW_AGE_SHIFT, 12);
    CU_ASSERT_EQUAL(pin.status, device.read(KVCPU_REG_POLICY));

    device.command(KVCPU_OP_PREFETCHABLE, 7, 1, 13);
    device.run_dry();
    const Record hint = history_of(device, 1)[1];
    CU_ASSERT_EQUAL(cause_in(hint), KVCPU_EC_HINT);
    CU_ASSERT_EQUAL(hint.value & KVCPU_CHW_FOR_MASK, 7);

    device.command(KVCPU_OP_EVICTABLE, 2, 1, 0, KVCPU_F_NOW);
    device.run_dry();
    const Record now = history_of(device, 2)[2]; /* then EVICTED, then the hint's own record */
    CU_ASSERT_EQUAL(now.kind, KVCPU_EV_CHOSEN);
    CU_ASSERT_EQUAL(cause_in(now), KVCPU_EC_NOW);
    CU_ASSERT_EQUAL(class_in(now), KVCPU_VC_EVICTABLE);
    CU_ASSERT_EQUAL(now.value & KVCPU_CHW_FOR_MASK, KVCPU_NO_SLOT);

    device.write(KVCPU_REG_EVICT_THRESH, 0xffff); /* whatever its score is */
    device.step(13);
    device.run_dry();
    const std::vector<Record> demoted = history_of(device, 3);
    CU_ASSERT_EQUAL(demoted[0].kind, KVCPU_EV_EVICTED);
    CU_ASSERT_EQUAL(cause_in(demoted[1]), KVCPU_EC_DEMOTED);
}

/* A bounded search is continued; old records are not kept; a restart clears the history. */
void a_long_history() {
    TestDevice device;
    device.keep_log = false;
    device.alloc(2);
    unsigned looks = 0;
    for (int i = 0; i < 3 * KVCPU_HISTORY_BUDGET; ++i) {
        device.command(KVCPU_OP_TOUCH, 1, 1);
    }
    CU_ASSERT_EQUAL(history_of(device, 0, &looks).size(), 2);
    CU_ASSERT_EQUAL(looks, 6); /* three searches without a result, two records, the end */
    for (int i = 0; i < KVCPU_HISTORY_RECORDS; ++i) {
        device.command(KVCPU_OP_TOUCH, 1, 1);
    }
    CU_ASSERT(history_of(device, 0).empty());
    CU_ASSERT_EQUAL(history_of(device, 1).size(), KVCPU_HISTORY_RECORDS);
    device.write(KVCPU_REG_CONTROL, KVCPU_CONTROL_LOG_RESTART);
    CU_ASSERT(history_of(device, 1).empty());
    device.write(KVCPU_REG_HISTORY_BEFORE, 0);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_HISTORY_STATE), KVCPU_HS_END);
}

void occupancy_follows_a_block() {
    TestDevice device;
    const auto where = [&device](uint64_t reg) { return device.read(reg); };
    CU_ASSERT_EQUAL(where(KVCPU_REG_OCCUPANCY_FREE), 16);
    device.alloc(1);
    CU_ASSERT_EQUAL(where(KVCPU_REG_OCCUPANCY_FREE), 15);
    CU_ASSERT_EQUAL(where(KVCPU_REG_OCCUPANCY_SLOW), 1);
    device.fill(0, 1);
    device.pin(0);
    CU_ASSERT_EQUAL(where(KVCPU_REG_OCCUPANCY_FETCHING), 1);
    device.run_dry();
    CU_ASSERT_EQUAL(where(KVCPU_REG_OCCUPANCY_PINNED), 1);
    device.unpin(0);
    CU_ASSERT_EQUAL(where(KVCPU_REG_OCCUPANCY_CLEAN), 1);
    device.fill(0, 2);
    CU_ASSERT_EQUAL(where(KVCPU_REG_OCCUPANCY_DIRTY), 1);
    device.command(KVCPU_OP_EVICTABLE, 0, 1, 0, KVCPU_F_NOW);
    CU_ASSERT_EQUAL(where(KVCPU_REG_OCCUPANCY_EVICTING), 1);
    device.run_dry();
    CU_ASSERT_EQUAL(where(KVCPU_REG_OCCUPANCY_SLOW), 1);
    device.free(0);
    CU_ASSERT_EQUAL(where(KVCPU_REG_OCCUPANCY_SCRUBBING), 1);
    device.run_dry();
    CU_ASSERT_EQUAL(where(KVCPU_REG_OCCUPANCY_FREE), 16);
}

}  // namespace

void add_history_suite() {
    Suite("history")
        .test("records in sequence", records_in_sequence)
        .test("a choice records its cause and the block that needs the slot",
              a_choice_records_cause_and_block)
        .test("a long history", a_long_history)
        .test("occupancy follows a block", occupancy_follows_a_block);
}

}  // namespace kvcpu_test
