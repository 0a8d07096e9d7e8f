// SPDX-License-Identifier: MIT
// What the unit tests' programs have in common: how a suite is written down, and which ones run.
#ifndef KVCPU_TEST_SUITE_H
#define KVCPU_TEST_SUITE_H

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include <cstring>

namespace kvcpu_test {

/* A builder, so that a suite is a list of test names and functions. */
class Suite {
  public:
    explicit Suite(const char *name) : suite_(CU_add_suite(name, nullptr, nullptr)) {}
    Suite &test(const char *says, void (*function)()) {
        CU_add_test(suite_, says, function);
        return *this;
    }

  private:
    CU_pSuite suite_;
};

inline bool is_chosen(const CU_Suite *suite, int argc, char **argv) {
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(suite->pName, argv[i]) == 0) {
            return true;
        }
    }
    return argc == 1;
}

/*
 * Runs all suites of the registry, or those whose names are given, and empties it. The exit status:
 * 1 if a test failed or none ran.
 */
inline int run_suites(int argc, char **argv) {
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

}  // namespace kvcpu_test

#endif  // KVCPU_TEST_SUITE_H
