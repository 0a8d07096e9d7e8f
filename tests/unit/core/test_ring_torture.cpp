// SPDX-License-Identifier: MIT
// Random streams through rings: well-behaved processes, a malicious one, and a driver that maps
// blocks, stores into them, and releases them after a REVOKE. The owner of each block, its bytes,
// its place and its residency map must agree all the time.
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <random>

#include "suites.h"
#include "test_device.h"
#include "test_ring.h"

namespace kvcpu_test {

namespace {

constexpr uint32_t block_total = 40;
constexpr unsigned hostile = 4;
constexpr unsigned context_total = 5; /* 0 is the driver's, 4 the malicious one */
constexpr uint64_t block_bytes = 4096;
#define NUMBER(name, number, text) (number),
constexpr unsigned policies = std::array{KVCPU_POLICIES(NUMBER)}.size();
#undef NUMBER

constexpr uint64_t map_of(unsigned context) {
    return 0xe0000 + context * uint64_t{0x1000};
}
/* A table of one page, and the page. */
constexpr uint64_t table_of(unsigned context) {
    return 0xf0000 + context * uint64_t{0x2000};
}
constexpr uint64_t page_of(unsigned context) {
    return table_of(context) + 0x1000;
}

class RingTorture {
  public:
    RingTorture(unsigned seed, const kvcpu_config &config)
        : random_(seed), device_(config), events_(device_, 4) {
        device_.keep_log = false;
        events_.open();
        admin_.open();
        for (unsigned context = 1; context < context_total; ++context) {
            set_up(context);
        }
    }

    void run(unsigned steps) {
        for (unsigned i = 0; i < steps; ++i) {
            if (pick(3) == 0) {
                misbehave();
            }
            if (pick(4) == 0) {
                drive();
            } else {
                use(1 + pick(3));
            }
            settle();
            device_.run(pick(8) == 0 ? pick(40000) : pick(1500));
            settle();
            if (i % 16 == 0) {
                collect();
                check_maps();
                check_mappings();
            }
        }
        finish();
    }

    unsigned granted = 0;
    unsigned held = 0;
    unsigned revoked = 0;
    unsigned stopped = 0;

  private:
    struct Expected {
        unsigned owner = 0;
        uint8_t byte = 0;
        unsigned claims = 0;
        bool sealed = false;
    };
    /* The blocks that the driver has mapped. */
    struct Mapping {
        unsigned reads = 0;
        unsigned writes = 0;
        unsigned context = 0;
        uint32_t slot = 0;
        uint8_t byte = 0; /* the bytes of a freed block */
        bool asked = false;
    };
    struct Operation {
        unsigned opcode = 0;
        unsigned context = 0;
        uint32_t block = 0;
        uint32_t count = 0;
        uint8_t byte = 0;
        bool for_writing = false;
    };

    uint32_t pick(uint32_t below) { return static_cast<uint32_t>(random_() % below); }
    Ring &ring(unsigned context) { return rings_.at(context - 1); }

    /* -- Set-up ------------------------------------------------------------ */

    Result admin(unsigned opcode, unsigned context, Ring::Words words) {
        words[KVCPU_EW_CONTROL] =
            opcode | uint64_t{context} << KVCPU_CTL_CONTEXT_SHIFT | words[KVCPU_EW_CONTROL];
        words[KVCPU_EW_TAG] = 0;
        words[KVCPU_EW_CONTROL] |= uint64_t{KVCPU_F_COMPLETE} << KVCPU_CTL_FLAGS_SHIFT;
        admin_.push(words);
        admin_.advance_tail();
        admin_done_ = false;
        for (int waits = 0;; ++waits) {
            collect();
            if (admin_done_) {
                return admin_result_;
            }
            CU_ASSERT_FATAL(waits < 1000);
            device_.run(1000); /* other rings get slices as well */
        }
    }

    void set_up(unsigned context) {
        ring(context).wipe();
        const uint64_t coalescing = pick(2) == 0 ? Ring::polling : Ring::one_by_one;
        CU_ASSERT_EQUAL(ring(context).open(coalescing).status, KVCPU_SC_SUCCESS);
        device_.store(table_of(context), page_of(context));
        CU_ASSERT_EQUAL(
            admin(KVCPU_OP_BUFFER_ADD, context, {0, block_bytes, 0, table_of(context), 0, 0, 0, 0})
                .status,
            KVCPU_SC_SUCCESS);
        std::fill_n(device_.memory.begin() + map_of(context), block_total * 8, uint8_t{0});
        CU_ASSERT_EQUAL(
            admin(KVCPU_OP_RESIDENCY, context, {0, block_total, 0, map_of(context), 0, 0, 0, 0})
                .status,
            KVCPU_SC_SUCCESS);
    }

