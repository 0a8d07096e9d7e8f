// SPDX-License-Identifier: MIT
// How programs that replay traces end.
#ifndef KVCPU_SERVING_EXIT_H
#define KVCPU_SERVING_EXIT_H

#include <fmt/core.h>

#include <cstdio>
#include <exception>
#include <stdexcept>

#include "command_line.h"
#include "trace.h"

namespace kvcpu::serving {

/* As the launcher's; --help lists them. */
enum ExitCode : int {
    exit_ok = 0,
    exit_failed = 1,
    exit_bad_trace = 89,
    exit_bad_policy = 90,
    exit_bad_sizes = 91,
    exit_bad_result = 92,
};

/* Runs `work` and returns the exit code. An exception is printed, and has an exit code of its own.
 */
template <typename Work>
int exit_code_of(const char *program, Work &&work) noexcept {
    try {
        try {
            const int status = work();
            tools::finish_output();
            return status;
        } catch (const TraceError &error) {
            fmt::print(stderr, "{}: {}\n", program, error.what());
            return exit_bad_trace;
        } catch (const std::invalid_argument &error) {
            fmt::print(stderr, "{}: {}\n", program, error.what());
            return exit_bad_sizes;
        } catch (const std::exception &error) {
            fmt::print(stderr, "{}: {}\n", program, error.what());
            return exit_failed;
        }
    } catch (...) {
        std::fprintf(stderr, "%s: an error that cannot be printed\n", program);
        return exit_failed;
    }
}

}  // namespace kvcpu::serving

#endif  // KVCPU_SERVING_EXIT_H
