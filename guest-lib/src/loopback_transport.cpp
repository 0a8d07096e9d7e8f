// SPDX-License-Identifier: MIT
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <functional>
#include <stdexcept>

#include "kvcpu/transport.h"
#include "kvcpu_core.h"

namespace kvcpu {

namespace {

/* Zeroed memory of which only what is touched takes room. */
class TierMemory {
  public:
    explicit TierMemory(std::size_t bytes) : bytes_(bytes) {
        if (bytes == 0) {
            return;
        }
        data_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (data_ == MAP_FAILED) {
            throw std::bad_alloc();
        }
    }
    ~TierMemory() {
        if (data_ != nullptr) {
            ::munmap(data_, bytes_);
        }
    }
    TierMemory(const TierMemory &) = delete;
    TierMemory &operator=(const TierMemory &) = delete;

    [[nodiscard]] void *data() const noexcept { return data_; }

  private:
    std::size_t bytes_;
    void *data_ = nullptr;
};

/*
 * Does what the driver does, on a core in this process: bus addresses are pointers, time stands
 * still but for wait(), and the one user has context 1.
 */
class LoopbackTransport final : public Transport {
  public:
    explicit LoopbackTransport(const LoopbackConfig &config)
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
            ops.next_use = [](void *opaque, uint32_t block) {
                return self(opaque).next_use_(block);
            };
        }
        core_ = kvcpu_core_create(&core, &ops, this, fast_.data(), slow_.data(), message.data(),
                                  message.size());
        if (core_ == nullptr) {
            throw std::invalid_argument(message.data());
        }
    }
    ~LoopbackTransport() override { kvcpu_core_destroy(core_); }
    LoopbackTransport(const LoopbackTransport &) = delete;
    LoopbackTransport &operator=(const LoopbackTransport &) = delete;

    kvcpu_info info() override {
        kvcpu_info info = {};
        info.uapi_version = KVCPU_UAPI_VERSION;
        info.policy = static_cast<uint32_t>(get(KVCPU_REG_POLICY));
        info.features = KVCPU_FEATURE_SUBMIT | KVCPU_FEATURE_INSPECT;
        info.id = get(KVCPU_REG_ID);
        info.caps = get(KVCPU_REG_CAPS);
        info.block_size = get(KVCPU_REG_BLOCK_SIZE);
        info.blocks = get(KVCPU_REG_BLOCKS);
        info.fast_slots = get(KVCPU_REG_FAST_SLOTS);
        info.contexts = get(KVCPU_REG_CONTEXTS);
        info.dma_channels = get(KVCPU_REG_DMA_CHANNELS);
        info.dma_latency_ns = get(KVCPU_REG_DMA_LATENCY);
        info.dma_bandwidth = get(KVCPU_REG_DMA_BANDWIDTH);
        info.scrub_bandwidth = get(KVCPU_REG_SCRUB_BANDWIDTH);
        info.policies = get(KVCPU_REG_POLICIES);
        info.fast_free = get(KVCPU_REG_FAST_FREE);
        info.blocks_free = get(KVCPU_REG_BLOCKS_FREE);
        info.log_records = get(KVCPU_REG_LOG_RECORDS);
        info.time_ns = now_;
        info.context = context;
        return info;
    }

    std::error_code submit(std::span<kvcpu_command> commands, bool go_on,
                           std::size_t &done) noexcept override {
        done = 0;
        if (commands.size() > KVCPU_SUBMIT_MAX) {
            return std::make_error_code(std::errc::invalid_argument);
        }
        for (kvcpu_command &command : commands) {
            if (command.reserved != 0 || (copies(command) && !is_copy_of_one_block(command))) {
                return std::make_error_code(std::errc::invalid_argument);
            }
            execute(command);
            ++done;
            const uint64_t status = command.result & KVCPU_RES_STATUS_MASK;
            if (!go_on && status != KVCPU_SC_SUCCESS && status != KVCPU_SC_PENDING) {
                break;
            }
        }
        return {};
    }

    std::error_code wait(std::span<kvcpu_completion> into, std::size_t minimum, uint64_t until_ns,
                         std::size_t &taken, uint64_t &time_ns) noexcept override {
        taken = 0;
        if (minimum > into.size()) {
            return std::make_error_code(std::errc::invalid_argument);
        }
        collect();
        while (until_ns > now_ && (minimum == 0 || completions_.size() < minimum)) {
            if (until_ns == UINT64_MAX && timer_ns_ == KVCPU_TIMER_OFF) {
                return std::make_error_code(std::errc::resource_deadlock_would_occur);
            }
            const uint64_t next = std::min(timer_ns_, until_ns);
            now_ = std::max(now_, next);
            if (timer_ns_ <= now_) {
                timer_ns_ = KVCPU_TIMER_OFF;
                kvcpu_core_timer(core_);
            }
            collect();
        }
        taken = std::min(into.size(), completions_.size());
        for (std::size_t i = 0; i < taken; ++i) {
            into[i] = completions_.front();
            completions_.pop_front();
            --unanswered_pins_;
        }
        time_ns = now_;
        return {};
    }

    kvcpu_block block(uint64_t number) override {
        if (number >= get(KVCPU_REG_BLOCKS)) {
            throw std::system_error(EINVAL, std::generic_category(), "BLOCK");
        }
        put(KVCPU_REG_BLOCK_SELECT, number);
        kvcpu_block block = {};
        block.block = number;
        block.state = get(KVCPU_REG_BLOCK_STATE);
        block.place = get(KVCPU_REG_BLOCK_PLACE);
        block.use = get(KVCPU_REG_BLOCK_USE);
        block.tag = get(KVCPU_REG_BLOCK_TAG);
        block.tokens = get(KVCPU_REG_BLOCK_TOKENS);
        block.last_step = get(KVCPU_REG_BLOCK_LAST_STEP);
        block.target = get(KVCPU_REG_BLOCK_TARGET);
        return block;
    }

