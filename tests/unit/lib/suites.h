// SPDX-License-Identifier: MIT
// One function a test file; each adds its suite to CUnit's registry.
#ifndef KVCPU_TEST_LIB_SUITES_H
#define KVCPU_TEST_LIB_SUITES_H

#include "../suite.h"

namespace kvcpu_test {

void add_batch_suite();
void add_device_suite();
void add_transport_suite();
void add_trace_suite();
void add_store_suite();
void add_engine_suite();
void add_report_suite();
void add_queue_suite();
void add_await_suite();
void add_memory_suite();

}  // namespace kvcpu_test

#endif  // KVCPU_TEST_LIB_SUITES_H
