// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_STATE_EVENT_LOG_H
#define KVCPU_CORE_STATE_EVENT_LOG_H

#include <cstdint>

#include "kvcpu_hw.h"
#include "kvcpu_hw_log.h"
#include "state/history.h"
#include "state/host.h"

namespace kvcpu {

/* Assigns sequence number and time to event log records, and passes them to the host. */
class EventLog {
  public:
    struct Record {
        kvcpu_event_kind kind;
        uint16_t detail = 0;
        uint16_t context = 0;
        uint16_t status = 0;
        uint64_t first = 0;
        uint64_t value = 0;
    };

    explicit EventLog(const Host &host) : host_(host) {}

    /* Restarts sequence and time at 0. The first record is LOG_RESTART. */
    void restart(uint64_t now) noexcept;
    void append(uint64_t now, const Record &record) noexcept {
        const kvcpu_event event = {
            .sequence = next_++,
            .time_ns = now - origin_ns_,
            .kind = static_cast<uint16_t>(record.kind),
            .detail = record.detail,
            .context = record.context,
            .status = record.status,
            .first = record.first,
            .value = record.value,
        };
        history_.append(event);
        host_.event(event);
    }
    [[nodiscard]] uint64_t records() const noexcept { return next_; }
    [[nodiscard]] const History &history() const noexcept { return history_; }

  private:
    const Host &host_;
    uint64_t origin_ns_ = 0;
    uint64_t next_ = 0;
    History history_;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_STATE_EVENT_LOG_H
