// SPDX-License-Identifier: MIT
// `hepc` against a scan of all blocks after every step, on random streams of uses and hints.
#include <algorithm>
#include <array>
#include <cstdio>
#include <random>
#include <set>

#include "suites.h"
#include "test_device.h"

namespace kvcpu_test {

namespace {

constexpr uint32_t block_total = 96;
constexpr uint32_t slot_total = 24;
constexpr unsigned context_total = 3;

enum class ToyHint { none, hot, evictable, prefetchable, released };

/* The oracle's state of a block, from the commands of the test and not from the device. */
struct ToyBlock {
    unsigned owner = 0;
    bool allocated = false;
    bool used = false;
    uint64_t used_at = 0;
    unsigned frequency = 0;
    bool prefix = false;
    unsigned sharers = 0;
    unsigned claims = 0;
    ToyHint hint = ToyHint::none;
    uint64_t target = 0;
    uint64_t rose_at = 0; /* number of the step; 0: no promotion is requested */
};

struct ToyWeights {
    uint64_t r, f, s, d, evict_below, promote_above;
};

class Oracle {
  public:
    Oracle(unsigned seed, const kvcpu_config &config) : random_(seed), device_(config) {
        device_.keep_log = false;
        choose_weights();
    }

    void run(int operations) {
        for (int i = 0; i < operations; ++i) {
            if (pick(4) == 0) {
                step();
            } else {
                act();
            }
        }
    }

    unsigned demotions = 0;
    unsigned promotions = 0;

  private:
    unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }

    void choose_weights() {
        static const ToyWeights choices[] = {
            {1, 1, 2, 200, 0x1000, 0xe000}, {1, 1, 2, 200, 0x40, 0xc800},
            {3, 50, 7, 20, 1200, 3000},     {0, 0, 1, 0, 250, 252},
            {257, 1, 0, 256, 9000, 40000},  {1, 0, 0, 0, 100, 50},
        };
        weights_ = choices[pick(std::size(choices))];
        device_.write(KVCPU_REG_WEIGHT_R, weights_.r);
        device_.write(KVCPU_REG_WEIGHT_F, weights_.f);
        device_.write(KVCPU_REG_WEIGHT_S, weights_.s);
        device_.write(KVCPU_REG_WEIGHT_D, weights_.d);
        device_.write(KVCPU_REG_EVICT_THRESH, weights_.evict_below);
        device_.write(KVCPU_REG_PREFETCH_THRESH, weights_.promote_above);
    }

    void note_use(ToyBlock &block) {
        block.used = true;
        block.used_at = clocks_[block.owner];
        block.frequency = std::min(block.frequency + 1, 255U);
    }

    void hint(unsigned opcode, uint32_t first, uint32_t count, uint64_t arg) {
        device_.command(opcode, first, count, arg);
        for (uint32_t b = first; b < std::min(first + count, block_total); ++b) {
            ToyBlock &block = blocks_[b];
            if (block.owner != device_.context || (!block.allocated && device_.context != 0) ||
                device_.state(b) == KVCPU_BS_SCRUBBING) {
                continue;
            }
            const uint64_t clock = clocks_[block.owner];
            const uint64_t step = steps_[block.owner];
            const uint64_t target = clock + (arg > step ? arg - step : 0);
            switch (opcode) {
                case KVCPU_OP_HOT:
                    block.target = arg == 0 ? clock + KVCPU_HOT_LEASE_DEFAULT : target;
                    block.hint = block.target > clock ? ToyHint::hot : ToyHint::none;
                    note_use(block);
                    break;
                case KVCPU_OP_EVICTABLE:
                    block.hint = ToyHint::evictable;
                    break;
                case KVCPU_OP_PREFETCHABLE:
                    block.hint = ToyHint::prefetchable;
                    block.target = target;
                    break;
                case KVCPU_OP_RELEASE:
                    block.hint = ToyHint::released;
                    break;
                case KVCPU_OP_SHARE:
                    block.sharers = std::min(block.sharers + 1, 255U);
                    block.prefix = true;
                    break;
                case KVCPU_OP_UNSHARE:
                    block.sharers -= block.sharers > 0 ? 1 : 0;
                    break;
                case KVCPU_OP_TOUCH:
                    note_use(block);
                    break;
                default:
                    block.hint = ToyHint::none;
                    break;
            }
        }
    }

