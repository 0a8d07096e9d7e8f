// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_STATE_HISTORY_H
#define KVCPU_CORE_STATE_HISTORY_H

#include <cstdint>
#include <vector>

#include "kvcpu_core.h"
#include "kvcpu_hw_log.h"

namespace kvcpu {

/* The latest records of the event log, and a search among them for what concerns one block. */
class History {
  public:
    /* What a search came to. `before` is where the next one goes on. */
    struct Position {
        kvcpu_history_state state = KVCPU_HS_END;
        uint64_t before = 0;
        kvcpu_event record = {};
    };

    History() : kept_(KVCPU_HISTORY_RECORDS) {}

    /* The log starts anew: its numbers mean other records from now on. */
    void clear() noexcept { end_ = 0; }
    /* Of the sequence number that follows the last. */
    void append(const kvcpu_event &event) noexcept {
        kept_[event.sequence % KVCPU_HISTORY_RECORDS] = event;
        end_ = event.sequence + 1;
    }
    /* The newest record before that sequence number which concerns the block; a bounded search. */
    [[nodiscard]] Position seek(uint32_t block, uint64_t before) const noexcept;

  private:
    std::vector<kvcpu_event> kept_;  // by sequence number, modulo
    uint64_t end_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_STATE_HISTORY_H
