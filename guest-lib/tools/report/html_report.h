// SPDX-License-Identifier: MIT
#ifndef KVCPU_REPORT_HTML_REPORT_H
#define KVCPU_REPORT_HTML_REPORT_H

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace kvcpu::report {

using Json = nlohmann::ordered_json;

/*
 * Reads runs from files: each a document with `runs` as `demo --json` writes it, or JSON lines of
 * single runs as a sweep does. The result is one document; parameters and versions are those of
 * the first file that has them. Throws std::runtime_error that names file and line.
 */
Json read_files(const std::vector<std::string> &paths);

/*
 * Returns one self-contained page, with its styles, plotting library, script and data. It makes no
 * network request. Throws std::runtime_error if a run lacks a needed field.
 */
std::string html_page(const Json &document);

}  // namespace kvcpu::report

#endif  // KVCPU_REPORT_HTML_REPORT_H
