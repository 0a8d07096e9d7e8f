// SPDX-License-Identifier: MIT
#ifndef KVCPU_DEVICE_H
#define KVCPU_DEVICE_H

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kvcpu/batch.h"
#include "kvcpu/transport.h"

namespace kvcpu {

class Device;

/*
 * A run of blocks that this process owns. The end of the object frees them, and must not come after
 * the Device's end. A move transfers the blocks, and frees those that the target had.
 */
class Blocks {
  public:
    Blocks() = default;
    Blocks(Blocks &&other) noexcept { swap(other); }
    Blocks &operator=(Blocks &&other) noexcept {
        Blocks moved(std::move(other));
        swap(moved);
        return *this;
    }
    ~Blocks();

    [[nodiscard]] uint64_t first() const noexcept { return first_; }
    [[nodiscard]] uint64_t count() const noexcept { return count_; }
    /* Leaves the blocks to the caller. */
    void release() noexcept { count_ = 0; }

  private:
    friend class Device;
    Blocks(Transport &transport, uint64_t first, uint64_t count)
        : transport_(&transport), first_(first), count_(count) {}
    void swap(Blocks &other) noexcept;

    Transport *transport_ = nullptr;
    uint64_t first_ = 0;
    uint64_t count_ = 0;
};

/*
 * A pin: the blocks stay in the fast tier until the object's end, which must not come after the end
 * of the Device or of the blocks.
 */
class Pin {
  public:
    Pin() = default;
    Pin(Pin &&other) noexcept { swap(other); }
    Pin &operator=(Pin &&other) noexcept {
        Pin moved(std::move(other));
        swap(moved);
        return *this;
    }
    ~Pin();

    [[nodiscard]] uint64_t first() const noexcept { return first_; }
    [[nodiscard]] uint64_t count() const noexcept { return count_; }
    /* The number of blocks that were in the fast tier when the PIN was executed. */
    [[nodiscard]] uint64_t found_fast() const noexcept { return found_fast_; }

  private:
    friend class Device;
    Pin(Transport &transport, uint64_t first, uint64_t count, uint64_t found_fast)
        : transport_(&transport), first_(first), count_(count), found_fast_(found_fast) {}
    void swap(Pin &other) noexcept;

    Transport *transport_ = nullptr;
    uint64_t first_ = 0;
    uint64_t count_ = 0;
    uint64_t found_fast_ = 0;
};

/* A command ended in an error status; the message names both. */
class CommandError : public std::runtime_error {
  public:
    CommandError(const std::string &what, kvcpu_status status);
    [[nodiscard]] kvcpu_status status() const noexcept { return status_; }

  private:
    kvcpu_status status_;
};

/*
 * The blocking interface, for set-up code and small programs. Each function executes one command,
 * waits for it, and throws CommandError or std::system_error. Frequent commands should use Batch
 * and Transport::wait(). Units and rules for threads are those of Transport.
 */
class Device {
  public:
    explicit Device(std::unique_ptr<Transport> transport) : transport_(std::move(transport)) {}

    [[nodiscard]] Transport &transport() noexcept { return *transport_; }
    kvcpu_info info() { return transport_->info(); }

    /* Allocates at most `count` blocks in one run; call it again for the rest. */
    Blocks alloc(uint64_t count, uint64_t meta = 0);
    /* The range has at least one byte and must lie within the block. */
    void read(uint64_t block, uint32_t offset, std::span<std::byte> into);
    void write(uint64_t block, uint32_t offset, std::span<const std::byte> from);
    /* Pins blocks and waits for the grant. No other PIN may be pending on this transport. */
    Pin pin(uint64_t first, uint64_t count, uint64_t deadline_ns);
    /* HOT to CLEAR of kvcpu_hw.h. A hint that is not applied is no error: see the outcome. */
    Result hint(kvcpu_opcode opcode, uint64_t first, uint64_t count, uint64_t step = 0,
                uint16_t flags = 0);
    Result step(uint64_t step);

  private:
    Result run(Batch &batch, const char *what);

    std::unique_ptr<Transport> transport_;
};

}  // namespace kvcpu

#endif  // KVCPU_DEVICE_H
