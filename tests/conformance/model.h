// SPDX-License-Identifier: MIT
// What a context of a KV-CPU answers to its owner, as far as it does not depend on time: maps and
// loops over "Commands" and "Hints" in docs/device-spec.md. It has no tiers, moves or policies.
#ifndef KVCPU_CONFORMANCE_MODEL_H
#define KVCPU_CONFORMANCE_MODEL_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "kvcpu_hw.h"

namespace conformance {

struct Answer {
    kvcpu_status status = KVCPU_SC_SUCCESS;
    uint64_t aux = 0;
    uint64_t value = 0;
};

class Model {
  public:
    struct Block {
        std::vector<std::byte> bytes;
        unsigned claims = 0;
        unsigned sharers = 0;
        bool sealed = false;
    };

    Model(uint64_t blocks, uint64_t slots, uint64_t block_size, bool policy_uses_hints)
        : blocks_(blocks), slots_(slots), block_size_(block_size), uses_hints_(policy_uses_hints) {}

    Answer alloc(uint64_t count);
    Answer free(uint64_t first, uint64_t count);
    /* Grants each PIN that passes the checks. The caller must check that slots are free: room(). */
    Answer pin(uint64_t first, uint64_t count, uint64_t deadline_ns);
    Answer unpin(uint64_t first, uint64_t count);
    Answer read(uint64_t block, uint64_t offset, uint64_t length, std::span<std::byte> into) const;
    Answer write(uint64_t block, uint64_t offset, std::span<const std::byte> from);
    Answer hint(kvcpu_opcode opcode, uint64_t first, uint64_t count);

    [[nodiscard]] const std::map<uint64_t, Block> &owned() const { return owned_; }
    [[nodiscard]] bool owns(uint64_t block) const { return owned_.count(block) != 0; }
    [[nodiscard]] uint64_t generation(uint64_t block) const;
    [[nodiscard]] uint64_t blocks() const { return blocks_; }
    [[nodiscard]] uint64_t slots() const { return slots_; }
    [[nodiscard]] uint64_t block_size() const { return block_size_; }
    /* The number of slots without a pinned block. */
    [[nodiscard]] uint64_t room() const;

  private:
    [[nodiscard]] bool is_range(uint64_t first, uint64_t count) const;
    [[nodiscard]] bool owns_all(uint64_t first, uint64_t count) const;
    bool apply(kvcpu_opcode opcode, Block &block) const;

    uint64_t blocks_;
    uint64_t slots_;
    uint64_t block_size_;
    bool uses_hints_;
    std::map<uint64_t, Block> owned_;
    std::map<uint64_t, uint64_t> generations_;
};

}  // namespace conformance

#endif  // KVCPU_CONFORMANCE_MODEL_H
