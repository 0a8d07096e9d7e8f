// SPDX-License-Identifier: MIT
// Options and exit status that all tools share. output.h has what they write.
#ifndef KVCPU_COMMON_COMMAND_LINE_H
#define KVCPU_COMMON_COMMAND_LINE_H

#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

namespace kvcpu::tools {

inline constexpr int exit_usage = 2;
/* The largest number of characters in a message about a wrong option. */
inline constexpr std::size_t message_max = 300;
/* A longer word of such a message is shortened to its first `word_shown` characters. */
inline constexpr std::size_t word_max = 80;
inline constexpr std::size_t word_shown = 40;

/* A wrong option or argument. The program ends with exit_usage. */
class UsageError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/* Returns the text, or its beginning and "..." if the text is longer than `most` characters. */
inline std::string shortened(std::string_view text, std::size_t most = 24) {
    return text.size() <= most ? std::string(text) : std::string(text.substr(0, most)) + "...";
}

/* Returns the text of an error about options, with every long word and a long text shortened. */
inline std::string usage_message(std::string_view text) {
    std::string message;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find_first_of(" \t\n", begin), text.size());
        const std::string_view word = text.substr(begin, end - begin);
        message += word.size() > word_max ? shortened(word, word_shown) : std::string(word);
        message += end < text.size() ? text.substr(end, 1) : "";
        begin = end + 1;
    }
    return shortened(message, message_max);
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

/* The end of a range, in a few digits. */
inline std::string limit_text(uint64_t value) {
    return value == UINT64_MAX ? "2^64-1" : std::to_string(value);
}
inline std::string limit_text(double value) {
    return fmt::format("{}", value);
}

/*
 * Accepts a number from `low` to `high`; NaN is in no range. `what` names the number and its unit.
 * The text is replaced by the number in decimal, since the parser would read 010 as octal.
 */
template <typename Value>
CLI::Validator number_from(const char *what, Value low, Value high) {
    const std::string range =
        fmt::format("{} from {} to {}", what, limit_text(low), limit_text(high));
    return {[=](std::string &text) {
                Value value{};
                if (!parse_number(text, value) || !(value >= low && value <= high)) {
                    return fmt::format("'{}' is not {}", shortened(text), range);
                }
                text = fmt::format("{}", value);
                return std::string();
            },
            fmt::format("{}..{}", limit_text(low), limit_text(high))};
}

/* Gives an option that takes a number its range. A default of the variable is shown by --help. */
inline CLI::Option *whole_number(CLI::Option *option, const char *what, uint64_t low,
                                 uint64_t high) {
    return option->capture_default_str()->transform(number_from(what, low, high));
}
inline CLI::Option *real_number(CLI::Option *option, const char *what, double low, double high) {
    return option->capture_default_str()->transform(number_from(what, low, high));
}

inline CLI::Option *trace_scale(CLI::Option *option) {
    return real_number(option, "a number", 0.001, 1000);
}
inline CLI::Option *random_seed(CLI::Option *option) {
    return whole_number(option, "a seed", 0, UINT32_MAX);
}

/*
 * Accepts a path that can be written, so that a wrong one is refused before any work. "-" is
 * standard output. A path that ends with a slash is a folder that the program will create.
 */
inline CLI::Validator output_path(bool may_be_folder = false) {
    return {[=](std::string &path) -> std::string {
                if (path == "-" || (may_be_folder && path.ends_with('/'))) {
                    return {};
                }
                std::error_code ignored;
                const bool exists = std::filesystem::exists(path, ignored);
                const std::filesystem::path folder =
                    std::filesystem::absolute(path, ignored).parent_path();
                if (path.empty() || path.ends_with('/') ||
                    (!may_be_folder && std::filesystem::is_directory(path, ignored))) {
                    return fmt::format("'{}' is not the name of a file", path);
                }
                if (!std::filesystem::is_directory(folder, ignored)) {
                    return fmt::format("{}: its folder does not exist", path);
                }
                if (::access(exists ? path.c_str() : folder.c_str(), W_OK) != 0) {
                    return fmt::format("{}: {}", path, std::strerror(errno));
                }
                return {};
            },
            ""};
}

/* Accepts what `use` takes without an exception of std::invalid_argument; no empty text. */
template <typename Use>
CLI::Validator accepted_by(Use use) {
    return {[use](std::string &text) -> std::string {
                try {
                    use(text);
                } catch (const std::invalid_argument &error) {
                    return error.what();
                }
                return text.empty() ? "the value is empty" : "";
            },
            ""};
}

/* Help that ends the line of each option that takes a value with the option's default. */
class HelpFormatter : public CLI::Formatter {
  public:
    std::string make_option_opts(const CLI::Option *option) const override {
        const bool many = option->get_expected_max() == CLI::detail::expected_max_vector_size;
        return is_flag(option) ? std::string()
                               : " " + option->get_type_name() + (many ? " ..." : "");
    }
    std::string make_option_desc(const CLI::Option *option) const override {
        std::string text = option->get_description();
        if (is_flag(option)) {
            return text;
        }
        if (option->get_required()) {
            return text + " (required)";
        }
        return text + (option->get_default_str().empty()
                           ? " (none by default)"
                           : " (default: " + option->get_default_str() + ")");
    }

  private:
    static bool is_flag(const CLI::Option *option) { return option->get_items_expected_max() == 0; }
};

/* To be called before options and sub-commands are added. */
inline void set_up(CLI::App &app) {
    app.formatter(std::make_shared<HelpFormatter>());
}

/*
 * Returns the text of a parse error. The parser looks for a missing sub-command before it looks at
 * an unknown word, which is the likelier mistake.
 */
inline std::string usage_message(const CLI::App &app, const CLI::ParseError &error) {
    const std::vector<std::string> unknown = app.remaining();
    return usage_message(dynamic_cast<const CLI::RequiredError *>(&error) == nullptr ||
                                 unknown.empty()
                             ? error.what()
                             : "The following argument was not expected: " + unknown.front());
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
        fmt::print(stderr, "{}: {}\n", program, usage_message(app, error));
        if (dynamic_cast<const CLI::RequiredError *>(&error) != nullptr &&
            !app.get_subcommands({}).empty() && app.get_subcommands().empty()) {
            fmt::print(stderr, "{}", app.help());
        }
        status = exit_usage;
        return false;
    }
}

}  // namespace kvcpu::tools

#endif  // KVCPU_COMMON_COMMAND_LINE_H
