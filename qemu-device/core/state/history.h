// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_STATE_HISTORY_H
#define KVCPU_CORE_STATE_HISTORY_H

#include <cstdint>
#include <vector>

#include "kvcpu_core.h"
#include "kvcpu_hw_log.h"

namespace kvcpu {

/* The latest records of the event log, searchable by block. */
class History {
  public:
    /* The result of a search. The next search continues at `before`. */
    struct Position {
        kvcpu_history_state state = KVCPU_HS_END;
        uint64_t before = 0;
        kvcpu_event record = {};
    };

    History() : kept_(KVCPU_HISTORY_RECORDS) {}

    /* The log has been restarted: the old sequence numbers are void. */
    void clear() noexcept { end_ = 0; }
    /* The sequence number after the newest record. */
    void append(const kvcpu_event &event) noexcept {
        kept_[event.sequence % KVCPU_HISTORY_RECORDS] = event;
        end_ = event.sequence + 1;
    }
    /* Finds the newest record of the block before `before`. The search is bounded. */
    [[nodiscard]] Position seek(uint32_t block, uint64_t before) const noexcept;

  private:
    std::vector<kvcpu_event> kept_;  // indexed by sequence number modulo the size
    uint64_t end_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_STATE_HISTORY_H
