// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_STATE_HINT_REQUEST_H
#define KVCPU_CORE_STATE_HINT_REQUEST_H

#include <cstdint>

#include "kvcpu_hw.h"

namespace kvcpu {

struct HintRequest {
    kvcpu_opcode opcode = KVCPU_OP_STEP;
    uint16_t flags = 0;
    uint16_t context = 0;
    uint64_t first = 0;
    uint64_t count = 0;
    uint64_t arg = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_STATE_HINT_REQUEST_H
