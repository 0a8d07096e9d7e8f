// SPDX-License-Identifier: MIT
// Every cell of the state x event table that is not a dash, brought about from outside.
#include "state/transitions.h"
#include "suites.h"
#include "test_device.h"

namespace kvcpu_test {

namespace {

/* How a cell is tested: block 0, owned by context 1 unless a row has another owner. */
struct Scene {
    kvcpu_block_state from;
    kvcpu_block_event event;
    kvcpu_block_state to;
    void (*set)(TestDevice &);
    void (*act)(TestDevice &);
};

void nothing(TestDevice &) {}
void own(TestDevice &d) {
    d.alloc(1);
}
void own_written(TestDevice &d) {
    d.alloc(2);
    d.fill(0, 1);
}
void fetching(TestDevice &d) {
    own_written(d);
    d.command(KVCPU_OP_HOT, 0, 1);
}
void clean(TestDevice &d) {
    own_written(d);
    d.demand(0);
}
void dirty(TestDevice &d) {
    clean(d);
    d.fill(0, 2);
}
void writing_back(TestDevice &d) {
    dirty(d);
    d.command(KVCPU_OP_SEAL, 0, 1);
}
void evicting(TestDevice &d) {
    dirty(d);
    d.command(KVCPU_OP_EVICTABLE, 0, 1, 0, KVCPU_F_NOW);
}
/* Both channels are busy with other blocks, so that the write-back waits. */
void evicting_queued(TestDevice &d) {
    d.alloc(3);
    d.demand(0);
    d.fill(0, 2);
    d.fill(1, 1);
    d.fill(2, 1);
    d.pin(1, 2);
    d.command(KVCPU_OP_EVICTABLE, 0, 1, 0, KVCPU_F_NOW);
}
void unowned_in_slot(TestDevice &d) {
    d.write(KVCPU_REG_BOOST_LEN, 1);
    d.run(small_move_ns);
}
void evict(TestDevice &d) {
    d.command(KVCPU_OP_EVICTABLE, 0, 1, 0, KVCPU_F_NOW);
}
void free_it(TestDevice &d) {
    d.free(0);
}
void pin_it(TestDevice &d) {
    d.pin(0);
}
void hold_it(TestDevice &d) {
    CU_ASSERT_EQUAL(d.command(KVCPU_OP_HOLD, 0, 1).status, KVCPU_SC_SUCCESS);
}
void unhold_it(TestDevice &d) {
    CU_ASSERT_EQUAL(d.command(KVCPU_OP_UNHOLD, 0, 1).status, KVCPU_SC_SUCCESS);
}
/* Before the event, `set` brings the block into its state; after `set` the block is held. */
template <void (*set)(TestDevice &)>
void held(TestDevice &d) {
    set(d);
    hold_it(d);
}
void held_and_freed(TestDevice &d) {
    own(d);
    hold_it(d);
    d.free(0);
}
/* As evicting_queued, but no fetch waits for its slot. */
void evicting_for_no_block(TestDevice &d) {
    d.alloc(4);
    for (uint64_t block = 0; block < 3; ++block) {
        d.demand(block);
        d.fill(block, 2);
    }
    d.command(KVCPU_OP_SEAL, 1, 2); /* both channels write these back */
    d.command(KVCPU_OP_EVICTABLE, 0, 1, 0, KVCPU_F_NOW);
}
void move_time(TestDevice &d) {
    d.run(small_move_ns);
}

void revoking(TestDevice &d) {
    CU_ASSERT_EQUAL(d.flags(0) & KVCPU_BF_REVOKING, KVCPU_BF_REVOKING);
    CU_ASSERT_EQUAL(d.events(KVCPU_EV_REVOKE), 1);
}

const Scene scenes[] = {
    {KVCPU_BS_FREE, KVCPU_BE_ALLOC, KVCPU_BS_SLOW, nothing, own},
    {KVCPU_BS_FREE, KVCPU_BE_FETCH_START, KVCPU_BS_FETCHING, nothing,
     [](TestDevice &d) { d.write(KVCPU_REG_BOOST_LEN, 1); }},
    {KVCPU_BS_SCRUBBING, KVCPU_BE_SCRUBBED, KVCPU_BS_FREE,
     [](TestDevice &d) {
         own_written(d);
         d.free(0);
     },
     [](TestDevice &d) { d.run(128); }},
    {KVCPU_BS_SLOW, KVCPU_BE_FREE, KVCPU_BS_SCRUBBING, own, free_it},
    {KVCPU_BS_SLOW, KVCPU_BE_FETCH_START, KVCPU_BS_FETCHING, own_written, pin_it},
    {KVCPU_BS_FETCHING, KVCPU_BE_FREE, KVCPU_BS_SCRUBBING, fetching, free_it},
    {KVCPU_BS_FETCHING, KVCPU_BE_FETCH_DONE, KVCPU_BS_FAST, fetching, move_time},
    {KVCPU_BS_FAST, KVCPU_BE_ALLOC, KVCPU_BS_FAST, unowned_in_slot, own},
    {KVCPU_BS_FAST, KVCPU_BE_FREE, KVCPU_BS_SCRUBBING, clean, free_it},
    {KVCPU_BS_FAST, KVCPU_BE_CLEAN_START, KVCPU_BS_WRITING_BACK, dirty,
     [](TestDevice &d) { d.command(KVCPU_OP_SEAL, 0, 1); }},
    {KVCPU_BS_FAST, KVCPU_BE_EVICT, KVCPU_BS_SLOW, clean, evict},
    {KVCPU_BS_FAST, KVCPU_BE_EVICT, KVCPU_BS_EVICTING, dirty, evict},
    {KVCPU_BS_FAST, KVCPU_BE_EVICT, KVCPU_BS_FREE, unowned_in_slot,
     [](TestDevice &d) { d.write(KVCPU_REG_IMEVICT_LEN, 1); }},
    {KVCPU_BS_FAST, KVCPU_BE_CLAIM, KVCPU_BS_FAST, clean, pin_it},
    {KVCPU_BS_WRITING_BACK, KVCPU_BE_FREE, KVCPU_BS_SCRUBBING, writing_back, free_it},
    {KVCPU_BS_WRITING_BACK, KVCPU_BE_EVICT, KVCPU_BS_EVICTING, writing_back, evict},
    {KVCPU_BS_WRITING_BACK, KVCPU_BE_WRITE_BACK_DONE, KVCPU_BS_FAST, writing_back, move_time},
    {KVCPU_BS_WRITING_BACK, KVCPU_BE_CLAIM, KVCPU_BS_WRITING_BACK, writing_back, pin_it},
    {KVCPU_BS_EVICTING, KVCPU_BE_FREE, KVCPU_BS_SCRUBBING, evicting, free_it},
    {KVCPU_BS_EVICTING, KVCPU_BE_WRITE_BACK_DONE, KVCPU_BS_SLOW, evicting, move_time},
    {KVCPU_BS_EVICTING, KVCPU_BE_CLAIM, KVCPU_BS_WRITING_BACK, evicting, pin_it},
    {KVCPU_BS_EVICTING, KVCPU_BE_CLAIM, KVCPU_BS_FAST, evicting_queued, pin_it},
    {KVCPU_BS_SLOW, KVCPU_BE_HOLD, KVCPU_BS_SLOW, own, hold_it},
    {KVCPU_BS_FAST, KVCPU_BE_HOLD, KVCPU_BS_FAST, clean, hold_it},
    {KVCPU_BS_WRITING_BACK, KVCPU_BE_HOLD, KVCPU_BS_WRITING_BACK, writing_back, hold_it},
    {KVCPU_BS_EVICTING, KVCPU_BE_HOLD, KVCPU_BS_FAST, evicting_for_no_block, hold_it},
    {KVCPU_BS_SCRUBBING, KVCPU_BE_UNHOLD, KVCPU_BS_SCRUBBING, held_and_freed, unhold_it},
    {KVCPU_BS_SLOW, KVCPU_BE_UNHOLD, KVCPU_BS_SLOW, held<own>, unhold_it},
    {KVCPU_BS_FAST, KVCPU_BE_UNHOLD, KVCPU_BS_FAST, held<clean>, unhold_it},
    {KVCPU_BS_WRITING_BACK, KVCPU_BE_UNHOLD, KVCPU_BS_WRITING_BACK, held<writing_back>, unhold_it},
    {KVCPU_BS_SCRUBBING, KVCPU_BE_REVOKE, KVCPU_BS_SCRUBBING, held_and_freed, revoking},
    {KVCPU_BS_SLOW, KVCPU_BE_REVOKE, KVCPU_BS_SLOW, held<own_written>,
     [](TestDevice &d) {
         pin_it(d);
         revoking(d);
     }},
    {KVCPU_BS_FAST, KVCPU_BE_REVOKE, KVCPU_BS_FAST, held<clean>,
     [](TestDevice &d) {
         evict(d);
         revoking(d);
     }},
    {KVCPU_BS_WRITING_BACK, KVCPU_BE_REVOKE, KVCPU_BS_WRITING_BACK, held<writing_back>,
     [](TestDevice &d) {
         evict(d);
         revoking(d);
     }},
};

void every_cell_comes_about() {
    unsigned covered[KVCPU_BLOCK_STATE_COUNT][KVCPU_BLOCK_EVENT_COUNT] = {};
    for (const Scene &scene : scenes) {
        TestDevice device;
        scene.set(device);
        CU_ASSERT_EQUAL(device.state(0), scene.from);
        scene.act(device);
        CU_ASSERT_EQUAL(device.state(0), scene.to);
        covered[scene.from][scene.event] |= kvcpu::states(scene.to);
    }
    for (unsigned state = 0; state < KVCPU_BLOCK_STATE_COUNT; ++state) {
        for (unsigned event = 0; event < KVCPU_BLOCK_EVENT_COUNT; ++event) {
            CU_ASSERT_EQUAL(covered[state][event],
                            kvcpu::states_after(static_cast<kvcpu_block_state>(state),
                                                static_cast<kvcpu_block_event>(event)));
        }
    }
}

/* The aborted move keeps its channel and copies no byte, and the scrub follows. */
void a_freed_block_is_scrubbed_after_its_move() {
    for (void (*const set)(TestDevice &) : {fetching, writing_back, evicting}) {
        TestDevice device;
        set(device);
        const uint64_t busy = device.counter(KVCPU_CNT_LINK_BUSY_NS);
        const uint64_t scrubs = device.counter(KVCPU_CNT_SCRUBS);
        device.free(0);
        device.run(small_move_ns - 1);
        CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_SCRUBBING);
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_SCRUBS), scrubs);
        device.run(1 + 128);
        CU_ASSERT_EQUAL(device.state(0), KVCPU_BS_FREE);
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_LINK_BUSY_NS), busy);
        CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_FETCHES_ABORTED) +
                            device.counter(KVCPU_CNT_WRITE_BACKS_ABORTED),
                        1);
        CU_ASSERT_EQUAL(device.read(KVCPU_REG_FAST_FREE), 4);
        for (const uint8_t byte : device.slow) {
            CU_ASSERT_FALSE(byte != 0);
        }
    }
}

}  // namespace

void add_transitions_suite() {
    Suite("transitions")
        .test("every cell of the table comes about", every_cell_comes_about)
        .test("a freed block is scrubbed after its move", a_freed_block_is_scrubbed_after_its_move);
}

}  // namespace kvcpu_test
