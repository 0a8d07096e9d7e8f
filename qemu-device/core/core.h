// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_CORE_H
#define KVCPU_CORE_CORE_H

#include <cstdint>

#include "counters.h"
#include "event_log.h"
#include "host.h"
#include "kvcpu_core.h"
#include "registers.h"

namespace kvcpu {

/* The device: entry points of the seam, register semantics, and the course of time. */
class Core {
 public:
    Core(const kvcpu_config &config, const kvcpu_host_ops &ops, void *opaque, void *fast,
         void *slow);

    uint64_t read(uint64_t offset, unsigned bytes) noexcept;
    void write(uint64_t offset, uint64_t value, unsigned bytes) noexcept;
    void timer() noexcept;
    void reset(kvcpu_reset_kind kind) noexcept;

 private:
    uint64_t read_register(Reg reg) noexcept;
    void write_register(Reg reg, uint64_t value) noexcept;
    void refuse(kvcpu_counter why, uint64_t offset, uint64_t value) noexcept;

    kvcpu_config config_;
    Host host_;
    EventLog log_;
    Counters counters_;
    RegisterValues registers_;
    bool entered_ = false;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_CORE_H
