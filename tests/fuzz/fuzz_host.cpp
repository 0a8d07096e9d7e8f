// SPDX-License-Identifier: MIT
#include "fuzz_host.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace kvcpu_fuzz {

namespace {

kvcpu_config config_of(uint8_t setup) {
    return {.block_size = block_bytes,
            .fast_size = slot_total * block_bytes,
            .slow_size = block_total * block_bytes,
            .max_contexts = context_total,
            .policy = setup % 4U,
            .dma_channels = 1U + (setup >> 2U) % 2U,
            .dma_latency_ns = 500,
            .dma_bandwidth = 4'000'000'000,
            .scrub_bandwidth = 0,
            .vectors = 0,
            .doorbell_latency_ns = (setup & 8U) != 0 ? 700U : 0U};
}

[[noreturn]] void stop(const char *what, uint64_t is, uint64_t should_be) {
    std::fprintf(stderr, "%s: %llu instead of %llu\n", what, static_cast<unsigned long long>(is),
                 static_cast<unsigned long long>(should_be));
    std::abort();
}

}  // namespace

FuzzHost::FuzzHost(uint8_t setup)
    : memory_(memory_bytes), fast_(slot_total * block_bytes), slow_(block_total * block_bytes) {
    const kvcpu_host_ops ops = {
        .now = [](void *o) { return of(o).now_; },
        .set_timer = [](void *o, uint64_t deadline) { of(o).deadline_ = deadline; },
        .dma_read = [](void *o, uint64_t address, void *to,
                       uint64_t bytes) { return of(o).dma_read(address, to, bytes); },
        .dma_write = [](void *o, uint64_t address, const void *from,
                        uint64_t bytes) { return of(o).dma_write(address, from, bytes); },
        .notify = [](void * /*o*/, unsigned /*vector*/) {},
        .tier_written = [](void * /*o*/, kvcpu_tier /*tier*/, uint64_t /*offset*/,
                           uint64_t /*bytes*/) {},
        .event = [](void * /*o*/, const kvcpu_event * /*event*/) {},
        .next_use = nullptr,
    };
    const kvcpu_config config = config_of(setup);
    std::array<char, 200> message{};
    core_ = kvcpu_core_create(&config, &ops, this, fast_.data(), slow_.data(), message.data(),
                              message.size());
    if (core_ == nullptr) {
        std::fprintf(stderr, "no core: %s\n", message.data());
        std::abort();
    }
}

FuzzHost::~FuzzHost() {
    kvcpu_core_destroy(core_);
}

void FuzzHost::store(uint64_t address, uint64_t value) {
    std::memcpy(&memory_[address % (memory_bytes - 8)], &value, sizeof(value));
}

void FuzzHost::advance(uint64_t ns) {
    const uint64_t until = now_ + ns;
    while (deadline_ <= until) {
        now_ = deadline_ > now_ ? deadline_ : now_;
        deadline_ = KVCPU_TIMER_OFF;
        kvcpu_core_timer(core_);
    }
    now_ = until;
}

void FuzzHost::reset(kvcpu_reset_kind kind) {
    if (kind == KVCPU_RESET_COLD) {
        std::fill(fast_.begin(), fast_.end(), uint8_t{0});
        std::fill(slow_.begin(), slow_.end(), uint8_t{0});
    }
    entries_before_reset_ = entries_taken();
    kvcpu_core_reset(core_, kind);
}

void FuzzHost::command(unsigned opcode, unsigned context, uint64_t first, uint64_t count,
                       uint64_t arg, uint64_t address, uint64_t extent) {
    write(KVCPU_REG_CMD_FIRST, first);
    write(KVCPU_REG_CMD_COUNT, count);
    write(KVCPU_REG_CMD_ARG, arg);
    write(KVCPU_REG_CMD_ADDR, address);
    write(KVCPU_REG_CMD_EXTENT, extent);
    write(KVCPU_REG_CMD_CONTROL, opcode | uint64_t{context} << KVCPU_CTL_CONTEXT_SHIFT);
}

