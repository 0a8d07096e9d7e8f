// SPDX-License-Identifier: MIT
#include "loopback_device.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <stdexcept>
#include <system_error>

#include "kvcpu_hw_rings.h"

namespace kvcpu {

TierMemory::TierMemory(std::size_t bytes) : bytes_(bytes) {
    if (bytes == 0) {
        return;
    }
    file_ = ::memfd_create("kvcpu-tier", MFD_CLOEXEC);
    if (file_ < 0 || ::ftruncate(file_, static_cast<off_t>(bytes)) != 0) {
        const int error = errno;
        if (file_ >= 0) {
            ::close(file_);
        }
        throw std::system_error(error, std::generic_category(), "memory of a tier");
    }
    data_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file_, 0);
    if (data_ == MAP_FAILED) {
        ::close(file_);
        throw std::bad_alloc();
    }
}

TierMemory::~TierMemory() {
    if (data_ != nullptr) {
        ::munmap(data_, bytes_);
        ::close(file_);
    }
}

SharedPages::SharedPages(std::size_t bytes)
    : bytes_((bytes + KVCPU_RING_ALIGN - 1) / KVCPU_RING_ALIGN * KVCPU_RING_ALIGN) {
    data_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data_ == MAP_FAILED) {
        data_ = nullptr;
        throw std::bad_alloc();
    }
}

SharedPages::~SharedPages() {
    if (data_ != nullptr) {
        ::munmap(data_, bytes_);
    }
}

LoopbackDevice::LoopbackDevice(const LoopbackConfig &config)
    : fast_(config.content ? config.fast_blocks * config.block_size : 0),
      slow_(config.content ? config.slow_blocks * config.block_size : 0),
      next_use_(config.next_use) {
    kvcpu_config core = {};
    core.block_size = config.block_size;
    core.fast_size = config.fast_blocks * config.block_size;
    core.slow_size = config.slow_blocks * config.block_size;
    core.max_contexts = 2;
    core.policy = static_cast<uint32_t>(kvcpu_policy_number(config.policy.c_str()));
    core.dma_channels = config.dma_channels;
    core.dma_latency_ns = config.dma_latency_ns;
    core.dma_bandwidth = config.dma_bandwidth;
    std::array<char, 200> message{};
    kvcpu_host_ops ops = host_ops();
    if (next_use_) {
        ops.next_use = [](void *opaque, uint32_t block) { return self(opaque).next_use_(block); };
    }
    core_ = kvcpu_core_create(&core, &ops, this, fast_.data(), slow_.data(), message.data(),
                              message.size());
    if (core_ == nullptr) {
        throw std::invalid_argument(message.data());
    }
}

kvcpu_host_ops LoopbackDevice::host_ops() {
    kvcpu_host_ops ops = {};
    ops.now = [](void *opaque) { return self(opaque).now_; };
    ops.set_timer = [](void *opaque, uint64_t ns) { self(opaque).timer_ns_ = ns; };
    ops.dma_read = [](void *, uint64_t address, void *to, uint64_t bytes) {
        std::memcpy(to, reinterpret_cast<const void *>(address), bytes);
        return KVCPU_DMA_OK;
    };
    ops.dma_write = [](void *, uint64_t address, const void *from, uint64_t bytes) {
        std::memcpy(reinterpret_cast<void *>(address), from, bytes);
        return KVCPU_DMA_OK;
    };
    ops.notify = [](void *opaque, unsigned vector) {
        if (self(opaque).follower_ != nullptr) {
            self(opaque).follower_->interrupted(vector);
        }
    };
    ops.tier_written = [](void *, kvcpu_tier, uint64_t, uint64_t) {};
    ops.event = [](void *, const kvcpu_event *) {};
    return ops;
}

uint64_t LoopbackDevice::execute(const kvcpu_command &command) noexcept {
    put(KVCPU_REG_CMD_FIRST, command.first);
    put(KVCPU_REG_CMD_COUNT, command.count);
    put(KVCPU_REG_CMD_ARG, command.arg);
    put(KVCPU_REG_CMD_ADDR, command.buffer);
    put(KVCPU_REG_CMD_EXTENT, uint64_t{command.offset} << KVCPU_EXT_OFFSET_SHIFT |
                                  uint64_t{command.length} << KVCPU_EXT_LENGTH_SHIFT);
    put(KVCPU_REG_CMD_META, command.meta);
    put(KVCPU_REG_CMD_TAG, command.user_data);
    put(KVCPU_REG_CMD_CONTROL, uint64_t{command.opcode} |
                                   uint64_t{command.flags} << KVCPU_CTL_FLAGS_SHIFT |
                                   uint64_t{context} << KVCPU_CTL_CONTEXT_SHIFT);
    return get(KVCPU_REG_CMD_RESULT);
}

void LoopbackDevice::advance(uint64_t until_ns) noexcept {
    now_ = std::max(now_, std::min(timer_ns_, until_ns));
    if (timer_ns_ <= now_) {
        timer_ns_ = KVCPU_TIMER_OFF;
        kvcpu_core_timer(core_);
    }
    settle();
}

}  // namespace kvcpu
