// SPDX-License-Identifier: MIT
// A queue pair of the device in this process. It replaces what the driver provides.
#ifndef KVCPU_LOOPBACK_QUEUE_H
#define KVCPU_LOOPBACK_QUEUE_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kvcpu/queue_link.h"
#include "loopback_device.h"

namespace kvcpu {

/*
 * Windows of the linear view. A mapped block is held, as through the driver. Since there are no
 * page faults, a block is held from map() on and not from its first access. A block that the device
 * revokes is released at once, and is held again in its new place before the caller continues.
 */
class LoopbackView {
  public:
    explicit LoopbackView(LoopbackDevice &device) : device_(device) {}
    ~LoopbackView();
    LoopbackView(const LoopbackView &) = delete;
    LoopbackView &operator=(const LoopbackView &) = delete;

    std::span<std::byte> map(uint64_t first, uint64_t count, bool writable);
    void unmap(std::span<std::byte> bytes) noexcept;
    /* Updates the windows after the device may have moved blocks. */
    void follow() noexcept;

  private:
    struct Window {
        std::byte *start;
        uint64_t first;
        bool writable;
        std::vector<bool> write_held;
        std::vector<bool> held;
    };

    kvcpu_status hold(uint64_t block, bool write, uint32_t &slot) noexcept;
    void unhold(uint64_t block, bool write) noexcept;
    void wait_until_still(uint64_t block) noexcept;
    kvcpu_status hold_and_place(Window &window, uint64_t index) noexcept;
    void place(const Window &window, uint64_t index, uint32_t slot, bool writable) noexcept;
    void give_back(Window &window, uint64_t index) noexcept;
    void close(Window &window) noexcept;
    void follow_block(Window &window, uint64_t index) noexcept;

    LoopbackDevice &device_;
    std::vector<Window> windows_;
    bool following_ = false;
};

class LoopbackLink final : public QueueLink, private LoopbackFollower {
  public:
    LoopbackLink(LoopbackDevice &device, const QueueConfig &config);
    ~LoopbackLink() override;

    void ring(kvcpu_doorbell which, uint64_t value) noexcept override;
    std::error_code wait(uint64_t until_ns, uint64_t &time_ns) noexcept override;
    std::error_code add_buffer(std::span<std::byte> bytes, uint32_t &id) noexcept override;
    std::error_code remove_buffer(uint32_t id) noexcept override;
    std::error_code restart(kvcpu_ring_state &stopped) noexcept override;
    std::error_code coalesce(uint32_t count, uint32_t ns) noexcept override;
    std::error_code signal(int eventfd) noexcept override;
    std::error_code set_quota(uint32_t slots_min, uint32_t slots_max) noexcept override;
    std::span<std::byte> map(uint64_t first, uint64_t count, bool writable) override {
        return view_.map(first, count, writable);
    }
    void unmap(std::span<std::byte> bytes) noexcept override { view_.unmap(bytes); }

  private:
    static constexpr unsigned vector = KVCPU_VECTOR_CONTEXTS;

    void interrupted(unsigned which) noexcept override;
    void follow() noexcept override { view_.follow(); }
    [[nodiscard]] kvcpu_status administrate(kvcpu_command command) noexcept;
    void add_residency(uint64_t blocks);
    [[nodiscard]] bool is_ready() const noexcept;

    LoopbackDevice &device_;
    SharedPages submission_;
    SharedPages completion_;
    SharedPages residency_;
    std::array<std::vector<uint64_t>, KVCPU_BUFFERS_MAX> tables_;
    LoopbackView view_;
    uint64_t taken_ = 0; /* the latest CQ_HEAD */
    int eventfd_ = -1;
};

}  // namespace kvcpu

#endif  // KVCPU_LOOPBACK_QUEUE_H
