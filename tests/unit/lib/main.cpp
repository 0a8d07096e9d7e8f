// SPDX-License-Identifier: MIT
// Runs all suites, or those whose names are given. Exit status 1 if a test failed or none ran.
#include "suites.h"

int main(int argc, char **argv) {
    if (CU_initialize_registry() != CUE_SUCCESS) {
        return 1;
    }
    kvcpu_test::add_batch_suite();
    kvcpu_test::add_device_suite();
    kvcpu_test::add_transport_suite();
    kvcpu_test::add_trace_suite();
    kvcpu_test::add_store_suite();
    kvcpu_test::add_engine_suite();
    kvcpu_test::add_report_suite();
    kvcpu_test::add_queue_suite();
    kvcpu_test::add_await_suite();
    kvcpu_test::add_memory_suite();
    return kvcpu_test::run_suites(argc, argv);
}
