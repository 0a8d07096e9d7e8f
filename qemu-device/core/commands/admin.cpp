// SPDX-License-Identifier: GPL-2.0-or-later
#include "commands/admin.h"

#include <algorithm>

namespace kvcpu {

Result Admin::execute(const Command &command) noexcept {
    switch (command.opcode) {
        case KVCPU_OP_OPEN:
            return open(command);
        case KVCPU_OP_RESTART:
            return restart(command);
        case KVCPU_OP_COALESCE:
            return coalesce(command);
        case KVCPU_OP_QUOTA:
            return quota(command);
        case KVCPU_OP_BUFFER_ADD:
            if (command.context == 0) {
                return {KVCPU_SC_BAD_CONTEXT, 0, 0};
            }
            return {buffers_.add(command.context, command.first, command.count, command.arg,
                                 command.address),
                    0, 0};
        case KVCPU_OP_BUFFER_REMOVE:
            if (command.context == 0) {
                return {KVCPU_SC_BAD_CONTEXT, 0, 0};
            }
            return {buffers_.remove(command.context, command.first), 0, 0};
        case KVCPU_OP_RESIDENCY:
            return residency(command);
        default:
            return {KVCPU_SC_UNSUPPORTED, 0, 0};
    }
}

bool Admin::read_coalescing(uint64_t word, Coalescing &coalescing) const noexcept {
    coalescing.count =
        static_cast<uint32_t>((word >> KVCPU_CLS_COUNT_SHIFT) & KVCPU_CLS_COUNT_MASK);
    coalescing.vector =
        static_cast<uint32_t>((word >> KVCPU_CLS_VECTOR_SHIFT) & KVCPU_CLS_VECTOR_MASK);
    coalescing.ns = (word >> KVCPU_CLS_NS_SHIFT) & KVCPU_CLS_NS_MASK;
    return coalescing.count <= KVCPU_COALESCE_COUNT_MAX && coalescing.vector < d_.config.vectors &&
           coalescing.ns <= KVCPU_COALESCE_MAX_NS &&
           (coalescing.count != 0 || coalescing.ns == 0) &&
           (coalescing.count <= 1 || coalescing.ns != 0);
}

bool Admin::read_quota(uint64_t word, Quota &quota) const noexcept {
    quota.min = static_cast<uint32_t>((word >> KVCPU_QTA_MIN_SHIFT) & KVCPU_QTA_MIN_MASK);
    const auto max = static_cast<uint32_t>((word >> KVCPU_QTA_MAX_SHIFT) & KVCPU_QTA_MAX_MASK);
    quota.max = max == 0 || max == d_.slot_count ? no_maximum : max;
    return max <= d_.slot_count && quota.min <= std::min(quota.max, d_.slot_count);
}

void Admin::set_quota(uint16_t context, const Quota &quota) noexcept {
    quotas_.set(context, quota.min, quota.max);
    d_.record({.kind = KVCPU_EV_QUOTA,
               .context = context,
               .first = quota.min,
               .value = std::min(quota.max, d_.slot_count)});
}

Result Admin::quota(const Command &command) noexcept {
    Quota quota;
    if (!read_quota(command.extent, quota)) {
        return {KVCPU_SC_BAD_FIELD, 0, 0};
    }
    if (!quotas_.allows(command.context, quota.min)) {
        return {KVCPU_SC_NO_SLOTS, 0, 0};
    }
    set_quota(command.context, quota);
    return {};
}

Result Admin::open(const Command &command) noexcept {
    if (command.context == 0) {
        return {KVCPU_SC_BAD_CONTEXT, 0, 0};
    }
    const uint64_t sizes = command.count;
    Quota quota;
    QueueSetup setup = {
        .sq_address = command.address,
        .cq_address = command.first,
        .sq_entries = static_cast<uint32_t>((sizes >> KVCPU_OPN_SQ_ENTRIES_SHIFT) &
                                            KVCPU_OPN_SQ_ENTRIES_MASK),
        .cq_entries = static_cast<uint32_t>((sizes >> KVCPU_OPN_CQ_ENTRIES_SHIFT) &
                                            KVCPU_OPN_CQ_ENTRIES_MASK),
        .coalescing = {},
    };
    if (sizes >> 32 != 0 || !is_queue_size(setup.sq_entries) || !is_queue_size(setup.cq_entries) ||
        !is_queue_address(setup.sq_address) || !is_queue_address(setup.cq_address) ||
        !read_coalescing(command.arg, setup.coalescing) || !read_quota(command.extent, quota)) {
        return {KVCPU_SC_BAD_FIELD, 0, 0};
    }
    if (pairs_[command.context].state != KVCPU_RS_NO_RING) {
        return {KVCPU_SC_BAD_STATE, 0, 0};
    }
    if (!quotas_.allows(command.context, quota.min)) {
        return {KVCPU_SC_NO_SLOTS, 0, 0};
    }
    const Result result = attach(command.context, setup);
    if (result.status == KVCPU_SC_SUCCESS && command.extent != 0) {
        set_quota(command.context, quota);
    }
    return result;
}

Result Admin::restart(const Command &command) noexcept {
    const QueuePair &pair = pairs_[command.context];
    if (command.context == 0) {
        return {KVCPU_SC_BAD_CONTEXT, 0, 0};
    }
    if (pair.state == KVCPU_RS_RUNNING || pair.state == KVCPU_RS_NO_RING) {
        return {KVCPU_SC_BAD_STATE, 0, 0};
    }
    return attach(command.context, pair.setup);
}

Result Admin::attach(uint16_t context, const QueueSetup &setup) noexcept {
    const kvcpu_dma_result result = pairs_.open(context, setup);
    if (result != KVCPU_DMA_OK) {
        return {status_of(result), 0, 0};
    }
    events_.forget_stop(context);
    d_.record({.kind = KVCPU_EV_RING_OPENED,
               .context = context,
               .first = setup.sq_entries,
               .value = setup.cq_entries});
    return {};
}

Result Admin::coalesce(const Command &command) noexcept {
    Coalescing coalescing;
    if (command.context == 0) {
        return {KVCPU_SC_BAD_CONTEXT, 0, 0};
    }
    if (!read_coalescing(command.arg, coalescing)) {
        return {KVCPU_SC_BAD_FIELD, 0, 0};
    }
    if (pairs_[command.context].state != KVCPU_RS_RUNNING) {
        return {KVCPU_SC_BAD_STATE, 0, 0};
    }
    pairs_.coalesce(command.context, coalescing);
    return {};
}

Result Admin::residency(const Command &command) noexcept {
    if (command.context == 0) {
        return {KVCPU_SC_BAD_CONTEXT, 0, 0};
    }
    if (command.first >= d_.block_count() || command.first % KVCPU_RESIDENCY_PART != 0 ||
        command.count > KVCPU_RESIDENCY_PART || command.count > d_.block_count() - command.first) {
        return {KVCPU_SC_BAD_RANGE, 0, 0};
    }
    if (!is_queue_address(command.address)) {
        return {KVCPU_SC_BAD_FIELD, 0, 0};
    }
    const auto first = static_cast<uint32_t>(command.first);
    if (command.count == 0) {
        d_.residency.remove(command.context, first);
        return {};
    }
    return {status_of(d_.residency.add(command.context, first, static_cast<uint32_t>(command.count),
                                       command.address)),
            0, 0};
}

/* -- The admin ring itself ------------------------------------------------- */

QueueSetup Admin::admin_ring() const noexcept {
    return {
        .sq_address = d_.registers[Reg::ADMIN_SQ_ADDR],
        .cq_address = d_.registers[Reg::ADMIN_CQ_ADDR],
        .sq_entries = static_cast<uint32_t>(d_.registers[Reg::ADMIN_SQ_ENTRIES]),
        .cq_entries = static_cast<uint32_t>(d_.registers[Reg::ADMIN_CQ_ENTRIES]),
        .coalescing = {.count = 1, .vector = KVCPU_VECTOR_COMPLETION, .ns = 0},
    };
}

bool Admin::is_ring_described() const noexcept {
    return is_queue_size(d_.registers[Reg::ADMIN_SQ_ENTRIES]) &&
           is_queue_size(d_.registers[Reg::ADMIN_CQ_ENTRIES]) &&
           is_queue_address(d_.registers[Reg::ADMIN_SQ_ADDR]) &&
           is_queue_address(d_.registers[Reg::ADMIN_CQ_ADDR]);
}

bool Admin::enable_ring() noexcept {
    return attach(0, admin_ring()).status == KVCPU_SC_SUCCESS;
}

}  // namespace kvcpu
