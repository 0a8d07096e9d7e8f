// SPDX-License-Identifier: GPL-2.0-or-later
#include "state/event_log.h"

#include <array>
#include <cstddef>

namespace kvcpu {

void EventLog::restart(uint64_t now) noexcept {
    origin_ns_ = now;
    next_ = 0;
    history_.clear();
    append(now, {.kind = KVCPU_EV_LOG_RESTART});
}

}  // namespace kvcpu

void kvcpu_event_encode(const struct kvcpu_event *event, uint8_t out[KVCPU_EVENT_BYTES]) {
    const uint64_t head = event->kind | uint64_t{event->detail} << 16 |
                          uint64_t{event->context} << 32 | uint64_t{event->status} << 48;
    const std::array<uint64_t, KVCPU_EVENT_WORDS> words = {event->sequence, event->time_ns, head,
                                                           event->first, event->value};
    for (size_t word = 0; word < words.size(); ++word) {
        for (size_t byte = 0; byte < 8; ++byte) {
            out[word * 8 + byte] = static_cast<uint8_t>(words[word] >> (8 * byte));
        }
    }
}
