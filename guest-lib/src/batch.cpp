// SPDX-License-Identifier: MIT
#include "kvcpu/batch.h"

#include <algorithm>

namespace kvcpu {

Result::Result(uint64_t word) noexcept
    : status(static_cast<kvcpu_status>((word >> KVCPU_RES_STATUS_SHIFT) & KVCPU_RES_STATUS_MASK)),
      aux(static_cast<uint16_t>((word >> KVCPU_RES_AUX_SHIFT) & KVCPU_RES_AUX_MASK)),
      value(static_cast<uint32_t>((word >> KVCPU_RES_VALUE_SHIFT) & KVCPU_RES_VALUE_MASK)) {}

kvcpu_hint_outcome Result::outcome() const noexcept {
    return static_cast<kvcpu_hint_outcome>(aux & KVCPU_HINT_OUTCOME_MASK);
}

kvcpu_hint_reason Result::reason() const noexcept {
    return static_cast<kvcpu_hint_reason>(aux >> KVCPU_HINT_REASON_SHIFT);
}

const char *describe(kvcpu_status status) noexcept {
    switch (status) {
#define KVCPU_DESCRIBE_(name, number, what) \
    case KVCPU_SC_##name:                   \
        return #name ": " what;
        KVCPU_STATUS_CODES(KVCPU_DESCRIBE_)
#undef KVCPU_DESCRIBE_
        case KVCPU_STATUS_COUNT:
            break;
    }
    return "a status that this library does not know";
}

std::size_t Batch::add(const kvcpu_command &command) {
    commands_.push_back(command);
    return commands_.size() - 1;
}

std::size_t Batch::alloc(uint64_t count, uint64_t meta, uint32_t first_token, uint16_t flags) {
    kvcpu_command command = {};
    command.opcode = KVCPU_OP_ALLOC;
    command.flags = flags;
    command.count = count;
    command.meta = meta;
    command.arg = first_token;
    return add(command);
}

std::size_t Batch::reclaimed() {
    kvcpu_command command = {};
    command.opcode = KVCPU_OP_RECLAIMED;
    return add(command);
}

std::size_t Batch::free(uint64_t first, uint64_t count) {
    kvcpu_command command = {};
    command.opcode = KVCPU_OP_FREE;
    command.first = first;
    command.count = count;
    return add(command);
}

std::size_t Batch::pin(uint64_t first, uint64_t count, uint64_t deadline_ns, uint64_t user_data) {
    kvcpu_command command = {};
    command.opcode = KVCPU_OP_PIN;
    command.first = first;
    command.count = count;
    command.arg = deadline_ns;
    command.user_data = user_data;
    return add(command);
}

std::size_t Batch::unpin(uint64_t first, uint64_t count) {
    kvcpu_command command = {};
    command.opcode = KVCPU_OP_UNPIN;
    command.first = first;
    command.count = count;
    return add(command);
}

std::size_t Batch::cancel(uint64_t user_data) {
    kvcpu_command command = {};
    command.opcode = KVCPU_OP_CANCEL;
    command.arg = user_data;
    return add(command);
}

std::size_t Batch::read(uint64_t block, uint32_t offset, std::span<std::byte> into) {
    kvcpu_command command = {};
    command.opcode = KVCPU_OP_READ;
    command.first = block;
    command.count = 1;
    command.buffer = reinterpret_cast<uintptr_t>(into.data());
    command.offset = offset;
    command.length = static_cast<uint32_t>(into.size());
    return add(command);
}

std::size_t Batch::write(uint64_t block, uint32_t offset, std::span<const std::byte> from) {
    kvcpu_command command = {};
    command.opcode = KVCPU_OP_WRITE;
    command.first = block;
    command.count = 1;
    command.buffer = reinterpret_cast<uintptr_t>(from.data());
    command.offset = offset;
    command.length = static_cast<uint32_t>(from.size());
    return add(command);
}

std::size_t Batch::step(uint64_t step) {
    kvcpu_command command = {};
    command.opcode = KVCPU_OP_STEP;
    command.arg = step;
    return add(command);
}

std::size_t Batch::hint(kvcpu_opcode opcode, uint64_t first, uint64_t count, uint64_t step,
                        uint16_t flags) {
    kvcpu_command command = {};
    command.opcode = static_cast<uint16_t>(opcode);
    command.flags = flags;
    command.first = first;
    command.count = count;
    command.arg = step;
    return add(command);
}

std::error_code Batch::submit(Transport &transport, bool go_on) noexcept {
    return submit_all(transport, commands_, go_on, done_);
}

std::error_code submit_all(Transport &transport, std::span<kvcpu_command> commands, bool go_on,
                           std::size_t &done) noexcept {
    for (done = 0; done < commands.size();) {
        const std::size_t some = std::min<std::size_t>(commands.size() - done, KVCPU_SUBMIT_MAX);
        std::size_t executed = 0;
        const std::error_code error =
            transport.submit(commands.subspan(done, some), go_on, executed);
        done += executed;
        const bool stopped = !go_on && executed > 0 && !Result(commands[done - 1].result).ok();
        if (error || executed < some || stopped) {
            return error;
        }
    }
    return {};
}

}  // namespace kvcpu
