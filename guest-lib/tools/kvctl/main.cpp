// SPDX-License-Identifier: MIT
// kvctl: inspects and controls a KV-CPU.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <string>

#include "command_line.h"
#include "commands.h"
#include "output.h"

namespace {

using kvcpu::kvctl::Session;

using kvcpu::tools::exit_usage;

enum ExitCode : int { exit_ok = 0, exit_failed = 1 };

const char *const footer =
    "step, hot, evict, prefetch and share act on bytes of context 0, which all processes share.\n"
    "Their hints stay in force when kvctl has ended. The commands from alloc to release act on\n"
    "blocks of a context that ends with kvctl; `kvctl script` executes several commands in one\n"
    "context, one on each line of its input.\n"
    "\n"
    "Exit status: 0 done; 1 the device or the driver refused; 2 a wrong option or command.";

void add_commands(CLI::App &app, Session &session) {
    app.require_subcommand(1);
    kvcpu::kvctl::add_looks(app, session);
    kvcpu::kvctl::add_history(app, session);
    kvcpu::kvctl::add_top(app, session);
    kvcpu::kvctl::add_administration(app, session);
    kvcpu::kvctl::add_reference_hints(app, session);
    kvcpu::kvctl::add_own_commands(app, session);
}

/* Runs `parse` and returns the exit status. An error is printed after `place`. */
int guarded(const std::string &place, CLI::App &app, const std::function<void()> &parse) {
    try {
        parse();
    } catch (const CLI::ParseError &error) {
        if (error.get_exit_code() == 0) {
            return app.exit(error);
        }
        fmt::print(stderr, "{}: {}\n", place, kvcpu::tools::usage_message(app, error));
        return exit_usage;
    } catch (const std::exception &error) {
        fmt::print(stderr, "{}: {}\n", place, error.what());
        return exit_failed;
    }
    return exit_ok;
}

/* Executes the lines of standard input. The first line that fails ends the script. */
int run_script(Session &session) {
    std::size_t number = 0;
    for (std::string line; std::getline(std::cin, line);) {
        ++number;
        if (line.find_first_not_of(" \t\r") == std::string::npos || line.front() == '#') {
            continue;
        }
        CLI::App app("A command of kvctl.", "kvctl");
        kvcpu::tools::set_up(app);
        add_commands(app, session);
        const std::string place =
            fmt::format("kvctl: line {}: {}", number, kvcpu::tools::usage_message(line));
        const int status = guarded(place, app, [&] { app.parse(line); });
        std::fflush(stdout);
        if (status != exit_ok) {
            return status;
        }
    }
    return exit_ok;
}

int run(int argc, char **argv) {
    Session session;
    CLI::App app("Inspect and control a KV-CPU.");
    kvcpu::tools::set_up(app);
    app.add_option("-d,--device", session.path, "device node")
        ->capture_default_str()
        ->check(kvcpu::tools::accepted_by([](const std::string &) {}));
    app.add_flag("--loopback", session.loopback,
                 "use a device in this process instead of a device node");
    app.add_flag("--json", session.json, "print JSON");
    app.footer(footer);
    add_commands(app, session);
    bool script = false;
    app.add_subcommand("script", "execute commands from standard input, in one context")
        ->callback([&script] { script = true; });
    const int status = guarded("kvctl", app, [&] { app.parse(argc, argv); });
    const int result = status == exit_ok && script ? run_script(session) : status;
    const int written = guarded("kvctl", app, kvcpu::tools::finish_output);
    return written == exit_ok ? result : written;
}

}  // namespace

int main(int argc, char **argv) {
    try {
        return run(argc, argv);
    } catch (...) {
        std::fputs("kvctl: an error that cannot be printed\n", stderr);
        return exit_failed;
    }
}
