// SPDX-License-Identifier: GPL-2.0-or-later
#include "commands/commands.h"

#include <algorithm>

namespace kvcpu {

Command Command::from(const RegisterValues &registers) noexcept {
    const uint64_t control = registers[Reg::CMD_CONTROL];
    return {
        .opcode = static_cast<uint16_t>(control >> KVCPU_CTL_OPCODE_SHIFT),
        .flags = static_cast<uint16_t>(control >> KVCPU_CTL_FLAGS_SHIFT),
        .reserved = static_cast<uint16_t>(control >> 48),
        .context = static_cast<uint16_t>(control >> KVCPU_CTL_CONTEXT_SHIFT),
        .first = registers[Reg::CMD_FIRST],
        .count = registers[Reg::CMD_COUNT],
        .arg = registers[Reg::CMD_ARG],
        .address = registers[Reg::CMD_ADDR],
        .extent = registers[Reg::CMD_EXTENT],
        .meta = registers[Reg::CMD_META],
        .completion = {.tag = registers[Reg::CMD_TAG]},
    };
}

/* Collects in `reserved` the bits that must be zero, and a context that a process's entry names. */
Command Command::from(const Entry &entry, uint16_t ring) noexcept {
    const uint64_t control = entry[KVCPU_EW_CONTROL];
    const auto flags = static_cast<uint16_t>(control >> KVCPU_CTL_FLAGS_SHIFT);
    const auto named = static_cast<uint16_t>(control >> KVCPU_CTL_CONTEXT_SHIFT);
    const bool is_admin_ring = ring == 0;
    return {
        .opcode = static_cast<uint16_t>(control >> KVCPU_CTL_OPCODE_SHIFT),
        .flags = static_cast<uint16_t>(flags & ~KVCPU_F_COMPLETE),
        .reserved = static_cast<uint16_t>((control >> 48) | (entry[KVCPU_EW_TAG] >> 63) |
                                          (is_admin_ring ? 0 : named)),
        .context = is_admin_ring ? named : ring,
        .first = entry[KVCPU_EW_FIRST],
        .count = entry[KVCPU_EW_COUNT],
        .arg = entry[KVCPU_EW_ARG],
        .address = entry[KVCPU_EW_ADDR],
        .extent = entry[KVCPU_EW_EXTENT],
        .meta = entry[KVCPU_EW_META],
        .completion = {.via = ring,
                       .wanted = (flags & KVCPU_F_COMPLETE) != 0,
                       .tag = entry[KVCPU_EW_TAG]},
    };
}

kvcpu_status Commands::check_head(const Command &command) const noexcept {
    if (!is_known(command.opcode) || (command.is_from_process() && is_admin(command.opcode))) {
        return KVCPU_SC_BAD_OPCODE;
    }
    if (command.reserved != 0 || (command.flags & ~flags_of(command.opcode)) != 0) {
        return KVCPU_SC_BAD_FIELD;
    }
    if (command.context >= d_.contexts.size() ||
        (command.opcode == KVCPU_OP_CLOSE && command.context == 0)) {
        return KVCPU_SC_BAD_CONTEXT;
    }
    return d_.contexts[command.context].closing && command.opcode != KVCPU_OP_UNHOLD
               ? KVCPU_SC_BUSY
               : KVCPU_SC_SUCCESS;
}

void Commands::account(const Command &command, const Result &result) noexcept {
    d_.count(KVCPU_CNT_COMMANDS);
    d_.counters.add_status(result.status);
    if (result.has_failed()) {
        d_.count(KVCPU_CNT_COMMANDS_FAILED);
        d_.record({.kind = KVCPU_EV_COMMAND_FAILED,
                   .detail = command.opcode,
                   .context = command.context,
                   .status = static_cast<uint16_t>(result.status),
                   .first = command.first,
                   .value = command.count});
    }
}

Result Commands::execute(const Command &command) noexcept {
    const kvcpu_status head = check_head(command);
    const Result result = head == KVCPU_SC_SUCCESS ? dispatch(command) : Result{head, 0, 0};
    account(command, result);
    return result;
}

kvcpu_status Commands::begin_hint(const Command &command) noexcept {
    const kvcpu_status head = check_head(command);
    account(command, {head, 0, 0});
    return head;
}

Result Commands::dispatch(const Command &command) noexcept {
    switch (command.opcode) {
        case KVCPU_OP_ALLOC:
            return alloc(command);
        case KVCPU_OP_FREE:
            return free_blocks(command);
        case KVCPU_OP_PIN:
            return pin(command);
        case KVCPU_OP_UNPIN:
            return unpin(command);
        case KVCPU_OP_READ:
        case KVCPU_OP_WRITE:
            return copy(command);
        case KVCPU_OP_CANCEL:
            return {p_.pins.cancel(command.context, command.arg) ? KVCPU_SC_SUCCESS
                                                                 : KVCPU_SC_NOT_FOUND,
                    0, 0};
        case KVCPU_OP_FENCE:
            return fence(command);
        case KVCPU_OP_HOLD:
            return hold(command);
        case KVCPU_OP_UNHOLD:
            return unhold(command);
        case KVCPU_OP_CLOSE:
            return p_.teardown.close(command);
        case KVCPU_OP_RECLAIMED:
            return p_.reclaim.acknowledge(command.context);
        default:
            return is_hint(command.opcode) ? p_.hints.execute(command.as_hint())
                                           : p_.admin.execute(command);
    }
}

bool Commands::is_in_space(const Command &command, uint64_t count) const noexcept {
    return count > 0 && count <= KVCPU_COMMAND_BLOCKS_MAX && command.first < d_.block_count() &&
           count <= d_.block_count() - command.first;
}

/* The range must lie in the space, and every block of it belong to the command's context. */
kvcpu_status Commands::check_range(const Command &command, uint64_t count,
                                   Range &range) const noexcept {
    if (!is_in_space(command, count)) {
        return KVCPU_SC_BAD_RANGE;
    }
    range = {static_cast<uint32_t>(command.first), static_cast<uint32_t>(count)};
    for (uint32_t block = range.first; block < range.end(); ++block) {
        if (!d_.at(block).allocated || d_.at(block).owner != command.context) {
            return KVCPU_SC_NOT_OWNER;
        }
    }
    return KVCPU_SC_SUCCESS;
}

/* -- ALLOC and FREE -------------------------------------------------------- */

Result Commands::alloc(const Command &command) noexcept {
    if (command.count == 0 || command.count > KVCPU_COMMAND_BLOCKS_MAX) {
        return {KVCPU_SC_BAD_RANGE, 0, 0};
    }
    if (command.arg > KVCPU_TOKEN_MASK) {
        return {KVCPU_SC_BAD_FIELD, 0, 0};
    }
    if (d_.contexts[command.context].unacknowledged > 0) {
        return {KVCPU_SC_AGAIN, 0, 0};
    }
    make_space(static_cast<uint32_t>(command.count));
    const NumberSet::Run run = d_.free_blocks.lowest_run(static_cast<uint32_t>(command.count));
    if (run.count == 0) {
        return {d_.reclaimed > 0 ? KVCPU_SC_AGAIN : KVCPU_SC_NO_SPACE, 0, 0};
    }
    for (uint32_t i = 0; i < run.count; ++i) {
        hand_out(command, run.first + i, i);
    }
    d_.contexts[command.context].owned += run.count;
    d_.count(KVCPU_CNT_BLOCKS_ALLOCATED, run.count);
    d_.record({.kind = KVCPU_EV_ALLOC,
               .context = command.context,
               .first = run.first,
               .value = run.count});
    return {KVCPU_SC_SUCCESS, static_cast<uint16_t>(run.count), run.first};
}

/* Reclaims the missing number of blocks; reclaimed blocks that are being scrubbed count as free. */
void Commands::make_space(uint32_t count) noexcept {
    for (uint32_t free = d_.free_blocks.count() + d_.reclaimed; free < count; ++free) {
        const uint32_t block = p_.reclaim.next();
        if (block == no_block) {
            return;
        }
        const uint16_t owner = d_.at(block).owner;
        p_.teardown.free_block(block);
        p_.reclaim.add(block, owner);
    }
}

void Commands::hand_out(const Command &command, uint32_t block, uint32_t index) noexcept {
    const auto field = [&command](unsigned shift, uint64_t mask) {
        return (command.meta >> shift) & mask;
    };
    Block &b = d_.at(block);
    p_.placement.forget(block);
    d_.count_slot_out(b);
    b = block_after_alloc(b, command.context);
    d_.count_slot_in(b);
    b.cached = (command.flags & KVCPU_F_CACHED) != 0;
    b.request = static_cast<uint16_t>(field(KVCPU_TAG_REQUEST_SHIFT, KVCPU_TAG_REQUEST_MASK));
    b.layer = static_cast<uint8_t>(field(KVCPU_TAG_LAYER_SHIFT, KVCPU_TAG_LAYER_MASK));
    b.head = static_cast<uint8_t>(field(KVCPU_TAG_HEAD_SHIFT, KVCPU_TAG_HEAD_MASK));
    b.tokens = static_cast<uint32_t>(field(KVCPU_TAG_TOKENS_SHIFT, KVCPU_TAG_TOKENS_MASK));
    b.first_token = static_cast<uint32_t>(command.arg + uint64_t{index} * b.tokens);
    d_.change(block, KVCPU_BE_ALLOC, b.state == KVCPU_BS_FAST ? KVCPU_BS_FAST : KVCPU_BS_SLOW);
    p_.placement.changed(block);
}

Result Commands::free_blocks(const Command &command) noexcept {
    Range range;
    const kvcpu_status status = check_range(command, command.count, range);
    if (status != KVCPU_SC_SUCCESS) {
        return {status, 0, 0};
    }
    for (uint32_t block = range.first; block < range.end(); ++block) {
        if (d_.at(block).claims > 0 || d_.at(block).wanted > 0) {
            return {KVCPU_SC_PINNED, 0, 0};
        }
    }
    for (uint32_t block = range.first; block < range.end(); ++block) {
        p_.teardown.free_block(block);
    }
    d_.record({.kind = KVCPU_EV_FREE,
               .context = command.context,
               .first = range.first,
               .value = range.count});
    return {};
}

/* -- PIN and UNPIN --------------------------------------------------------- */

Result Commands::pin(const Command &command) noexcept {
    Range range;
    const kvcpu_status status = check_range(command, command.count, range);
    if (status == KVCPU_SC_BAD_RANGE) {
        return {status, 0, 0};
    }
    if (command.arg == 0 || command.arg > KVCPU_PIN_DEADLINE_MAX_NS) {
        return {KVCPU_SC_BAD_FIELD, 0, 0};
    }
    if (status != KVCPU_SC_SUCCESS) {
        return {status, 0, 0};
    }
    if (range.count > std::min(d_.slot_count, d_.contexts[command.context].slots_max)) {
        return {KVCPU_SC_NO_SLOTS, 0, 0};
    }
    return p_.pins.pin(command.context, range, d_.now + command.arg, command.completion);
}

Result Commands::unpin(const Command &command) noexcept {
    Range range;
    const kvcpu_status status = check_range(command, command.count, range);
    if (status != KVCPU_SC_SUCCESS) {
        return {status, 0, 0};
    }
    for (uint32_t block = range.first; block < range.end(); ++block) {
        if (d_.at(block).claims == 0) {
            return {KVCPU_SC_NOT_PINNED, 0, 0};
        }
    }
    p_.pins.unpin(command.context, range);
    return {};
}

/* -- READ and WRITE -------------------------------------------------------- */

Result Commands::copy(const Command &command) noexcept {
    Range range;
    const kvcpu_status status = check_range(command, 1, range);
    if (status != KVCPU_SC_SUCCESS) {
        return {status, 0, 0};
    }
    const uint64_t size = d_.config.block_size;
    if (command.length() == 0 || command.offset() >= size ||
        command.length() > size - command.offset()) {
        return {KVCPU_SC_BAD_FIELD, 0, 0};
    }
    if (command.is_from_process()) {
        const kvcpu_status buffer =
            p_.buffers.check(command.context, command.address, command.length());
        if (buffer != KVCPU_SC_SUCCESS) {
            return {buffer, 0, 0};
        }
    }
    const bool write = command.opcode == KVCPU_OP_WRITE;
    const uint32_t block = range.first;
    const Block &b = d_.at(block);
    if (write && b.sealed) {
        return {KVCPU_SC_SEALED, 0, 0};
    }
    const kvcpu_dma_result dma = transfer(command, b, write);
    if (write && (dma != KVCPU_DMA_OWN_ADDRESS || command.is_from_process())) {
        written(block); /* also after a failure: some bytes may have been written */
    }
    if (dma != KVCPU_DMA_OK) {
        d_.count(KVCPU_CNT_DMA_FAULTS);
        return {status_of(dma), 0, 0};
    }
    p_.placement.credit_prefetch(block);
    p_.placement.use(block);
    d_.count(write ? KVCPU_CNT_WRITES : KVCPU_CNT_READS);
    d_.record({.kind = write ? KVCPU_EV_WRITE : KVCPU_EV_READ,
               .context = command.context,
               .first = block,
               .value = command.length()});
    return {};
}

kvcpu_dma_result Commands::transfer(const Command &command, const Block &block,
                                    bool write) noexcept {
    if (!d_.tiers.hold_bytes()) {
        return KVCPU_DMA_OK;
    }
    const auto number = static_cast<uint32_t>(command.first);
    uint8_t *const bytes =
        (has_slot_copy(block) ? d_.tiers.slot(block.slot) : d_.tiers.backing(number)) +
        command.offset();
    if (command.is_from_process()) {
        return p_.buffers.copy(
            command.context, command.address, bytes, command.length(),
            write ? Buffers::Direction::from_buffer : Buffers::Direction::to_buffer);
    }
    return write ? d_.host.dma_read(command.address, bytes, command.length())
                 : d_.host.dma_write(command.address, bytes, command.length());
}

void Commands::written(uint32_t block) noexcept {
    Block &b = d_.at(block);
    const uint64_t size = d_.config.block_size;
    if (has_slot_copy(b)) {
        b.dirty = true;
        d_.recount(block);
        d_.host.tier_written(KVCPU_TIER_FAST, b.slot * size, size);
    } else {
        d_.host.tier_written(KVCPU_TIER_SLOW, block * size, size);
    }
    if (!b.written) {
        b.written = true;
        p_.pins.first_written(block);
    }
}

/* -- HOLD and UNHOLD ------------------------------------------------------- */

Result Commands::hold(const Command &command) noexcept {
    constexpr uint64_t arg_bits = KVCPU_HLD_GENERATION_MASK << KVCPU_HLD_GENERATION_SHIFT |
                                  KVCPU_HLD_CHECK_MASK << KVCPU_HLD_CHECK_SHIFT;
    Range range;
    const kvcpu_status status = check_range(command, command.count, range);
    if (status == KVCPU_SC_BAD_RANGE || command.count != 1) {
        return {KVCPU_SC_BAD_RANGE, 0, 0};
    }
    if ((command.arg & ~arg_bits) != 0) {
        return {KVCPU_SC_BAD_FIELD, 0, 0};
    }
    if (status != KVCPU_SC_SUCCESS) {
        return {status, 0, 0};
    }
    const bool is_checked = ((command.arg >> KVCPU_HLD_CHECK_SHIFT) & KVCPU_HLD_CHECK_MASK) != 0;
    if (is_checked && d_.at(range.first).generation != static_cast<uint32_t>(command.arg)) {
        return {KVCPU_SC_STALE, 0, 0};
    }
    return p_.holds.hold(command, range.first);
}

/* The blocks may have been freed since their HOLD. */
Result Commands::unhold(const Command &command) noexcept {
    if (!is_in_space(command, command.count)) {
        return {KVCPU_SC_BAD_RANGE, 0, 0};
    }
    return p_.holds.unhold(
        {static_cast<uint32_t>(command.first), static_cast<uint32_t>(command.count)},
        (command.flags & KVCPU_F_WRITE) != 0);
}

/* -- FENCE ----------------------------------------------------------------- */

Result Commands::fence(const Command &command) noexcept {
    const uint32_t ahead =
        p_.pins.waiting_of(command.context) + p_.hints.waiting_of(command.context);
    return ahead == 0 ? Result{} : p_.fences.wait(command.context, ahead, command.completion);
}

}  // namespace kvcpu