    /* -- Processes --------------------------------------------------------- */

    void submit(const Operation &operation, uint64_t arg = 0, unsigned flags = 0,
                uint64_t extent = 0) {
        const uint64_t tag = ++tags_;
        operations_[tag] = operation;
        ring(operation.context)
            .push({operation.block, operation.count, arg, 0, extent, 0, tag,
                   operation.opcode | uint64_t{flags | KVCPU_F_COMPLETE} << KVCPU_CTL_FLAGS_SHIFT});
    }

    void use(unsigned context) {
        const uint32_t entries = 1 + pick(3);
        /* One at a time, as they share the buffer. */
        bool copies =
            std::any_of(operations_.begin(), operations_.end(), [context](const auto &entry) {
                const Operation &operation = entry.second;
                return operation.context == context &&
                       (operation.opcode == KVCPU_OP_READ || operation.opcode == KVCPU_OP_WRITE);
            });
        for (uint32_t i = 0; i < entries; ++i) {
            use_once(context, copies);
        }
        ring(context).advance_tail();
    }

    void use_once(unsigned context, bool &copies) {
        Operation operation = {
            .opcode = 0, .context = context, .block = pick(block_total), .count = 1};
        const uint32_t what = pick(20);
        if (what < 3) {
            operation.opcode = KVCPU_OP_ALLOC;
            operation.count = 1 + pick(6);
            submit(operation);
        } else if (what < 5) {
            operation.opcode = KVCPU_OP_FREE;
            submit(operation);
        } else if (what < 9) {
            operation.opcode = KVCPU_OP_PIN;
            operation.count = 1 + pick(3);
            submit(operation, 1 + pick(200000));
        } else if (what < 12) {
            operation.opcode = KVCPU_OP_UNPIN;
            submit(operation);
        } else if (what < 16) {
            if (copies) {
                return;
            }
            copies = true;
            operation.opcode = pick(2) == 0 ? KVCPU_OP_WRITE : KVCPU_OP_READ;
            operation.byte = static_cast<uint8_t>(1 + pick(255));
            std::fill_n(device_.memory.begin() + page_of(context), block_bytes, operation.byte);
            submit(operation, 0, 0, block_bytes << KVCPU_EXT_LENGTH_SHIFT);
        } else if (what == 16) {
            operation.opcode = pick(2) == 0 ? KVCPU_OP_STEP : KVCPU_OP_FENCE;
            submit(operation, pick(300));
        } else {
            operation.opcode = KVCPU_OP_HOT + pick(KVCPU_OP_CLEAR - KVCPU_OP_HOT + 1);
            operation.count = 1 + pick(10);
            const bool now = operation.opcode == KVCPU_OP_EVICTABLE && pick(2) == 0;
            submit(operation, pick(300), now ? KVCPU_F_NOW : 0);
        }
    }

    /* -- The one that misbehaves ------------------------------------------- */

    void misbehave() {
        Ring &bad = ring(hostile);
        for (uint32_t entries = pick(6); entries > 0; --entries) {
            Ring::Words words{};
            for (uint64_t &word : words) {
                word = pick(3) == 0 ? random_() << 32 | random_() : pick(block_total + 4);
            }
            if (pick(4) != 0) {
                words[KVCPU_EW_CONTROL] = pick(0x30) | uint64_t{pick(8)} << KVCPU_CTL_FLAGS_SHIFT;
            }
            bad.push(words);
        }
        const uint64_t wild = random_() << 32 | random_();
        switch (pick(12)) {
            case 0:
                bad.doorbell(KVCPU_DB_SQ_TAIL, pick(2) == 0 ? wild : bad.tail + pick(64));
                break;
            case 1:
                bad.doorbell(KVCPU_DB_CQ_HEAD, pick(2) == 0 ? wild : bad.taken + pick(64));
                break;
            case 2: { /* the memory fails for some time */
                const uint64_t from = pick(2) == 0 ? bad.sq : bad.cq;
                device_.dma_rule = [from](uint64_t address, bool) {
                    return address - from < 0x10000 ? KVCPU_DMA_FAULT : KVCPU_DMA_OK;
                };
                bad.advance_tail();
                device_.dma_rule = nullptr;
                break;
            }
            default:
                bad.advance_tail();
                bad.take();
                break;
        }
        recover();
    }

