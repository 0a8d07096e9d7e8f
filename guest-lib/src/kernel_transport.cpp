// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <deque>

#include "kernel_queue.h"
#include "kvcpu/transport.h"

namespace kvcpu {

namespace {

std::system_error failure(const std::string &what) {
    return {errno, std::generic_category(), what};
}

std::error_code last_error() {
    return {errno, std::generic_category()};
}

class KernelTransport final : public Transport {
  public:
    explicit KernelTransport(const std::string &path)
        : path_(path), file_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
        if (file_ < 0) {
            throw failure(path);
        }
    }
    ~KernelTransport() override {
        if (clock_stop_ >= 0) {
            stop_clock(KVCPU_CLOCK_RUNS);
            ::close(clock_stop_);
        }
        ::close(file_);
    }
    KernelTransport(const KernelTransport &) = delete;
    KernelTransport &operator=(const KernelTransport &) = delete;

    kvcpu_info info() override {
        kvcpu_info info = {};
        call(KVCPU_IOC_INFO, &info, "INFO");
        return info;
    }

    std::error_code submit(std::span<kvcpu_command> commands, bool go_on,
                           std::size_t &done) noexcept override {
        kvcpu_submit submit = {};
        submit.commands = reinterpret_cast<uintptr_t>(commands.data());
        submit.count = static_cast<uint32_t>(commands.size());
        submit.command_size = sizeof(kvcpu_command);
        submit.flags = go_on ? KVCPU_SUBMIT_CONTINUE : 0;
        const bool failed = control(KVCPU_IOC_SUBMIT, &submit) < 0;
        done = submit.done;
        return failed ? last_error() : std::error_code();
    }

    std::error_code wait(std::span<kvcpu_completion> into, std::size_t minimum, uint64_t until_ns,
                         std::size_t &taken, uint64_t &time_ns) noexcept override {
        return clock_stop_ < 0 ? take(into, minimum, until_ns, taken, time_ns)
                               : run_clock(into, minimum, until_ns, taken, time_ns);
    }

    kvcpu_block block(uint64_t number) override {
        kvcpu_block block = {};
        block.block = number;
        call(KVCPU_IOC_BLOCK, &block, "BLOCK");
        return block;
    }

    std::vector<kvcpu_record> history(uint64_t block, std::size_t most) override {
        std::vector<kvcpu_record> records;
        kvcpu_history request = {};
        request.block = block;
        request.before = UINT64_MAX;
        do {
            const std::size_t known = records.size();
            request.capacity =
                static_cast<uint32_t>(std::min<std::size_t>(most - known, KVCPU_HISTORY_MAX));
            records.resize(known + request.capacity);
            request.records = reinterpret_cast<uintptr_t>(&records[known]);
            call(KVCPU_IOC_HISTORY, &request, "HISTORY");
            records.resize(known + request.count);
        } while (request.count == request.capacity && records.size() < most);
        return records;
    }

    std::vector<uint64_t> counters() override {
        std::vector<uint64_t> values(std::size_t{KVCPU_COUNTER_COUNT} + KVCPU_STATUS_COUNT);
        kvcpu_counters counters = {};
        counters.values = reinterpret_cast<uintptr_t>(values.data());
        counters.capacity = static_cast<uint32_t>(values.size());
        call(KVCPU_IOC_COUNTERS, &counters, "COUNTERS");
        return values;
    }

    void set_weights(const kv_cpu_weights &weights) override {
        kv_cpu_weights copy = weights;
        call(KV_CPU_SET_WEIGHTS, &copy, "SET_WEIGHTS");
    }

    void set_policy(const std::string &name) override { write_attribute("policy", name); }
    void restart_event_log() override { write_attribute("event_log_restart", "1"); }

    void stop_clock_between_waits() override {
        if (clock_stop_ < 0) {
            clock_stop_ = open_attribute("clock_stop");
        }
        if (const std::error_code error = stop_clock(1)) {
            throw std::system_error(error, "clock_stop");
        }
    }

