// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cerrno>
#include <deque>
#include <stdexcept>

#include "kvcpu/transport.h"
#include "kvcpu_hw_log.h"
#include "loopback_queue.h"

namespace kvcpu {

namespace {

/* Replaces the driver, on a core in this process. */
class LoopbackTransport final : public Transport {
  public:
    explicit LoopbackTransport(const LoopbackConfig &config) : device_(config) {}

    kvcpu_info info() override {
        kvcpu_info info = {};
        info.uapi_version = KVCPU_UAPI_VERSION;
        info.policy = static_cast<uint32_t>(get(KVCPU_REG_POLICY));
        info.features =
            features | ((get(KVCPU_REG_CAPS) & KVCPU_CAP_QUOTAS) != 0 ? KVCPU_FEATURE_QUOTAS : 0);
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
        info.time_ns = device_.now();
        info.context = LoopbackDevice::context;
        put(KVCPU_REG_CONTEXT_SELECT, LoopbackDevice::context);
        const uint64_t state = get(KVCPU_REG_CONTEXT_STATE);
        info.ring_state =
            static_cast<uint32_t>(state >> KVCPU_CXS_RING_SHIFT & KVCPU_CXS_RING_MASK);
        info.buffers =
            static_cast<uint32_t>(state >> KVCPU_CXS_BUFFERS_SHIFT & KVCPU_CXS_BUFFERS_MASK);
        info.view_bytes = info.blocks * info.block_size;
        info.vectors = 1;
        const uint64_t quota = get(KVCPU_REG_CONTEXT_QUOTA);
        info.slots_min = static_cast<uint32_t>(quota >> KVCPU_QTA_MIN_SHIFT & KVCPU_QTA_MIN_MASK);
        info.slots_max = static_cast<uint32_t>(quota >> KVCPU_QTA_MAX_SHIFT & KVCPU_QTA_MAX_MASK);
        const uint64_t blocks = get(KVCPU_REG_CONTEXT_BLOCKS);
        info.slots_used =
            static_cast<uint32_t>(blocks >> KVCPU_CXB_SLOTS_SHIFT & KVCPU_CXB_SLOTS_MASK);
        info.blocks_owned =
            static_cast<uint32_t>(blocks >> KVCPU_CXB_OWNED_SHIFT & KVCPU_CXB_OWNED_MASK);
        for (uint64_t i = 0; i < std::size(info.occupancy); ++i) {
            info.occupancy[i] = get(KVCPU_REG_OCCUPANCY_FREE + 8 * i);
        }
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
        while (until_ns > device_.now() && (minimum == 0 || completions_.size() < minimum)) {
            if (until_ns == UINT64_MAX && device_.is_idle()) {
                return std::make_error_code(std::errc::resource_deadlock_would_occur);
            }
            device_.advance(until_ns);
            collect();
        }
        taken = std::min(into.size(), completions_.size());
        for (std::size_t i = 0; i < taken; ++i) {
            into[i] = completions_.front();
            completions_.pop_front();
            --unanswered_;
        }
        time_ns = device_.now();
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
        block.holds = get(KVCPU_REG_BLOCK_HOLDS);
        return block;
    }

    std::vector<kvcpu_record> history(uint64_t block, std::size_t most) override {
        if (block >= get(KVCPU_REG_BLOCKS)) {
            throw std::system_error(EINVAL, std::generic_category(), "HISTORY");
        }
        std::vector<kvcpu_record> records;
        put(KVCPU_REG_BLOCK_SELECT, block);
        uint64_t before = UINT64_MAX;
        for (uint64_t state = KVCPU_HS_GO_ON; state != KVCPU_HS_END && records.size() < most;) {
            put(KVCPU_REG_HISTORY_BEFORE, before);
            before = get(KVCPU_REG_HISTORY_BEFORE);
            state = get(KVCPU_REG_HISTORY_STATE);
            if (state == KVCPU_HS_FOUND) {
                records.push_back({.sequence = get(KVCPU_REG_HISTORY_SEQUENCE),
                                   .time_ns = get(KVCPU_REG_HISTORY_TIME),
                                   .what = get(KVCPU_REG_HISTORY_WHAT),
                                   .first = get(KVCPU_REG_HISTORY_FIRST),
                                   .value = get(KVCPU_REG_HISTORY_VALUE)});
            }
        }
        return records;
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

    std::unique_ptr<QueueLink> open_queue(const QueueConfig &config) override {
        return std::make_unique<LoopbackLink>(device_, config);
    }

  private:
    /* Advice is missing, since it needs the kernel's files and address spaces. */
    static constexpr uint64_t features =
        KVCPU_FEATURE_SUBMIT | KVCPU_FEATURE_INSPECT | KVCPU_FEATURE_RINGS | KVCPU_FEATURE_BUFFERS |
        KVCPU_FEATURE_RESIDENCY | KVCPU_FEATURE_VIEW | KVCPU_FEATURE_HISTORY;

    uint64_t get(uint64_t offset) noexcept { return device_.get(offset); }
    void put(uint64_t offset, uint64_t value) noexcept { device_.put(offset, value); }

    static bool copies(const kvcpu_command &command) noexcept {
        return command.opcode == KVCPU_OP_READ || command.opcode == KVCPU_OP_WRITE;
    }

    static bool can_wait(const kvcpu_command &command) noexcept {
        return command.opcode == KVCPU_OP_PIN || command.opcode == KVCPU_OP_FENCE;
    }

    bool is_copy_of_one_block(const kvcpu_command &command) noexcept {
        return command.count == 1 && command.length <= get(KVCPU_REG_BLOCK_SIZE);
    }

    /* Returns the driver's status for a command that it does not pass to the device. */
    [[nodiscard]] kvcpu_status refusal(const kvcpu_command &command) const noexcept {
        switch (command.opcode) {
#define KVCPU_REFUSED_(name, number, what) case KVCPU_OP_##name:
            KVCPU_ADMIN_COMMANDS(KVCPU_REFUSED_)
#undef KVCPU_REFUSED_
            return KVCPU_SC_BAD_OPCODE;
            default:
                return can_wait(command) && unanswered_ == KVCPU_PENDING_MAX ? KVCPU_SC_BUSY
                                                                             : KVCPU_SC_SUCCESS;
        }
    }

    void execute(kvcpu_command &command) noexcept {
        if (const kvcpu_status status = refusal(command); status != KVCPU_SC_SUCCESS) {
            command.result = uint64_t{status} << KVCPU_RES_STATUS_SHIFT;
            return;
        }
        command.result = device_.execute(command);
        device_.settle();
        const uint64_t status = command.result & KVCPU_RES_STATUS_MASK;
        if (command.opcode == KVCPU_OP_ALLOC && status == KVCPU_SC_SUCCESS) {
            command.first = command.result >> KVCPU_RES_VALUE_SHIFT;
            command.count = (command.result >> KVCPU_RES_AUX_SHIFT) & KVCPU_RES_AUX_MASK;
        }
        unanswered_ += can_wait(command) && status == KVCPU_SC_PENDING ? 1 : 0;
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

    LoopbackDevice device_;
    std::deque<kvcpu_completion> completions_;
    unsigned unanswered_ = 0;
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
