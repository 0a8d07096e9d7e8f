// SPDX-License-Identifier: GPL-2.0-or-later
#include "queues/buffers.h"

#include <algorithm>

#include "util/words.h"

namespace kvcpu {

namespace {

constexpr uint64_t page_bytes = KVCPU_BUFFER_PAGE;

uint64_t number_of(uint64_t where) {
    return (where >> KVCPU_BUF_ID_SHIFT) & KVCPU_BUF_ID_MASK;
}
uint64_t offset_of(uint64_t where) {
    return (where >> KVCPU_BUF_OFFSET_SHIFT) & KVCPU_BUF_OFFSET_MASK;
}

}  // namespace

void Buffers::forget(uint16_t context) noexcept {
    Buffer *const first = &at(context, 0);
    std::fill(first, first + KVCPU_BUFFERS_MAX, Buffer{});
}

uint32_t Buffers::count(uint16_t context) const noexcept {
    const Buffer *const first = &at(context, 0);
    return static_cast<uint32_t>(std::count_if(
        first, first + KVCPU_BUFFERS_MAX, [](const Buffer &buffer) { return buffer.bytes > 0; }));
}

kvcpu_status Buffers::add(uint16_t context, uint64_t number, uint64_t bytes, uint64_t offset,
                          uint64_t table) noexcept {
    if (number >= KVCPU_BUFFERS_MAX || bytes == 0 || bytes > KVCPU_BUFFER_BYTES_MAX ||
        offset >= page_bytes || table % 8 != 0) {
        return KVCPU_SC_BAD_FIELD;
    }
    if (at(context, number).bytes > 0) {
        return KVCPU_SC_BAD_BUFFER;
    }
    const Buffer buffer = {bytes, table, static_cast<uint32_t>(offset)};
    const uint64_t last = (offset + bytes - 1) / page_bytes;
    uint64_t page = 0;
    kvcpu_dma_result result = read_table(buffer, 0, 1, &page);
    if (result == KVCPU_DMA_OK) {
        result = read_table(buffer, last, 1, &page);
    }
    if (result != KVCPU_DMA_OK) {
        d_.count(KVCPU_CNT_DMA_FAULTS);
        return status_of(result);
    }
    at(context, number) = buffer;
    d_.record({.kind = KVCPU_EV_BUFFER, .context = context, .first = number, .value = bytes});
    return KVCPU_SC_SUCCESS;
}

kvcpu_status Buffers::remove(uint16_t context, uint64_t number) noexcept {
    if (number >= KVCPU_BUFFERS_MAX || at(context, number).bytes == 0) {
        return KVCPU_SC_BAD_BUFFER;
    }
    at(context, number) = {};
    d_.record({.kind = KVCPU_EV_BUFFER, .context = context, .first = number, .value = 0});
    return KVCPU_SC_SUCCESS;
}

kvcpu_status Buffers::check(uint16_t context, uint64_t where, uint64_t bytes) const noexcept {
    const uint64_t number = number_of(where);
    const uint64_t offset = offset_of(where);
    if (number >= KVCPU_BUFFERS_MAX) {
        return KVCPU_SC_BAD_BUFFER;
    }
    const uint64_t size = at(context, number).bytes;
    return offset < size && bytes <= size - offset ? KVCPU_SC_SUCCESS : KVCPU_SC_BAD_BUFFER;
}

kvcpu_dma_result Buffers::read_table(const Buffer &buffer, uint64_t first, uint32_t count,
                                     uint64_t *pages) const noexcept {
    if (buffer.table > UINT64_MAX - (first + count) * 8) {
        return KVCPU_DMA_FAULT;
    }
    const kvcpu_dma_result result =
        d_.host.dma_read(buffer.table + first * 8, pages, uint64_t{count} * 8);
    if (result != KVCPU_DMA_OK) {
        return result;
    }
    words_from_memory(pages, count);
    const bool all_pages =
        std::all_of(pages, pages + count, [](uint64_t page) { return page % page_bytes == 0; });
    return all_pages ? KVCPU_DMA_OK : KVCPU_DMA_FAULT;
}

kvcpu_dma_result Buffers::copy(uint16_t context, uint64_t where, uint8_t *block_bytes,
                               uint64_t bytes, Direction direction) noexcept {
    const Buffer &buffer = at(context, number_of(where));
    uint64_t at_byte = buffer.offset + offset_of(where);
    std::array<uint64_t, table_words> pages{};
    uint64_t first = 0;
    uint32_t known = 0;
    while (bytes > 0) {
        const uint64_t page = at_byte / page_bytes;
        if (known == 0 || page >= first + known) {
            const uint64_t last = (at_byte + bytes - 1) / page_bytes;
            first = page;
            known = static_cast<uint32_t>(std::min<uint64_t>(table_words, last - page + 1));
            const kvcpu_dma_result result = read_table(buffer, first, known, pages.data());
            if (result != KVCPU_DMA_OK) {
                return result;
            }
        }
        const uint64_t in_page = at_byte % page_bytes;
        const uint64_t part = std::min(bytes, page_bytes - in_page);
        const uint64_t address = pages.at(page - first) + in_page;
        const kvcpu_dma_result result = direction == Direction::to_buffer
                                            ? d_.host.dma_write(address, block_bytes, part)
                                            : d_.host.dma_read(address, block_bytes, part);
        if (result != KVCPU_DMA_OK) {
            return result;
        }
        at_byte += part;
        block_bytes += part;
        bytes -= part;
    }
    return KVCPU_DMA_OK;
}

}  // namespace kvcpu
