// SPDX-License-Identifier: MIT
// Access rules and values, for every offset of BAR 0 below the MSI-X table.
#include <map>

#include "suites.h"
#include "test_device.h"

namespace kvcpu_test {

namespace {

enum class Access { RO, RW, WO };

struct Register {
    Access access;
    uint64_t reset;
};

std::map<uint64_t, Register> all_registers() {
    return {
#define ENTRY(name, offset, access, reset, what) {offset, {Access::access, reset}},
        KVCPU_REGISTERS(ENTRY)
#undef ENTRY
    };
}

bool is_counter(uint64_t offset) {
    const uint64_t counter = (offset - KVCPU_COUNTER_BASE) / 8;
    const uint64_t status = (offset - KVCPU_STATUS_COUNTER_BASE) / 8;
    return (offset >= KVCPU_COUNTER_BASE && counter < KVCPU_COUNTER_COUNT) ||
           (offset >= KVCPU_STATUS_COUNTER_BASE && status < KVCPU_STATUS_COUNT);
}

void every_offset_obeys_the_table() {
    TestDevice device;
    const auto registers = all_registers();
    uint64_t offsets_refused = 0;
    uint64_t directions_refused = 0;
    for (uint64_t offset = 0; offset < KVCPU_MSIX_TABLE_OFFSET; offset += 8) {
        const auto found = registers.find(offset);
        const uint64_t value = device.read(offset);
        if (found == registers.end()) {
            offsets_refused += is_counter(offset) ? 0 : 1;
        } else if (found->second.access == Access::WO) {
            ++directions_refused;
        } else if (found->second.reset != KVCPU_RESET_CONFIG) {
            CU_ASSERT_EQUAL(value, found->second.reset);
        }
        if (found == registers.end() && !is_counter(offset)) {
            device.write(offset, 1);
            ++offsets_refused;
        } else if (is_counter(offset) || found->second.access == Access::RO) {
            device.write(offset, 1);
            ++directions_refused;
        }
    }
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_OFFSET), offsets_refused);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_DIRECTION), directions_refused);
    CU_ASSERT_EQUAL(device.events(KVCPU_EV_GUEST_ERROR), offsets_refused + directions_refused);
    CU_ASSERT(offsets_refused > 0 && directions_refused > 0);
}

void geometry_is_the_configuration() {
    TestDevice device;
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_ID) >> 32, 0x4b564350);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCK_SIZE), 4096);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS), 16);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_FAST_SLOTS), 4);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_CONTEXTS), 4);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_DMA_CHANNELS), 2);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_DMA_LATENCY), 1000);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_DMA_BANDWIDTH), 1'000'000'000);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_SCRUB_BANDWIDTH), 32'000'000'000);
#define BIT_OF(name, number, text) | 1U << (number)
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_POLICIES), 0U KVCPU_POLICIES(BIT_OF));
#undef BIT_OF
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_POLICY), KVCPU_POLICY_HEPC);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_SHARED_CAP), 2);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_FAST_FREE), 4);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS_FREE), 16);
    device.run(1234);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_TIME), 1234);
}

void a_bandwidth_too_large_to_scale_saturates() {
    kvcpu_config config = small_config();
    config.dma_bandwidth = UINT64_MAX / 2;
    TestDevice device(config);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_SCRUB_BANDWIDTH), UINT64_MAX);
}

void sizes_and_alignment() {
    TestDevice device;
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_ID, 4), KVCPU_ID_VALUE & UINT32_MAX);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_ID + 4, 4), 0x4b564350);
    device.write(KVCPU_REG_STEP_ADVANCE, 5, 4);
    device.write(KVCPU_REG_STEP_ADVANCE + 4, 5, 4);
    for (const unsigned bytes : {0U, 1U, 2U, 3U, 16U}) {
        CU_ASSERT_EQUAL(device.read(KVCPU_REG_ID, bytes), 0);
        device.write(KVCPU_REG_STEP_ADVANCE, 5, bytes);
    }
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_SIZE), 12);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_ID + 4), 0);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_ID + 2, 4), 0);
    device.write(KVCPU_REG_STEP_ADVANCE + 1, 5);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_ALIGNMENT), 3);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_STEPS), 0);
    CU_ASSERT_EQUAL(device.read(UINT64_MAX - 7), 0);
    CU_ASSERT_EQUAL(device.read(KVCPU_DOORBELL_BASE - 8), 0);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_OFFSET), 2);
}

