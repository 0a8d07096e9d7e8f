// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>
#include <bit>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "kvcpu_core.h"
#include "kvcpu_hw.h"
#include "kvcpu_hw_rings.h"

namespace {

constexpr uint64_t latency_max_ns = 1'000'000'000;

struct PolicyName {
    uint32_t number;
    const char *text;
};

#define KVCPU_POLICY_NAME_(name, number, text) {number, text},
constexpr auto policy_names = std::to_array<PolicyName>({KVCPU_POLICIES(KVCPU_POLICY_NAME_)});
#undef KVCPU_POLICY_NAME_

/* Writes the message of a check, in one form for all checks. */
class Complaint {
  public:
    Complaint(char *message, size_t size) : message_(message), size_(size) {}

    bool range(const char *property, uint64_t value, uint64_t low, uint64_t high) const {
        if (value >= low && value <= high) {
            return true;
        }
        print("%s: %" PRIu64 " is not in %" PRIu64 "..%" PRIu64, property, value, low, high);
        return false;
    }

    bool multiple(const char *property, uint64_t value, uint64_t unit) const {
        if (value % unit == 0) {
            return true;
        }
        print("%s: %" PRIu64 " is not a multiple of block-size %" PRIu64, property, value, unit);
        return false;
    }

    bool power_of_two(const char *property, uint64_t value) const {
        if (std::has_single_bit(value)) {
            return true;
        }
        print("%s: %" PRIu64 " is not a power of two", property, value);
        return false;
    }

    [[nodiscard]] bool policy(uint32_t number) const {
        if (kvcpu_policy_name(number) != nullptr) {
            return true;
        }
        print("policy: %" PRIu32 " is not a policy", number);
        return false;
    }

  private:
    template <typename... Values>
    void print(const char *format, Values... values) const {
        if (size_ > 0) {
            (void)std::snprintf(message_, size_, format, values...);
        }
    }

    char *message_;
    size_t size_;
};

}  // namespace

bool kvcpu_config_check(const struct kvcpu_config *config, char *message, size_t size) {
    const Complaint complaint(message, size);
    const uint64_t block = config->block_size;

    /* The block size is checked first, as sizes must be multiples of it. */
    return complaint.range("block-size", block, KVCPU_BLOCK_SIZE_MIN, KVCPU_BLOCK_SIZE_MAX) &&
           complaint.power_of_two("block-size", block) &&
           complaint.range("slow-size", config->slow_size, block, KVCPU_BLOCKS_MAX * block) &&
           complaint.multiple("slow-size", config->slow_size, block) &&
           complaint.range("fast-size", config->fast_size, block, config->slow_size) &&
           complaint.multiple("fast-size", config->fast_size, block) &&
           complaint.range("max-contexts", config->max_contexts, 1, KVCPU_CONTEXTS_MAX) &&
           complaint.policy(config->policy) &&
           complaint.range("dma-channels", config->dma_channels, 1, KVCPU_DMA_CHANNELS_MAX) &&
           complaint.range("dma-latency-ns", config->dma_latency_ns, 0, latency_max_ns) &&
           complaint.range("dma-bandwidth", config->dma_bandwidth, 1, UINT64_MAX) &&
           (config->vectors == 0 ||
            complaint.range("vectors", config->vectors, KVCPU_VECTORS_MIN, KVCPU_VECTORS_MAX)) &&
           complaint.range("doorbell-latency-ns", config->doorbell_latency_ns, 0,
                           KVCPU_DOORBELL_LATENCY_MAX_NS);
}

const char *kvcpu_policy_name(uint32_t policy) {
    for (const PolicyName &entry : policy_names) {
        if (entry.number == policy) {
            return entry.text;
        }
    }
    return nullptr;
}

int kvcpu_policy_number(const char *name) {
    for (const PolicyName &entry : policy_names) {
        if (std::strcmp(entry.text, name) == 0) {
            return static_cast<int>(entry.number);
        }
    }
    return -1;
}
