// SPDX-License-Identifier: MIT
// Records of the device's event log, in words.
#ifndef KVCPU_KVCTL_HISTORY_H
#define KVCPU_KVCTL_HISTORY_H

#include <string>
#include <vector>

#include "kvcpu/transport.h"

namespace kvcpu::kvctl {

uint64_t kind_of(const kvcpu_record &record);
uint64_t detail_of(const kvcpu_record &record);
uint64_t context_of(const kvcpu_record &record);
uint64_t status_of(const kvcpu_record &record);

/* What a record says beyond its event's name. */
std::string describe_record(const kvcpu_record &record);
/* The decision that put a block where it is, which is in this state. */
std::string verdict(const std::vector<kvcpu_record> &newest_first, kvcpu_block_state state);

}  // namespace kvcpu::kvctl

#endif  // KVCPU_KVCTL_HISTORY_H
