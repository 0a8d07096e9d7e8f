// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_PLACEMENT_POLICIES_H
#define KVCPU_CORE_PLACEMENT_POLICIES_H

#include <memory>
#include <vector>

#include "placement/policy.h"

namespace kvcpu {

/* Creates one object of each policy, indexed by enum kvcpu_policy. */
std::vector<std::unique_ptr<Policy>> make_policies(const PolicyTools &tools);

}  // namespace kvcpu

#endif  // KVCPU_CORE_PLACEMENT_POLICIES_H
