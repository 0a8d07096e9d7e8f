// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_STATE_COMPLETION_TARGET_H
#define KVCPU_CORE_STATE_COMPLETION_TARGET_H

#include <cstdint>

#include "kvcpu_hw.h"

namespace kvcpu {

/* A command's result, as in CMD_RESULT, CPL_RESULT and a completion. */
struct Result {
    kvcpu_status status = KVCPU_SC_SUCCESS;
    uint16_t aux = 0;
    uint32_t value = 0;

    [[nodiscard]] uint64_t encode() const noexcept {
        return uint64_t{status} << KVCPU_RES_STATUS_SHIFT | uint64_t{aux} << KVCPU_RES_AUX_SHIFT |
               uint64_t{value} << KVCPU_RES_VALUE_SHIFT;
    }
    /* Whether the command ended with an error. */
    [[nodiscard]] bool has_failed() const noexcept {
        return status != KVCPU_SC_SUCCESS && status != KVCPU_SC_PENDING;
    }
};

/* `via` of a command from the command window. For a command from a ring, `via` is its context. */
inline constexpr uint16_t via_window = UINT16_MAX;
/* `via` of a command whose completion is not delivered, as its ring is gone. */
inline constexpr uint16_t via_nowhere = UINT16_MAX - 1;

/* Where the completion of a command is stored, if one is requested. */
struct CompletionTarget {
    uint16_t via = via_window;
    bool wanted = true;
    uint64_t tag = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_STATE_COMPLETION_TARGET_H