    void random_hint() {
        static const unsigned hints[] = {
            KVCPU_OP_HOT,     KVCPU_OP_EVICTABLE, KVCPU_OP_PREFETCHABLE,
            KVCPU_OP_RELEASE, KVCPU_OP_SHARE,     KVCPU_OP_UNSHARE,
            KVCPU_OP_TOUCH,   KVCPU_OP_TOUCH,     KVCPU_OP_CLEAR};
        const uint64_t ahead = pick(20) == 0 ? 700 : pick(12);
        const uint64_t step = steps_[device_.context];
        hint(hints[pick(std::size(hints))], pick(block_total), 1 + pick(5),
             pick(5) == 0 ? 0 : step + ahead);
    }

    void allocate() {
        const Result result = device_.alloc(1 + pick(6));
        for (uint32_t b = result.value; b < result.value + result.aux; ++b) {
            blocks_[b] = {};
            blocks_[b].allocated = true;
            blocks_[b].owner = device_.context;
        }
    }

    void give_back(uint32_t block) {
        if (device_.free(block).status == KVCPU_SC_SUCCESS) {
            blocks_[block] = {};
        }
    }

    /* Runs each command to its end, so that the oracle need not model pending commands. */
    void claim(uint32_t block) {
        if (device_.pin(block, 1, 1'000'000).status > KVCPU_SC_PENDING) {
            return;
        }
        device_.run(1'000'000);
        bool granted = true;
        for (const Completion &completion : device_.completions()) {
            granted = completion.result.status == KVCPU_SC_SUCCESS;
        }
        ToyBlock &toy = blocks_[block];
        if (granted) {
            note_use(toy);
            ++toy.claims;
            toy.hint = toy.hint == ToyHint::prefetchable ? ToyHint::none : toy.hint;
        }
    }

    void act() {
        device_.context = pick(context_total);
        const uint32_t block = pick(block_total);
        ToyBlock &toy = blocks_[block];
        switch (pick(12)) {
            case 0:
                allocate();
                break;
            case 1:
                give_back(block);
                break;
            case 2:
            case 3:
                claim(block);
                break;
            case 4:
            case 5:
                if (device_.unpin(block).status == KVCPU_SC_SUCCESS) {
                    --toy.claims;
                    toy.used_at = clocks_[toy.owner];
                }
                break;
            case 6:
                if (device_.fill(block, 1).status == KVCPU_SC_SUCCESS) {
                    note_use(toy);
                }
                break;
            case 7:
                device_.run(pick(5) * small_move_ns / 2);
                break;
            case 8:
                if (pick(100) == 0) {
                    choose_weights();
                }
                break;
            default:
                random_hint();
                break;
        }
    }

    [[nodiscard]] uint64_t score(const ToyBlock &block) const {
        const uint64_t d = block.prefix ? 255 : 0;
        if (!block.used) {
            return (weights_.d * d) % 65536;
        }
        const uint64_t age = clocks_[block.owner] - block.used_at;
        const uint64_t r = age / 16 > 8 ? 0 : 255U >> (age / 16);
        const uint64_t s = age > 255 ? 0 : 255 - age;
        return (weights_.r * r + weights_.f * block.frequency + weights_.s * s + weights_.d * d) %
               65536;
    }

    void advance(unsigned context) {
        uint64_t next = steps_[context] + 1;
        if (pick(30) == 0) {
            next = steps_[context] + pick(600);
        } else if (pick(60) == 0) {
            next = steps_[context] / 2;
        }
        clocks_[context] += next > steps_[context] ? next - steps_[context] : 0;
        steps_[context] = next;
    }

    void expire(ToyBlock &block) {
        const uint64_t clock = clocks_[block.owner];
        if ((block.hint == ToyHint::hot && clock >= block.target) ||
            (block.hint == ToyHint::prefetchable && clock > block.target)) {
            block.hint = ToyHint::none;
        }
    }

    [[nodiscard]] bool is_demoted(uint32_t b) {
        const ToyBlock &block = blocks_[b];
        const unsigned state = device_.state(b);
        return (state == KVCPU_BS_FAST || state == KVCPU_BS_WRITING_BACK) && block.claims == 0 &&
               block.sharers == 0 && block.hint != ToyHint::hot &&
               block.hint != ToyHint::prefetchable && score(block) < weights_.evict_below;
    }

    [[nodiscard]] bool is_rising(uint32_t b) {
        const ToyBlock &block = blocks_[b];
        const unsigned state = device_.state(b);
        return (state == KVCPU_BS_FREE || state == KVCPU_BS_SLOW) && block.hint == ToyHint::none &&
               !promoted_.contains(b) && score(block) > weights_.promote_above;
    }

