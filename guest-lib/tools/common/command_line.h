// SPDX-License-Identifier: MIT
// Options, exit status and output that all tools share.
#ifndef KVCPU_COMMON_COMMAND_LINE_H
#define KVCPU_COMMON_COMMAND_LINE_H

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include <unistd.h>

namespace kvcpu::tools {

inline constexpr int exit_usage = 2;
/* Characters of a message about a wrong option. */
inline constexpr std::size_t message_max = 300;

/* The text, or its beginning and "..." if it is longer than `most` characters. */
inline std::string shortened(std::string_view text, std::size_t most = 24) {
    return text.size() <= most ? std::string(text) : std::string(text.substr(0, most)) + "...";
}

/* Parses the whole text, of which an integer may be hexadecimal (0x...). False if it is no number.
 */
inline bool parse_number(std::string_view text, uint64_t &value) {
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    text.remove_prefix(hex ? 2 : 0);
    const char *end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, hex ? 16 : 10);
    return error == std::errc() && stop == end;
}
inline bool parse_number(std::string_view text, double &value) {
    const char *end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc() && stop == end;
}

/* Accepts a number from `low` to `high`; no NaN is. `what` names the number and its unit. */
template <typename Value>
CLI::Validator number_from(const char *what, Value low, Value high) {
    const std::string range = fmt::format("{} from {} to {}", what, low, high);
    return {[=](std::string &text) {
                Value value{};
                const bool good = parse_number(text, value) && value >= low && value <= high;
                return good ? std::string() : fmt::format("'{}' is not {}", shortened(text), range);
            },
            fmt::format("{}..{}", low, high)};
}
inline CLI::Validator whole_number(const char *what, uint64_t low, uint64_t high) {
    return number_from(what, low, high);
}
inline CLI::Validator real_number(const char *what, double low, double high) {
    return number_from(what, low, high);
}

inline CLI::Validator trace_scale() {
    return real_number("a number", 0.001, 1000);
}
inline CLI::Validator random_seed() {
    return whole_number("a seed", 0, UINT32_MAX);
}

/* Parses the command line. Returns true if the program should go on; else `status` is its end. */
inline bool parse(CLI::App &app, const char *program, int argc, char **argv, int &status) {
    try {
        app.parse(argc, argv);
        return true;
    } catch (const CLI::ParseError &error) {
        if (error.get_exit_code() == 0) {
            status = app.exit(error);
            return false;
        }
        fmt::print(stderr, "{}: {}\n", program, shortened(error.what(), message_max));
        if (dynamic_cast<const CLI::RequiredError *>(&error) != nullptr &&
            !app.get_subcommands({}).empty() && app.get_subcommands().empty()) {
            fmt::print(stderr, "{}", app.help());
        }
        status = exit_usage;
        return false;
    }
}

/* Writes out what is buffered for standard output. Throws if any of it could not be written. */
inline void finish_output() {
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
        throw std::runtime_error("standard output: cannot be written");
    }
}

/*
 * Writes a whole file, through a temporary one beside it that takes its name at the end. A device
 * or a pipe is written directly. Throws if anything could not be written.
 */
inline void write_file(const std::string &path, std::string_view text) {
    std::error_code ignored;
    const auto status = std::filesystem::status(path, ignored);
    const bool direct =
        std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
    const std::string target = direct ? path : fmt::format("{}.{}.partial", path, ::getpid());
    std::ofstream file(target, std::ios::binary);
    file << text;
    file.close();
    if (!file) {
        if (!direct) {
            std::filesystem::remove(target, ignored);
        }
        throw std::runtime_error(path + ": cannot be written");
    }
    if (!direct) {
        std::filesystem::rename(target, path);
    }
}

}  // namespace kvcpu::tools

#endif  // KVCPU_COMMON_COMMAND_LINE_H
