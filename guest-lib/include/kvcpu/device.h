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
 * Blocks that this process owns, in one run; given back at the end of the object's life, which must
 * not be after the Device's. Moving passes them on; what the target had is given back first.
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
 * A claim: the blocks stay in the fast tier until the end of the object's life, which must not be
 * after the Device's or the blocks'.
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
    /* How many were in the fast tier when it was asked for. */
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
 * The blocking interface, for set-up code and small programs: each call is one command, waited
 * for, and throws CommandError or std::system_error. What is done a thousand times a second uses
 * Batch and Transport::wait(). Units and threads as for Transport.
 */
class Device {
  public:
    explicit Device(std::unique_ptr<Transport> transport) : transport_(std::move(transport)) {}

    [[nodiscard]] Transport &transport() noexcept { return *transport_; }
    kvcpu_info info() { return transport_->info(); }

    /* Perhaps fewer than asked: ask again for the rest. */
    Blocks alloc(uint64_t count, uint64_t meta = 0);
    /* At least a byte, and none outside the block. */
    void read(uint64_t block, uint32_t offset, std::span<std::byte> into);
    void write(uint64_t block, uint32_t offset, std::span<const std::byte> from);
    /* Waits for the grant; no other PIN may be pending on this transport. */
    Pin pin(uint64_t first, uint64_t count, uint64_t deadline_ns);
    /* HOT to CLEAR of kvcpu_hw.h. Never an error for what it asks: the result has the outcome. */
    Result hint(kvcpu_opcode opcode, uint64_t first, uint64_t count, uint64_t step = 0,
                uint16_t flags = 0);
    Result step(uint64_t step);

  private:
    Result run(Batch &batch, const char *what);

    std::unique_ptr<Transport> transport_;
};

}  // namespace kvcpu

#endif  // KVCPU_DEVICE_H
