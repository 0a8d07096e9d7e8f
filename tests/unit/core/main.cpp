// SPDX-License-Identifier: MIT
// Runs all suites, or those whose names are given. Exit status 1 if a test failed or none ran.
#include <CUnit/Basic.h>

#include <cstring>

#include "suites.h"

namespace {

bool is_chosen(const CU_Suite *suite, int argc, char **argv) {
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(suite->pName, argv[i]) == 0) {
            return true;
        }
    }
    return argc == 1;
}

}  // namespace

int main(int argc, char **argv) {
    if (CU_initialize_registry() != CUE_SUCCESS) {
        return 1;
    }
    kvcpu_test::add_parts_suite();
    kvcpu_test::add_config_suite();
    kvcpu_test::add_registers_suite();
    kvcpu_test::add_commands_suite();
    kvcpu_test::add_pins_suite();
    kvcpu_test::add_life_suite();
    kvcpu_test::add_moves_suite();
    kvcpu_test::add_hints_suite();
    kvcpu_test::add_placement_suite();
    kvcpu_test::add_reset_suite();
    kvcpu_test::add_lru_suite();
    kvcpu_test::add_oracle_suite();
    kvcpu_test::add_torture_suite();

    CU_basic_set_mode(CU_BRM_VERBOSE);
    for (CU_Suite *suite = CU_get_registry()->pSuite; suite != nullptr; suite = suite->pNext) {
        if (is_chosen(suite, argc, argv)) {
            CU_basic_run_suite(suite);
        }
    }
    const bool passed = CU_get_number_of_failures() == 0 && CU_get_number_of_tests_run() > 0;
    CU_cleanup_registry();
    return passed ? 0 : 1;
}
