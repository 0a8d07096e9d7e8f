// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_QUEUES_COMMAND_H
#define KVCPU_CORE_QUEUES_COMMAND_H

#include <cstdint>

#include "queues/queue_pairs.h"
#include "state/completion_target.h"
#include "state/hint_request.h"
#include "state/registers.h"

namespace kvcpu {

/* The decoded words of a command, and where its completion goes. */
struct Command {
    uint16_t opcode = 0;
    uint16_t flags = 0;
    uint16_t reserved = 0;
    uint16_t context = 0;
    uint64_t first = 0;
    uint64_t count = 0;
    uint64_t arg = 0;
    uint64_t address = 0;
    uint64_t extent = 0;
    uint64_t meta = 0;
    CompletionTarget completion;

    /* Decodes the command window, and an entry of a ring. */
    [[nodiscard]] static Command from(const RegisterValues &registers) noexcept;
    [[nodiscard]] static Command from(const Entry &entry, uint16_t ring) noexcept;

    [[nodiscard]] HintRequest as_hint() const noexcept {
        return {.opcode = static_cast<kvcpu_opcode>(opcode),
                .flags = flags,
                .context = context,
                .first = first,
                .count = count,
                .arg = arg};
    }
    /* A command of a process's ring: it may name no context, no bus address and no admin command.
     */
    [[nodiscard]] bool is_from_process() const noexcept {
        return completion.via != via_window && completion.via != 0;
    }
    [[nodiscard]] uint32_t offset() const noexcept {
        return static_cast<uint32_t>(extent >> KVCPU_EXT_OFFSET_SHIFT);
    }
    [[nodiscard]] uint32_t length() const noexcept {
        return static_cast<uint32_t>(extent >> KVCPU_EXT_LENGTH_SHIFT);
    }
};

[[nodiscard]] constexpr bool is_hint(uint16_t opcode) noexcept {
    return opcode >= KVCPU_OP_STEP && opcode <= KVCPU_OP_CLEAR;
}
/* The valid flags of an opcode, except F_COMPLETE. */
[[nodiscard]] constexpr uint16_t flags_of(uint16_t opcode) noexcept {
    switch (opcode) {
        case KVCPU_OP_ALLOC:
            return KVCPU_F_CACHED;
        case KVCPU_OP_EVICTABLE:
            return KVCPU_F_NOW;
        case KVCPU_OP_HOLD:
        case KVCPU_OP_UNHOLD:
            return KVCPU_F_WRITE;
        default:
            return 0;
    }
}
[[nodiscard]] constexpr bool is_admin(uint16_t opcode) noexcept {
    return opcode == KVCPU_OP_CLOSE || (opcode >= KVCPU_OP_OPEN && opcode <= KVCPU_OP_UNHOLD);
}
[[nodiscard]] constexpr bool is_known(uint16_t opcode) noexcept {
    switch (opcode) {
#define KVCPU_IS_KNOWN_(name, number, what) case KVCPU_OP_##name:
        KVCPU_COMMANDS(KVCPU_IS_KNOWN_)
        KVCPU_HINTS(KVCPU_IS_KNOWN_)
        KVCPU_ADMIN_COMMANDS(KVCPU_IS_KNOWN_)
#undef KVCPU_IS_KNOWN_
        return true;
        default:
            return false;
    }
}

}  // namespace kvcpu

#endif  // KVCPU_CORE_QUEUES_COMMAND_H