    std::unique_ptr<QueueLink> open_queue(const QueueConfig &config) override {
        return std::make_unique<KernelLink>(file_, calls_, config);
    }

    [[nodiscard]] uint64_t system_calls() const noexcept override { return calls_; }

  private:
    std::error_code take(std::span<kvcpu_completion> into, std::size_t minimum, uint64_t until_ns,
                         std::size_t &taken, uint64_t &time_ns) noexcept {
        kvcpu_wait wait = {};
        wait.completions = reinterpret_cast<uintptr_t>(into.data());
        wait.capacity = static_cast<uint32_t>(into.size());
        wait.min = static_cast<uint32_t>(minimum);
        wait.until_ns = until_ns;
        const bool failed = control(KVCPU_IOC_WAIT, &wait) < 0;
        taken = wait.count;
        time_ns = wait.time_ns;
        return failed ? last_error() : std::error_code();
    }

    /* Runs the stopped clock until `until_ns` or the next completion, where it stops again. */
    std::error_code run_clock(std::span<kvcpu_completion> into, std::size_t minimum,
                              uint64_t until_ns, std::size_t &taken, uint64_t &time_ns) noexcept {
        taken = 0;
        if (minimum > into.size()) {
            return std::make_error_code(std::errc::invalid_argument);
        }
        std::error_code error = collect(0, 0, time_ns);
        while (!error && until_ns > time_ns && (minimum == 0 || waiting_.size() < minimum)) {
            error = stop_clock(until_ns);
            error = error ? error : collect(1, until_ns, time_ns);
        }
        for (; taken < into.size() && !waiting_.empty(); ++taken) {
            into[taken] = waiting_.front();
            waiting_.pop_front();
        }
        return error;
    }

    std::error_code collect(std::size_t minimum, uint64_t until_ns, uint64_t &time_ns) noexcept {
        std::array<kvcpu_completion, 64> some{};
        std::size_t count = 0;
        const std::error_code error = take(some, minimum, until_ns, count, time_ns);
        waiting_.insert(waiting_.end(), some.begin(), some.begin() + count);
        return error;
    }

    std::error_code stop_clock(uint64_t at_ns) noexcept {
        std::array<char, 24> text{};
        const auto end = std::to_chars(text.data(), text.data() + text.size(), at_ns);
        const auto length = static_cast<std::size_t>(end.ptr - text.data());
        ++calls_;
        return ::pwrite(clock_stop_, text.data(), length, 0) < 0 ? last_error() : std::error_code();
    }

    int control(unsigned long number, void *argument) noexcept {
        ++calls_;
        return ::ioctl(file_, number, argument);
    }

    void call(unsigned long number, void *argument, const char *name) {
        if (control(number, argument) < 0) {
            throw failure(path_ + ": " + name);
        }
    }

    /* The attributes are those of the node's own device, so the name of its class does not matter.
     */
    int open_attribute(const std::string &name) {
        struct stat status = {};
        if (::fstat(file_, &status) < 0) {
            throw failure(path_);
        }
        const std::string attribute = "/sys/dev/char/" + std::to_string(major(status.st_rdev)) +
                                      ":" + std::to_string(minor(status.st_rdev)) + "/" + name;
        const int file = ::open(attribute.c_str(), O_WRONLY | O_CLOEXEC);
        if (file < 0) {
            throw failure(attribute);
        }
        return file;
    }

    void write_attribute(const std::string &name, const std::string &value) {
        const int file = open_attribute(name);
        const ssize_t written = ::write(file, value.data(), value.size());
        const int error = errno;
        ::close(file);
        if (written < 0) {
            errno = error;
            throw failure(path_ + ": " + name + " = " + value);
        }
    }

    std::string path_;
    int file_;
    int clock_stop_ = -1;                   // the attribute's file, opened at its first use
    std::deque<kvcpu_completion> waiting_;  // taken from the kernel, and not yet returned by wait()
    uint64_t calls_ = 0;
};

}  // namespace

std::unique_ptr<Transport> open_kernel_transport(const std::string &path) {
    return std::make_unique<KernelTransport>(path);
}

}  // namespace kvcpu
