// SPDX-License-Identifier: MIT
// How programs that replay traces end.
#ifndef KVCPU_REPLAY_EXIT_H
#define KVCPU_REPLAY_EXIT_H

#include <fmt/core.h>

#include <cstdio>
#include <exception>
#include <stdexcept>

#include "trace.h"

namespace kvcpu::replay {

/* As the launcher's; --help lists them. */
enum ExitCode : int {
    exit_ok = 0,
    exit_failed = 1,
    exit_bad_trace = 89,
    exit_bad_policy = 90,
    exit_bad_sizes = 91,
    exit_bad_result = 92,
};

/* The exit code of `work`; what it throws is said, and has a code, too. */
template <typename Work>
int exit_code_of(const char *program, Work &&work) noexcept {
    try {
        try {
            return work();
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
        std::fprintf(stderr, "%s: cannot even say what went wrong\n", program);
        return exit_failed;
    }
}

}  // namespace kvcpu::replay

#endif  // KVCPU_REPLAY_EXIT_H
