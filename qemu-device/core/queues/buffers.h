// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_QUEUES_BUFFERS_H
#define KVCPU_CORE_QUEUES_BUFFERS_H

#include <array>
#include <cstdint>
#include <vector>

#include "state/completion_target.h"
#include "state/device.h"

namespace kvcpu {

/* The registered buffers of all contexts: "Buffers" in the specification. */
class Buffers {
  public:
    explicit Buffers(Device &device)
        : d_(device), buffers_(device.contexts.size() * KVCPU_BUFFERS_MAX) {}

    void clear() noexcept { std::fill(buffers_.begin(), buffers_.end(), Buffer{}); }
    void forget(uint16_t context) noexcept;

    kvcpu_status add(uint16_t context, uint64_t number, uint64_t bytes, uint64_t offset,
                     uint64_t table) noexcept;
    kvcpu_status remove(uint16_t context, uint64_t number) noexcept;
    [[nodiscard]] uint32_t count(uint16_t context) const noexcept;

    enum class Direction : uint8_t { to_buffer, from_buffer };
    /* `where` is the ADDR word of an entry. */
    [[nodiscard]] kvcpu_status check(uint16_t context, uint64_t where,
                                     uint64_t bytes) const noexcept;
    kvcpu_dma_result copy(uint16_t context, uint64_t where, uint8_t *block_bytes, uint64_t bytes,
                          Direction direction) noexcept;

  private:
    struct Buffer {
        uint64_t bytes = 0;  // 0: the buffer does not exist
        uint64_t table = 0;
        uint32_t offset = 0;  // offset of the first byte in the first page
    };

    static constexpr uint32_t table_words = 64;  // words of a page table that are read at once

    [[nodiscard]] Buffer &at(uint16_t context, uint64_t number) noexcept {
        return buffers_[context * size_t{KVCPU_BUFFERS_MAX} + number];
    }
    [[nodiscard]] const Buffer &at(uint16_t context, uint64_t number) const noexcept {
        return buffers_[context * size_t{KVCPU_BUFFERS_MAX} + number];
    }
    /* Reads bus addresses of pages; DMA_FAULT also for an address that no page can have. */
    kvcpu_dma_result read_table(const Buffer &buffer, uint64_t first, uint32_t count,
                                uint64_t *pages) const noexcept;

    Device &d_;
    std::vector<Buffer> buffers_;
};

/* Converts to the status of a command. */
[[nodiscard]] constexpr kvcpu_status status_of(kvcpu_dma_result result) noexcept {
    switch (result) {
        case KVCPU_DMA_OK:
            return KVCPU_SC_SUCCESS;
        case KVCPU_DMA_OWN_ADDRESS:
            return KVCPU_SC_OWN_ADDRESS;
        case KVCPU_DMA_FAULT:
            break;
    }
    return KVCPU_SC_DMA_FAULT;
}

}  // namespace kvcpu

#endif  // KVCPU_CORE_QUEUES_BUFFERS_H
