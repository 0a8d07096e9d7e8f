// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_STATE_COMPLETION_TARGET_H
#define KVCPU_CORE_STATE_COMPLETION_TARGET_H

#include <cstdint>

#include "kvcpu_hw.h"

namespace kvcpu {

/* A command's result as CMD_RESULT, CPL_RESULT and a completion have it. */
struct Result {
    kvcpu_status status = KVCPU_SC_SUCCESS;
    uint16_t aux = 0;
    uint32_t value = 0;

    [[nodiscard]] uint64_t encode() const noexcept {
        return uint64_t{status} << KVCPU_RES_STATUS_SHIFT | uint64_t{aux} << KVCPU_RES_AUX_SHIFT |
               uint64_t{value} << KVCPU_RES_VALUE_SHIFT;
    }
    /* An error that a command ended with. */
    [[nodiscard]] bool has_failed() const noexcept {
        return status != KVCPU_SC_SUCCESS && status != KVCPU_SC_PENDING;
    }
};

/* `via` of a command that came through the window; of another it is the ring's context. */
inline constexpr uint16_t via_window = UINT16_MAX;
/* The waiting context is gone. */
inline constexpr uint16_t via_nowhere = UINT16_MAX - 1;

/* The way a command came, and where its completion is stored, if one is wanted. */
struct CompletionTarget {
    uint16_t via = via_window;
    bool wanted = true;
    uint64_t tag = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_STATE_COMPLETION_TARGET_H