    void recover() {
        const uint64_t state = ring(hostile).context_register(KVCPU_REG_CONTEXT_STATE);
        if ((state & KVCPU_CXS_RING_MASK) == KVCPU_RS_RUNNING) {
            if (pick(50) == 0) {
                admin(KVCPU_OP_CLOSE, hostile, {});
                set_up(hostile);
            }
            return;
        }
        ++stopped;
        ring(hostile).wipe();
        if (pick(4) == 0) {
            admin(KVCPU_OP_CLOSE, hostile, {});
            set_up(hostile);
        } else {
            CU_ASSERT_EQUAL(admin(KVCPU_OP_RESTART, hostile, {}).status, KVCPU_SC_SUCCESS);
        }
    }

    /* -- The driver -------------------------------------------------------- */

    void drive() {
        const uint32_t block = pick(block_total);
        switch (pick(4)) {
            case 0:
            case 1:
                hold(block);
                break;
            case 2:
                store(block);
                break;
            default:
                answer(block);
                break;
        }
    }

    void hold(uint32_t block) {
        const bool for_writing = pick(2) == 0;
        const unsigned context = blocks_[block].owner != 0 ? blocks_[block].owner : 1 + pick(3);
        const uint64_t tag = ++tags_;
        operations_[tag] = {KVCPU_OP_HOLD, context, block, 1, 0, for_writing};
        admin_.push({block, 1, 0, 0, 0, 0, tag,
                     KVCPU_OP_HOLD |
                         uint64_t{KVCPU_F_COMPLETE | (for_writing ? KVCPU_F_WRITE : 0U)}
                             << KVCPU_CTL_FLAGS_SHIFT |
                         uint64_t{context} << KVCPU_CTL_CONTEXT_SHIFT});
        admin_.advance_tail();
    }

    uint8_t *mapped(const Mapping &mapping, uint32_t block) {
        return mapping.slot != KVCPU_NO_SLOT ? device_.fast.data() + mapping.slot * block_bytes
                                             : device_.slow.data() + block * block_bytes;
    }

    /* Stores as a process does through its mapping. */
    void store(uint32_t block) {
        collect(); /* the bytes that were written before it */
        const auto found = mappings_.find(block);
        if (found == mappings_.end() || found->second.writes == 0 || blocks_[block].sealed) {
            return;
        }
        const auto byte = static_cast<uint8_t>(1 + pick(255));
        std::fill_n(mapped(found->second, block), block_bytes, byte);
        found->second.byte = byte;
        if (blocks_[block].owner == found->second.context) {
            blocks_[block].byte = byte;
        }
    }

    /* Removes the mapping. */
    void answer(uint32_t block) {
        const auto found = mappings_.find(block);
        if (found == mappings_.end()) {
            return;
        }
        const Mapping mapping = found->second;
        mappings_.erase(found);
        for (unsigned i = 0; i < mapping.reads + mapping.writes; ++i) {
            const uint64_t flags = i < mapping.reads ? 0 : KVCPU_F_WRITE;
            CU_ASSERT_EQUAL(
                admin(KVCPU_OP_UNHOLD, 1, {block, 1, 0, 0, 0, 0, 0, flags << KVCPU_CTL_FLAGS_SHIFT})
                    .status,
                KVCPU_SC_SUCCESS);
        }
    }

    void take_notices() {
        for (const Notice &notice : events_.take()) {
            const auto block = static_cast<uint32_t>(notice.block);
            if (notice.kind == KVCPU_NT_STOPPED) {
                CU_ASSERT_EQUAL(notice.context, hostile);
            } else if (mappings_.contains(block)) {
                mappings_[block].asked = true;
                ++revoked;
            }
        }
        std::vector<uint32_t> asked;
        for (const auto &[block, mapping] : mappings_) {
            if (mapping.asked && pick(4) == 0) {
                asked.push_back(block);
            }
        }
        std::for_each(asked.begin(), asked.end(), [this](uint32_t block) { answer(block); });
    }

    /* -- What came of it --------------------------------------------------- */

    void settle() {
        collect();
        take_notices();
    }

