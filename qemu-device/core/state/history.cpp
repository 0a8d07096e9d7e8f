// SPDX-License-Identifier: GPL-2.0-or-later
#include "state/history.h"

#include <algorithm>

namespace kvcpu {

namespace {

bool concerns(const kvcpu_event &event, uint32_t block) noexcept {
    switch (event.kind) {
        case KVCPU_EV_RESET:
        case KVCPU_EV_POLICY:
            return true;
        case KVCPU_EV_HINT:
        case KVCPU_EV_COMMAND_FAILED:
        case KVCPU_EV_ALLOC:
        case KVCPU_EV_FREE:
        case KVCPU_EV_PIN_WAITS:
        case KVCPU_EV_PIN_GRANTED:
        case KVCPU_EV_PIN_ENDED:
        case KVCPU_EV_UNPIN:
        case KVCPU_EV_UNHOLD:
            return event.first <= block && block - event.first < event.value;
        case KVCPU_EV_SCRUBBED:
        case KVCPU_EV_READ:
        case KVCPU_EV_WRITE:
        case KVCPU_EV_FETCH_START:
        case KVCPU_EV_FETCH_DONE:
        case KVCPU_EV_WRITE_BACK_START:
        case KVCPU_EV_WRITE_BACK_DONE:
        case KVCPU_EV_ZERO_FILLED:
        case KVCPU_EV_EVICTED:
        case KVCPU_EV_DISPLACED:
        case KVCPU_EV_HOLD:
        case KVCPU_EV_REVOKE:
        case KVCPU_EV_RECLAIMED:
        case KVCPU_EV_CHOSEN:
            return event.first == block;
        default:
            return false;
    }
}

}  // namespace

History::Position History::seek(uint32_t block, uint64_t before) const noexcept {
    const uint64_t oldest = end_ - std::min<uint64_t>(end_, KVCPU_HISTORY_RECORDS);
    uint64_t at = std::min(before, end_);
    for (uint32_t budget = KVCPU_HISTORY_BUDGET; at > oldest; --at, --budget) {
        if (budget == 0) {
            return {.state = KVCPU_HS_GO_ON, .before = at};
        }
        const kvcpu_event &event = kept_[(at - 1) % KVCPU_HISTORY_RECORDS];
        if (concerns(event, block)) {
            return {.state = KVCPU_HS_FOUND, .before = at - 1, .record = event};
        }
    }
    return {.state = KVCPU_HS_END, .before = at};
}

}  // namespace kvcpu
