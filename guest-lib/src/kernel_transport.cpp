// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

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
    ~KernelTransport() override { ::close(file_); }
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
        const bool failed = ::ioctl(file_, KVCPU_IOC_SUBMIT, &submit) < 0;
        done = submit.done;
        return failed ? last_error() : std::error_code();
    }

    std::error_code wait(std::span<kvcpu_completion> into, std::size_t minimum, uint64_t until_ns,
                         std::size_t &taken, uint64_t &time_ns) noexcept override {
        kvcpu_wait wait = {};
        wait.completions = reinterpret_cast<uintptr_t>(into.data());
        wait.capacity = static_cast<uint32_t>(into.size());
        wait.min = static_cast<uint32_t>(minimum);
        wait.until_ns = until_ns;
        const bool failed = ::ioctl(file_, KVCPU_IOC_WAIT, &wait) < 0;
        taken = wait.count;
        time_ns = wait.time_ns;
        return failed ? last_error() : std::error_code();
    }

    kvcpu_block block(uint64_t number) override {
        kvcpu_block block = {};
        block.block = number;
        call(KVCPU_IOC_BLOCK, &block, "BLOCK");
        return block;
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

  private:
    void call(unsigned long number, void *argument, const char *name) {
        if (::ioctl(file_, number, argument) < 0) {
            throw failure(path_ + ": " + name);
        }
    }

    /* Attributes are on the node's own device, whatever its class is called. */
    void write_attribute(const std::string &name, const std::string &value) {
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
        const ssize_t written = ::write(file, value.data(), value.size());
        const int error = errno;
        ::close(file);
        if (written < 0) {
            errno = error;
            throw failure(attribute + " = " + value);
        }
    }

    std::string path_;
    int file_;
};

}  // namespace

std::unique_ptr<Transport> open_kernel_transport(const std::string &path) {
    return std::make_unique<KernelTransport>(path);
}

}  // namespace kvcpu
