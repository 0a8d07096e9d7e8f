// SPDX-License-Identifier: MIT
#include "session.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

namespace kvcpu::kvctl {

Transport &Session::transport() {
    if (!transport_) {
        transport_ = loopback ? make_loopback_transport({}) : open_kernel_transport(path);
    }
    return *transport_;
}

void Session::reference(unsigned long number, void *argument, const char *name) const {
    if (loopback) {
        throw std::runtime_error(
            std::string(name) +
            " belongs to the reference interface, which --loopback does not have");
    }
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (file < 0) {
        throw std::system_error(errno, std::generic_category(), path);
    }
    const bool failed = ::ioctl(file, number, argument) < 0;
    const int error = errno;
    ::close(file);
    if (failed) {
        throw std::system_error(error, std::generic_category(), path + ": " + name);
    }
}

void Session::print(const Json &object) const {
    if (json) {
        fmt::print("{}\n", object.dump(2));
        return;
    }
    for (const auto &[name, value] : object.items()) {
        fmt::print("{:<22} {}\n", name,
                   value.is_string() ? value.get<std::string>() : value.dump());
    }
}

}  // namespace kvcpu::kvctl