    /* Compares in the order of events; at one instant holds are granted first. */
    void collect() {
        std::vector<Completion> done = admin_.take();
        for (unsigned context = 1; context < hostile; ++context) {
            const std::vector<Completion> taken = ring(context).take();
            done.insert(done.end(), taken.begin(), taken.end());
            CU_ASSERT_EQUAL(ring(context).state(), KVCPU_RS_RUNNING);
        }
        std::stable_sort(done.begin(), done.end(), [](const Completion &a, const Completion &b) {
            return a.time_ns < b.time_ns;
        });
        for (const Completion &completion : done) {
            completed(completion);
        }
    }

    void completed(const Completion &completion) {
        if (completion.tag == 0) {
            admin_done_ = true;
            admin_result_ = completion.result;
            return;
        }
        const auto found = operations_.find(completion.tag);
        CU_ASSERT_FATAL(found != operations_.end());
        const Operation operation = found->second;
        operations_.erase(found);
        apply(operation, completion.result);
    }

    void apply(const Operation &operation, const Result &result) {
        const bool done = result.status == KVCPU_SC_SUCCESS;
        Expected &block = blocks_[operation.block];
        const bool mine = block.owner == operation.context;
        switch (operation.opcode) {
            case KVCPU_OP_ALLOC:
                for (uint32_t b = result.value; done && b < result.value + result.aux; ++b) {
                    CU_ASSERT_EQUAL(blocks_[b].owner, 0);
                    CU_ASSERT_FALSE(mappings_.contains(b));
                    blocks_[b] = {operation.context, 0, 0, false};
                }
                break;
            case KVCPU_OP_FREE:
                CU_ASSERT_EQUAL(result.status == KVCPU_SC_NOT_OWNER, !mine);
                if (done) {
                    CU_ASSERT_EQUAL(block.claims, 0);
                    block = {};
                }
                break;
            case KVCPU_OP_PIN:
                for (uint32_t b = operation.block; done && b < operation.block + operation.count;
                     ++b) {
                    ++blocks_[b].claims;
                    ++granted;
                }
                break;
            case KVCPU_OP_UNPIN:
                CU_ASSERT_EQUAL(done, mine && block.claims > 0);
                block.claims -= done ? 1 : 0;
                break;
            case KVCPU_OP_WRITE:
                CU_ASSERT_EQUAL(done, mine && !block.sealed);
                written(operation, done);
                break;
            case KVCPU_OP_READ:
                CU_ASSERT_EQUAL(done, mine);
                CU_ASSERT(!done || has_read(operation, block.byte));
                break;
            case KVCPU_OP_SEAL:
                seal(operation);
                break;
            case KVCPU_OP_HOLD:
                map(operation, result);
                break;
            default:
                break;
        }
    }

    void written(const Operation &operation, bool done) {
        if (done) {
            blocks_[operation.block].byte = operation.byte;
            if (mappings_.contains(operation.block)) {
                mappings_[operation.block].byte = operation.byte;
            }
        }
    }

    bool has_read(const Operation &operation, uint8_t byte) {
        const uint8_t *const page = device_.memory.begin() + page_of(operation.context);
        return std::all_of(page, page + block_bytes, [byte](uint8_t got) { return got == byte; });
    }

    void seal(const Operation &operation) {
        for (uint32_t b = operation.block;
             b < std::min(block_total, operation.block + operation.count); ++b) {
            if (blocks_[b].owner == operation.context) {
                blocks_[b].sealed = true;
            }
        }
    }

    void map(const Operation &operation, const Result &result) {
        if (result.status != KVCPU_SC_SUCCESS) {
            return;
        }
        CU_ASSERT_EQUAL(blocks_[operation.block].owner, operation.context);
        Mapping &mapping = mappings_[operation.block];
        if (mapping.reads + mapping.writes > 0) {
            CU_ASSERT_EQUAL(mapping.slot, result.value); /* it has not moved */
        }
        mapping.slot = result.value;
        mapping.context = operation.context;
        mapping.byte = blocks_[operation.block].byte;
        ++(operation.for_writing ? mapping.writes : mapping.reads);
        ++held;
    }

    /* -- Invariants -------------------------------------------------------- */

    void check_mappings() {
        for (const auto &[block, mapping] : mappings_) {
            const uint8_t *const bytes = mapped(mapping, block);
            const uint8_t byte = mapping.byte;
            CU_ASSERT(std::all_of(bytes, bytes + block_bytes,
                                  [byte](uint8_t got) { return got == byte; }));
            if (blocks_[block].owner != 0) {
                CU_ASSERT_EQUAL(device_.slot(block), mapping.slot);
                CU_ASSERT_EQUAL(blocks_[block].owner, mapping.context);
            }
        }
    }

