// SPDX-License-Identifier: MIT
#include "results.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "options.h"
#include "output.h"

namespace kvcpu::sim {

namespace {

std::runtime_error failure(const std::string &path) {
    return std::runtime_error(path + ": " + std::strerror(errno));
}

/* FNV-1a, 64 bits. It distinguishes a user's own files, and resists no attack. */
uint64_t digest(const std::string &text) {
    uint64_t value = 0xcbf29ce484222325;
    for (const char byte : text) {
        value = (value ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    }
    return value;
}

std::string whole_file(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) {
        throw std::runtime_error(path + ": cannot be read");
    }
    return text.str();
}

std::string digest_of_file(const std::string &path) {
    return fmt::format("{:016x}", digest(whole_file(path)));
}

/* Locks a file for one process at a time, of those on this machine, until it is closed. */
void lock(const tools::OutputFile &file) {
    if (::flock(file.descriptor(), LOCK_EX) != 0) {
        throw failure(file.name());
    }
}

/* Ends the file behind its last whole line. */
void cut_torn_line(const tools::OutputFile &file) {
    struct stat status = {};
    if (::fstat(file.descriptor(), &status) != 0) {
        throw failure(file.name());
    }
    off_t end = S_ISREG(status.st_mode) ? status.st_size : 0;
    char last = '\n';
    while (end > 0 && ::pread(file.descriptor(), &last, 1, end - 1) == 1 && last != '\n') {
        --end;
    }
    if (end < status.st_size && ::ftruncate(file.descriptor(), end) != 0) {
        throw failure(file.name());
    }
}

}  // namespace

std::string Names::of(const Point &point) {
    auto found = digests_.find(point.trace);
    if (found == digests_.end()) {
        found = digests_.emplace(point.trace, digest_of_file(point.trace)).first;
    }
    return fmt::format(
        "{} {} {} {} {} {} {} {} {}", found->second, point.requests, point.player.name,
        point.fast_blocks, slow_text(point.slow_blocks), number_text(point.scale), point.seed,
        point.without.empty() ? "none" : point.without, point.content ? "content" : "counts");
}

const std::string &Names::program() {
    static const std::string own = digest_of_file("/proc/self/exe");
    return own;
}

Results::Results(std::string path)
    : path_(std::move(path)),
      is_folder_(path_.ends_with('/') || std::filesystem::is_directory(path_)) {
    if (is_folder_) {
        std::filesystem::create_directories(path_);
    }
}

std::string Results::file_of(const std::string &name) const {
    return (std::filesystem::path(path_) / fmt::format("{:016x}.jsonl", digest(name))).string();
}

/* A last line without an end was cut off when its process died. It is not counted. */
void Results::read(const std::string &path, std::unordered_map<std::string, Json> &runs) const {
    const std::string text = whole_file(path);
    std::size_t number = 0;
    for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
        end = text.find('\n', begin);
        if (end == std::string::npos) {
            return;
        }
        ++number;
        Json run = Json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                               text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
        if (!run.is_object() || !run.contains("point") || !run.contains("program")) {
            throw std::runtime_error(fmt::format("{}:{}: no result of a sweep", path, number));
        }
        if (run["program"] != Names::program()) {
            throw std::runtime_error(fmt::format(
                "{}:{}: made by another build of kvcpu-sim, whose figures may differ: give --out "
                "another name, or remove it",
                path, number));
        }
        const std::string name = run["point"];
        runs.insert_or_assign(name, std::move(run));
    }
}

std::unordered_map<std::string, Json> Results::known() {
    std::unordered_map<std::string, Json> runs;
    if (!is_folder_ && !std::filesystem::is_regular_file(path_)) {
        return runs;
    }
    if (!is_folder_) {
        read(path_, runs);
        return runs;
    }
    for (const auto &entry : std::filesystem::directory_iterator(path_)) {
        if (entry.path().extension() == ".jsonl") {
            read(entry.path().string(), runs);
        }
    }
    return runs;
}

void Results::mend() {
    if (is_folder_ || !std::filesystem::is_regular_file(path_)) {
        return;
    }
    tools::OutputFile file(path_, O_RDWR);
    lock(file);
    cut_torn_line(file);
    file.close();
}

void Results::add(const std::string &name, Json run) {
    run["point"] = name;
    run["program"] = Names::program();
    const std::string line = run.dump() + '\n';
    if (is_folder_) {
        tools::write_file(file_of(name), line);
    } else if (path_ == "-") {
        tools::LineOutput(path_).add(line);
    } else {
        tools::OutputFile file(path_, O_RDWR | O_CREAT | O_APPEND);
        lock(file);
        cut_torn_line(file);
        file.write(line);
        file.close();
    }
}

}  // namespace kvcpu::sim