    /* Promotions that are still pending; the device's state shows the result of the others. */
    void forget_settled_promotions() {
        for (auto it = promoted_.begin(); it != promoted_.end();) {
            const bool waits = (device_.flags(*it) & KVCPU_BF_QUEUED) != 0;
            it = waits ? std::next(it) : promoted_.erase(it);
        }
    }

    void step() {
        const unsigned context = pick(context_total);
        forget_settled_promotions();
        ++step_number_;
        advance(context);
        std::vector<uint32_t> demoted;
        std::vector<std::pair<uint64_t, uint32_t>> rising;
        uint64_t free_slots = device_.read(KVCPU_REG_FAST_FREE);
        for (uint32_t b = 0; b < block_total; ++b) {
            ToyBlock &block = blocks_[b];
            if (block.owner != context || device_.state(b) == KVCPU_BS_SCRUBBING) {
                continue;
            }
            expire(block);
            if (is_demoted(b)) {
                demoted.push_back(b);
                free_slots += (device_.flags(b) & KVCPU_BF_DIRTY) == 0 ? 1 : 0;
            }
            if (!is_rising(b)) {
                block.rose_at = 0;
            } else {
                block.rose_at = block.rose_at == 0 ? step_number_ : block.rose_at;
                rising.emplace_back(block.rose_at, b);
            }
        }
        std::sort(rising.begin(), rising.end());
        const auto waiting = static_cast<uint64_t>(
            std::count_if(promoted_.begin(), promoted_.end(), [this](uint32_t b) {
                return blocks_[b].hint != ToyHint::hot && blocks_[b].hint != ToyHint::prefetchable;
            }));
        rising.resize(
            std::min<size_t>(rising.size(), free_slots > waiting ? free_slots - waiting : 0));
        check_step(context, demoted, rising);
    }

    void check_step(unsigned context, const std::vector<uint32_t> &demoted,
                    const std::vector<std::pair<uint64_t, uint32_t>> &rising) {
        const uint64_t demoted_before = device_.counter(KVCPU_CNT_DEMOTED_BY_SCORE);
        const uint64_t promoted_before = device_.counter(KVCPU_CNT_PROMOTED_BY_SCORE);
        device_.context = context;
        CU_ASSERT_EQUAL(device_.step(steps_[context]).outcome(), KVCPU_HO_ACCEPTED);
        CU_ASSERT_EQUAL(device_.counter(KVCPU_CNT_DEMOTED_BY_SCORE) - demoted_before,
                        demoted.size());
        CU_ASSERT_EQUAL(device_.counter(KVCPU_CNT_PROMOTED_BY_SCORE) - promoted_before,
                        rising.size());
        for (const uint32_t b : demoted) {
            const unsigned state = device_.state(b);
            CU_ASSERT(state != KVCPU_BS_FAST && state != KVCPU_BS_WRITING_BACK);
        }
        for (const auto &[since, b] : rising) {
            CU_ASSERT(device_.state(b) == KVCPU_BS_FETCHING ||
                      (device_.flags(b) & KVCPU_BF_QUEUED) != 0);
            blocks_[b].rose_at = 0;
            promoted_.insert(b);
        }
        for (uint32_t b = 0; b < block_total; ++b) {
            if (device_.state(b) != KVCPU_BS_SCRUBBING) {
                CU_ASSERT_EQUAL(device_.score(b), score(blocks_[b]));
            }
        }
        demotions += static_cast<unsigned>(demoted.size());
        promotions += static_cast<unsigned>(rising.size());
    }

    std::mt19937 random_;
    TestDevice device_;
    ToyWeights weights_{};
    std::array<ToyBlock, block_total> blocks_{};
    std::array<uint64_t, context_total> steps_{};
    std::array<uint64_t, context_total> clocks_{};
    std::set<uint32_t> promoted_;
    uint64_t step_number_ = 0;
};

void equals_a_scan_of_all_blocks() {
    kvcpu_config config = small_config();
    config.fast_size = uint64_t{slot_total} * 4096;
    config.slow_size = uint64_t{block_total} * 4096;
    config.max_contexts = context_total;
    unsigned demotions = 0;
    unsigned promotions = 0;
    for (unsigned seed = 1; seed <= 60; ++seed) {
        Oracle oracle(seed, config);
        oracle.run(3000);
        demotions += oracle.demotions;
        promotions += oracle.promotions;
    }
    CU_ASSERT(demotions > 1000);
    CU_ASSERT(promotions > 1000);
    std::printf("(%u demotions, %u promotions) ", demotions, promotions);
}

}  // namespace

void add_oracle_suite() {
    Suite("oracle").test("hepc equals a scan of all blocks after every step",
                         equals_a_scan_of_all_blocks);
}

}  // namespace kvcpu_test
