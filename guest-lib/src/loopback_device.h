// SPDX-License-Identifier: MIT
// The device's core in this process, and its host: memory, a clock that the host moves, a timer.
#ifndef KVCPU_LOOPBACK_DEVICE_H
#define KVCPU_LOOPBACK_DEVICE_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "kvcpu/transport.h"
#include "kvcpu_core.h"

namespace kvcpu {

/* Zeroed memory that can be mapped a second time. Only touched pages use host memory. */
class TierMemory {
  public:
    explicit TierMemory(std::size_t bytes);
    ~TierMemory();
    TierMemory(const TierMemory &) = delete;
    TierMemory &operator=(const TierMemory &) = delete;

    [[nodiscard]] void *data() const noexcept { return data_; }
    [[nodiscard]] int file() const noexcept { return file_; }

  private:
    std::size_t bytes_;
    int file_ = -1;
    void *data_ = nullptr;
};

/* Pages whose address the device gets. */
class SharedPages {
  public:
    SharedPages() = default;
    explicit SharedPages(std::size_t bytes);
    ~SharedPages();
    SharedPages(SharedPages &&other) noexcept { *this = std::move(other); }
    SharedPages &operator=(SharedPages &&other) noexcept {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }

    [[nodiscard]] uint64_t *words() const noexcept { return static_cast<uint64_t *>(data_); }
    [[nodiscard]] uint64_t address() const noexcept { return reinterpret_cast<uintptr_t>(data_); }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  private:
    void *data_ = nullptr;
    std::size_t bytes_ = 0;
};

/* An observer that is called whenever the device may have changed its state. */
class LoopbackFollower {
  public:
    LoopbackFollower() = default;
    virtual ~LoopbackFollower() = default;
    LoopbackFollower(const LoopbackFollower &) = delete;
    LoopbackFollower &operator=(const LoopbackFollower &) = delete;

    virtual void interrupted(unsigned vector) noexcept = 0;
    virtual void follow() noexcept = 0;
};

/* A device whose bus addresses are pointers. Its user has context 1, as the driver's first file
 * has. */
class LoopbackDevice {
  public:
    static constexpr uint32_t context = 1;

    explicit LoopbackDevice(const LoopbackConfig &config);
    ~LoopbackDevice() { kvcpu_core_destroy(core_); }
    LoopbackDevice(const LoopbackDevice &) = delete;
    LoopbackDevice &operator=(const LoopbackDevice &) = delete;

    [[nodiscard]] uint64_t get(uint64_t offset) noexcept {
        return kvcpu_core_read(core_, offset, 8);
    }
    void put(uint64_t offset, uint64_t value) noexcept {
        kvcpu_core_write(core_, offset, value, 8);
    }
    /* Executes a command through the command window and returns its result word. `buffer` is a bus
     * address. */
    uint64_t execute(const kvcpu_command &command) noexcept;
    /* Calls the follower. It comes after accesses that may have changed the device's state. */
    void settle() noexcept {
        if (follower_ != nullptr) {
            follower_->follow();
        }
    }

    [[nodiscard]] uint64_t now() const noexcept { return now_; }
    /* True if no timer is set, so that the state will not change without a command. */
    [[nodiscard]] bool is_idle() const noexcept { return timer_ns_ == KVCPU_TIMER_OFF; }
    /* Moves the clock to the timer's time, or to `until_ns` if that is sooner. */
    void advance(uint64_t until_ns) noexcept;

    /* Keeps memory that the device may still write to. */
    void keep(SharedPages pages) { kept_.push_back(std::move(pages)); }
    void set_follower(LoopbackFollower *follower) noexcept { follower_ = follower; }
    [[nodiscard]] const TierMemory &fast() const noexcept { return fast_; }
    [[nodiscard]] const TierMemory &slow() const noexcept { return slow_; }

  private:
    static LoopbackDevice &self(void *opaque) { return *static_cast<LoopbackDevice *>(opaque); }
    static kvcpu_host_ops host_ops();

    TierMemory fast_;
    TierMemory slow_;
    std::function<uint64_t(uint32_t)> next_use_;
    uint64_t now_ = 1;  // 0 would mean "do not wait" to wait()
    uint64_t timer_ns_ = KVCPU_TIMER_OFF;
    LoopbackFollower *follower_ = nullptr;
    std::vector<SharedPages> kept_;
    kvcpu_core *core_ = nullptr;
};

}  // namespace kvcpu

#endif  // KVCPU_LOOPBACK_DEVICE_H
