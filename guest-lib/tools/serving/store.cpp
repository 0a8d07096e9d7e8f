// SPDX-License-Identifier: MIT
#include "store.h"

#include <algorithm>
#include <stdexcept>

#include "kvcpu/batch.h"

namespace kvcpu::serving {

namespace {

/* One scrub takes microseconds, and the scrubs for a whole request far less than this. */
constexpr uint64_t scrub_wait_ns = 1'000'000;
constexpr int scrub_waits_max = 1000;

uint64_t device_time(Transport &transport) {
    std::size_t taken = 0;
    uint64_t time_ns = 0;
    if (const std::error_code error = transport.wait({}, 0, 0, taken, time_ns)) {
        throw std::system_error(error, "WAIT");
    }
    return time_ns;
}

}  // namespace

Store::Store(Transport &transport, uint64_t block_count, bool cached)
    : transport_(transport),
      cached_(cached),
      blocks_(block_count),
      place_(block_count, unused_.end()) {}

std::optional<uint32_t> Store::find(uint64_t hash_id) const {
    const auto found = by_hash_.find(hash_id);
    return found == by_hash_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<uint64_t> Store::published(uint32_t block) const {
    const std::optional<uint64_t> id = blocks_[block].hash_id;
    return id && find(*id) == block ? id : std::nullopt;
}

void Store::publish(uint32_t block, uint64_t hash_id) {
    by_hash_[hash_id] = block;
    blocks_[block].hash_id = hash_id;
}

void Store::hold(uint32_t block) {
    StoredBlock &stored = blocks_[block];
    if (stored.users++ > 0) {
        return;
    }
    ++held_;
    if (place_[block] != unused_.end()) {
        unused_.erase(place_[block]);
        place_[block] = unused_.end();
    }
}

void Store::release(uint32_t block) {
    if (--blocks_[block].users == 0) {
        --held_;
        place_[block] = unused_.insert(unused_.end(), block);
    }
}

void Store::forget(uint32_t block) {
    StoredBlock &stored = blocks_[block];
    if (stored.hash_id && find(*stored.hash_id) == block) {
        by_hash_.erase(*stored.hash_id);
    }
    if (place_[block] != unused_.end()) {
        unused_.erase(place_[block]);
        place_[block] = unused_.end();
    }
    stored = {};
}

void Store::give_back(uint32_t block) {
    forget(block);
    Batch batch;
    batch.free(block, 1);
    const std::error_code error = batch.submit(transport_);
    if (error || !batch.result(0).ok()) {
        throw std::runtime_error(std::string("FREE: ") +
                                 (error ? error.message() : describe(batch.result(0).status)));
    }
}

void Store::acknowledge() {
    for (;;) {
        Batch batch;
        batch.reclaimed();
        if (const std::error_code error = batch.submit(transport_)) {
            throw std::system_error(error, "RECLAIMED");
        }
        const Result result = batch.result(0);
        if (result.status != KVCPU_SC_SUCCESS) {
            throw std::runtime_error(std::string("RECLAIMED: ") + describe(result.status));
        }
        for (uint32_t block = result.value; block < result.value + result.aux; ++block) {
            if (blocks_[block].users > 0) {
                throw std::runtime_error("block " + std::to_string(block) +
                                         " was reclaimed while it was in use");
            }
            forget(block);
        }
        if (result.aux == 0) {
            return;
        }
    }
}

void Store::drop_oldest(uint64_t count) {
    for (uint64_t i = 0; i < count && !unused_.empty(); ++i) {
        give_back(unused_.front());
    }
}

std::vector<uint32_t> Store::take(uint64_t count, uint64_t first_token, uint64_t tokens) {
    std::vector<uint32_t> taken;
    uint64_t reclaimed = 0; /* freed blocks, of which some may still be scrubbed */
    for (int waits = 0; taken.size() < count;) {
        Batch batch;
        batch.alloc(std::min<uint64_t>(count - taken.size(), KVCPU_COMMAND_BLOCKS_MAX),
                    tokens << KVCPU_TAG_TOKENS_SHIFT,
                    static_cast<uint32_t>(first_token + taken.size() * tokens),
                    cached_ ? KVCPU_F_CACHED : 0);
        if (const std::error_code error = batch.submit(transport_)) {
            throw std::system_error(error, "ALLOC");
        }
        const Result result = batch.result(0);
        if (cached_) {
            acknowledge();
        }
        if (result.status == KVCPU_SC_SUCCESS) {
            for (uint32_t i = 0; i < result.aux; ++i) {
                taken.push_back(result.value + i);
                hold(result.value + i);
            }
            reclaimed -= std::min<uint64_t>(reclaimed, result.aux);
            continue;
        }
        const bool again = result.status == KVCPU_SC_NO_SPACE || result.status == KVCPU_SC_AGAIN;
        if (!again || waits++ == scrub_waits_max) {
            throw std::runtime_error(std::string("ALLOC: ") + describe(result.status));
        }
        if (!cached_) {
            const uint64_t wanted = count - taken.size();
            drop_oldest(wanted > reclaimed ? wanted - reclaimed : 0);
            reclaimed = std::max(reclaimed, wanted);
        }
        std::size_t none = 0;
        uint64_t time_ns = 0;
        (void)transport_.wait({}, 0, device_time(transport_) + scrub_wait_ns, none, time_ns);
    }
    return taken;
}

std::vector<Run> runs_of(const std::vector<uint32_t> &blocks) {
    std::vector<Run> runs;
    for (const uint32_t block : blocks) {
        if (!runs.empty() && runs.back().first + runs.back().count == block &&
            runs.back().count < KVCPU_COMMAND_BLOCKS_MAX) {
            ++runs.back().count;
        } else {
            runs.push_back({block, 1});
        }
    }
    return runs;
}

}  // namespace kvcpu::serving
