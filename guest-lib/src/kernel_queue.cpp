// SPDX-License-Identifier: MIT
#include "kernel_queue.h"

#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cerrno>

namespace kvcpu {

namespace {

std::error_code last_error() {
    return {errno, std::generic_category()};
}

}  // namespace

Mapping::Mapping(int file, const kvcpu_region &region, int protection, const char *what)
    : bytes_(region.bytes) {
    if (bytes_ == 0) {
        return;
    }
    void *const start =
        ::mmap(nullptr, bytes_, protection, MAP_SHARED, file, static_cast<off_t>(region.offset));
    if (start == MAP_FAILED) {
        throw std::system_error(last_error(), what);
    }
    data_ = start;
}

Mapping::~Mapping() {
    if (data_ != nullptr) {
        ::munmap(data_, bytes_);
    }
}

KernelLink::KernelLink(int file, uint64_t &calls, const QueueConfig &config)
    : file_(file), calls_(calls) {
    kvcpu_info info = {};
    kvcpu_setup setup = {};
    setup.flags = config.residency ? KVCPU_SETUP_RESIDENCY : 0;
    setup.sq_entries = config.submission_entries;
    setup.cq_entries = config.completion_entries;
    setup.coalesce_count = config.coalesce_count;
    setup.coalesce_ns = config.coalesce_ns;
    setup.slots_min = config.slots_min;
    setup.slots_max = config.slots_max;
    if (const std::error_code error = call(KVCPU_IOC_INFO, &info)) {
        throw std::system_error(error, "INFO");
    }
    if (const std::error_code error = call(KVCPU_IOC_SETUP, &setup)) {
        throw std::system_error(error, "SETUP");
    }
    submission_ = Mapping(file, setup.sq, PROT_READ | PROT_WRITE, "the submission ring");
    completion_ = Mapping(file, setup.cq, PROT_READ, "the completion ring");
    doorbells_ = Mapping(file, setup.doorbell, PROT_WRITE, "the doorbell page");
    residency_ = Mapping(file, setup.residency, PROT_READ, "the residency map");
    block_size_ = info.block_size;
    memory_.submission = static_cast<uint64_t *>(submission_.data());
    memory_.completion = static_cast<const uint64_t *>(completion_.data());
    memory_.doorbells = static_cast<volatile uint64_t *>(doorbells_.data());
    memory_.residency = static_cast<const uint64_t *>(residency_.data());
    memory_.submission_entries = setup.sq_entries;
    memory_.completion_entries = setup.cq_entries;
    memory_.context = setup.context;
    memory_.blocks = info.blocks;
}

std::error_code KernelLink::call(unsigned long number, void *argument) noexcept {
    ++calls_;
    return ::ioctl(file_, number, argument) < 0 ? last_error() : std::error_code();
}

void KernelLink::ring(kvcpu_doorbell which, uint64_t value) noexcept {
    memory_.doorbells[which / sizeof(uint64_t)] = value;
}

std::error_code KernelLink::wait(uint64_t until_ns, uint64_t &time_ns) noexcept {
    kvcpu_wait wait = {};
    wait.until_ns = until_ns;
    wait.flags = KVCPU_WAIT_RING;
    const std::error_code error = call(KVCPU_IOC_WAIT, &wait);
    time_ns = wait.time_ns;
    return error;
}

std::error_code KernelLink::add_buffer(std::span<std::byte> bytes, uint32_t &id) noexcept {
    kvcpu_buffer buffer = {};
    buffer.address = reinterpret_cast<uintptr_t>(bytes.data());
    buffer.length = bytes.size();
    buffer.id = KVCPU_BUFFER_ANY;
    const std::error_code error = call(KVCPU_IOC_BUFFER_ADD, &buffer);
    id = buffer.id;
    return error;
}

std::error_code KernelLink::remove_buffer(uint32_t id) noexcept {
    kvcpu_buffer_remove remove = {};
    remove.id = id;
    return call(KVCPU_IOC_BUFFER_REMOVE, &remove);
}

std::error_code KernelLink::restart(kvcpu_ring_state &stopped) noexcept {
    kvcpu_restart restart = {};
    const std::error_code error = call(KVCPU_IOC_RESTART, &restart);
    stopped = static_cast<kvcpu_ring_state>(restart.stopped);
    return error;
}

std::error_code KernelLink::coalesce(uint32_t count, uint32_t ns) noexcept {
    kvcpu_coalesce coalesce = {};
    coalesce.count = count;
    coalesce.ns = ns;
    return call(KVCPU_IOC_COALESCE, &coalesce);
}

std::error_code KernelLink::signal(int eventfd) noexcept {
    kvcpu_eventfd signal = {};
    signal.fd = eventfd;
    return call(KVCPU_IOC_EVENTFD, &signal);
}

std::error_code KernelLink::set_quota(uint32_t slots_min, uint32_t slots_max) noexcept {
    kvcpu_quota quota = {};
    quota.slots_min = slots_min;
    quota.slots_max = slots_max;
    return call(KVCPU_IOC_QUOTA, &quota);
}

/* -- The linear view ----------------------------------------------------------- */

std::span<std::byte> KernelLink::map(uint64_t first, uint64_t count, bool writable) {
    ++calls_;
    const std::size_t bytes = count * block_size_;
    void *const start = ::mmap(nullptr, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                               MAP_SHARED, file_, static_cast<off_t>(first * block_size_));
    if (start == MAP_FAILED) {
        throw std::system_error(last_error(), "the linear view");
    }
    return {static_cast<std::byte *>(start), bytes};
}

void KernelLink::unmap(std::span<std::byte> bytes) noexcept {
    ++calls_;
    ::munmap(bytes.data(), bytes.size());
}

}  // namespace kvcpu
