// SPDX-License-Identifier: MIT
// Everything at random at once: no byte is lost, none of another owner is seen, nothing leaks.
#include <algorithm>
#include <array>
#include <cstdio>
#include <random>
#include <set>

#include "suites.h"
#include "test_device.h"

namespace kvcpu_test {

namespace {

constexpr uint32_t block_total = 64;
constexpr unsigned context_total = 4;
constexpr uint64_t occupancy_kinds =
    (KVCPU_REG_OCCUPANCY_EVICTING - KVCPU_REG_OCCUPANCY_FREE) / 8 + 1;

struct Expected {
    unsigned owner = 0; /* 0: no owner; this test allocates in contexts 1 and up */
    uint8_t byte = 0;
    unsigned claims = 0;
};

class Torture {
  public:
    Torture(unsigned seed, const kvcpu_config &config) : random_(seed), device_(config) {
        device_.keep_log = false;
    }

    void run(int operations) {
        for (int i = 0; i < operations; ++i) {
            device_.context = 1 + pick(context_total - 1);
            act(pick(block_total));
            if (i % 64 == 0) {
                check_slots();
            }
        }
        finish();
    }

    unsigned granted = 0;
    unsigned refused = 0;

  private:
    unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }
    bool mine(uint32_t block) { return blocks_[block].owner == device_.context; }

    void act(uint32_t block) {
        switch (pick(14)) {
            case 0:
                allocate();
                break;
            case 1:
                give_back(block);
                break;
            case 2:
            case 3:
            case 4:
                write(block);
                break;
            case 5:
            case 6:
                read(block);
                break;
            case 7:
            case 8:
                pin(block);
                break;
            case 9:
                unpin(block);
                break;
            case 10:
                device_.step(pick(200));
                break;
            case 11:
                rare(block);
                break;
            case 12:
                hint(block);
                break;
            default:
                device_.run(pick(3) * small_move_ns / 2 + pick(100));
                take_completions();
                break;
        }
    }

    void allocate() {
        const Result result = device_.alloc(1 + pick(8));
        for (uint32_t b = result.value; b < result.value + result.aux; ++b) {
            CU_ASSERT_EQUAL(blocks_[b].owner, 0);
            blocks_[b] = {device_.context, 0, 0};
            sealed_.erase(b);
        }
    }

    void give_back(uint32_t block) {
        const Result result = device_.free(block);
        if (!mine(block)) {
            CU_ASSERT_EQUAL(result.status, KVCPU_SC_NOT_OWNER);
        } else if (result.status == KVCPU_SC_SUCCESS) {
            CU_ASSERT_EQUAL(blocks_[block].claims, 0);
            blocks_[block] = {};
        } else {
            CU_ASSERT_EQUAL(result.status, KVCPU_SC_PINNED);
        }
    }

    void write(uint32_t block) {
        const auto byte = static_cast<uint8_t>(random_());
        const Result result = device_.fill(block, byte);
        if (!mine(block)) {
            CU_ASSERT_EQUAL(result.status, KVCPU_SC_NOT_OWNER);
        } else if (sealed_.contains(block)) {
            CU_ASSERT_EQUAL(result.status, KVCPU_SC_SEALED);
        } else {
            CU_ASSERT_EQUAL(result.status, KVCPU_SC_SUCCESS);
            blocks_[block].byte = byte;
        }
    }

    void read(uint32_t block) {
        CU_ASSERT_EQUAL(device_.holds(block, blocks_[block].byte), mine(block));
    }

    void pin(uint32_t block) {
        const uint32_t count = 1 + pick(4);
        const uint64_t tag = ++tags_;
        const Result result = device_.pin(block, count, 1 + pick(200000), tag);
        if (result.status == KVCPU_SC_SUCCESS) {
            claim(block, count);
        } else if (result.status == KVCPU_SC_PENDING) {
            waiting_.push_back({tag, block, count});
        }
        take_completions();
    }

    void claim(uint32_t block, uint32_t count) {
        for (uint32_t b = block; b < block + count; ++b) {
            ++blocks_[b].claims;
            CU_ASSERT(device_.is_fast(b));
        }
        ++granted;
    }

