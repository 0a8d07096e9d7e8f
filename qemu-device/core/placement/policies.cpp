// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/policies.h"

#include "placement/policy_arc.h"
#include "placement/policy_hepc.h"
#include "placement/policy_lru.h"
#include "placement/policy_next_use.h"

namespace kvcpu {

namespace {

/* The class of each policy in KVCPU_POLICIES. */
using LRU = LruPolicy;
using HEPC = HepcPolicy;
using NEXT_USE = NextUsePolicy;
using ARC = ArcPolicy;

}  // namespace

std::vector<std::unique_ptr<Policy>> make_policies(const PolicyTools &tools) {
    std::vector<std::unique_ptr<Policy>> policies;
#define KVCPU_MAKE_POLICY_(name, number, text)      \
    static_assert(KVCPU_POLICY_##name == (number)); \
    policies.resize((number) + 1);                  \
    policies[number] = std::make_unique<name>(tools);
    KVCPU_POLICIES(KVCPU_MAKE_POLICY_)
#undef KVCPU_MAKE_POLICY_
    return policies;
}

}  // namespace kvcpu
