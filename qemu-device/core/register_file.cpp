// SPDX-License-Identifier: GPL-2.0-or-later
#include "register_file.h"

#include <algorithm>

namespace kvcpu {

namespace {

constexpr uint64_t control_bits = KVCPU_CONTROL_RESET | KVCPU_CONTROL_LOG_RESTART;
constexpr uint64_t queue_bits = KVCPU_QEN_ADMIN | KVCPU_QEN_EVENTS;
#define KVCPU_POLICY_BIT_(name, number, text) | uint64_t{1} << (number)
constexpr uint64_t all_policies = 0 KVCPU_POLICIES(KVCPU_POLICY_BIT_);
#undef KVCPU_POLICY_BIT_

uint64_t flags_of(const Block &block, bool queued) {
    const auto flag = [](bool set, uint64_t bit) { return set ? bit : 0; };
    return flag(block.allocated, KVCPU_BF_ALLOCATED) | flag(block.written, KVCPU_BF_WRITTEN) |
           flag(block.dirty, KVCPU_BF_DIRTY) | flag(block.sealed, KVCPU_BF_SEALED) |
           flag(block.prefix, KVCPU_BF_PREFIX) | flag(block.cached, KVCPU_BF_CACHED) |
           flag(queued, KVCPU_BF_QUEUED) | flag(block.held, KVCPU_BF_HELD) |
           flag(block.write_held, KVCPU_BF_WRITE_HELD) | flag(block.revoking, KVCPU_BF_REVOKING);
}

uint64_t state_word(const Block &block, kvcpu_victim_class in_class, bool queued) {
    const uint64_t tier = has_slot_copy(block) ? KVCPU_TIER_HBM : KVCPU_TIER_DRAM;
    return uint64_t{block.state} << KVCPU_BST_STATE_SHIFT |
           uint64_t{in_class} << KVCPU_BST_CLASS_SHIFT |
           uint64_t{block.owner} << KVCPU_BST_OWNER_SHIFT |
           flags_of(block, queued) << KVCPU_BST_FLAGS_SHIFT | tier << KVCPU_BST_TIER_SHIFT;
}

uint64_t tag_word(const Block &block) {
    return uint64_t{block.request} << KVCPU_TAG_REQUEST_SHIFT |
           uint64_t{block.layer} << KVCPU_TAG_LAYER_SHIFT |
           uint64_t{block.head} << KVCPU_TAG_HEAD_SHIFT |
           uint64_t{block.tokens} << KVCPU_TAG_TOKENS_SHIFT;
}

uint64_t tokens_word(const Block &block) {
    const uint32_t last =
        block.tokens == 0 ? block.first_token : block.first_token + block.tokens - 1;
    return uint64_t{block.first_token} << KVCPU_BTK_FIRST_SHIFT | uint64_t{last}
                                                                      << KVCPU_BTK_LAST_SHIFT;
}

}  // namespace

void RegisterFile::refuse(kvcpu_counter why, uint64_t offset, uint64_t value) noexcept {
    const uint64_t page = (offset - KVCPU_DOORBELL_BASE) / KVCPU_DOORBELL_STRIDE;
    const bool is_doorbell = offset >= KVCPU_DOORBELL_BASE && page < d_.contexts.size();
    d_.count(why);
    d_.record({.kind = KVCPU_EV_GUEST_ERROR,
               .detail = static_cast<uint16_t>(why),
               .context = static_cast<uint16_t>(is_doorbell ? page : 0),
               .first = offset,
               .value = value});
}

uint64_t RegisterFile::read(uint64_t offset, unsigned bytes) noexcept {
    const Decoded decoded = decode_access(offset, bytes, Direction::read, doorbell_pages());
    if (const auto *why = std::get_if<kvcpu_counter>(&decoded)) {
        refuse(*why, offset, 0);
        return 0;
    }
    const uint64_t value = read_target(*std::get_if<Target>(&decoded));
    if (bytes == 4) {
        return offset % 8 == 0 ? value & UINT32_MAX : value >> 32;
    }
    return value;
}

bool RegisterFile::write(uint64_t offset, uint64_t value, unsigned bytes) noexcept {
    const Decoded decoded = decode_access(offset, bytes, Direction::write, doorbell_pages());
    if (const auto *why = std::get_if<kvcpu_counter>(&decoded)) {
        refuse(*why, offset, value);
        return false;
    }
    return write_target(*std::get_if<Target>(&decoded), offset, value);
}

/* -- Reading --------------------------------------------------------------- */

uint64_t RegisterFile::read_target(const Target &target) const noexcept {
    if (const auto *counter = std::get_if<CounterIndex>(&target)) {
        return d_.counters.value(counter->index);
    }
    if (const auto *status = std::get_if<StatusCounterIndex>(&target)) {
        return d_.counters.status(status->index);
    }
    return read_register(*std::get_if<Reg>(&target));
}

uint64_t RegisterFile::read_register(Reg reg) const noexcept {
    if (Occupancy::has(reg)) {
        return d_.occupancy.value(reg);
    }
    switch (reg) {
        case Reg::POLICY:
            return d_.policy;
        case Reg::FAST_FREE:
            return d_.free_slots.count();
        case Reg::BLOCKS_FREE:
            return d_.free_blocks.count();
        case Reg::LOG_RECORDS:
            return d_.log.records();
        case Reg::BLOCK_STATE:
        case Reg::BLOCK_PLACE:
        case Reg::BLOCK_USE:
        case Reg::BLOCK_TAG:
        case Reg::BLOCK_TOKENS:
        case Reg::BLOCK_LAST_STEP:
        case Reg::BLOCK_TARGET:
        case Reg::BLOCK_HOLDS:
            return read_block(reg);
        case Reg::CONTEXT_STATE:
        case Reg::CONTEXT_STEP:
        case Reg::CONTEXT_BLOCKS:
        case Reg::CONTEXT_WAITS:
        case Reg::CONTEXT_QUOTA:
        case Reg::CONTEXT_SQ:
        case Reg::CONTEXT_CQ:
            return read_context(reg);
        case Reg::HISTORY_BEFORE:
        case Reg::HISTORY_STATE:
        case Reg::HISTORY_SEQUENCE:
        case Reg::HISTORY_TIME:
        case Reg::HISTORY_WHAT:
        case Reg::HISTORY_FIRST:
        case Reg::HISTORY_VALUE:
            return read_history(reg);
        case Reg::CMD_RESULT:
            return last_result_;
        case Reg::CPL_PENDING:
            return p_.completions.pending();
        case Reg::CPL_TAG:
            return p_.completions.oldest().tag;
        case Reg::CPL_RESULT:
            return p_.completions.oldest().result;
        case Reg::CPL_TIME:
            return p_.completions.oldest().time_ns;
        default:
            return read_geometry(reg);
    }
}

uint64_t RegisterFile::read_geometry(Reg reg) const noexcept {
    switch (reg) {
        case Reg::BLOCK_SIZE:
            return d_.config.block_size;
        case Reg::BLOCKS:
            return d_.block_count();
        case Reg::FAST_SLOTS:
            return d_.slot_count;
        case Reg::CONTEXTS:
            return d_.contexts.size();
        case Reg::DMA_CHANNELS:
            return d_.config.dma_channels;
        case Reg::DMA_LATENCY:
            return d_.config.dma_latency_ns;
        case Reg::DMA_BANDWIDTH:
            return d_.config.dma_bandwidth;
        case Reg::SCRUB_BANDWIDTH:
            return d_.config.scrub_bandwidth;
        case Reg::POLICIES:
            return all_policies;
        case Reg::TIME:
            return d_.now;
        case Reg::CLOCK_STOP:
            return d_.clock.stop();
        case Reg::VECTORS:
            return d_.config.vectors;
        case Reg::DOORBELL_LATENCY:
            return d_.config.doorbell_latency_ns;
        default:
            return d_.registers[reg];
    }
}

uint64_t RegisterFile::read_block(Reg reg) const noexcept {
    const auto block = static_cast<uint32_t>(d_.registers[Reg::BLOCK_SELECT]);
    const Block &b = d_.at(block);
    const Context &context = d_.contexts[b.owner];
    const uint64_t age = context.clock - b.used_at;

    switch (reg) {
        case Reg::BLOCK_STATE:
            return state_word(b, p_.placement.class_of(b), p_.placement.is_queued(block));
        case Reg::BLOCK_PLACE:
            return uint64_t{has_slot_copy(b) ? b.slot : no_slot} << KVCPU_BPL_SLOT_SHIFT |
                   uint64_t{b.claims} << KVCPU_BPL_CLAIMS_SHIFT |
                   uint64_t{b.sharers} << KVCPU_BPL_SHARERS_SHIFT;
        case Reg::BLOCK_USE:
            return uint64_t{b.used ? Score::recency(age) : uint8_t{0}} << KVCPU_BUS_R_SHIFT |
                   uint64_t{b.frequency} << KVCPU_BUS_F_SHIFT |
                   uint64_t{p_.placement.score.value(b, context)} << KVCPU_BUS_P_SHIFT |
                   uint64_t{b.generation} << KVCPU_BUS_GENERATION_SHIFT;
        case Reg::BLOCK_TAG:
            return tag_word(b);
        case Reg::BLOCK_TOKENS:
            return tokens_word(b);
        case Reg::BLOCK_HOLDS:
            return b.held ? uint64_t{d_.holds[block].read} << KVCPU_BHD_READ_SHIFT |
                                uint64_t{d_.holds[block].write} << KVCPU_BHD_WRITE_SHIFT |
                                uint64_t{d_.holds[block].context} << KVCPU_BHD_CONTEXT_SHIFT
                          : 0;
        case Reg::BLOCK_LAST_STEP:
            return b.used ? context.step - std::min(context.step, age) : 0;
        default:
            return wants_fast(b) ? context.step_at(b.target) : 0;
    }
}

uint64_t RegisterFile::read_context(Reg reg) const noexcept {
    const auto number = static_cast<uint16_t>(d_.registers[Reg::CONTEXT_SELECT]);
    const Context &context = d_.contexts[number];
    const QueuePair &pair = p_.pairs[number];
    const auto indices = [](uint64_t device, uint64_t guest) {
        return (device & KVCPU_CXR_DEVICE_MASK) << KVCPU_CXR_DEVICE_SHIFT |
               (guest & KVCPU_CXR_GUEST_MASK) << KVCPU_CXR_GUEST_SHIFT;
    };

    switch (reg) {
        case Reg::CONTEXT_STATE:
            return uint64_t{pair.state} << KVCPU_CXS_RING_SHIFT |
                   (context.closing ? uint64_t{1} << KVCPU_CXS_CLOSING_SHIFT : 0) |
                   uint64_t{p_.buffers.count(number)} << KVCPU_CXS_BUFFERS_SHIFT |
                   uint64_t{context.map_parts} << KVCPU_CXS_PARTS_SHIFT;
        case Reg::CONTEXT_WAITS:
            return uint64_t{pair.waiting} << KVCPU_CXW_WAITING_SHIFT | uint64_t{context.held}
                                                                           << KVCPU_CXW_HELD_SHIFT;
        case Reg::CONTEXT_SQ:
            return indices(pair.head, pair.tail);
        case Reg::CONTEXT_CQ:
            return indices(pair.written, pair.taken);
        case Reg::CONTEXT_STEP:
            return context.step;
        case Reg::CONTEXT_BLOCKS:
            return uint64_t{context.owned} << KVCPU_CXB_OWNED_SHIFT | uint64_t{context.slots_used}
                                                                          << KVCPU_CXB_SLOTS_SHIFT;
        default:
            return uint64_t{context.slots_min} << KVCPU_QTA_MIN_SHIFT |
                   uint64_t{std::min(context.slots_max, d_.slot_count)} << KVCPU_QTA_MAX_SHIFT;
    }
}

uint64_t RegisterFile::read_history(Reg reg) const noexcept {
    const kvcpu_event &record = found_.record;
    switch (reg) {
        case Reg::HISTORY_BEFORE:
            return found_.before;
        case Reg::HISTORY_STATE:
            return found_.state;
        case Reg::HISTORY_SEQUENCE:
            return record.sequence;
        case Reg::HISTORY_TIME:
            return record.time_ns;
        case Reg::HISTORY_WHAT:
            return record.kind | uint64_t{record.detail} << 16 | uint64_t{record.context} << 32 |
                   uint64_t{record.status} << 48;
        case Reg::HISTORY_FIRST:
            return record.first;
        default:
            return record.value;
    }
}

/* -- Writing --------------------------------------------------------------- */

bool RegisterFile::is_acceptable(Reg reg, uint64_t value) const noexcept {
    switch (reg) {
        case Reg::WEIGHT_R:
        case Reg::WEIGHT_F:
        case Reg::WEIGHT_S:
        case Reg::WEIGHT_D:
        case Reg::EVICT_THRESH:
        case Reg::PREFETCH_THRESH:
            return value <= UINT32_MAX;
        case Reg::CONTROL:
            return value != 0 && (value & ~control_bits) == 0;
        case Reg::POLICY:
            return value < 64 && ((all_policies >> value) & 1) != 0;
        case Reg::HOT_LEASE:
            return value != 0;
        case Reg::SHARED_CAP:
            return value <= d_.slot_count;
        case Reg::BLOCK_SELECT:
            return value < d_.block_count();
        case Reg::CPL_POP:
            return p_.completions.pending() > 0;
        case Reg::QUEUE_ENABLE:
            return (value & ~queue_bits) == 0 &&
                   ((value & ~d_.registers[reg] & KVCPU_QEN_ADMIN) == 0 ||
                    p_.admin.is_ring_described()) &&
                   ((value & ~d_.registers[reg] & KVCPU_QEN_EVENTS) == 0 ||
                    p_.events.is_described());
        case Reg::CONTEXT_SELECT:
            return value < d_.contexts.size();
        default:
            return true;
    }
}

bool RegisterFile::write_target(const Target &target, uint64_t offset, uint64_t value) noexcept {
    if (const auto *doorbell = std::get_if<Doorbell>(&target)) {
        if (!ring_doorbell(*doorbell, value)) {
            refuse(KVCPU_CNT_BAD_DOORBELL, offset, value);
        }
        return true; /* an invalid value may stop the ring */
    }
    const Reg reg = *std::get_if<Reg>(&target);
    if (!is_acceptable(reg, value)) {
        refuse(KVCPU_CNT_BAD_VALUE, offset, value);
        return false;
    }
    write_register(reg, value);
    return true;
}

bool RegisterFile::ring_doorbell(const Doorbell &doorbell, uint64_t value) noexcept {
    switch (doorbell.which) {
        case KVCPU_DB_SQ_TAIL:
            return p_.scheduler.advance_tail(doorbell.context, value);
        case KVCPU_DB_CQ_HEAD:
            return p_.scheduler.advance_head(doorbell.context, value);
        case KVCPU_DB_EVQ_HEAD:
            return p_.events.advance_head(value);
    }
    return false;
}

void RegisterFile::write_register(Reg reg, uint64_t value) noexcept {
    if (reg == Reg::QUEUE_ENABLE) {
        enable_queues(value);
        return;
    }
    d_.registers[reg] = value;
    switch (reg) {
        case Reg::STEP_ADVANCE:
            p_.hints.execute({.opcode = KVCPU_OP_STEP, .arg = value});
            break;
        case Reg::BOOST_LEN:
            hint_bytes(KVCPU_OP_HOT, 0, d_.registers[Reg::BOOST_ADDR], value, 0);
            break;
        case Reg::IMEVICT_LEN:
            hint_bytes(KVCPU_OP_EVICTABLE, KVCPU_F_NOW, d_.registers[Reg::IMEVICT_ADDR], value, 0);
            break;
        case Reg::PREFETCH_STEP:
            hint_bytes(KVCPU_OP_PREFETCHABLE, 0, d_.registers[Reg::PREFETCH_ADDR],
                       d_.registers[Reg::PREFETCH_LEN], value);
            break;
        case Reg::SHARE_LEN:
            hint_bytes(KVCPU_OP_SHARE, 0, d_.registers[Reg::SHARE_ADDR], value, 0);
            break;
        case Reg::CONTROL:
            control(value);
            break;
        case Reg::POLICY:
            set_policy(value);
            break;
        case Reg::CLOCK_STOP:
            d_.clock.stop_at(value, d_.now);
            break;
        case Reg::HISTORY_BEFORE:
            found_ = d_.log.history().seek(static_cast<uint32_t>(d_.registers[Reg::BLOCK_SELECT]),
                                           value);
            break;
        case Reg::CMD_CONTROL:
            last_result_ = p_.commands.execute(Command::from(d_.registers)).encode();
            break;
        case Reg::CPL_POP:
            p_.completions.pop();
            break;
        default:
            break;
    }
}

/* The blocks that the bytes overlap. A range that wraps ends at 2^64. */
void RegisterFile::hint_bytes(kvcpu_opcode opcode, uint16_t flags, uint64_t address,
                              uint64_t length, uint64_t arg) noexcept {
    const uint64_t size = d_.config.block_size;
    const uint64_t first = address / size;
    uint64_t count = 0;
    if (length > 0) {
        const uint64_t last_byte = address + std::min(length - 1, UINT64_MAX - address);
        count = last_byte / size - first + 1;
    }
    p_.hints.execute(
        {.opcode = opcode, .flags = flags, .first = first, .count = count, .arg = arg});
}

void RegisterFile::control(uint64_t value) noexcept {
    if ((value & KVCPU_CONTROL_RESET) != 0) {
        p_.reset_line.reset_by_register();
    }
    if ((value & KVCPU_CONTROL_LOG_RESTART) != 0) {
        d_.log.restart(d_.now);
    }
}

/* A read of QUEUE_ENABLE shows which queues are enabled. */
void RegisterFile::enable_queues(uint64_t value) noexcept {
    uint64_t &enabled = d_.registers[Reg::QUEUE_ENABLE];
    const uint64_t off = enabled & ~value;
    const uint64_t on = value & ~enabled;
    if ((off & KVCPU_QEN_ADMIN) != 0) {
        p_.teardown.close_admin_ring();
        enabled &= ~KVCPU_QEN_ADMIN;
    }
    if ((off & KVCPU_QEN_EVENTS) != 0) {
        p_.events.disable();
        enabled &= ~KVCPU_QEN_EVENTS;
    }
    if ((on & KVCPU_QEN_EVENTS) != 0 && p_.events.enable()) {
        enabled |= KVCPU_QEN_EVENTS;
    }
    if ((on & KVCPU_QEN_ADMIN) != 0 && p_.admin.enable_ring()) {
        enabled |= KVCPU_QEN_ADMIN;
    }
    d_.record({.kind = KVCPU_EV_QUEUES, .value = enabled});
}

void RegisterFile::set_policy(uint64_t value) noexcept {
    const auto policy = static_cast<kvcpu_policy>(value);
    if (policy == d_.policy) {
        return;
    }
    d_.policy = policy;
    d_.record({.kind = KVCPU_EV_POLICY, .value = value});
    p_.placement.rebuild();
}

}  // namespace kvcpu
