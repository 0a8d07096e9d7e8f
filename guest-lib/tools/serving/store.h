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

/* A block of the device, and what the runtime keeps in it. */
struct StoredBlock {
    std::optional<uint64_t> hash_id;
    uint32_t users = 0;  // running requests that hold it
};

/*
 * What a runtime knows of its blocks: which hold which prefix, who uses them, and which were used
 * longest ago. It reclaims the latter when the device has none left, as a runtime with a bounded
 * store does.
 */
class Store {
  public:
    /* With `cached` blocks it is the device that reclaims, and this learns what is gone. */
    Store(Transport &transport, uint64_t block_count, bool cached = false);

    /*
     * Takes `count` blocks that hold `tokens` tokens each, dropping unused ones where there are
     * none free. Waits, in the device's time, for the scrub of what it reclaimed. Throws
     * std::runtime_error where they cannot be had.
     */
    std::vector<uint32_t> take(uint64_t count, uint64_t first_token = 0, uint64_t tokens = 0);
    /* The block that holds a prefix, if one does. */
    [[nodiscard]] std::optional<uint32_t> find(uint64_t hash_id) const;
    [[nodiscard]] std::optional<uint64_t> published(uint32_t block) const;
    /* From now on the block is found by this id. */
    void publish(uint32_t block, uint64_t hash_id);

    void hold(uint32_t block);
    /* Unused blocks are reclaimed in the order in which they were let go. */
    void let_go(uint32_t block);
    void give_back(uint32_t block);

    [[nodiscard]] StoredBlock &at(uint32_t block) { return blocks_[block]; }
    [[nodiscard]] uint32_t held() const { return held_; }

  private:
    void drop_oldest(uint64_t count);
    void forget(uint32_t block);
    /* Asks what the device has reclaimed. */
    void acknowledge();

    Transport &transport_;
    bool cached_;
    std::vector<StoredBlock> blocks_;
    std::unordered_map<uint64_t, uint32_t> by_hash_;
    std::list<uint32_t> unused_;  // let go longest ago first
    std::vector<std::list<uint32_t>::iterator> place_;
    uint32_t held_ = 0;
};

/* Blocks that follow each other on the device, as one command takes them. */
struct Run {
    uint32_t first;
    uint32_t count;
};
std::vector<Run> runs_of(const std::vector<uint32_t> &blocks);

}  // namespace kvcpu::serving

#endif  // KVCPU_SERVING_STORE_H
