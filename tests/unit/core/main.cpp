// SPDX-License-Identifier: MIT
// Runs all suites, or those whose names are given. Exit status 1 if a test failed or none ran.
#include "suites.h"

int main(int argc, char **argv) {
    if (CU_initialize_registry() != CUE_SUCCESS) {
        return 1;
    }
    kvcpu_test::add_parts_suite();
    kvcpu_test::add_config_suite();
    kvcpu_test::add_registers_suite();
    kvcpu_test::add_commands_suite();
    kvcpu_test::add_pins_suite();
    kvcpu_test::add_transitions_suite();
    kvcpu_test::add_moves_suite();
    kvcpu_test::add_hints_suite();
    kvcpu_test::add_placement_suite();
    kvcpu_test::add_policies_suite();
    kvcpu_test::add_reclaim_suite();
    kvcpu_test::add_reset_suite();
    kvcpu_test::add_lru_suite();
    kvcpu_test::add_oracle_suite();
    kvcpu_test::add_rings_suite();
    kvcpu_test::add_admin_suite();
    kvcpu_test::add_holds_suite();
    kvcpu_test::add_events_suite();
    kvcpu_test::add_quotas_suite();
    kvcpu_test::add_history_suite();
    kvcpu_test::add_torture_suite();
    kvcpu_test::add_ring_torture_suite();

    return kvcpu_test::run_suites(argc, argv);
}
