// SPDX-License-Identifier: MIT
// How programs that replay traces end.
#ifndef KVCPU_SERVING_EXIT_H
#define KVCPU_SERVING_EXIT_H

#include <fmt/core.h>

#include <cstdio>
#include <exception>
#include <stdexcept>

#include "command_line.h"
#include "output.h"
#include "trace.h"

namespace kvcpu::serving {

/* The launcher has the same codes; --help lists them. A wrong option is tools::exit_usage. */
enum ExitCode : int {
    exit_ok = 0,
    exit_failed = 1,
    exit_bad_trace = 89,
    exit_bad_sizes = 91,
    exit_bad_result = 92,
};

/* Runs `work` and returns the exit code. An exception is printed, and selects the exit code. */
template <typename Work>
int exit_code_of(const char *program, Work &&work) noexcept {
    try {
        try {
            const int status = work();
            tools::finish_output();
            return status;
        } catch (const tools::UsageError &error) {
            fmt::print(stderr, "{}: {}\n", program, tools::usage_message(error.what()));
            return tools::exit_usage;
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
