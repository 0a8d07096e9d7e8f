// SPDX-License-Identifier: MIT
#include "kvcpu/device.h"

#include <array>
#include <cerrno>

namespace kvcpu {

namespace {

constexpr uint64_t pin_tag = 1;

}  // namespace

CommandError::CommandError(const std::string &what, kvcpu_status status)
    : std::runtime_error(what + ": " + describe(status)), status_(status) {}

Blocks::~Blocks() {
    if (count_ > 0) {
        Batch batch;
        batch.free(first_, count_);
        (void)batch.submit(
            *transport_); /* after an error the blocks are freed with the transport */
    }
}

void Blocks::swap(Blocks &other) noexcept {
    std::swap(transport_, other.transport_);
    std::swap(first_, other.first_);
    std::swap(count_, other.count_);
}

Pin::~Pin() {
    if (count_ > 0) {
        Batch batch;
        batch.unpin(first_, count_);
        (void)batch.submit(*transport_);
    }
}

void Pin::swap(Pin &other) noexcept {
    std::swap(transport_, other.transport_);
    std::swap(first_, other.first_);
    std::swap(count_, other.count_);
    std::swap(found_fast_, other.found_fast_);
}

Result Device::run(Batch &batch, const char *what) {
    if (const std::error_code error = batch.submit(*transport_)) {
        throw std::system_error(error, what);
    }
    const Result result = batch.result(0);
    if (!result.ok()) {
        throw CommandError(what, result.status);
    }
    return result;
}

Blocks Device::alloc(uint64_t count, uint64_t meta) {
    Batch batch;
    batch.alloc(count, meta);
    const Result result = run(batch, "ALLOC");
    return {*transport_, result.value, result.aux};
}

void Device::read(uint64_t block, uint32_t offset, std::span<std::byte> into) {
    Batch batch;
    batch.read(block, offset, into);
    run(batch, "READ");
}

void Device::write(uint64_t block, uint32_t offset, std::span<const std::byte> from) {
    Batch batch;
    batch.write(block, offset, from);
    run(batch, "WRITE");
}

Pin Device::pin(uint64_t first, uint64_t count, uint64_t deadline_ns) {
    Batch batch;
    batch.pin(first, count, deadline_ns, pin_tag);
    const Result result = run(batch, "PIN");
    if (result.status == KVCPU_SC_PENDING) {
        std::array<kvcpu_completion, 1> completion{};
        std::size_t taken = 0;
        uint64_t time_ns = 0;
        /* The device ends the PIN at its deadline at the latest, so a completion will come. */
        while (taken == 0) {
            const std::error_code error =
                transport_->wait(completion, 1, UINT64_MAX, taken, time_ns);
            if (error && error.value() != EINTR) {
                throw std::system_error(error, "PIN");
            }
        }
        const Result end(completion[0].result);
        if (!end.ok()) {
            throw CommandError("PIN", end.status);
        }
    }
    return {*transport_, first, count, result.aux};
}

Result Device::hint(kvcpu_opcode opcode, uint64_t first, uint64_t count, uint64_t step,
                    uint16_t flags) {
    Batch batch;
    batch.hint(opcode, first, count, step, flags);
    return run(batch, "hint");
}

Result Device::step(uint64_t step) {
    Batch batch;
    batch.step(step);
    return run(batch, "STEP");
}

}  // namespace kvcpu
