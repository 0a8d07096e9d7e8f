// SPDX-License-Identifier: GPL-2.0-or-later
#include "core.h"

namespace kvcpu {

Core::Core(const kvcpu_config &config, const kvcpu_host_ops &ops, void *opaque, void * /*fast*/,
           void * /*slow*/)
    : config_(config), host_(ops, opaque), log_(host_) {
    reset(KVCPU_RESET_COLD);
}

void Core::refuse(kvcpu_counter why, uint64_t offset, uint64_t value) noexcept {
    counters_.add(why);
    log_.append(host_.now(), {.kind = KVCPU_EV_GUEST_ERROR,
                              .detail = static_cast<uint16_t>(why),
                              .first = offset,
                              .value = value});
}

uint64_t Core::read(uint64_t offset, unsigned bytes) noexcept {
    if (entered_) {
        refuse(KVCPU_CNT_REENTERED, offset, 0);
        return 0;
    }
    const Decoded decoded = decode_access(offset, bytes, Direction::read);
    if (const auto *why = std::get_if<kvcpu_counter>(&decoded)) {
        refuse(*why, offset, 0);
        return 0;
    }
    const Target &target = *std::get_if<Target>(&decoded);
    uint64_t value = 0;
    if (const auto *reg = std::get_if<Reg>(&target)) {
        value = read_register(*reg);
    } else if (const auto *counter = std::get_if<CounterIndex>(&target)) {
        value = counters_.value(counter->index);
    } else if (const auto *status = std::get_if<StatusCounterIndex>(&target)) {
        value = counters_.status(status->index);
    }
    if (bytes == 4) {
        value = offset % 8 == 0 ? value & UINT32_MAX : value >> 32;
    }
    return value;
}

void Core::write(uint64_t offset, uint64_t value, unsigned bytes) noexcept {
    if (entered_) {
        refuse(KVCPU_CNT_REENTERED, offset, value);
        return;
    }
    const Decoded decoded = decode_access(offset, bytes, Direction::write);
    if (const auto *why = std::get_if<kvcpu_counter>(&decoded)) {
        refuse(*why, offset, value);
        return;
    }
    entered_ = true;
    write_register(*std::get_if<Reg>(std::get_if<Target>(&decoded)), value);
    entered_ = false;
}

void Core::timer() noexcept {}

uint64_t Core::read_register(Reg reg) noexcept {
    switch (reg) {
        case Reg::BLOCK_SIZE:
            return config_.block_size;
        case Reg::BLOCKS:
            return config_.slow_size / config_.block_size;
        case Reg::FAST_SLOTS:
            return config_.fast_size / config_.block_size;
        case Reg::CONTEXTS:
            return config_.max_contexts;
        case Reg::DMA_CHANNELS:
            return config_.dma_channels;
        case Reg::DMA_LATENCY:
            return config_.dma_latency_ns;
        case Reg::DMA_BANDWIDTH:
            return config_.dma_bandwidth;
        case Reg::TIME:
            return host_.now();
        case Reg::LOG_RECORDS:
            return log_.records();
        default:
            return registers_[reg];
    }
}

void Core::write_register(Reg reg, uint64_t value) noexcept { registers_[reg] = value; }

void Core::reset(kvcpu_reset_kind kind) noexcept {
    registers_.reset();
    if (kind == KVCPU_RESET_COLD) {
        counters_.power_on();
        log_.restart(host_.now());
    } else {
        counters_.reset();
        counters_.add(KVCPU_CNT_RESETS);
    }
    log_.append(host_.now(), {.kind = KVCPU_EV_RESET, .detail = static_cast<uint16_t>(kind)});
}

}  // namespace kvcpu
