// SPDX-License-Identifier: MIT
#include "test_ring.h"

#include <algorithm>
#include <stdexcept>

namespace kvcpu_test {

Ring::Ring(TestDevice &device, unsigned context, RingSizes sizes)
    : sq(0x10000 + uint64_t{context} * 0x20000),
      cq(sq + 0x10000),
      device_(device),
      context_(context),
      sizes_(sizes) {}

Result Ring::open(uint64_t coalescing) {
    if (context_ == 0) {
        device_.write(KVCPU_REG_ADMIN_SQ_ADDR, sq);
        device_.write(KVCPU_REG_ADMIN_SQ_ENTRIES, sizes_.sq);
        device_.write(KVCPU_REG_ADMIN_CQ_ADDR, cq);
        device_.write(KVCPU_REG_ADMIN_CQ_ENTRIES, sizes_.cq);
        const uint64_t enabled = device_.read(KVCPU_REG_QUEUE_ENABLE) | KVCPU_QEN_ADMIN;
        device_.write(KVCPU_REG_QUEUE_ENABLE, enabled);
        return {device_.read(KVCPU_REG_QUEUE_ENABLE) == enabled ? unsigned{KVCPU_SC_SUCCESS}
                                                                : unsigned{KVCPU_SC_BAD_STATE},
                0, 0};
    }
    device_.write(KVCPU_REG_CMD_ADDR, sq);
    device_.write(KVCPU_REG_CMD_EXTENT, 0);
    const unsigned before = device_.context;
    device_.context = context_;
    const Result result = device_.command(
        KVCPU_OP_OPEN, cq,
        sizes_.sq << KVCPU_OPN_SQ_ENTRIES_SHIFT | sizes_.cq << KVCPU_OPN_CQ_ENTRIES_SHIFT,
        coalescing);
    device_.context = before;
    return result;
}

void Ring::wipe() {
    std::fill_n(device_.memory.begin() + sq, sizes_.sq * KVCPU_ENTRY_BYTES, uint8_t{0});
    std::fill_n(device_.memory.begin() + cq,
                KVCPU_CQ_HEADER_BYTES + sizes_.cq * KVCPU_COMPLETION_BYTES, uint8_t{0});
    tail = taken = 0;
}

uint64_t Ring::push(const Words &words) {
    const uint64_t at = sq + tail % sizes_.sq * KVCPU_ENTRY_BYTES;
    for (unsigned word = 0; word < words.size(); ++word) {
        device_.store(at + 8 * uint64_t{word}, words.at(word));
    }
    return tail++;
}

uint64_t Ring::push(unsigned opcode, uint64_t first, uint64_t count, uint64_t arg, unsigned flags,
                    uint64_t tag) {
    Words words{};
    words[KVCPU_EW_FIRST] = first;
    words[KVCPU_EW_COUNT] = count;
    words[KVCPU_EW_ARG] = arg;
    words[KVCPU_EW_TAG] = tag;
    words[KVCPU_EW_CONTROL] = opcode | uint64_t{flags} << KVCPU_CTL_FLAGS_SHIFT;
    return push(words);
}

void Ring::advance_tail() {
    advance_tail(tail);
}

Result Ring::run(unsigned opcode, uint64_t first, uint64_t count, uint64_t arg, unsigned flags) {
    push(opcode, first, count, arg, flags | KVCPU_F_COMPLETE, 0x7e57);
    advance_tail();
    const std::vector<Completion> done = take();
    if (done.empty() || done.back().tag != 0x7e57) {
        throw std::runtime_error("the entry did not end at once");
    }
    return done.back().result;
}

std::vector<Completion> Ring::look() {
    std::vector<Completion> there;
    for (uint64_t index = taken;; ++index) {
        const uint64_t at = cq + KVCPU_CQ_HEADER_BYTES + index % sizes_.cq * KVCPU_COMPLETION_BYTES;
        const uint64_t last = device_.load(at + 8 * KVCPU_CW_TAG);
        const uint64_t phase = index / sizes_.cq % 2 == 0 ? KVCPU_PHASE : 0;
        if ((last & KVCPU_PHASE) != phase || there.size() == sizes_.cq) {
            return there;
        }
        there.push_back({last & ~KVCPU_PHASE, decode_result(device_.load(at + 8 * KVCPU_CW_RESULT)),
                         device_.load(at + 8 * KVCPU_CW_TIME)});
    }
}

std::vector<Completion> Ring::take() {
    std::vector<Completion> there = look();
    if (!there.empty()) {
        taken += there.size();
        doorbell(KVCPU_DB_CQ_HEAD, taken);
    }
    return there;
}

void Ring::doorbell(kvcpu_doorbell which, uint64_t value) {
    device_.write(KVCPU_DOORBELL_BASE + context_ * uint64_t{KVCPU_DOORBELL_STRIDE} + which, value);
}

uint64_t Ring::context_register(uint64_t reg) {
    device_.write(KVCPU_REG_CONTEXT_SELECT, context_);
    return device_.read(reg);
}

/* -- Events ---------------------------------------------------------------- */

bool Events::open() {
    device_.write(KVCPU_REG_EVQ_ADDR, at);
    device_.write(KVCPU_REG_EVQ_ENTRIES, entries_);
    device_.write(KVCPU_REG_QUEUE_ENABLE, device_.read(KVCPU_REG_QUEUE_ENABLE) | KVCPU_QEN_EVENTS);
    return (device_.read(KVCPU_REG_QUEUE_ENABLE) & KVCPU_QEN_EVENTS) != 0;
}

std::vector<Notice> Events::look() {
    std::vector<Notice> there;
    for (uint64_t index = taken; there.size() < entries_; ++index) {
        const uint64_t record = at + index % entries_ * KVCPU_NOTICE_BYTES;
        const uint64_t phase = index / entries_ % 2 == 0 ? KVCPU_PHASE : 0;
        if (device_.load(record + 8 * KVCPU_NW_PHASE) != phase) {
            break;
        }
        const uint64_t head = device_.load(record + 8 * KVCPU_NW_HEAD);
        there.push_back({static_cast<unsigned>(head & 0xffff),
                         static_cast<unsigned>((head >> KVCPU_NTC_DETAIL_SHIFT) & 0xffff),
                         static_cast<unsigned>(head >> KVCPU_NTC_CONTEXT_SHIFT),
                         device_.load(record + 8 * KVCPU_NW_BLOCK),
                         device_.load(record + 8 * KVCPU_NW_TIME)});
    }
    return there;
}

std::vector<Notice> Events::take() {
    std::vector<Notice> there = look();
    if (!there.empty()) {
        taken += there.size();
        head(taken);
    }
    return there;
}

}  // namespace kvcpu_test
