// SPDX-License-Identifier: MIT
#ifndef KVCPU_SERVING_STORE_H
#define KVCPU_SERVING_STORE_H

#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>
#include <vector>

#include "kvcpu/transport.h"

namespace kvcpu::serving {

/* What the runtime knows of a block of the device. */
struct StoredBlock {
    std::optional<uint64_t> hash_id;
    uint32_t users = 0;  // running requests that hold it
};

/*
 * A runtime's view of its blocks: the prefix that each holds, the number of its users, and the
 * order of last use. When the device has no free block, the store frees the least recently used
 * ones.
 */
class Store {
  public:
    /* Cached blocks are reclaimed by the device; the store then asks which ones are gone. */
    Store(Transport &transport, uint64_t block_count, bool cached = false);

    /*
     * Takes `count` blocks that hold `tokens` tokens each, and frees unused blocks if there are too
     * few. Waits, in the device's time, until freed blocks are scrubbed. Throws std::runtime_error
     * if the blocks are unavailable.
     */
    std::vector<uint32_t> take(uint64_t count, uint64_t first_token = 0, uint64_t tokens = 0);
    /* Returns the block that holds a prefix, if there is one. */
    [[nodiscard]] std::optional<uint32_t> find(uint64_t hash_id) const;
    [[nodiscard]] std::optional<uint64_t> published(uint32_t block) const;
    /* Lets find() return the block for this id. */
    void publish(uint32_t block, uint64_t hash_id);

    void hold(uint32_t block);
    /* Ends a use of the block. Unused blocks are freed in the order in which their last use ended.
     */
    void release(uint32_t block);
    void give_back(uint32_t block);

    [[nodiscard]] StoredBlock &at(uint32_t block) { return blocks_[block]; }
    [[nodiscard]] uint32_t held() const { return held_; }

  private:
    void drop_oldest(uint64_t count);
    void forget(uint32_t block);
    /* Asks the device which blocks it has reclaimed, and forgets them. */
    void acknowledge();

    Transport &transport_;
    bool cached_;
    std::vector<StoredBlock> blocks_;
    std::unordered_map<uint64_t, uint32_t> by_hash_;
    std::list<uint32_t> unused_;  // least recently used first
    std::vector<std::list<uint32_t>::iterator> place_;
    uint32_t held_ = 0;
};

/* Consecutive blocks of the device, for one command. */
struct Run {
    uint32_t first;
    uint32_t count;
};
std::vector<Run> runs_of(const std::vector<uint32_t> &blocks);

}  // namespace kvcpu::serving

#endif  // KVCPU_SERVING_STORE_H
