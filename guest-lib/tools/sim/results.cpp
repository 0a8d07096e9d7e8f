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

namespace kvcpu::sim {

namespace {

std::runtime_error failure(const std::string &path) {
    return std::runtime_error(path + ": " + std::strerror(errno));
}

/* FNV-1a, 64 bits: told apart are files of one's own, not those of an adversary. */
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

/* An open file that is closed, and unlocked with that, whatever happens. */
class OpenFile {
  public:
    OpenFile(const std::string &path, int flags) : path_(path) {
        descriptor_ = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
        if (descriptor_ < 0) {
            throw failure(path);
        }
    }
    ~OpenFile() { ::close(descriptor_); }
    OpenFile(const OpenFile &) = delete;
    OpenFile &operator=(const OpenFile &) = delete;

    /* One process at a time, of those on this machine. */
    void lock() const {
        if (::flock(descriptor_, LOCK_EX) != 0) {
            throw failure(path_);
        }
    }
    void write(const std::string &text) const {
        const ssize_t written = ::write(descriptor_, text.data(), text.size());
        if (written != static_cast<ssize_t>(text.size())) {
            errno = written < 0 ? errno : ENOSPC;
            throw failure(path_);
        }
    }
    /* Ends the file behind its last whole line. */
    void cut_torn_line() const {
        struct stat status = {};
        if (::fstat(descriptor_, &status) != 0) {
            throw failure(path_);
        }
        off_t end = S_ISREG(status.st_mode) ? status.st_size : 0;
        char last = '\n';
        while (end > 0 && ::pread(descriptor_, &last, 1, end - 1) == 1 && last != '\n') {
            --end;
        }
        if (end < status.st_size && ::ftruncate(descriptor_, end) != 0) {
            throw failure(path_);
        }
    }

  private:
    std::string path_;
    int descriptor_;
};

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

/* A last line without an end was being written when its process died. */
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
    const OpenFile file(path_, O_RDWR);
    file.lock();
    file.cut_torn_line();
}

void Results::add(const std::string &name, Json run) {
    run["point"] = name;
    run["program"] = Names::program();
    const std::string line = run.dump() + '\n';
    if (path_ == "-") {
        if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size() ||
            std::fflush(stdout) != 0) {
            throw failure("standard output");
        }
        return;
    }
    if (!is_folder_) {
        const OpenFile file(path_, O_RDWR | O_CREAT | O_APPEND);
        file.lock();
        file.cut_torn_line();
        file.write(line);
        return;
    }
    const std::string partial = fmt::format("{}.{}.partial", file_of(name), ::getpid());
    OpenFile(partial, O_WRONLY | O_CREAT | O_TRUNC).write(line);
    std::filesystem::rename(partial, file_of(name));
}

}  // namespace kvcpu::sim