    void take_completions() {
        for (const Completion &completion : device_.completions()) {
            const auto found = std::find_if(
                waiting_.begin(), waiting_.end(),
                [&completion](const Waiting &pin) { return pin.tag == completion.tag; });
            if (found == waiting_.end()) {
                continue; /* a CLOSE */
            }
            if (completion.result.status == KVCPU_SC_SUCCESS) {
                claim(found->block, found->count);
            } else {
                ++refused;
            }
            waiting_.erase(found);
        }
    }

    void unpin(uint32_t block) {
        const Result result = device_.unpin(block);
        if (!mine(block)) {
            CU_ASSERT_EQUAL(result.status, KVCPU_SC_NOT_OWNER);
        } else if (blocks_[block].claims == 0) {
            CU_ASSERT_EQUAL(result.status, KVCPU_SC_NOT_PINNED);
        } else {
            CU_ASSERT_EQUAL(result.status, KVCPU_SC_SUCCESS);
            --blocks_[block].claims;
        }
    }

    void hint(uint32_t block) {
        const unsigned opcode = KVCPU_OP_HOT + pick(KVCPU_OP_CLEAR - KVCPU_OP_HOT + 1);
        const uint32_t count = 1 + pick(10);
        const unsigned flags = opcode == KVCPU_OP_EVICTABLE ? pick(2) : 0;
        CU_ASSERT_EQUAL(device_.command(opcode, block, count, pick(250), flags).status,
                        KVCPU_SC_SUCCESS);
        for (uint32_t b = block; opcode == KVCPU_OP_SEAL && b < block + count; ++b) {
            if (b < block_total && mine(b)) {
                sealed_.insert(b);
            }
        }
    }

    void rare(uint32_t block) {
        switch (pick(12)) {
            case 0:
                close(device_.context);
                break;
            case 1:
                device_.write(KVCPU_REG_POLICY, pick(2));
                break;
            case 2:
                device_.write(KVCPU_REG_EVICT_THRESH, uint64_t{pick(3)} * 500);
                device_.write(KVCPU_REG_PREFETCH_THRESH, uint64_t{pick(3)} * 30000);
                break;
            case 3:
                device_.write(KVCPU_REG_BOOST_ADDR, uint64_t{block} * 4096);
                device_.write(KVCPU_REG_BOOST_LEN, 20000);
                break;
            case 4:
                device_.command(KVCPU_OP_CANCEL, 0, 0, tags_ - pick(3));
                take_completions();
                break;
            case 5:
                device_.write(KVCPU_REG_SHARED_CAP, pick(8));
                break;
            case 6:
                if (pick(8) == 0) {
                    reset();
                }
                break;
            default:
                break;
        }
    }

    void close(unsigned context) {
        device_.context = context;
        device_.write(KVCPU_REG_CMD_TAG, 0);
        CU_ASSERT_EQUAL(device_.command(KVCPU_OP_CLOSE, 0, 0).status, KVCPU_SC_PENDING);
        take_completions();
        for (Expected &block : blocks_) {
            block = block.owner == context ? Expected{} : block;
        }
    }

    void reset() {
        kvcpu_core_reset(device_.core, KVCPU_RESET_FUNCTION);
        blocks_.fill({});
        waiting_.clear();
    }

    /* No slot has two blocks, and slots without a block are free. */
    void check_slots() {
        std::set<unsigned> slots;
        unsigned held = 0;
        for (uint32_t b = 0; b < block_total; ++b) {
            if (device_.is_fast(b)) {
                CU_ASSERT(slots.insert(device_.slot(b)).second);
            }
            const unsigned state = device_.state(b);
            held += state == KVCPU_BS_FETCHING || state == KVCPU_BS_SCRUBBING ? 1 : 0;
        }
        const uint64_t taken =
            device_.read(KVCPU_REG_FAST_SLOTS) - device_.read(KVCPU_REG_FAST_FREE);
        CU_ASSERT(slots.size() <= taken && taken <= slots.size() + held);
        check_occupancy();
    }

