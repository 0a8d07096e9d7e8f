// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_QUEUES_EVENT_QUEUE_H
#define KVCPU_CORE_QUEUES_EVENT_QUEUE_H

#include <cstdint>
#include <vector>

#include "state/device.h"
#include "util/index_lists.h"

namespace kvcpu {

/*
 * Records for the driver: see "Event queue" in the specification. A record waits in a list, in
 * order, until the queue has space. No record is lost; a record that has become void is removed.
 */
class EventQueue {
  public:
    explicit EventQueue(Device &device);

    void clear() noexcept;

    /* Whether EVQ_* describe a valid queue, and the attempt to enable it. */
    [[nodiscard]] bool is_described() const noexcept;
    bool enable() noexcept;
    void disable() noexcept { is_on_ = false; }
    /* A write of EVQ_HEAD. False if the value is invalid. */
    bool advance_head(uint64_t head) noexcept;

    /* Sends REVOKE for a held block, once until its holders have answered. */
    void revoke(uint32_t block, kvcpu_revoke_reason reason) noexcept;
    void stopped(uint16_t context, kvcpu_ring_state why, uint64_t sq_head) noexcept;
    /* Removes a pending STOPPED record: the ring is running again, or is closed. */
    void forget_stop(uint16_t context) noexcept { waiting_.remove(node_of(context)); }
    /* The first block that was reclaimed from a context since it last acknowledged all. */
    void reclaimed(uint16_t context, uint32_t block) noexcept;

    /* Writes pending records as long as the queue has space. */
    void pump() noexcept;

  private:
    struct Stop {
        kvcpu_ring_state why = KVCPU_RS_RUNNING;
        uint64_t sq_head = 0;
    };

    [[nodiscard]] uint32_t node_of(uint16_t context) const noexcept {
        return d_.block_count() + context;
    }
    [[nodiscard]] uint32_t reclaim_node_of(uint16_t context) const noexcept {
        return node_of(context) + static_cast<uint32_t>(d_.contexts.size());
    }
    bool write_of_context(uint32_t node) noexcept;
    bool write(uint64_t head, uint64_t block) noexcept;
    bool store(uint64_t offset, const uint64_t *words, uint32_t count) noexcept;

    Device &d_;
    IndexLists waiting_;  // one list of blocks, stopped contexts and contexts with reclaimed blocks
    std::vector<Stop> stops_;
    std::vector<uint32_t> reclaim_;  // by context: the first block
    bool is_on_ = false;
    uint64_t address_ = 0;
    uint64_t entries_ = 0;
    uint64_t written_ = 0;
    uint64_t taken_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_QUEUES_EVENT_QUEUE_H