    void check_maps() {
        for (uint32_t block = 0; block < block_total; ++block) {
            const uint64_t state = device_.block_register(KVCPU_REG_BLOCK_STATE, block);
            const uint64_t use = device_.read(KVCPU_REG_BLOCK_USE);
            const bool allocated = ((state >> KVCPU_BST_FLAGS_SHIFT) & KVCPU_BF_ALLOCATED) != 0;
            const auto owner =
                static_cast<unsigned>((state >> KVCPU_BST_OWNER_SHIFT) & KVCPU_BST_OWNER_MASK);
            const uint64_t word = uint64_t{1} << KVCPU_RSD_OWNED_SHIFT |
                                  ((state >> KVCPU_BST_TIER_SHIFT) & KVCPU_BST_TIER_MASK)
                                      << KVCPU_RSD_TIER_SHIFT |
                                  (state & KVCPU_BST_STATE_MASK) << KVCPU_RSD_STATE_SHIFT |
                                  (use >> KVCPU_BUS_GENERATION_SHIFT) << KVCPU_RSD_GENERATION_SHIFT;
            for (unsigned context = 1; context < context_total; ++context) {
                const bool mine = allocated && owner == context;
                CU_ASSERT_EQUAL(device_.load(map_of(context) + 8 * uint64_t{block}),
                                mine ? word : 0);
            }
            if (owner != hostile) {
                CU_ASSERT_EQUAL(blocks_[block].owner, allocated ? owner : 0);
            }
        }
    }

    void finish() {
        check_mappings();
        for (unsigned context = 1; context < context_total; ++context) {
            admin(KVCPU_OP_CLOSE, context, {});
        }
        mappings_.clear(); /* CLOSE released them */
        device_.run_dry();
        device_.command(KVCPU_OP_EVICTABLE, 0, block_total, 0, KVCPU_F_NOW);
        device_.run_dry();
        CU_ASSERT_EQUAL(device_.read(KVCPU_REG_BLOCKS_FREE), block_total);
        CU_ASSERT(std::all_of(device_.slow.begin(), device_.slow.end(),
                              [](uint8_t byte) { return byte == 0; }));
        for (uint32_t block = 0; block < block_total; ++block) {
            CU_ASSERT_EQUAL(device_.block_register(KVCPU_REG_BLOCK_HOLDS, block), 0);
        }
    }

    std::mt19937_64 random_;
    TestDevice device_;
    Events events_;
    Ring admin_{device_, 0, {64, 64}};
    std::array<Ring, context_total - 1> rings_ = {
        Ring{device_, 1, {16, 64}}, Ring{device_, 2, {16, 64}}, Ring{device_, 3, {16, 64}},
        Ring{device_, hostile, {16, 8}}};
    std::array<Expected, block_total> blocks_{};
    std::map<uint32_t, Mapping> mappings_;
    std::map<uint64_t, Operation> operations_;
    uint64_t tags_ = 0;
    bool admin_done_ = false;
    Result admin_result_{};
};

void all_agree_whatever_comes() {
    kvcpu_config config = small_config();
    config.fast_size = uint64_t{12} * block_bytes;
    config.slow_size = uint64_t{block_total} * block_bytes;
    config.max_contexts = context_total;
    unsigned granted = 0;
    unsigned held = 0;
    unsigned revoked = 0;
    unsigned stopped = 0;
    for (unsigned seed = 1; seed <= 40; ++seed) {
        config.policy = seed % policies;
        config.dma_channels = 1 + seed % 4;
        config.doorbell_latency_ns = seed % 5 == 0 ? 300 : 0;
        RingTorture torture(seed, config);
        torture.run(8000);
        granted += torture.granted;
        held += torture.held;
        revoked += torture.revoked;
        stopped += torture.stopped;
    }
    CU_ASSERT(granted > 1000 && held > 1000 && revoked > 1000 && stopped > 1000);
    std::printf("(%u claims, %u holds, %u revoked, %u stops) ", granted, held, revoked, stopped);
}

}  // namespace

void add_ring_torture_suite() {
    Suite("ring-torture").test("all agree, whatever comes", all_agree_whatever_comes);
}

}  // namespace kvcpu_test
