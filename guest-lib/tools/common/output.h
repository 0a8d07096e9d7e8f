// SPDX-License-Identifier: MIT
// What the tools write. Each output is checked when it is written and when it is closed.
#ifndef KVCPU_COMMON_OUTPUT_H
#define KVCPU_COMMON_OUTPUT_H

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kvcpu::tools {

inline std::runtime_error write_failure(const std::string &name) {
    return std::runtime_error(name + ": cannot be written: " + std::strerror(errno));
}

/* Writes out what is buffered for standard output. Throws if any of it could not be written. */
inline void finish_output() {
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
        throw write_failure("standard output");
    }
}

/* A file that is open for writing. All functions throw std::runtime_error that has its name. */
class OutputFile {
  public:
    /* `name` is the file's name in messages. */
    OutputFile(const std::string &path, int flags, std::string name)
        : name_(std::move(name)), descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
        if (descriptor_ < 0) {
            throw write_failure(name_);
        }
    }
    OutputFile(const std::string &path, int flags) : OutputFile(path, flags, path) {}
    ~OutputFile() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }
    OutputFile(const OutputFile &) = delete;
    OutputFile &operator=(const OutputFile &) = delete;

    [[nodiscard]] const std::string &name() const noexcept { return name_; }
    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

    void write(std::string_view text) {
        while (!text.empty()) {
            const ssize_t written = ::write(descriptor_, text.data(), text.size());
            if (written < 0 && errno != EINTR) {
                throw write_failure(name_);
            }
            text.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
        }
    }
    /* A file system may report only here that what was written is lost. */
    void close() {
        if (::close(std::exchange(descriptor_, -1)) != 0) {
            throw write_failure(name_);
        }
    }

  private:
    std::string name_;
    int descriptor_;
};

/* Writes to standard output. */
inline void write_standard_output(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    finish_output();
}

/*
 * Writes a whole file; "-" is standard output. A new file, or a regular one, is written beside its
 * place and renamed when it is complete. A device, a pipe or a symbolic link is written through.
 * Throws std::runtime_error that names the path.
 */
inline void write_file(const std::string &path, std::string_view text) {
    if (path == "-") {
        write_standard_output(text);
        return;
    }
    std::error_code error;
    const auto status = std::filesystem::symlink_status(path, error);
    const bool through =
        std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
    const std::string target = through ? path : fmt::format("{}.{}.partial", path, ::getpid());
    try {
        OutputFile file(target, O_WRONLY | O_CREAT | O_TRUNC, path);
        file.write(text);
        file.close();
        if (!through && std::rename(target.c_str(), path.c_str()) != 0) {
            throw write_failure(path);
        }
    } catch (...) {
        if (!through) {
            std::filesystem::remove(target, error);
        }
        throw;
    }
}

/*
 * Lines that are written as they come: appended to a file, or to standard output if its path is
 * "-". Without a path they go nowhere.
 */
class LineOutput {
  public:
    explicit LineOutput(const std::string &path) : is_standard_(path == "-") {
        if (!path.empty() && !is_standard_) {
            file_ = std::make_unique<OutputFile>(path, O_WRONLY | O_CREAT | O_APPEND);
        }
    }
    void add(std::string_view line) {
        if (is_standard_) {
            write_standard_output(line);
        } else if (file_) {
            file_->write(line);
        }
    }
    void close() {
        if (file_) {
            file_->close();
        }
    }

  private:
    bool is_standard_;
    std::unique_ptr<OutputFile> file_;
};

}  // namespace kvcpu::tools

#endif  // KVCPU_COMMON_OUTPUT_H
