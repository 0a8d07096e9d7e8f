// SPDX-License-Identifier: MIT
#include "c_doorbell.h"

#include "c_api.h"
#include "queues.h"

kvcpu_device *tapped_device() {
    return new kvcpu_device{
        std::make_unique<kvcpu_test::Tapped>(kvcpu_test::small_transport("hepc"))};
}

void ring_doorbell(kvcpu_device *device, kvcpu_doorbell which, uint64_t value) {
    dynamic_cast<kvcpu_test::Tapped &>(*device->transport).link->ring(which, value);
}
