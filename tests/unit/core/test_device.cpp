// SPDX-License-Identifier: MIT
#include "test_device.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <utility>

namespace kvcpu_test {

namespace {

TestDevice &self(void *opaque) {
    return *static_cast<TestDevice *>(opaque);
}

}  // namespace

kvcpu_config small_config() {
    return {.block_size = 4096,
            .fast_size = uint64_t{4} * 4096,
            .slow_size = uint64_t{16} * 4096,
            .max_contexts = 4,
            .policy = KVCPU_POLICY_HEPC,
            .dma_channels = 2,
            .dma_latency_ns = 1000,
            .dma_bandwidth = 1'000'000'000,
            .scrub_bandwidth = 0,
            .vectors = 0,
            .doorbell_latency_ns = 0};
}

Result decode_result(uint64_t word) {
    return {static_cast<unsigned>(word & KVCPU_RES_STATUS_MASK),
            static_cast<unsigned>((word >> KVCPU_RES_AUX_SHIFT) & KVCPU_RES_AUX_MASK),
            static_cast<uint32_t>(word >> KVCPU_RES_VALUE_SHIFT)};
}

Memory::Memory(size_t size) : bytes_(static_cast<uint8_t *>(std::calloc(size, 1))), size_(size) {
    if (bytes_ == nullptr) {
        throw std::bad_alloc();
    }
}

Memory::~Memory() {
    std::free(bytes_);
}

uint8_t &Memory::at(size_t offset) {
    if (offset >= size_) {
        throw std::out_of_range("Memory::at");
    }
    return bytes_[offset];
}

TestDevice::TestDevice(const kvcpu_config &cfg) : TestDevice(cfg, {}) {}

TestDevice::TestDevice(const kvcpu_config &cfg, std::function<uint64_t(uint32_t)> oracle)
    : config(cfg),
      memory(size_t{1} << 20),
      fast(cfg.fast_size),
      slow(cfg.slow_size),
      next_use(std::move(oracle)) {
    kvcpu_host_ops ops = {};
    ops.now = [](void *opaque) { return self(opaque).now; };
    ops.set_timer = [](void *opaque, uint64_t deadline_ns) { self(opaque).timer_ns = deadline_ns; };
    ops.dma_read = [](void *opaque, uint64_t address, void *to, uint64_t bytes) {
        const kvcpu_dma_result result = self(opaque).access(address, bytes, false);
        if (result == KVCPU_DMA_OK) {
            std::memcpy(to, self(opaque).memory.data() + address, bytes);
        }
        return result;
    };
    ops.dma_write = [](void *opaque, uint64_t address, const void *from, uint64_t bytes) {
        const kvcpu_dma_result result = self(opaque).access(address, bytes, true);
        if (result == KVCPU_DMA_OK) {
            std::memcpy(self(opaque).memory.data() + address, from, bytes);
        }
        return result;
    };
    ops.notify = [](void *opaque, unsigned vector) {
        ++self(opaque).interrupts;
        self(opaque).vectors.push_back(vector);
    };
    ops.tier_written = [](void *opaque, kvcpu_tier tier, uint64_t, uint64_t bytes) {
        self(opaque).bytes_written[tier] += bytes;
    };
    ops.event = [](void *opaque, const kvcpu_event *event) {
        if (self(opaque).keep_log) {
            self(opaque).log.push_back(*event);
        }
    };
    if (next_use) {
        ops.next_use = [](void *opaque, uint32_t block) { return self(opaque).next_use(block); };
    }
    std::array<char, 200> message{};
    core = kvcpu_core_create(&config, &ops, this, fast.data(), slow.data(), message.data(),
                             message.size());
    if (core == nullptr) {
        throw std::runtime_error(message.data());
    }
}

TestDevice::~TestDevice() {
    kvcpu_core_destroy(core);
}

kvcpu_dma_result TestDevice::access(uint64_t address, uint64_t bytes, bool is_write) {
    if (during_dma) {
        during_dma();
    }
    const kvcpu_dma_result ruled = dma_rule ? dma_rule(address, is_write) : next_dma;
    if (ruled != KVCPU_DMA_OK) {
        return ruled;
    }
    if (address >= own_bars && address < own_bars_end) {
        return KVCPU_DMA_OWN_ADDRESS;
    }
    const bool is_present = address <= memory.size() && bytes <= memory.size() - address;
    return is_present ? KVCPU_DMA_OK : KVCPU_DMA_FAULT;
}

uint64_t TestDevice::load(uint64_t address) {
    uint64_t word = 0;
    (void)memory.at(address + sizeof(word) - 1);
    std::memcpy(&word, memory.data() + address, sizeof(word));
    return word;
}

void TestDevice::store(uint64_t address, uint64_t word) {
    (void)memory.at(address + sizeof(word) - 1);
    std::memcpy(memory.data() + address, &word, sizeof(word));
}

uint64_t TestDevice::read(uint64_t offset, unsigned bytes) {
    return kvcpu_core_read(core, offset, bytes);
}

void TestDevice::write(uint64_t offset, uint64_t value, unsigned bytes) {
    kvcpu_core_write(core, offset, value, bytes);
}

uint64_t TestDevice::counter(kvcpu_counter counter) {
    return read(KVCPU_COUNTER_BASE + 8 * uint64_t{counter});
}

uint64_t TestDevice::status_counter(kvcpu_status status) {
    return read(KVCPU_STATUS_COUNTER_BASE + 8 * uint64_t{status});
}

void TestDevice::run_until(uint64_t ns) {
    while (timer_ns <= ns) {
        now = std::max(now, timer_ns);
        timer_ns = KVCPU_TIMER_OFF;
        kvcpu_core_timer(core);
    }
    now = ns;
}

void TestDevice::run_dry() {
    while (timer_ns != KVCPU_TIMER_OFF) {
        run_until(std::max(now, timer_ns));
    }
}

Result TestDevice::command(unsigned opcode, uint64_t first, uint64_t count, uint64_t arg,
                           unsigned flags) {
    write(KVCPU_REG_CMD_FIRST, first);
    write(KVCPU_REG_CMD_COUNT, count);
    write(KVCPU_REG_CMD_ARG, arg);
    write(KVCPU_REG_CMD_CONTROL, opcode | uint64_t{flags} << KVCPU_CTL_FLAGS_SHIFT |
                                     uint64_t{context} << KVCPU_CTL_CONTEXT_SHIFT);
    return decode_result(read(KVCPU_REG_CMD_RESULT));
}

Result TestDevice::pin(uint64_t first, uint64_t count, uint64_t deadline_ns, uint64_t tag) {
    write(KVCPU_REG_CMD_TAG, tag);
    return command(KVCPU_OP_PIN, first, count, deadline_ns);
}

Result TestDevice::copy(unsigned opcode, uint64_t block, uint64_t address, uint64_t offset,
                        uint64_t length) {
    write(KVCPU_REG_CMD_ADDR, address);
    write(KVCPU_REG_CMD_EXTENT,
          offset << KVCPU_EXT_OFFSET_SHIFT | length << KVCPU_EXT_LENGTH_SHIFT);
    return command(opcode, block, 1);
}

Result TestDevice::fill(uint64_t block, uint8_t byte) {
    std::fill_n(memory.begin(), config.block_size, byte);
    return copy(KVCPU_OP_WRITE, block, 0, 0, config.block_size);
}

bool TestDevice::holds(uint64_t block, uint8_t byte) {
    const auto wrong = static_cast<uint8_t>(byte + 1);
    uint8_t *const end = memory.begin() + config.block_size;
    std::fill(memory.begin(), end, wrong);
    const Result result = copy(KVCPU_OP_READ, block, 0, 0, config.block_size);
    return result.status == KVCPU_SC_SUCCESS &&
           std::all_of(memory.begin(), end, [byte](uint8_t got) { return got == byte; });
}

void TestDevice::demand(uint64_t block) {
    if (pin(block).status == KVCPU_SC_PENDING) {
        while (read(KVCPU_REG_CPL_PENDING) == 0) {
            run_until(timer_ns);
        }
        write(KVCPU_REG_CPL_POP, 1);
    }
    unpin(block);
}

std::vector<Completion> TestDevice::completions() {
    std::vector<Completion> taken;
    while (read(KVCPU_REG_CPL_PENDING) > 0) {
        taken.push_back({read(KVCPU_REG_CPL_TAG), decode_result(read(KVCPU_REG_CPL_RESULT)),
                         read(KVCPU_REG_CPL_TIME)});
        write(KVCPU_REG_CPL_POP, 1);
    }
    return taken;
}

uint64_t TestDevice::block_register(uint64_t reg, uint64_t block) {
    write(KVCPU_REG_BLOCK_SELECT, block);
    return read(reg);
}

unsigned TestDevice::block_field(uint64_t reg, uint64_t block, unsigned shift, uint64_t mask) {
    return static_cast<unsigned>((block_register(reg, block) >> shift) & mask);
}

bool TestDevice::is_fast(uint64_t block) {
    const unsigned in = state(block);
    return in == KVCPU_BS_FAST || in == KVCPU_BS_WRITING_BACK || in == KVCPU_BS_EVICTING;
}

size_t TestDevice::events(kvcpu_event_kind kind) const {
    return static_cast<size_t>(std::count_if(
        log.begin(), log.end(), [kind](const kvcpu_event &event) { return event.kind == kind; }));
}

}  // namespace kvcpu_test
