// SPDX-License-Identifier: MIT
#ifndef KVCPU_SERVING_CHANNEL_H
#define KVCPU_SERVING_CHANNEL_H

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kvcpu/batch.h"
#include "kvcpu/queue.h"
#include "kvcpu/transport.h"
#include "store.h"

namespace kvcpu::serving {

/*
 * The engine's way to the device. What needs no answer, hints before all, goes through the ring: a
 * batch is one store to the doorbell, and at its return the device has executed it. What is
 * answered at once goes by the transport's call, and so does everything where there are no rings.
 * Throws std::system_error, and std::runtime_error where a command was refused.
 */
class Channel {
  public:
    /* `memory` is where the bytes of WRITEs come from, and of READs go to. */
    Channel(Transport &transport, std::span<std::byte> memory, uint64_t block_size);

    void submit(Batch &batch);

    /*
     * Shows the bytes of blocks, 64 at most, to `see`, with the place of each in `blocks`: in the
     * linear view, wherever each block is; without rings by READ. Without `content` they are used
     * all the same, but not shown.
     */
    void look(std::span<const uint32_t> blocks, bool content,
              const std::function<void(std::size_t, std::span<const std::byte>)> &see);

    [[nodiscard]] uint64_t hints() const { return hints_; }
    /* System calls that were made to give them. */
    [[nodiscard]] uint64_t hint_system_calls() const { return hint_system_calls_; }

  private:
    [[nodiscard]] bool goes_by_ring(const kvcpu_command &command) const;
    void submit_by_ring(const Batch &batch);
    void submit_by_call(Batch &batch);
    void flush();
    void look_by_read(std::span<const uint32_t> blocks);

    Transport &transport_;
    std::span<std::byte> memory_;
    uint64_t block_size_;
    std::optional<kvcpu::Queue> queue_;
    kvcpu::Queue::Buffer buffer_;
    uint64_t hints_ = 0;
    uint64_t hint_system_calls_ = 0;
};

}  // namespace kvcpu::serving

#endif  // KVCPU_SERVING_CHANNEL_H