    /* The counters that follow changes of blocks equal the counts over all blocks. */
    void check_occupancy() {
        std::array<uint64_t, occupancy_kinds> counted{};
        for (uint32_t b = 0; b < block_total; ++b) {
            ++counted.at(occupancy_kind(b));
        }
        for (uint64_t kind = 0; kind < occupancy_kinds; ++kind) {
            CU_ASSERT_EQUAL(device_.read(KVCPU_REG_OCCUPANCY_FREE + 8 * kind), counted.at(kind));
        }
    }

    uint64_t occupancy_kind(uint32_t block) {
        constexpr std::array by_state = {KVCPU_REG_OCCUPANCY_FREE,    KVCPU_REG_OCCUPANCY_SCRUBBING,
                                         KVCPU_REG_OCCUPANCY_SLOW,    KVCPU_REG_OCCUPANCY_FETCHING,
                                         KVCPU_REG_OCCUPANCY_CLEAN,   KVCPU_REG_OCCUPANCY_CLEAN,
                                         KVCPU_REG_OCCUPANCY_EVICTING};
        kvcpu_register where = by_state.at(device_.state(block));
        const uint64_t place = device_.block_register(KVCPU_REG_BLOCK_PLACE, block);
        if (where == KVCPU_REG_OCCUPANCY_CLEAN) {
            if ((place >> KVCPU_BPL_CLAIMS_SHIFT & KVCPU_BPL_CLAIMS_MASK) > 0) {
                where = KVCPU_REG_OCCUPANCY_PINNED;
            } else if ((device_.flags(block) & KVCPU_BF_DIRTY) != 0) {
                where = KVCPU_REG_OCCUPANCY_DIRTY;
            }
        }
        return (where - KVCPU_REG_OCCUPANCY_FREE) / 8;
    }

    void finish() {
        for (unsigned context = 1; context < context_total; ++context) {
            close(context);
        }
        device_.context = 0;
        device_.run_dry();
        device_.command(KVCPU_OP_EVICTABLE, 0, block_total, 0, KVCPU_F_NOW);
        device_.write(KVCPU_REG_POLICY, KVCPU_POLICY_HEPC);
        device_.command(KVCPU_OP_EVICTABLE, 0, block_total, 0, KVCPU_F_NOW);
        device_.run_dry();
        CU_ASSERT_EQUAL(device_.read(KVCPU_REG_BLOCKS_FREE), block_total);
        CU_ASSERT_EQUAL(device_.read(KVCPU_REG_FAST_FREE), device_.read(KVCPU_REG_FAST_SLOTS));
        CU_ASSERT(std::all_of(device_.slow.begin(), device_.slow.end(),
                              [](uint8_t byte) { return byte == 0; }));
        CU_ASSERT_EQUAL(device_.read(KVCPU_REG_CPL_PENDING), 0);
    }

    struct Waiting {
        uint64_t tag;
        uint32_t block;
        uint32_t count;
    };

    std::mt19937 random_;
    TestDevice device_;
    std::array<Expected, block_total> blocks_{};
    std::set<uint32_t> sealed_;
    std::vector<Waiting> waiting_;
    uint64_t tags_ = 0;
};

void nothing_is_lost() {
    kvcpu_config config = small_config();
    config.fast_size = uint64_t{12} * 4096;
    config.slow_size = uint64_t{block_total} * 4096;
    config.max_contexts = context_total;
    unsigned granted = 0;
    unsigned refused = 0;
    for (unsigned seed = 1; seed <= 60; ++seed) {
        config.policy = seed % 3 == 0 ? KVCPU_POLICY_LRU : KVCPU_POLICY_HEPC;
        config.dma_channels = 1 + seed % 4;
        Torture torture(seed, config);
        torture.run(4000);
        granted += torture.granted;
        refused += torture.refused;
    }
    CU_ASSERT(granted > 1000);
    CU_ASSERT(refused > 100);
    std::printf("(%u PINs granted, %u refused) ", granted, refused);
}

}  // namespace

void add_torture_suite() {
    Suite("torture").test("nothing is lost, whatever comes", nothing_is_lost);
}

}  // namespace kvcpu_test
