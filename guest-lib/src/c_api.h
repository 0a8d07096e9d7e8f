// SPDX-License-Identifier: MIT
// Parts that the C interfaces share: the device's handle, and the errno values of exceptions.
#ifndef KVCPU_C_API_H
#define KVCPU_C_API_H

#include <cerrno>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>

#include "kvcpu/device.h"
#include "kvcpu/transport.h"

struct kvcpu_device {
    std::unique_ptr<kvcpu::Transport> transport;
};

namespace kvcpu {

/* Runs `what`, and turns an exception into a negative errno value. */
template <typename What>
int guarded(What what) noexcept {
    try {
        what();
        return 0;
    } catch (const std::system_error &error) {
        return -error.code().value();
    } catch (const CommandError &error) {
        return error.status() == KVCPU_SC_NOT_OWNER ? -EPERM : -EBUSY;
    } catch (const std::bad_alloc &) {
        return -ENOMEM;
    } catch (const std::invalid_argument &) {
        return -EINVAL;
    } catch (...) {
        return -EIO;
    }
}

}  // namespace kvcpu

#endif  // KVCPU_C_API_H
