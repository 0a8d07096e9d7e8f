// SPDX-License-Identifier: MIT
// A mapped queue pair of an open file of the driver.
#ifndef KVCPU_KERNEL_QUEUE_H
#define KVCPU_KERNEL_QUEUE_H

#include <linux/kvcpu.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kvcpu/queue_link.h"

namespace kvcpu {

/* A part of a file that is mapped for the life of the object. */
class Mapping {
  public:
    Mapping() = default;
    /* Throws std::system_error that names `what`. */
    Mapping(int file, const kvcpu_region &region, int protection, const char *what);
    ~Mapping();
    Mapping(Mapping &&other) noexcept { *this = std::move(other); }
    Mapping &operator=(Mapping &&other) noexcept {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }

    [[nodiscard]] void *data() const noexcept { return data_; }

  private:
    void *data_ = nullptr;
    std::size_t bytes_ = 0;
};

class KernelLink final : public QueueLink {
  public:
    /* The transport owns the file and the count of system calls, and outlives the link. */
    KernelLink(int file, uint64_t &calls, const QueueConfig &config);

    void ring(kvcpu_doorbell which, uint64_t value) noexcept override;
    std::error_code wait(uint64_t until_ns, uint64_t &time_ns) noexcept override;
    std::error_code add_buffer(std::span<std::byte> bytes, uint32_t &id) noexcept override;
    std::error_code remove_buffer(uint32_t id) noexcept override;
    std::error_code restart(kvcpu_ring_state &stopped) noexcept override;
    std::error_code coalesce(uint32_t count, uint32_t ns) noexcept override;
    std::error_code signal(int eventfd) noexcept override;
    std::error_code set_quota(uint32_t slots_min, uint32_t slots_max) noexcept override;
    std::span<std::byte> map(uint64_t first, uint64_t count, bool writable) override;
    void unmap(std::span<std::byte> bytes) noexcept override;

  private:
    std::error_code call(unsigned long number, void *argument) noexcept;

    int file_;
    uint64_t &calls_;
    uint64_t block_size_ = 0;
    Mapping submission_;
    Mapping completion_;
    Mapping doorbells_;
    Mapping residency_;
};

}  // namespace kvcpu

#endif  // KVCPU_KERNEL_QUEUE_H
