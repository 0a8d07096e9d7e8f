// SPDX-License-Identifier: MIT
// Under `lru`, plain demand: the device against a list that a schoolbook would use.
#include <cmath>
#include <list>
#include <random>
#include <unordered_map>

#include "suites.h"
#include "test_device.h"

namespace kvcpu_test {

namespace {

class ListLru {
  public:
    explicit ListLru(size_t capacity) : capacity_(capacity) {}

    bool use(uint64_t block) {
        const auto found = where_.find(block);
        const bool hit = found != where_.end();
        if (hit) {
            order_.erase(found->second);
        } else if (order_.size() == capacity_) {
            where_.erase(order_.back());
            order_.pop_back();
        }
        order_.push_front(block);
        where_[block] = order_.begin();
        return hit;
    }

  private:
    size_t capacity_;
    std::list<uint64_t> order_;
    std::unordered_map<uint64_t, std::list<uint64_t>::iterator> where_;
};

void equals_a_list() {
    kvcpu_config config = small_config();
    config.policy = KVCPU_POLICY_LRU;
    config.fast_size = uint64_t{37} * 4096;
    config.slow_size = uint64_t{500} * 4096;
    TestDevice device(config);
    device.keep_log = false;
    device.alloc(500);
    ListLru list(37);
    std::mt19937 random(3);
    unsigned hits = 0;
    for (int i = 0; i < 20000; ++i) {
        /* Skewed, so that some uses hit. */
        const double skewed = std::pow(static_cast<double>(random() % 10000) / 10000, 3);
        const auto block = static_cast<uint64_t>(skewed * 500);
        const Result result = device.pin(block);
        const bool hit = list.use(block);
        CU_ASSERT_EQUAL(result.aux, hit ? 1 : 0);
        hits += hit ? 1 : 0;
        device.run_dry();
        device.write(KVCPU_REG_CPL_POP, 1);
        device.unpin(block);
        if (random() % 50 == 0) {
            device.fill(block, 1); /* makes the block dirty; also a use */
        }
    }
    CU_ASSERT(hits > 5000 && hits < 19000);
}

}  // namespace

void add_lru_suite() {
    Suite("lru").test("plain demand equals a list", equals_a_list);
}

}  // namespace kvcpu_test
