// SPDX-License-Identifier: MIT
#include "loopback_queue.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

#include "kvcpu/batch.h"
#include "kvcpu/ring.h"

namespace kvcpu {

namespace {

constexpr uint64_t page = KVCPU_BUFFER_PAGE;

std::error_code error_of(std::errc error) {
    return std::make_error_code(error);
}

/* Returns the error that the driver returns for a refused admin command. */
std::error_code error_of(kvcpu_status status) {
    switch (status) {
        case KVCPU_SC_SUCCESS:
            return {};
        case KVCPU_SC_UNSUPPORTED:
            return error_of(std::errc::operation_not_supported);
        case KVCPU_SC_NO_SLOTS:
            return error_of(std::errc::no_space_on_device);
        default:
            return error_of(std::errc::invalid_argument);
    }
}

/* The driver makes the same check before it sends the command. */
bool is_coalescing(uint32_t count, uint32_t ns) {
    return count <= KVCPU_COALESCE_COUNT_MAX && ns <= KVCPU_COALESCE_MAX_NS &&
           (count != 0 || ns == 0) && (count <= 1 || ns > 0);
}

bool is_ring_size(uint32_t entries) {
    return std::has_single_bit(entries) && entries >= KVCPU_RING_ENTRIES_MIN &&
           entries <= KVCPU_RING_ENTRIES_MAX;
}

uint64_t coalescing(uint32_t count, uint32_t ns) {
    return uint64_t{count} << KVCPU_CLS_COUNT_SHIFT |
           uint64_t{KVCPU_VECTOR_CONTEXTS} << KVCPU_CLS_VECTOR_SHIFT |
           uint64_t{ns} << KVCPU_CLS_NS_SHIFT;
}

uint64_t quota(uint32_t slots_min, uint32_t slots_max) {
    return uint64_t{slots_min} << KVCPU_QTA_MIN_SHIFT | uint64_t{slots_max} << KVCPU_QTA_MAX_SHIFT;
}

}  // namespace

LoopbackLink::LoopbackLink(LoopbackDevice &device, const QueueConfig &config)
    : device_(device), view_(device) {
    if (!is_ring_size(config.submission_entries) || !is_ring_size(config.completion_entries) ||
        !is_coalescing(config.coalesce_count, config.coalesce_ns)) {
        throw std::system_error(error_of(std::errc::invalid_argument), "SETUP");
    }
    if ((config.slots_min != 0 || config.slots_max != 0) &&
        (device_.get(KVCPU_REG_CAPS) & KVCPU_CAP_QUOTAS) == 0) {
        throw std::system_error(error_of(std::errc::operation_not_supported), "SETUP");
    }
    device_.put(KVCPU_REG_CONTEXT_SELECT, LoopbackDevice::context);
    if ((device_.get(KVCPU_REG_CONTEXT_STATE) >> KVCPU_CXS_RING_SHIFT & KVCPU_CXS_RING_MASK) !=
        KVCPU_RS_NO_RING) {
        throw std::system_error(error_of(std::errc::device_or_resource_busy), "SETUP");
    }
    submission_ = SharedPages(std::size_t{config.submission_entries} * KVCPU_ENTRY_BYTES);
    completion_ = SharedPages(KVCPU_CQ_HEADER_BYTES +
                              std::size_t{config.completion_entries} * KVCPU_COMPLETION_BYTES);
    kvcpu_command open = {};
    open.opcode = KVCPU_OP_OPEN;
    open.first = completion_.address();
    open.buffer = submission_.address();
    open.count = uint64_t{config.submission_entries} << KVCPU_OPN_SQ_ENTRIES_SHIFT |
                 uint64_t{config.completion_entries} << KVCPU_OPN_CQ_ENTRIES_SHIFT;
    open.arg = coalescing(config.coalesce_count, config.coalesce_ns);
    open.offset = config.slots_min;
    open.length = config.slots_max;
    if (const kvcpu_status status = administrate(open); status != KVCPU_SC_SUCCESS) {
        throw std::system_error(error_of(status), "SETUP");
    }
    memory_.submission = submission_.words();
    memory_.completion = completion_.words();
    memory_.submission_entries = config.submission_entries;
    memory_.completion_entries = config.completion_entries;
    memory_.context = LoopbackDevice::context;
    memory_.blocks = device_.get(KVCPU_REG_BLOCKS);
    device_.set_follower(this);
    if (config.residency) {
        add_residency(memory_.blocks);
    }
}

/* The context outlives the rings, so the device may still write to their memory. */
LoopbackLink::~LoopbackLink() {
    device_.set_follower(nullptr);
    for (uint32_t id = 0; id < tables_.size(); ++id) {
        (void)remove_buffer(id);
    }
    device_.keep(std::move(submission_));
    device_.keep(std::move(completion_));
    device_.keep(std::move(residency_));
}

kvcpu_status LoopbackLink::administrate(kvcpu_command command) noexcept {
    return Result(device_.execute(command)).status;
}

void LoopbackLink::add_residency(uint64_t blocks) {
    residency_ = SharedPages(blocks * KVCPU_RESIDENCY_BYTES);
    for (uint64_t first = 0; first < blocks; first += KVCPU_RESIDENCY_PART) {
        kvcpu_command part = {};
        part.opcode = KVCPU_OP_RESIDENCY;
        part.first = first;
        part.count = std::min<uint64_t>(blocks - first, KVCPU_RESIDENCY_PART);
        part.buffer = residency_.address() + first * KVCPU_RESIDENCY_BYTES;
        if (const kvcpu_status status = administrate(part); status != KVCPU_SC_SUCCESS) {
            throw std::system_error(error_of(status), "RESIDENCY");
        }
    }
    memory_.residency = residency_.words();
}

void LoopbackLink::ring(kvcpu_doorbell which, uint64_t value) noexcept {
    taken_ = which == KVCPU_DB_CQ_HEAD ? value : taken_;
    device_.put(
        KVCPU_DOORBELL_BASE + uint64_t{LoopbackDevice::context} * KVCPU_DOORBELL_STRIDE + which,
        value);
    device_.settle();
}

void LoopbackLink::interrupted(unsigned which) noexcept {
    const uint64_t one = 1;
    if (which == vector && eventfd_ >= 0) {
        (void)!::write(eventfd_, &one, sizeof(one));
    }
}

/* True if there is a completion that CQ_HEAD does not count, or if the ring is stopped. */
bool LoopbackLink::is_ready() const noexcept {
    const uint64_t place = taken_ % memory_.completion_entries;
    const uint64_t lap = taken_ / memory_.completion_entries;
    const uint64_t last =
        memory_.completion[KVCPU_CQ_HEADER_BYTES / sizeof(uint64_t) +
                           place * (KVCPU_COMPLETION_BYTES / sizeof(uint64_t)) + KVCPU_CW_TAG];
    return ((last & KVCPU_PHASE) != 0) == (lap % 2 == 0) ||
           memory_.completion[KVCPU_CQH_STATE] != KVCPU_RS_RUNNING;
}

std::error_code LoopbackLink::wait(uint64_t until_ns, uint64_t &time_ns) noexcept {
    std::error_code error;
    while (until_ns > device_.now() && !is_ready()) {
        if (until_ns == UINT64_MAX && device_.is_idle()) {
            error = error_of(std::errc::resource_deadlock_would_occur);
            break;
        }
        device_.advance(until_ns);
    }
    time_ns = device_.now();
    return error;
}

/* -- Buffers ----------------------------------------------------------------- */

/* Makes a table of pages, as the driver does. The pages are contiguous here; the device does not
 * use that. */
std::error_code LoopbackLink::add_buffer(std::span<std::byte> bytes, uint32_t &id) noexcept {
    if (bytes.empty() || bytes.size() > KVCPU_BUFFER_BYTES_MAX) {
        return error_of(std::errc::invalid_argument);
    }
    const auto place = std::find_if(tables_.begin(), tables_.end(),
                                    [](const auto &table) { return table.empty(); });
    if (place == tables_.end()) {
        return error_of(std::errc::no_space_on_device);
    }
    const auto start = reinterpret_cast<uintptr_t>(bytes.data());
    const uint64_t offset = start % page;
    try {
        place->resize((offset + bytes.size() + page - 1) / page);
    } catch (const std::bad_alloc &) {
        return error_of(std::errc::not_enough_memory);
    }
    for (std::size_t i = 0; i < place->size(); ++i) {
        (*place)[i] = start - offset + i * page;
    }
    id = static_cast<uint32_t>(place - tables_.begin());
    kvcpu_command add = {};
    add.opcode = KVCPU_OP_BUFFER_ADD;
    add.first = id;
    add.count = bytes.size();
    add.arg = offset;
    add.buffer = reinterpret_cast<uintptr_t>(place->data());
    const kvcpu_status status = administrate(add);
    if (status != KVCPU_SC_SUCCESS) {
        place->clear();
    }
    return error_of(status);
}

std::error_code LoopbackLink::remove_buffer(uint32_t id) noexcept {
    if (id >= tables_.size()) {
        return error_of(std::errc::invalid_argument);
    }
    kvcpu_command remove = {};
    remove.opcode = KVCPU_OP_BUFFER_REMOVE;
    remove.first = id;
    if (administrate(remove) != KVCPU_SC_SUCCESS) {
        return error_of(std::errc::no_such_file_or_directory);
    }
    tables_[id].clear();
    return {};
}

/* -- Administration ------------------------------------------------------------ */

std::error_code LoopbackLink::restart(kvcpu_ring_state &stopped) noexcept {
    device_.put(KVCPU_REG_CONTEXT_SELECT, LoopbackDevice::context);
    stopped = static_cast<kvcpu_ring_state>(
        device_.get(KVCPU_REG_CONTEXT_STATE) >> KVCPU_CXS_RING_SHIFT & KVCPU_CXS_RING_MASK);
    if (stopped == KVCPU_RS_RUNNING) {
        return error_of(std::errc::device_or_resource_busy);
    }
    std::memset(completion_.words(), 0, completion_.bytes());
    kvcpu_command again = {};
    again.opcode = KVCPU_OP_RESTART;
    taken_ = 0;
    return error_of(administrate(again));
}

std::error_code LoopbackLink::coalesce(uint32_t count, uint32_t ns) noexcept {
    if (!is_coalescing(count, ns)) {
        return error_of(std::errc::invalid_argument);
    }
    kvcpu_command command = {};
    command.opcode = KVCPU_OP_COALESCE;
    command.arg = coalescing(count, ns);
    return error_of(administrate(command));
}

std::error_code LoopbackLink::signal(int eventfd) noexcept {
    eventfd_ = eventfd;
    return {};
}

std::error_code LoopbackLink::set_quota(uint32_t slots_min, uint32_t slots_max) noexcept {
    kvcpu_command command = {};
    command.opcode = KVCPU_OP_QUOTA;
    const uint64_t extent = quota(slots_min, slots_max);
    command.offset = static_cast<uint32_t>(extent >> KVCPU_EXT_OFFSET_SHIFT);
    command.length = static_cast<uint32_t>(extent >> KVCPU_EXT_LENGTH_SHIFT);
    return error_of(administrate(command));
}

}  // namespace kvcpu
