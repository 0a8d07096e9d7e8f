// SPDX-License-Identifier: MIT
#include "html_report.h"

#include <array>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string_view>

/* assets.S */
extern "C" {
extern const char kvcpu_report_page[];
extern const char kvcpu_report_page_end[];
extern const char kvcpu_report_script[];
extern const char kvcpu_report_script_end[];
extern const char kvcpu_report_sections[];
extern const char kvcpu_report_sections_end[];
extern const char kvcpu_report_library[];
extern const char kvcpu_report_library_end[];
}

namespace kvcpu::report {

namespace {

/* The fields that the sections of the page need. */
constexpr std::array needed = {
    "policy",
    "hints",
    "fast_blocks",
    "slow_blocks",
    "scale",
    "seed",
    "requests",
    "block_uses",
    "fast",
    "slow",
    "recomputed",
    "stall_ns_total",
    "stall_ns_mean",
    "stall_ns_p99",
    "ttft_ns_mean",
    "ttft_ns_p99",
    "blocks_in",
    "blocks_out",
    "verification_failures",
};

std::string_view asset(const char *begin, const char *end) {
    return {begin, static_cast<std::size_t>(end - begin)};
}

/* Escapes what would end a script element, or start a comment in it. */
std::string inside_script(std::string_view text) {
    std::string safe;
    safe.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const std::string_view rest = text.substr(i);
        if (rest.starts_with("</") || rest.starts_with("<!")) {
            safe += "\\u003c";
        } else {
            safe += text[i];
        }
    }
    return safe;
}

void add_document(Json &all, const Json &document) {
    for (const char *part : {"parameters", "versions", "host"}) {
        if (document.contains(part) && all[part].empty()) {
            all[part] = document[part];
        }
    }
    for (const Json &run : document["runs"]) {
        all["runs"].push_back(run);
    }
}

void read_lines(Json &all, const std::string &path, const std::string &text) {
    std::istringstream lines(text);
    std::size_t number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        if (line.empty()) {
            continue;
        }
        Json run = Json::parse(line, nullptr, false);
        if (!run.is_object()) {
            throw std::runtime_error(path + ":" + std::to_string(number) + ": no JSON object");
        }
        all["runs"].push_back(std::move(run));
    }
}

void check(const Json &runs) {
    if (!runs.is_array() || runs.empty()) {
        throw std::runtime_error("there is no run to report");
    }
    for (std::size_t i = 0; i < runs.size(); ++i) {
        for (const char *name : needed) {
            if (!runs[i].contains(name)) {
                throw std::runtime_error("run " + std::to_string(i + 1) + " has no '" + name + "'");
            }
        }
    }
}

}  // namespace

Json read_files(const std::vector<std::string> &paths) {
    Json all = {{"parameters", Json::object()},
                {"versions", Json::object()},
                {"host", Json::object()},
                {"runs", Json::array()}};
    for (const std::string &path : paths) {
        std::ifstream file(path, std::ios::binary);
        std::ostringstream text;
        if (!(text << file.rdbuf())) {
            throw std::runtime_error(path + ": cannot be read, or is empty");
        }
        const Json document = Json::parse(text.str(), nullptr, false);
        if (document.is_object() && document.contains("runs")) {
            add_document(all, document);
        } else {
            read_lines(all, path, text.str());
        }
    }
    return all;
}

std::string html_page(const Json &document) {
    check(document.at("runs"));
    std::string page(asset(kvcpu_report_page, kvcpu_report_page_end));
    const auto put = [&page](std::string_view mark, const std::string &text) {
        page.replace(page.find(mark), mark.size(), text);
    };
    std::string script(asset(kvcpu_report_script, kvcpu_report_script_end));
    script += asset(kvcpu_report_sections, kvcpu_report_sections_end);
    /* The last mark is replaced first, so that no mark is searched in inserted text. */
    put("@SCRIPT@", script);
    put("@LIBRARY@", std::string(asset(kvcpu_report_library, kvcpu_report_library_end)));
    put("@DATA@", inside_script(document.dump()));
    return page;
}

}  // namespace kvcpu::report
