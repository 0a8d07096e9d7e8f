// SPDX-License-Identifier: MIT
// The C interface: a transport behind a handle, exceptions turned into errno values.
#include "c_api.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "kvcpu/batch.h"
#include "kvcpu/kvcpu.h"

namespace {

using kvcpu::guarded;

void copy_message(char *message, std::size_t size, const char *text) noexcept {
    if (size == 0) {
        return;
    }
    const std::size_t length = std::min(size - 1, std::strlen(text));
    std::memcpy(message, text, length);
    message[length] = '\0';
}

kvcpu::LoopbackConfig config_of(const kvcpu_loopback &config) {
    kvcpu::LoopbackConfig result;
    result.block_size = config.block_size;
    result.fast_blocks = config.fast_blocks;
    result.slow_blocks = config.slow_blocks;
    result.dma_channels = config.dma_channels;
    result.dma_latency_ns = config.dma_latency_ns;
    result.dma_bandwidth = config.dma_bandwidth;
    result.policy = config.policy;
    return result;
}

}  // namespace

int kvcpu_device_open(const char *path, kvcpu_device **device) {
    return guarded([&] { *device = new kvcpu_device{kvcpu::open_kernel_transport(path)}; });
}

void kvcpu_loopback_defaults(kvcpu_loopback *config) {
    const kvcpu::LoopbackConfig defaults;
    *config = {};
    config->block_size = defaults.block_size;
    config->fast_blocks = defaults.fast_blocks;
    config->slow_blocks = defaults.slow_blocks;
    config->dma_channels = defaults.dma_channels;
    config->dma_latency_ns = defaults.dma_latency_ns;
    config->dma_bandwidth = defaults.dma_bandwidth;
    config->policy = "next-use";
}

int kvcpu_device_open_loopback(const kvcpu_loopback *config, kvcpu_device **device, char *message,
                               size_t size) {
    return guarded([&] {
        try {
            if (config->reserved != 0 || config->policy == nullptr) {
                throw std::invalid_argument(config->reserved != 0 ? "reserved: must be 0"
                                                                  : "policy: is NULL");
            }
            *device = new kvcpu_device{kvcpu::make_loopback_transport(config_of(*config))};
        } catch (const std::invalid_argument &error) {
            copy_message(message, size, error.what());
            throw;
        }
    });
}

void kvcpu_device_close(kvcpu_device *device) {
    delete device;
}

int kvcpu_device_submit(kvcpu_device *device, kvcpu_command *commands, size_t count, unsigned flags,
                        size_t *done) {
    size_t executed = 0;
    int error = -EINVAL;
    if ((flags & ~KVCPU_SUBMIT_CONTINUE) == 0) {
        error = -kvcpu::submit_all(*device->transport, {commands, count},
                                   (flags & KVCPU_SUBMIT_CONTINUE) != 0, executed)
                     .value();
    }
    if (done != nullptr) {
        *done = executed;
    }
    return error;
}

int kvcpu_device_wait(kvcpu_device *device, kvcpu_completion *into, size_t capacity, size_t minimum,
                      uint64_t until_ns, size_t *taken, uint64_t *time_ns) {
    uint64_t now = 0;
    *taken = 0;
    const int error =
        device->transport->wait({into, capacity}, minimum, until_ns, *taken, now).value();
    if (time_ns != nullptr) {
        *time_ns = now;
    }
    return -error;
}

int kvcpu_device_info(kvcpu_device *device, kvcpu_info *info) {
    return guarded([&] { *info = device->transport->info(); });
}

int kvcpu_device_block(kvcpu_device *device, uint64_t number, kvcpu_block *block) {
    return guarded([&] { *block = device->transport->block(number); });
}

int kvcpu_device_counters(kvcpu_device *device, uint64_t *values, size_t capacity, size_t *count) {
    return guarded([&] {
        const std::vector<uint64_t> counters = device->transport->counters();
        std::copy_n(counters.begin(), std::min(capacity, counters.size()), values);
        if (count != nullptr) {
            *count = counters.size();
        }
    });
}

int kvcpu_device_set_policy(kvcpu_device *device, const char *name) {
    return guarded([&] { device->transport->set_policy(name); });
}

int kvcpu_device_set_weights(kvcpu_device *device, const kv_cpu_weights *weights) {
    return guarded([&] { device->transport->set_weights(*weights); });
}

int kvcpu_device_restart_event_log(kvcpu_device *device) {
    return guarded([&] { device->transport->restart_event_log(); });
}

const char *kvcpu_status_text(unsigned status) {
    return kvcpu::describe(static_cast<kvcpu_status>(status));
}
