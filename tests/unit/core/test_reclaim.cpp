// SPDX-License-Identifier: MIT
// Cached blocks: which are reclaimed when space is full, and how their owner learns of it.
#include <map>

#include "suites.h"
#include "test_device.h"

namespace kvcpu_test {

namespace {

Result alloc_cached(TestDevice &device, uint64_t count) {
    return device.command(KVCPU_OP_ALLOC, 0, count, 0, KVCPU_F_CACHED);
}

Result acknowledge(TestDevice &device) {
    return device.command(KVCPU_OP_RECLAIMED, 0, 0);
}

void the_owner_hears_before_it_gets_another_block() {
    TestDevice device;
    CU_ASSERT_EQUAL(alloc_cached(device, 16).aux, 16);
    device.demand(0); /* the others were never used, and are reclaimed first */
    CU_ASSERT_EQUAL(acknowledge(device).aux, 0);
    CU_ASSERT_EQUAL(device.alloc(2).status, KVCPU_SC_AGAIN);
    device.run_dry();
    CU_ASSERT_EQUAL(device.alloc(2).status, KVCPU_SC_AGAIN); /* scrubbed, and not acknowledged */
    const Result reclaimed = acknowledge(device);
    CU_ASSERT_EQUAL(reclaimed.status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(reclaimed.value, 1);
    CU_ASSERT_EQUAL(reclaimed.aux, 2);
    CU_ASSERT_EQUAL(acknowledge(device).aux, 0);
    const Result taken = device.alloc(2);
    CU_ASSERT_EQUAL(taken.status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(taken.value, 1);
    CU_ASSERT_EQUAL(device.counter(KVCPU_CNT_BLOCKS_RECLAIMED), 2);
    CU_ASSERT_EQUAL(device.events(KVCPU_EV_RECLAIMED), 2);
}

void kept_and_claimed_blocks_are_never_reclaimed() {
    TestDevice device;
    device.alloc(13);
    alloc_cached(device, 3);
    device.pin(14);
    device.run_dry();
    CU_ASSERT_EQUAL(device.alloc(3).status, KVCPU_SC_AGAIN); /* 13 and 15 are evicted */
    device.run_dry();
    CU_ASSERT_EQUAL(acknowledge(device).value, 13);
    CU_ASSERT_EQUAL(acknowledge(device).value, 15);
    CU_ASSERT_EQUAL(device.alloc(3).aux, 1);
    CU_ASSERT_EQUAL(device.alloc(3).aux, 1);
    CU_ASSERT_EQUAL(device.alloc(1).status, KVCPU_SC_NO_SPACE);
    CU_ASSERT_EQUAL(acknowledge(device).aux, 0);
}

void released_first_and_wanted_last() {
    for (const uint32_t policy : {KVCPU_POLICY_HEPC, KVCPU_POLICY_NEXT_USE}) {
        kvcpu_config config = small_config();
        config.policy = policy;
        TestDevice device(config);
        alloc_cached(device, 16);
        for (uint64_t block = 0; block < 16; ++block) {
            device.demand(block);
        }
        device.step(1);
        device.command(KVCPU_OP_PREFETCHABLE, 0, 2, 100);
        device.command(KVCPU_OP_RELEASE, 9, 1);
        device.run_dry();
        const auto reclaimed = [&] {
            CU_ASSERT_EQUAL(device.alloc(1).status, KVCPU_SC_AGAIN);
            device.run_dry();
            const uint32_t block = acknowledge(device).value;
            CU_ASSERT_EQUAL(device.alloc(1).value, block);
            return block;
        };
        CU_ASSERT_EQUAL(reclaimed(), 9);
        CU_ASSERT_EQUAL(reclaimed(),
                        2); /* the least recently used of the blocks without a request */
        for (int i = 0; i < 12; ++i) {
            reclaimed();
        }
        CU_ASSERT_EQUAL(reclaimed(), 0);
    }
}

/*
 * Sessions that return once or never, and a hint that a session is over, which is always right or
 * always wrong.
 */
class Sessions {
  public:
    Sessions() : device_(config()) { device_.keep_log = false; }

    /* Starts new sessions, and returns how many blocks were found when half of them returned. */
    unsigned play(unsigned sessions, bool is_word_true) {
        unsigned found = 0;
        for (unsigned i = 0; i < sessions; ++i) {
            start(next_);
            const bool comes_back = next_ % 2 == 0;
            device_.command(comes_back == is_word_true ? KVCPU_OP_CLEAR : KVCPU_OP_RELEASE,
                            block_of(next_), 1);
            ++next_;
            if (next_ > lag && (next_ - lag) % 2 == 0) {
                found += come_back(next_ - lag, is_word_true);
            }
        }
        return found;
    }

  private:
    static constexpr uint64_t lag = 20; /* sessions that start before an earlier one returns */

    static kvcpu_config config() {
        kvcpu_config config = small_config();
        config.policy = KVCPU_POLICY_NEXT_USE;
        return config;
    }

    void start(uint64_t session) {
        Result taken = alloc_cached(device_, 1);
        while (taken.status != KVCPU_SC_SUCCESS) {
            device_.run_dry();
            for (Result lost = acknowledge(device_); lost.aux > 0; lost = acknowledge(device_)) {
                holds_.erase(lost.value);
            }
            taken = alloc_cached(device_, 1);
        }
        holds_[taken.value] = session;
        device_.fill(taken.value, 1);
        device_.demand(taken.value);
        device_.command(KVCPU_OP_SEAL, taken.value, 1, session + 1);
        device_.run(1'000'000);
        device_.step(++step_);
    }

    uint64_t block_of(uint64_t session) {
        for (const auto &[block, held] : holds_) {
            if (held == session) {
                return block;
            }
        }
        return UINT64_MAX;
    }

    unsigned come_back(uint64_t session, bool is_word_true) {
        const uint64_t block = block_of(session);
        if (block == UINT64_MAX) {
            start(session);
            return 0;
        }
        device_.demand(block);
        device_.command(is_word_true ? KVCPU_OP_RELEASE : KVCPU_OP_CLEAR, block, 1);
        return 1;
    }

    TestDevice device_;
    std::map<uint64_t, uint64_t> holds_; /* sessions, by block */
    uint64_t next_ = 0;
    uint64_t step_ = 0;
};

/* There is space for 16 blocks, and half of the sessions of the last 20 rounds return. */
void a_word_is_trusted_until_it_proves_wrong() {
    Sessions honest;
    honest.play(400, true);
    CU_ASSERT(honest.play(1000, true) > 490); /* of 500 */
    Sessions liar;
    liar.play(40, false);
    CU_ASSERT_EQUAL(liar.play(60, false), 0);
    liar.play(4000, false);
    CU_ASSERT(liar.play(1000, false) > 250);
}

void a_context_that_closes_acknowledges_all() {
    TestDevice device;
    alloc_cached(device, 16);
    device.alloc(4);
    device.command(KVCPU_OP_CLOSE, 0, 0);
    device.run_dry();
    CU_ASSERT_EQUAL(device.read(KVCPU_REG_BLOCKS_FREE), 16);
    CU_ASSERT_EQUAL(device.alloc(16).aux, 16);
    CU_ASSERT_EQUAL(acknowledge(device).aux, 0);
}

}  // namespace

void add_reclaim_suite() {
    Suite("reclaim")
        .test("the owner hears before it gets another block",
              the_owner_hears_before_it_gets_another_block)
        .test("kept and claimed blocks are never reclaimed",
              kept_and_claimed_blocks_are_never_reclaimed)
        .test("released first, and wanted last", released_first_and_wanted_last)
        .test("a word is trusted until it proves wrong", a_word_is_trusted_until_it_proves_wrong)
        .test("a context that closes acknowledges all", a_context_that_closes_acknowledges_all);
}

}  // namespace kvcpu_test