void values_that_a_register_cannot_take() {
    TestDevice device;
    const uint64_t refused[][2] = {
        {KVCPU_REG_POLICY, 63},
        {KVCPU_REG_POLICY, 64},
        {KVCPU_REG_WEIGHT_R, uint64_t{1} << 32},
        {KVCPU_REG_WEIGHT_F, UINT64_MAX},
        {KVCPU_REG_WEIGHT_S, uint64_t{1} << 32},
        {KVCPU_REG_WEIGHT_D, uint64_t{1} << 32},
        {KVCPU_REG_EVICT_THRESH, uint64_t{1} << 32},
        {KVCPU_REG_PREFETCH_THRESH, uint64_t{1} << 32},
        {KVCPU_REG_HOT_LEASE, 0},
        {KVCPU_REG_SHARED_CAP, 5},
        {KVCPU_REG_BLOCK_SELECT, 16},
        {KVCPU_REG_CONTEXT_SELECT, 4},
        {KVCPU_REG_QUEUE_ENABLE, 4},
        {KVCPU_REG_CONTROL, 0},
        {KVCPU_REG_CONTROL, 4},
        {KVCPU_REG_CPL_POP, 1},
    };
    uint64_t count = 0;
    for (const auto &[offset, value] : refused) {
        device.write(offset, value);
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_VALUE), ++count);
    }
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_POLICY), KVCPU_POLICY_HEPC);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_WEIGHT_D), 200);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_HOT_LEASE), 256);
    device.write(KVCPU_REG_WEIGHT_D, UINT32_MAX);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_WEIGHT_D), UINT32_MAX);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BAD_VALUE), count);
}

void the_device_does_not_enter_itself() {
    TestDevice device;
    device.alloc(1);
    device.during_dma = [&device] {
        CU_ASSERT_EQUAL(device.read(KVCPU_REG_ID), 0);
        device.write(KVCPU_REG_STEP_ADVANCE, 9);
        kvcpu_core_timer(device.core);
    };
    CU_ASSERT_EQUAL(device.fill(0, 1).status, KVCPU_SC_SUCCESS);
    device.during_dma = nullptr;
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_REENTERED), 2);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_STEP_ADVANCE), 0);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_ID), KVCPU_ID_VALUE);
}

void the_log_numbers_and_dates_its_records() {
    TestDevice device;
    CU_ASSERT_EQUAL(device.log.at(0).kind, KVCPU_EV_LOG_RESTART);
    device.run(500);
    device.read(4, 8);
    device.write(KVCPU_REG_CONTROL, KVCPU_CONTROL_LOG_RESTART);
    device.run(70);
    device.write(KVCPU_REG_STEP_ADVANCE, 3);
    const size_t count = device.log.size();
    const kvcpu_event &restart = device.log.at(count - 2);
    const kvcpu_event &step = device.log.at(count - 1);
    CU_ASSERT_EQUAL(restart.kind, KVCPU_EV_LOG_RESTART);
    CU_ASSERT_EQUAL(restart.sequence, 0);
    CU_ASSERT_EQUAL(step.kind, KVCPU_EV_STEP);
    CU_ASSERT_EQUAL(step.sequence, 1);
    CU_ASSERT_EQUAL(step.time_ns, 70);
    CU_ASSERT_EQUAL(step.value, 3);
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_LOG_RECORDS), 2);
    for (size_t i = 1; i + 2 < count; ++i) {
        CU_ASSERT_EQUAL(device.log.at(i).sequence, i);
    }
}

}  // namespace

void add_registers_suite() {
    Suite("registers")
        .test("every offset obeys the table", every_offset_obeys_the_table)
        .test("geometry is the configuration", geometry_is_the_configuration)
        .test("the scrubber's default rate saturates", a_bandwidth_too_large_to_scale_saturates)
        .test("sizes and alignment", sizes_and_alignment)
        .test("values that a register cannot take", values_that_a_register_cannot_take)
        .test("the device does not enter itself", the_device_does_not_enter_itself)
        .test("the log numbers and dates its records", the_log_numbers_and_dates_its_records);
}

}  // namespace kvcpu_test
