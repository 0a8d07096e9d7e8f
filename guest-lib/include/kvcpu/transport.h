// SPDX-License-Identifier: MIT
// How commands reach a device: through the kernel driver, or into a device in the same process.
// docs/library.md says which of the library's parts is for what.
#ifndef KVCPU_TRANSPORT_H
#define KVCPU_TRANSPORT_H

#include <linux/kvcpu.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "kvcpu_hw.h"

namespace kvcpu {

class QueueLink;
struct QueueConfig;

/*
 * One context of one device. The structures are those of <linux/kvcpu.h>, which says what their
 * fields hold; sizes are in bytes, times in virtual nanoseconds of the device.
 *
 * Threads: one transport is used by one thread at a time. Different transports are independent.
 * Errors: set-up throws std::system_error. Functions of the hot path return a std::error_code
 * in std::generic_category(), with the errno values that <linux/kvcpu.h> gives. The status of a
 * command is in its `result`, and is no error of the call.
 * Ownership: the end of the object releases what its commands took: blocks, claims, pending PINs.
 * The caller owns the buffers, which are used only during a call.
 */
class Transport {
  public:
    Transport() = default;
    virtual ~Transport() = default;
    Transport(const Transport &) = delete;
    Transport &operator=(const Transport &) = delete;

    /* Throws std::system_error. */
    virtual kvcpu_info info() = 0;

    /*
     * Executes commands in order, at most KVCPU_SUBMIT_MAX, and writes their results back. `done`
     * gets the number of executed commands, also if the call fails. Stops after the first that ends
     * in an error status, unless `go_on` is true.
     */
    virtual std::error_code submit(std::span<kvcpu_command> commands, bool go_on,
                                   std::size_t &done) noexcept = 0;

    /*
     * Takes completions, oldest first. Returns once there are `minimum` of them or the device's
     * time is `until_ns`; with `minimum` 0 it waits for the time alone, with `until_ns` 0 not at
     * all. `taken` gets the number of completions, `time_ns` the time at return. EINTR: a signal
     * came; nothing is lost. EDEADLK: a loopback knows that nothing will ever complete.
     */
    virtual std::error_code wait(std::span<kvcpu_completion> into, std::size_t minimum,
                                 uint64_t until_ns, std::size_t &taken,
                                 uint64_t &time_ns) noexcept = 0;

    /* Returns the directory entry of a block of this context. Throws std::system_error. */
    virtual kvcpu_block block(uint64_t number) = 0;
    /* Values by enum kvcpu_counter, then by enum kvcpu_status. Throws std::system_error. */
    virtual std::vector<uint64_t> counters() = 0;

    /*
     * Sets up the context's rings, once, for a Queue. The rings must end before the transport.
     * Throws std::system_error; EOPNOTSUPP if the device has no rings.
     */
    virtual std::unique_ptr<QueueLink> open_queue(const QueueConfig &config);

    /* The number of system calls so far, those of the rings included. */
    [[nodiscard]] virtual uint64_t system_calls() const noexcept { return 0; }

    /*
     * Returns the records of a block in the device's event log, newest first, at most `most`
     * (docs/device-spec.md, "History"). Throws std::system_error.
     */
    virtual std::vector<kvcpu_record> history(uint64_t block, std::size_t most) = 0;

    /* Administration of the whole device. Throws std::system_error. */
    virtual void set_weights(const kv_cpu_weights &weights) = 0;
    virtual void set_policy(const std::string &name) = 0;
    virtual void restart_event_log() = 0;
    /*
     * Stops the device's clock except in wait(), until the end of this object. The time that the
     * caller's own code takes then does not count, and the device's behaviour depends only on its
     * commands and their times. The clock of a loopback device always works so.
     */
    virtual void stop_clock_between_waits() = 0;
};

/* Transport::submit() for any number of commands, in as many calls as it takes. */
std::error_code submit_all(Transport &transport, std::span<kvcpu_command> commands, bool go_on,
                           std::size_t &done) noexcept;

/* Opens /dev/kvcpuN. Throws std::system_error that names the path. */
std::unique_ptr<Transport> open_kernel_transport(const std::string &path);

/*
 * A device in this process. It is the device's own core, so it behaves as the device does. Its time
 * advances only in wait(). It returns what the driver returns, with two exceptions: a buffer that
 * is not mapped is a crash and not EFAULT, and no caller lacks permissions.
 */
struct LoopbackConfig {
    uint64_t block_size = 4096;
    uint64_t fast_blocks = 1024;
    uint64_t slow_blocks = 65536; /* memory is used as blocks are written */
    unsigned dma_channels = 2;
    uint64_t dma_latency_ns = 1000;
    uint64_t dma_bandwidth = 64'000'000'000;
    std::string policy = "next-use";
    /* Whether blocks hold bytes. If false, READ and WRITE copy nothing; all else is the same. */
    bool content = true;
    /* For bounds: returns when a block is used next (UINT64_MAX: never). It replaces the policy. */
    std::function<uint64_t(uint32_t block)> next_use;
};

/* Throws std::invalid_argument with the message of the device's own check. */
std::unique_ptr<Transport> make_loopback_transport(const LoopbackConfig &config);

}  // namespace kvcpu

#endif  // KVCPU_TRANSPORT_H
