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
 * Errors: set-up throws std::system_error. What is called often returns a std::error_code in
 * std::generic_category(), with the errno values that <linux/kvcpu.h> gives; the status of a
 * command is no error of the call but in its `result`.
 * Ownership: the end of the object gives back what its commands took: blocks, claims, waiting
 * PINs. Buffers are the caller's, and are used during a call alone.
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
     * Executes commands in order, at most KVCPU_SUBMIT_MAX, and writes their results back; `done`
     * says how many, also where the call fails. Stops behind the first that ends in an error
     * status, unless `go_on`.
     */
    virtual std::error_code submit(std::span<kvcpu_command> commands, bool go_on,
                                   std::size_t &done) noexcept = 0;

    /*
     * Takes completions, oldest first. Returns once there are `minimum` of them or the device's
     * time is `until_ns`; with `minimum` 0 it waits for the time alone, with `until_ns` 0 not at
     * all. `taken` says how many were written, `time_ns` what time it is then. EINTR: a signal;
     * nothing is lost. EDEADLK: of a loopback, which knows that nothing will ever come.
     */
    virtual std::error_code wait(std::span<kvcpu_completion> into, std::size_t minimum,
                                 uint64_t until_ns, std::size_t &taken,
                                 uint64_t &time_ns) noexcept = 0;

    /* What the directory says of a block of this context. Throws std::system_error. */
    virtual kvcpu_block block(uint64_t number) = 0;
    /* Values by enum kvcpu_counter, then by enum kvcpu_status. Throws std::system_error. */
    virtual std::vector<uint64_t> counters() = 0;

    /*
     * Gives the context its rings, once; Queue is what uses them. They must end before the
     * transport. Throws std::system_error: EOPNOTSUPP where there are none to be had.
     */
    virtual std::unique_ptr<QueueLink> open_queue(const QueueConfig &config);

    /* Calls of the kernel made so far, by this and by its rings. */
    [[nodiscard]] virtual uint64_t system_calls() const noexcept { return 0; }

    /*
     * What became of a block, newest first: records of the device's event log (docs/device-spec.md,
     * section 23.1), as many as the device keeps, at most `most`. Throws std::system_error.
     */
    virtual std::vector<kvcpu_record> history(uint64_t block, std::size_t most) = 0;

    /* Administration of the whole device. Throws std::system_error. */
    virtual void set_weights(const kv_cpu_weights &weights) = 0;
    virtual void set_policy(const std::string &name) = 0;
    virtual void restart_event_log() = 0;
    /*
     * From now on the device's clock runs in wait() alone, until the end of this object: what the
     * caller's own code takes does not count, and what the device does depends on nothing but
     * what it is told, and when. A loopback's clock never runs otherwise.
     */
    virtual void stop_clock_between_waits() = 0;
};

/* Transport::submit() for any number of commands, in as many calls as it takes. */
std::error_code submit_all(Transport &transport, std::span<kvcpu_command> commands, bool go_on,
                           std::size_t &done) noexcept;

/* Opens /dev/kvcpuN. Throws std::system_error that names the path. */
std::unique_ptr<Transport> open_kernel_transport(const std::string &path);

/*
 * A device in this process: the device's own core, so that what it does is what the device would
 * do. Time passes in wait() alone, and costs nothing. It answers as the driver does, but for what
 * only a kernel can: a buffer that is not there is a crash and not EFAULT, nobody lacks rights.
 */
struct LoopbackConfig {
    uint64_t block_size = 4096;
    uint64_t fast_blocks = 1024;
    uint64_t slow_blocks = 65536; /* memory is used as blocks are written */
    unsigned dma_channels = 2;
    uint64_t dma_latency_ns = 1000;
    uint64_t dma_bandwidth = 64'000'000'000;
    std::string policy = "next-use";
    /* Whether blocks hold bytes. Without, READ and WRITE copy nothing; all else is the same. */
    bool content = true;
    /* For bounds: when a block is used next (UINT64_MAX: never). It then stands for the policy. */
    std::function<uint64_t(uint32_t block)> next_use;
};

/* Throws std::invalid_argument with the message of the device's own check. */
std::unique_ptr<Transport> make_loopback_transport(const LoopbackConfig &config);

}  // namespace kvcpu

#endif  // KVCPU_TRANSPORT_H
