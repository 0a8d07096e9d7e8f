// SPDX-License-Identifier: MIT
#include "model.h"

#include <algorithm>

namespace conformance {

namespace {

constexpr unsigned sharers_max = 255;

Answer outcome(kvcpu_hint_outcome what, kvcpu_hint_reason why, uint64_t applied) {
    return {KVCPU_SC_SUCCESS, what | uint64_t{why} << KVCPU_HINT_REASON_SHIFT, applied};
}

bool is_of_every_policy(kvcpu_opcode opcode) {
    return opcode == KVCPU_OP_STEP || opcode == KVCPU_OP_SHARE || opcode == KVCPU_OP_UNSHARE ||
           opcode == KVCPU_OP_SEAL;
}

}  // namespace

bool Model::is_range(uint64_t first, uint64_t count) const {
    return count > 0 && count <= KVCPU_COMMAND_BLOCKS_MAX && first < blocks_ &&
           count <= blocks_ - first;
}

bool Model::owns_all(uint64_t first, uint64_t count) const {
    for (uint64_t block = first; block < first + count; ++block) {
        if (!owns(block)) {
            return false;
        }
    }
    return true;
}

uint64_t Model::generation(uint64_t block) const {
    const auto found = generations_.find(block);
    return found == generations_.end() ? 0 : found->second;
}

uint64_t Model::room() const {
    uint64_t claimed = 0;
    for (const auto &[number, block] : owned_) {
        claimed += block.claims > 0 ? 1 : 0;
    }
    return slots_ - claimed;
}

/* The lowest-numbered run of free blocks, at most as many as requested. */
Answer Model::alloc(uint64_t count) {
    if (count == 0 || count > KVCPU_COMMAND_BLOCKS_MAX) {
        return {KVCPU_SC_BAD_RANGE};
    }
    uint64_t first = 0;
    while (first < blocks_ && owns(first)) {
        ++first;
    }
    if (first == blocks_) {
        return {KVCPU_SC_NO_SPACE};
    }
    uint64_t taken = 0;
    while (taken < count && first + taken < blocks_ && !owns(first + taken)) {
        owned_[first + taken].bytes.resize(block_size_);
        ++generations_[first + taken];
        ++taken;
    }
    return {KVCPU_SC_SUCCESS, taken, first};
}

Answer Model::free(uint64_t first, uint64_t count) {
    if (!is_range(first, count)) {
        return {KVCPU_SC_BAD_RANGE};
    }
    if (!owns_all(first, count)) {
        return {KVCPU_SC_NOT_OWNER};
    }
    for (uint64_t block = first; block < first + count; ++block) {
        if (owned_[block].claims > 0) {
            return {KVCPU_SC_PINNED};
        }
    }
    for (uint64_t block = first; block < first + count; ++block) {
        owned_.erase(block);
    }
    return {};
}

Answer Model::pin(uint64_t first, uint64_t count, uint64_t deadline_ns) {
    if (!is_range(first, count)) {
        return {KVCPU_SC_BAD_RANGE};
    }
    if (deadline_ns == 0 || deadline_ns > KVCPU_PIN_DEADLINE_MAX_NS) {
        return {KVCPU_SC_BAD_FIELD};
    }
    if (!owns_all(first, count)) {
        return {KVCPU_SC_NOT_OWNER};
    }
    if (count > slots_) {
        return {KVCPU_SC_NO_SLOTS};
    }
    for (uint64_t block = first; block < first + count; ++block) {
        ++owned_[block].claims;
    }
    return {};
}

Answer Model::unpin(uint64_t first, uint64_t count) {
    if (!is_range(first, count)) {
        return {KVCPU_SC_BAD_RANGE};
    }
    if (!owns_all(first, count)) {
        return {KVCPU_SC_NOT_OWNER};
    }
    for (uint64_t block = first; block < first + count; ++block) {
        if (owned_[block].claims == 0) {
            return {KVCPU_SC_NOT_PINNED};
        }
    }
    for (uint64_t block = first; block < first + count; ++block) {
        --owned_[block].claims;
    }
    return {};
}

Answer Model::read(uint64_t block, uint64_t offset, uint64_t length,
                   std::span<std::byte> into) const {
    if (block >= blocks_) {
        return {KVCPU_SC_BAD_RANGE};
    }
    if (!owns(block)) {
        return {KVCPU_SC_NOT_OWNER};
    }
    if (length == 0 || offset > block_size_ || length > block_size_ - offset) {
        return {KVCPU_SC_BAD_FIELD};
    }
    const std::vector<std::byte> &bytes = owned_.at(block).bytes;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), length, into.begin());
    return {};
}

Answer Model::write(uint64_t block, uint64_t offset, std::span<const std::byte> from) {
    if (block >= blocks_) {
        return {KVCPU_SC_BAD_RANGE};
    }
    if (!owns(block)) {
        return {KVCPU_SC_NOT_OWNER};
    }
    if (from.empty() || offset > block_size_ || from.size() > block_size_ - offset) {
        return {KVCPU_SC_BAD_FIELD};
    }
    if (owned_[block].sealed) {
        return {KVCPU_SC_SEALED};
    }
    std::copy(from.begin(), from.end(),
              owned_[block].bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
}

/* False if a sharer count is at its maximum or minimum. */
bool Model::apply(kvcpu_opcode opcode, Block &block) const {
    switch (opcode) {
        case KVCPU_OP_SEAL:
            block.sealed = true;
            return true;
        case KVCPU_OP_SHARE:
            if (block.sharers == sharers_max) {
                return false;
            }
            ++block.sharers;
            return true;
        case KVCPU_OP_UNSHARE:
            if (block.sharers == 0) {
                return false;
            }
            --block.sharers;
            return true;
        default:
            return true;
    }
}

Answer Model::hint(kvcpu_opcode opcode, uint64_t first, uint64_t count) {
    if (opcode == KVCPU_OP_STEP) {
        return outcome(KVCPU_HO_ACCEPTED, KVCPU_HR_NONE, 0);
    }
    if (!is_of_every_policy(opcode) && !uses_hints_) {
        return outcome(KVCPU_HO_IGNORED, KVCPU_HR_POLICY, 0);
    }
    if (count == 0) {
        return outcome(KVCPU_HO_IGNORED, KVCPU_HR_EMPTY, 0);
    }
    uint64_t applied = 0;
    bool outside = false;
    bool foreign = false;
    bool saturated = false;
    for (uint64_t i = 0; i < count && !outside; ++i) {
        outside = first >= blocks_ || i >= blocks_ - first;
        if (!outside && !owns(first + i)) {
            foreign = true;
        } else if (!outside && !apply(opcode, owned_[first + i])) {
            saturated = true;
        } else if (!outside) {
            ++applied;
        }
    }
    const kvcpu_hint_reason why = outside     ? KVCPU_HR_OUTSIDE
                                  : foreign   ? KVCPU_HR_FOREIGN
                                  : saturated ? KVCPU_HR_SATURATED
                                              : KVCPU_HR_NONE;
    if (applied == 0) {
        return outcome(KVCPU_HO_IGNORED, why, 0);
    }
    return outcome(why == KVCPU_HR_NONE ? KVCPU_HO_ACCEPTED : KVCPU_HO_CLIPPED, why, applied);
}

}  // namespace conformance
