// SPDX-License-Identifier: MIT
#include "channel.h"

#include <stdexcept>
#include <string>

namespace kvcpu::serving {

namespace {

/* The hints of a step fit into the ring, and so do the copies of a burst. */
constexpr uint32_t entries = 1024;
constexpr uint32_t completions = 2; /* no entry asks for a completion */

bool is_hint(const kvcpu_command &command) {
    switch (command.opcode) {
#define KVCPU_IS_HINT_(name, number, what) case KVCPU_OP_##name:
        KVCPU_HINTS(KVCPU_IS_HINT_)
#undef KVCPU_IS_HINT_
        return true;
        default:
            return false;
    }
}

}  // namespace

Channel::Channel(Transport &transport, std::span<std::byte> memory, uint64_t block_size)
    : transport_(transport), memory_(memory), block_size_(block_size) {
    QueueConfig config;
    config.submission_entries = entries;
    config.completion_entries = completions;
    config.residency = false;
    try {
        queue_.emplace(transport, config);
    } catch (const std::system_error &error) {
        if (error.code() != std::errc::operation_not_supported) {
            throw;
        }
        return;
    }
    buffer_ = queue_->add_buffer(memory);
}

/* PIN and ALLOC have results that are needed at once. READ is only used without a linear view. */
bool Channel::goes_by_ring(const kvcpu_command &command) const {
    return is_hint(command) || command.opcode == KVCPU_OP_UNPIN || command.opcode == KVCPU_OP_WRITE;
}

void Channel::submit(Batch &batch) {
    bool by_ring = queue_.has_value();
    uint64_t hints = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {
        by_ring = by_ring && goes_by_ring(batch.command(i));
        hints += is_hint(batch.command(i)) ? 1 : 0;
    }
    const uint64_t calls_before = transport_.system_calls();
    if (by_ring) {
        submit_by_ring(batch);
    } else {
        submit_by_call(batch);
    }
    hints_ += hints;
    hint_system_calls_ += hints > 0 ? transport_.system_calls() - calls_before : 0;
}

void Channel::submit_by_ring(const Batch &batch) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
        const kvcpu_command &command = batch.command(i);
        const auto opcode = static_cast<kvcpu_opcode>(command.opcode);
        Entry entry = Entry::hint(opcode, command.first, command.count, command.arg, command.flags);
        if (opcode == KVCPU_OP_WRITE) {
            const uint64_t offset = command.buffer - reinterpret_cast<uintptr_t>(memory_.data());
            entry =
                Entry::write(command.first, command.offset, command.length, buffer_.id(), offset);
        }
        if (queue_->add(entry) != std::errc()) {
            flush();
            (void)queue_->add(entry);
        }
    }
    flush();
    if (queue_->failed() > 0) {
        throw std::runtime_error("a command of the ring was refused; kvctl counters says why");
    }
}

/* Until the device has executed all: at the doorbell's store, but for more than a turn's worth. */
void Channel::flush() {
    if (queue_->submit() != std::errc()) {
        throw std::runtime_error("the ring was stopped: state " + std::to_string(queue_->state()));
    }
    uint64_t time_ns = 0;
    while (queue_->unfinished() > 0) {
        std::size_t taken = 0;
        std::error_code error = transport_.wait({}, 0, 0, taken, time_ns);
        if (!error) {
            error = transport_.wait({}, 0, time_ns + KVCPU_RING_SLICE_NS, taken, time_ns);
        }
        if (error) {
            throw std::system_error(error, "WAIT");
        }
    }
}

void Channel::submit_by_call(Batch &batch) {
    if (batch.empty()) {
        return;
    }
    if (const std::error_code error = batch.submit(transport_)) {
        throw std::system_error(error, "SUBMIT");
    }
    for (std::size_t i = 0; i < batch.size(); ++i) {
        const Result result = batch.result(i);
        if (!result.ok()) {
            const kvcpu_command &command = batch.command(i);
            throw std::runtime_error("command 0x" + std::to_string(command.opcode) + " on block " +
                                     std::to_string(command.first) + ": " +
                                     describe(result.status));
        }
    }
}

void Channel::look_by_read(std::span<const uint32_t> blocks) {
    Batch batch;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        batch.read(blocks[i], 0, memory_.subspan(i * block_size_, block_size_));
    }
    submit_by_call(batch);
}

void Channel::look(std::span<const uint32_t> blocks, bool content,
                   const std::function<void(std::size_t, std::span<const std::byte>)> &see) {
    if (!queue_) {
        look_by_read(blocks);
        for (std::size_t i = 0; content && i < blocks.size(); ++i) {
            see(i, memory_.subspan(i * block_size_, block_size_));
        }
        return;
    }
    std::size_t place = 0;
    for (const Run &run : runs_of({blocks.begin(), blocks.end()})) {
        const kvcpu::Queue::Window window = queue_->map(run.first, run.count);
        for (std::size_t i = 0; i < run.count; ++i, ++place) {
            if (content) {
                see(place, window.bytes().subspan(i * block_size_, block_size_));
            }
        }
    }
}

}  // namespace kvcpu::serving
