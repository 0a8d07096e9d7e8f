// SPDX-License-Identifier: MIT
// The transport's part of a queue pair: its memory, and the calls that set it up. A runtime uses
// Queue instead.
#ifndef KVCPU_QUEUE_LINK_H
#define KVCPU_QUEUE_LINK_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

#include "kvcpu_hw_rings.h"

namespace kvcpu {

/* Settings of a queue pair. The fields are those of struct kvcpu_setup in <linux/kvcpu.h>. */
struct QueueConfig {
    uint32_t submission_entries = 256; /* powers of two */
    uint32_t completion_entries = 512;
    /* Interrupts, for poll() and eventfd. There are none unless they are set here or by coalesce().
     */
    uint32_t coalesce_count = 0;
    uint32_t coalesce_ns = 0;
    uint32_t slots_min = 0;
    uint32_t slots_max = 0; /* 0: no maximum */
    bool residency = true;
};

/* Addresses of a queue pair's memory in this process. */
struct QueueMemory {
    uint64_t *submission = nullptr;         /* entries of KVCPU_ENTRY_BYTES */
    const uint64_t *completion = nullptr;   /* header, then completions */
    volatile uint64_t *doorbells = nullptr; /* null: QueueLink::ring() is called instead */
    const uint64_t *residency = nullptr;    /* a word a block; null: there is none */
    uint32_t submission_entries = 0;
    uint32_t completion_entries = 0;
    uint32_t context = 0;
    uint64_t blocks = 0;
};

/*
 * A queue pair of a Transport's context. Functions return errors as Transport's do, with the errno
 * values that <linux/kvcpu.h> gives for the ioctl of the same name. One thread at a time.
 */
class QueueLink {
  public:
    QueueLink() = default;
    virtual ~QueueLink() = default;
    QueueLink(const QueueLink &) = delete;
    QueueLink &operator=(const QueueLink &) = delete;

    [[nodiscard]] const QueueMemory &memory() const noexcept { return memory_; }

    virtual void ring(kvcpu_doorbell which, uint64_t value) noexcept = 0;

    /*
     * Returns when there is a completion that CQ_HEAD does not count, when the ring is stopped, or
     * at `until_ns` of the device's time. A loopback may return EDEADLK, as Transport::wait() does.
     */
    virtual std::error_code wait(uint64_t until_ns, uint64_t &time_ns) noexcept = 0;

    virtual std::error_code add_buffer(std::span<std::byte> bytes, uint32_t &id) noexcept = 0;
    virtual std::error_code remove_buffer(uint32_t id) noexcept = 0;
    virtual std::error_code restart(kvcpu_ring_state &stopped) noexcept = 0;
    virtual std::error_code coalesce(uint32_t count, uint32_t ns) noexcept = 0;
    virtual std::error_code signal(int eventfd) noexcept = 0;
    virtual std::error_code set_quota(uint32_t slots_min, uint32_t slots_max) noexcept = 0;

    /*
     * Maps blocks of the linear view until unmap(). The caller has checked that there is at least
     * one block and that all exist. Throws std::system_error.
     */
    virtual std::span<std::byte> map(uint64_t first, uint64_t count, bool writable) = 0;
    virtual void unmap(std::span<std::byte> bytes) noexcept = 0;

  protected:
    QueueMemory memory_;
};

}  // namespace kvcpu

#endif  // KVCPU_QUEUE_LINK_H
