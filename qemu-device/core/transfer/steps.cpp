// SPDX-License-Identifier: GPL-2.0-or-later
#include "transfer/steps.h"

namespace kvcpu {

void Steps::begin(uint16_t context, uint64_t step) noexcept {
    Context &c = d_.contexts[context];
    const uint64_t before = c.clock;
    const bool forward = c.advance(step);

    d_.record({.kind = KVCPU_EV_STEP, .context = context, .value = step});
    if (!forward) {
        d_.count(KVCPU_CNT_EPOCHS);
        d_.record({.kind = KVCPU_EV_EPOCH, .context = context, .value = step});
    }
    busy_ = true;
    placement_.policy().begin_step(context, before);
}

}  // namespace kvcpu