    std::vector<uint64_t> counters() override {
        std::vector<uint64_t> values;
        for (uint64_t i = 0; i < KVCPU_COUNTER_COUNT; ++i) {
            values.push_back(get(KVCPU_COUNTER_BASE + 8 * i));
        }
        for (uint64_t i = 0; i < KVCPU_STATUS_COUNT; ++i) {
            values.push_back(get(KVCPU_STATUS_COUNTER_BASE + 8 * i));
        }
        return values;
    }

    void set_weights(const kv_cpu_weights &weights) override {
        put(KVCPU_REG_WEIGHT_R, weights.w_r);
        put(KVCPU_REG_WEIGHT_F, weights.w_f);
        put(KVCPU_REG_WEIGHT_S, weights.w_s);
        put(KVCPU_REG_WEIGHT_D, weights.w_d);
        put(KVCPU_REG_EVICT_THRESH, weights.evict_thresh);
        put(KVCPU_REG_PREFETCH_THRESH, weights.prefetch_thresh);
    }

    void set_policy(const std::string &name) override {
        const int number = kvcpu_policy_number(name.c_str());
        if (number < 0) {
            throw std::system_error(EINVAL, std::generic_category(), "policy = " + name);
        }
        put(KVCPU_REG_POLICY, static_cast<uint64_t>(number));
    }

    void restart_event_log() override { put(KVCPU_REG_CONTROL, KVCPU_CONTROL_LOG_RESTART); }
    void stop_clock_between_waits() override {}

  private:
    static constexpr uint32_t context = 1;

    static LoopbackTransport &self(void *opaque) {
        return *static_cast<LoopbackTransport *>(opaque);
    }

    static kvcpu_host_ops host_ops() {
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
        ops.notify = [](void *, unsigned) {};
        ops.tier_written = [](void *, kvcpu_tier, uint64_t, uint64_t) {};
        ops.event = [](void *, const kvcpu_event *) {};
        return ops;
    }

    uint64_t get(uint64_t offset) noexcept { return kvcpu_core_read(core_, offset, 8); }
    void put(uint64_t offset, uint64_t value) noexcept {
        kvcpu_core_write(core_, offset, value, 8);
    }

    static bool copies(const kvcpu_command &command) noexcept {
        return command.opcode == KVCPU_OP_READ || command.opcode == KVCPU_OP_WRITE;
    }

    bool is_copy_of_one_block(const kvcpu_command &command) noexcept {
        return command.count == 1 && command.length <= get(KVCPU_REG_BLOCK_SIZE);
    }

    /* What the driver does not let through to the device, and its answer. */
    [[nodiscard]] kvcpu_status refusal(const kvcpu_command &command) const noexcept {
        if (command.opcode == KVCPU_OP_CLOSE) {
            return KVCPU_SC_BAD_OPCODE;
        }
        const bool full = unanswered_pins_ == KVCPU_PENDING_MAX;
        return command.opcode == KVCPU_OP_PIN && full ? KVCPU_SC_BUSY : KVCPU_SC_SUCCESS;
    }

    void execute(kvcpu_command &command) noexcept {
        if (const kvcpu_status status = refusal(command); status != KVCPU_SC_SUCCESS) {
            command.result = uint64_t{status} << KVCPU_RES_STATUS_SHIFT;
            return;
        }
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
        command.result = get(KVCPU_REG_CMD_RESULT);
        const uint64_t status = command.result & KVCPU_RES_STATUS_MASK;
        if (command.opcode == KVCPU_OP_ALLOC && status == KVCPU_SC_SUCCESS) {
            command.first = command.result >> KVCPU_RES_VALUE_SHIFT;
            command.count = (command.result >> KVCPU_RES_AUX_SHIFT) & KVCPU_RES_AUX_MASK;
        }
        unanswered_pins_ += command.opcode == KVCPU_OP_PIN && status == KVCPU_SC_PENDING ? 1 : 0;
    }

    void collect() noexcept {
        while (get(KVCPU_REG_CPL_PENDING) > 0) {
            kvcpu_completion completion = {};
            completion.user_data = get(KVCPU_REG_CPL_TAG);
            completion.result = get(KVCPU_REG_CPL_RESULT);
            completion.time_ns = get(KVCPU_REG_CPL_TIME);
            completions_.push_back(completion);
            put(KVCPU_REG_CPL_POP, 1);
        }
    }

    TierMemory fast_;
    TierMemory slow_;
    std::function<uint64_t(uint32_t)> next_use_;
    uint64_t now_ = 1;  // 0 would mean "do not wait" to wait()
    uint64_t timer_ns_ = KVCPU_TIMER_OFF;
    std::deque<kvcpu_completion> completions_;
    unsigned unanswered_pins_ = 0;
    kvcpu_core *core_ = nullptr;
};

}  // namespace

std::unique_ptr<Transport> make_loopback_transport(const LoopbackConfig &config) {
    if (kvcpu_policy_number(config.policy.c_str()) < 0) {
        throw std::invalid_argument("policy: '" + config.policy + "' is not a policy");
    }
    if (config.fast_blocks == 0 || config.slow_blocks == 0) {
        throw std::invalid_argument("a tier needs at least one block");
    }
    return std::make_unique<LoopbackTransport>(config);
}

}  // namespace kvcpu
