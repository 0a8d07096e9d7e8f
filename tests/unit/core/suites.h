// SPDX-License-Identifier: MIT
// One function a test file; each adds its suite to CUnit's registry.
#ifndef KVCPU_TEST_SUITES_H
#define KVCPU_TEST_SUITES_H

#include "../suite.h"

namespace kvcpu_test {

void add_parts_suite();
void add_config_suite();
void add_registers_suite();
void add_commands_suite();
void add_pins_suite();
void add_transitions_suite();
void add_moves_suite();
void add_hints_suite();
void add_placement_suite();
void add_policies_suite();
void add_reclaim_suite();
void add_reset_suite();
void add_lru_suite();
void add_oracle_suite();
void add_rings_suite();
void add_admin_suite();
void add_holds_suite();
void add_events_suite();
void add_quotas_suite();
void add_history_suite();
void add_torture_suite();
void add_ring_torture_suite();

}  // namespace kvcpu_test

#endif  // KVCPU_TEST_SUITES_H
