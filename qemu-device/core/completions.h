// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_COMPLETIONS_H
#define KVCPU_CORE_COMPLETIONS_H

#include <array>
#include <cstdint>

#include "device.h"

namespace kvcpu {

/* A command's result as CMD_RESULT and CPL_RESULT have it. */
struct Result {
    kvcpu_status status = KVCPU_SC_SUCCESS;
    uint16_t aux = 0;
    uint32_t value = 0;

    [[nodiscard]] uint64_t encode() const noexcept {
        return uint64_t{status} << KVCPU_RES_STATUS_SHIFT | uint64_t{aux} << KVCPU_RES_AUX_SHIFT |
               uint64_t{value} << KVCPU_RES_VALUE_SHIFT;
    }
};

struct Completion {
    uint64_t tag = 0;
    uint64_t result = 0;
    uint64_t time_ns = 0;
};

/*
 * The completion FIFO. A command reserves its place before it may wait, so that its completion
 * always finds one.
 */
class Completions {
  public:
    explicit Completions(Device &device) : d_(device) {}

    [[nodiscard]] bool reserve() noexcept {
        if (reserved_ + count_ == KVCPU_PENDING_MAX) {
            return false;
        }
        ++reserved_;
        return true;
    }

    void complete(uint64_t tag, const Result &result) noexcept {
        --reserved_;
        fifo_[(first_ + count_) % fifo_.size()] = {tag, result.encode(), d_.now};
        ++count_;
        d_.counters.add_status(result.status);
        if (result.status != KVCPU_SC_SUCCESS) {
            d_.count(KVCPU_CNT_COMMANDS_FAILED);
        }
        d_.host.notify(KVCPU_VECTOR_COMPLETION);
    }

    [[nodiscard]] uint32_t pending() const noexcept { return count_; }
    [[nodiscard]] Completion oldest() const noexcept {
        return count_ == 0 ? Completion{} : fifo_[first_];
    }
    /* Returns false if there is none. */
    bool pop() noexcept {
        if (count_ == 0) {
            return false;
        }
        first_ = (first_ + 1) % static_cast<uint32_t>(fifo_.size());
        --count_;
        return true;
    }
    void clear() noexcept { first_ = count_ = reserved_ = 0; }

  private:
    Device &d_;
    std::array<Completion, KVCPU_PENDING_MAX> fifo_{};
    uint32_t first_ = 0;
    uint32_t count_ = 0;
    uint32_t reserved_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_COMPLETIONS_H