void FuzzHost::open_all() {
    write(KVCPU_REG_ADMIN_SQ_ADDR, rings_at);
    write(KVCPU_REG_ADMIN_SQ_ENTRIES, ring_entries);
    write(KVCPU_REG_ADMIN_CQ_ADDR, rings_at + page);
    write(KVCPU_REG_ADMIN_CQ_ENTRIES, ring_entries);
    write(KVCPU_REG_EVQ_ADDR, events_at);
    write(KVCPU_REG_EVQ_ENTRIES, ring_entries);
    write(KVCPU_REG_QUEUE_ENABLE, KVCPU_QEN_ADMIN | KVCPU_QEN_EVENTS);
    for (unsigned context = 1; context < context_total; ++context) {
        const uint64_t sq = rings_at + 2 * page * context;
        command(
            KVCPU_OP_OPEN, context, sq + page,
            ring_entries << KVCPU_OPN_SQ_ENTRIES_SHIFT | ring_entries << KVCPU_OPN_CQ_ENTRIES_SHIFT,
            uint64_t{2} << KVCPU_CLS_VECTOR_SHIFT, sq, 0);
        command(KVCPU_OP_RESIDENCY, context, 0, block_total, 0, maps_at + page * context, 0);
        const uint64_t table = tables_at + page * context;
        const uint64_t buffer = buffers_at + 4 * page * context;
        for (uint64_t of = 0; of < 4; ++of) {
            store(table + 8 * of, buffer + page * of);
        }
        command(KVCPU_OP_BUFFER_ADD, context, 0, 3 * page, 100, table, 0);
    }
}

kvcpu_dma_result FuzzHost::check_dma(uint64_t address, uint64_t bytes) {
    if (fail_in_ > 0 && --fail_in_ == 0) {
        return KVCPU_DMA_FAULT;
    }
    if (address >= own_at) {
        /* Simulates a bus that routes the access back to the device. */
        kvcpu_core_write(core_, KVCPU_REG_CMD_CONTROL, KVCPU_OP_ALLOC, 8);
        return KVCPU_DMA_OWN_ADDRESS;
    }
    return bytes <= memory_bytes && address <= memory_bytes - bytes ? KVCPU_DMA_OK
                                                                    : KVCPU_DMA_FAULT;
}

kvcpu_dma_result FuzzHost::dma_read(uint64_t address, void *to, uint64_t bytes) {
    const kvcpu_dma_result result = check_dma(address, bytes);
    if (result != KVCPU_DMA_OK) {
        return result;
    }
    std::memcpy(to, &memory_[address], bytes);
    /* Memory that a process changes while the device reads. */
    if (flip_ != 0 && bytes >= 8) {
        memory_[address + flip_ % bytes] ^= flip_;
    }
    return KVCPU_DMA_OK;
}

kvcpu_dma_result FuzzHost::dma_write(uint64_t address, const void *from, uint64_t bytes) {
    const kvcpu_dma_result result = check_dma(address, bytes);
    if (result == KVCPU_DMA_OK) {
        std::memcpy(&memory_[address], from, bytes);
    }
    return result;
}

uint64_t FuzzHost::entries_taken() {
    return entries_before_reset_ + read(KVCPU_COUNTER_BASE + uint64_t{8} * KVCPU_CNT_RING_ENTRIES);
}

uint64_t FuzzHost::fetches() {
    return read(KVCPU_COUNTER_BASE + uint64_t{8} * KVCPU_CNT_FETCHES_PREFETCH) +
           read(KVCPU_COUNTER_BASE + uint64_t{8} * KVCPU_CNT_FETCHES_DEMAND) +
           read(KVCPU_COUNTER_BASE + uint64_t{8} * KVCPU_CNT_ZERO_FILLS);
}

void FuzzHost::check_conservation() {
    fail_in_ = 0;
    flip_ = 0;
    /* The clock must run, as published entries are executed and moves end only while it runs. */
    write(KVCPU_REG_CLOCK_STOP, KVCPU_CLOCK_RUNS);
    advance(1'000'000'000);
    const uint64_t fetched = fetches();
    advance(100'000'000);
    if (fetches() != fetched) {
        stop("a fetch that no hint and no PIN requests", fetches(), fetched);
    }
    for (unsigned context = 1; context < context_total; ++context) {
        command(KVCPU_OP_CLOSE, context, 0, 0, 0, 0, 0);
    }
    advance(1'000'000'000);
    for (unsigned context = 1; context < context_total; ++context) {
        write(KVCPU_REG_CONTEXT_SELECT, context);
        const uint64_t owned = read(KVCPU_REG_CONTEXT_BLOCKS);
        if (owned != 0) {
            stop("blocks and slots of a closed context", owned, 0);
        }
    }
    reset(KVCPU_RESET_FUNCTION);
    advance(1'000'000'000);
    const uint64_t slots = read(KVCPU_REG_FAST_FREE);
    if (slots != slot_total) {
        stop("free slots after reset", slots, slot_total);
    }
    const uint64_t blocks = read(KVCPU_REG_BLOCKS_FREE);
    if (blocks != block_total) {
        stop("free blocks after reset", blocks, block_total);
    }
    for (const std::vector<uint8_t> *tier : {&fast_, &slow_}) {
        if (*tier != std::vector<uint8_t>(tier->size())) {
            stop("bytes of free blocks that are not zero", 1, 0);
        }
    }
}

}  // namespace kvcpu_fuzz
