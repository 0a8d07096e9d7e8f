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
 * The engine's path to the device. Commands without a result, mainly hints, go through the ring: a
 * batch needs one store to the doorbell, and the device has executed it when submit() returns.
 * Commands whose result is needed at once go through the transport's call, and so do all commands
 * of a device without rings. Functions throw std::system_error, and std::runtime_error if a command
 * is refused.
 */
class Channel {
  public:
    /* `memory` holds the bytes of WRITEs, and receives those of READs. */
    Channel(Transport &transport, std::span<std::byte> memory, uint64_t block_size);

    void submit(Batch &batch);

    /*
     * Calls `see` with the bytes of each block and its place in `blocks`, which has at most 64. The
     * bytes come from the linear view, or from READs on a device without rings. If `content` is
     * false, the blocks are accessed, but `see` is not called.
     */
    void look(std::span<const uint32_t> blocks, bool content,
              const std::function<void(std::size_t, std::span<const std::byte>)> &see);

    [[nodiscard]] uint64_t hints() const { return hints_; }
    /* The number of system calls that giving the hints took. */
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
