// SPDX-License-Identifier: MIT
#include "stream.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "kvcpu/batch.h"

namespace conformance {

using kvcpu::Completion;
using kvcpu::Entry;
using kvcpu::Queue;
using kvcpu::Result;

namespace {

constexpr uint64_t burst_max = 24;
constexpr uint64_t second = 1'000'000'000;
constexpr uint64_t patience_ns = 100 * second; /* a wait for work of microseconds */
constexpr std::array hints = {KVCPU_OP_HOT,     KVCPU_OP_EVICTABLE, KVCPU_OP_PREFETCHABLE,
                              KVCPU_OP_RELEASE, KVCPU_OP_SHARE,     KVCPU_OP_UNSHARE,
                              KVCPU_OP_SEAL,    KVCPU_OP_TOUCH,     KVCPU_OP_CLEAR};

std::string name_of(kvcpu_opcode opcode) {
    switch (opcode) {
#define KVCPU_NAME_(name, number, what) \
    case KVCPU_OP_##name:               \
        return #name;
        KVCPU_COMMANDS(KVCPU_NAME_)
        KVCPU_HINTS(KVCPU_NAME_)
#undef KVCPU_NAME_
        default:
            return "no opcode";
    }
}

std::string name_of(kvcpu_status status) {
    const std::string text = kvcpu::describe(status);
    return text.substr(0, text.find(':'));
}

kvcpu_command command_of(const Entry &entry, std::span<std::byte> memory) {
    kvcpu_command command = {};
    const uint64_t control = entry.words[KVCPU_EW_CONTROL];
    command.opcode = static_cast<uint16_t>(control >> KVCPU_CTL_OPCODE_SHIFT);
    command.flags = static_cast<uint16_t>(control >> KVCPU_CTL_FLAGS_SHIFT);
    command.first = entry.words[KVCPU_EW_FIRST];
    command.count = entry.words[KVCPU_EW_COUNT];
    command.arg = entry.words[KVCPU_EW_ARG];
    command.meta = entry.words[KVCPU_EW_META];
    command.offset = static_cast<uint32_t>(entry.words[KVCPU_EW_EXTENT]);
    command.length = static_cast<uint32_t>(entry.words[KVCPU_EW_EXTENT] >> 32);
    command.buffer = reinterpret_cast<uintptr_t>(memory.data()) +
                     (entry.words[KVCPU_EW_ADDR] & KVCPU_BUF_OFFSET_MASK);
    return command;
}

bool uses_hints(uint32_t policy) {
    return policy != KVCPU_POLICY_LRU && policy != KVCPU_POLICY_ARC;
}

kvcpu::QueueConfig ring_sizes() {
    kvcpu::QueueConfig config;
    config.submission_entries = 32;
    config.completion_entries = 32;
    return config;
}

}  // namespace

Stream::Stream(kvcpu::Transport &transport, uint64_t seed)
    : transport_(transport),
      queue_(transport, ring_sizes()),
      model_(transport.info().blocks, transport.info().fast_slots, transport.info().block_size,
             uses_hints(transport.info().policy)),
      random_(seed),
      memory_(burst_max * model_.block_size()),
      expected_(memory_.size()),
      buffer_(queue_.add_buffer(memory_)) {}

/* -- What is observed ---------------------------------------------------------- */

void Stream::observe(uint64_t value) {
    for (unsigned i = 0; i < sizeof(value); ++i) {
        digest_ = (digest_ ^ (value >> 8 * i & 0xff)) * 0x100000001b3;
    }
}

void Stream::observe(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) {
        digest_ = (digest_ ^ std::to_integer<uint64_t>(byte)) * 0x100000001b3;
    }
}

void Stream::agree(bool good, const std::string &what) {
    if (!good) {
        throw std::runtime_error(what);
    }
}

void Stream::check(const Asked &asked, uint64_t word) {
    const Result result(word);
    const std::string name = name_of(asked.entry.opcode());
    const bool right = result.status == asked.expected.status &&
                       (asked.aux_depends_on_time || result.aux == asked.expected.aux) &&
                       result.value == asked.expected.value;
    agree(right, name + " of " + std::to_string(asked.entry.count()) + " blocks from " +
                     std::to_string(asked.entry.first()) + ": " + name_of(result.status) + " " +
                     std::to_string(result.aux) + " " + std::to_string(result.value) +
                     ", and not " + name_of(asked.expected.status) + " " +
                     std::to_string(asked.expected.aux) + " " +
                     std::to_string(asked.expected.value));
    observe(result.status);
    observe(asked.aux_depends_on_time ? 0 : result.aux);
    observe(result.value);
    ++mix_[name + " " + name_of(result.status)];
}

/* -- What is asked ------------------------------------------------------------- */

uint64_t Stream::some_block() {
    if (!model_.owned().empty() && chance(90)) {
        const auto place = model_.owned().lower_bound(random(model_.blocks()));
        return place == model_.owned().end() ? model_.owned().begin()->first : place->first;
    }
    return random(model_.blocks());
}

uint64_t Stream::some_claimed_block() {
    const uint64_t from = some_block();
    if (chance(90)) {
        for (auto at = model_.owned().lower_bound(from); at != model_.owned().end(); ++at) {
            if (at->second.claims > 0) {
                return at->first;
            }
        }
    }
    return from;
}

uint64_t Stream::some_count() {
    return chance(60) ? 1 : 1 + random(8);
}

Stream::Asked Stream::next_hint() {
    if (chance(15)) {
        return {Entry::step(random(1000)), model_.hint(KVCPU_OP_STEP, 0, 0)};
    }
    /* SEAL is rare, as a sealed block cannot be written any more. */
    kvcpu_opcode opcode = hints[random(hints.size())];
    opcode = opcode == KVCPU_OP_SEAL && chance(85) ? KVCPU_OP_TOUCH : opcode;
    const uint64_t first = chance(3) ? model_.blocks() + random(3) : some_block();
    const uint64_t count = chance(3) ? 0 : chance(3) ? model_.blocks() : some_count();
    const bool now = opcode == KVCPU_OP_EVICTABLE && chance(50);
    return {Entry::hint(opcode, first, count, random(1000), now ? KVCPU_F_NOW : 0),
            model_.hint(opcode, first, count)};
}

/* Each command of a burst has its own part of the memory. */
Stream::Asked Stream::next_copy(bool write) {
    const uint64_t size = model_.block_size();
    const uint64_t block = some_block();
    const uint64_t offset = chance(50) ? 0 : random(size);
    const uint64_t length = chance(50) ? size - offset : 1 + random(size - offset);
    const uint64_t at = place_ * size;
    const auto part = std::span(memory_).subspan(at, length);
    const auto extent = [&](auto make) {
        return make(block, static_cast<uint32_t>(offset), static_cast<uint32_t>(length),
                    buffer_.id(), at);
    };
    if (write) {
        for (std::byte &byte : part) {
            byte = static_cast<std::byte>(random_());
        }
        std::copy(part.begin(), part.end(), expected_.begin() + static_cast<std::ptrdiff_t>(at));
        return {extent(Entry::write), model_.write(block, offset, part)};
    }
    return {extent(Entry::read),
            model_.read(block, offset, length, std::span(expected_).subspan(at, length))};
}

Stream::Asked Stream::next_pin() {
    const uint64_t first = some_block();
    const uint64_t count = chance(3) ? model_.slots() + 1 : some_count();
    const bool bad = chance(3);
    const uint64_t deadline = bad ? 0 : patience_ns;
    if (count <= model_.slots() && count > model_.room()) {
        return next_hint(); /* PINs that cannot all be granted: crowd() */
    }
    has_pinned_ = true;
    return {Entry::pin(first, count, deadline), model_.pin(first, count, deadline), true};
}

Stream::Asked Stream::next_mistake() {
    Entry entry = Entry::free(some_block(), 1);
    switch (random(is_ring_ ? 5 : 3)) {
        case 0:
            return {Entry::free(some_block(), 0), {KVCPU_SC_BAD_RANGE}};
        case 1:
            return {Entry::unpin(model_.blocks() - 1, 2), {KVCPU_SC_BAD_RANGE}};
        case 2:
            entry.words[KVCPU_EW_CONTROL] = KVCPU_OP_OPEN + random(16);
            return {entry, {KVCPU_SC_BAD_OPCODE}};
        case 3:
            entry.words[KVCPU_EW_CONTROL] |= uint64_t{1} << KVCPU_CTL_CONTEXT_SHIFT;
            return {entry, {KVCPU_SC_BAD_FIELD}};
        default: /* bytes beyond the buffer */
            if (model_.owned().empty()) {
                return next_hint();
            }
            return {
                Entry::read(model_.owned().begin()->first, 0, 2, buffer_.id(), memory_.size() - 1),
                {KVCPU_SC_BAD_BUFFER}};
    }
}

Stream::Asked Stream::next_command() {
    const uint64_t kind = random(100);
    if (kind < 20 && !has_freed_) {
        const uint64_t count = chance(4) ? 0 : 1 + random(12);
        return {Entry::alloc(count), model_.alloc(count)};
    }
    if (kind < 28) {
        const uint64_t first = some_block();
        const uint64_t count = some_count();
        has_freed_ = true;
        return {Entry::free(first, count), model_.free(first, count)};
    }
    if (kind < 50) {
        return next_pin();
    }
    if (kind < 72 && !has_pinned_) {
        const uint64_t first = some_claimed_block();
        const uint64_t count = some_count();
        return {Entry::unpin(first, count), model_.unpin(first, count)};
    }
    if (kind < 78) {
        return next_mistake();
    }
    if (kind < 82) {
        return {Entry::cancel(uint64_t{1} << 40), {KVCPU_SC_NOT_FOUND}};
    }
    if (kind < 86) {
        return {Entry::fence(), {}};
    }
    return kind < 90 ? Asked{Entry::reclaimed(), {}} : next_copy(chance(50));
}

Stream::Asked Stream::next() {
    const uint64_t kind = random(100);
    return kind < 35 ? next_hint() : kind < 60 ? next_copy(chance(50)) : next_command();
}

/* -- Bursts -------------------------------------------------------------------- */

void Stream::by_ring(std::vector<Asked> &asked) {
    for (uint64_t i = 0; i < asked.size(); ++i) {
        agree(queue_.add(asked[i].entry.answering(i)) == std::errc(), "the ring has no room");
    }
    agree(queue_.submit() == std::errc(), "the ring has stopped");
    std::vector<uint64_t> results(asked.size());
    std::vector<bool> answered(asked.size());
    for (std::size_t left = asked.size(); left > 0;) {
        std::array<Completion, 8> some;
        const std::size_t taken = queue_.poll(some);
        for (std::size_t i = 0; i < taken; ++i) {
            agree(some[i].tag < asked.size() && !answered[some[i].tag], "an answer to nothing");
            answered[some[i].tag] = true;
            results[some[i].tag] = some[i].result.status |
                                   uint64_t{some[i].result.aux} << KVCPU_RES_AUX_SHIFT |
                                   uint64_t{some[i].result.value} << KVCPU_RES_VALUE_SHIFT;
        }
        left -= taken;
        uint64_t time_ns = 0;
        const std::error_code error =
            left > 0 && taken == 0 ? queue_.wait(UINT64_MAX, time_ns) : std::error_code();
        agree(!error || error == std::errc::interrupted, "an answer that never comes");
    }
    for (std::size_t i = 0; i < asked.size(); ++i) {
        check(asked[i], results[i]);
        failed_ += asked[i].expected.status == KVCPU_SC_SUCCESS ? 0 : 1;
    }
    agree(queue_.failed() == failed_, "FAILED counts " + std::to_string(queue_.failed()) +
                                          ", and not " + std::to_string(failed_));
}

void Stream::by_call(std::vector<Asked> &asked) {
    std::vector<kvcpu_command> commands;
    for (uint64_t i = 0; i < asked.size(); ++i) {
        commands.push_back(command_of(asked[i].entry, memory_));
        commands.back().user_data = i;
    }
    std::size_t done = 0;
    agree(!kvcpu::submit_all(transport_, commands, true, done) && done == commands.size(),
          "SUBMIT failed");
    std::size_t waiting = 0;
    for (const kvcpu_command &command : commands) {
        waiting += Result(command.result).status == KVCPU_SC_PENDING ? 1 : 0;
    }
    while (waiting > 0) {
        std::array<kvcpu_completion, burst_max> some{};
        std::size_t taken = 0;
        uint64_t time_ns = 0;
        const std::error_code error = transport_.wait(some, 1, UINT64_MAX, taken, time_ns);
        agree(!error || error == std::errc::interrupted, "an answer that never comes");
        for (std::size_t i = 0; i < taken; ++i) {
            agree(some[i].user_data < commands.size(), "an answer to nothing");
            commands[some[i].user_data].result = some[i].result;
        }
        waiting -= taken;
    }
    for (std::size_t i = 0; i < asked.size(); ++i) {
        check(asked[i], commands[i].result);
    }
}

/* Compares all of the memory, so that a write outside the range is found. */
void Stream::check_reads() {
    agree(memory_ == expected_, "READ gave other bytes");
    observe(expected_);
}

void Stream::burst(uint64_t count) {
    is_ring_ = chance(70);
    has_freed_ = has_pinned_ = false;
    std::vector<Asked> asked;
    expected_ = memory_;
    for (place_ = 0; place_ < count; ++place_) {
        asked.push_back(next());
    }
    if (is_ring_) {
        by_ring(asked);
    } else {
        by_call(asked);
    }
    check_reads();
    settle();
}

/* -- Between bursts ------------------------------------------------------------ */

/* Waits until freed blocks are scrubbed. */
void Stream::settle() {
    const uint64_t wanted = model_.blocks() - model_.owned().size();
    const uint64_t until = transport_.info().time_ns + patience_ns;
    for (;;) {
        const kvcpu_info info = transport_.info();
        if (info.blocks_free == wanted) {
            return;
        }
        agree(info.time_ns < until, "BLOCKS_FREE is " + std::to_string(info.blocks_free) +
                                        ", and not " + std::to_string(wanted));
        std::size_t taken = 0;
        uint64_t time_ns = 0;
        (void)transport_.wait({}, 0, info.time_ns + 20'000, taken, time_ns);
    }
}

/* Pins blocks in all slots. A further PIN can only time out or be cancelled. */
void Stream::crowd() {
    std::vector<uint64_t> claimed;
    uint64_t other = model_.blocks();
    for (const auto &[number, block] : model_.owned()) {
        if (block.claims == 0 && claimed.size() < model_.room()) {
            claimed.push_back(number);
        } else if (block.claims == 0) {
            other = number;
        }
    }
    if (claimed.size() < model_.room() || other == model_.blocks()) {
        return;
    }
    const auto each = [&](auto make, auto model) {
        for (std::size_t i = 0; i < claimed.size(); i += burst_max) {
            std::vector<Asked> some;
            for (std::size_t j = i; j < std::min(claimed.size(), i + burst_max); ++j) {
                some.push_back({make(claimed[j]), model(claimed[j]), true});
            }
            by_ring(some);
        }
    };
    each([](uint64_t block) { return Entry::pin(block, 1, patience_ns); },
         [&](uint64_t block) { return model_.pin(block, 1, patience_ns); });
    std::vector<Asked> late = {
        {Entry::pin(other, 1, 50'000), {KVCPU_SC_TIMED_OUT}, true},
        {Entry::pin(other, 1, patience_ns), {KVCPU_SC_CANCELLED}, true},
        {Entry::free(other, 1), {KVCPU_SC_PINNED}}, /* a PIN waits for it */
        {Entry::cancel(1), {}},
    };
    by_ring(late);
    each([](uint64_t block) { return Entry::unpin(block, 1); },
         [&](uint64_t block) { return model_.unpin(block, 1); });
}

/* Reads, and may write, a run of own blocks through a window of the view. */
void Stream::window() {
    const uint64_t first = some_block();
    uint64_t count = 0;
    bool sealed = false;
    while (count < 5 && model_.owns(first + count)) {
        sealed = sealed || model_.owned().at(first + count).sealed;
        ++count;
    }
    if (count == 0) {
        return;
    }
    const bool write = !sealed && chance(50);
    const Queue::Window view = queue_.map(first, count, write);
    const uint64_t size = model_.block_size();
    for (uint64_t i = 0; i < count; ++i) {
        const auto bytes = view.bytes().subspan(i * size, size);
        const auto &expected = model_.owned().at(first + i).bytes;
        agree(std::equal(bytes.begin(), bytes.end(), expected.begin()),
              "the view of block " + std::to_string(first + i) + " shows other bytes");
        observe(expected);
        if (write) {
            const uint64_t from = random(size);
            const uint64_t length = 1 + random(size - from);
            for (std::byte &byte : bytes.subspan(from, length)) {
                byte = static_cast<std::byte>(random_());
            }
            (void)model_.write(first + i, from, bytes.subspan(from, length));
        }
    }
    ++mix_[write ? "window written" : "window read"];
}

/* Compares the residency map with the owned and pinned blocks. */
void Stream::look_at_all() {
    for (uint64_t block = 0; block < model_.blocks(); ++block) {
        const kvcpu::Residency seen = queue_.residency(block);
        const std::string name = "the map's block " + std::to_string(block) + ": ";
        agree(seen.is_owned == model_.owns(block), name + "owner");
        agree(!seen.is_owned || seen.generation == model_.generation(block), name + "generation");
        agree(seen.is_owned || (!seen.is_fast && seen.generation == 0), name + "not all zero");
        const bool claimed = seen.is_owned && model_.owned().at(block).claims > 0;
        agree(!claimed || seen.is_fast, name + "claimed, and not in the fast tier");
        observe(seen.is_owned ? seen.generation : 0);
    }
}

void Stream::read_all() {
    std::vector<Asked> asked;
    const auto ask = [&] {
        expected_ = memory_;
        for (place_ = 0; place_ < asked.size(); ++place_) {
            const uint64_t at = place_ * model_.block_size();
            const uint64_t block = asked[place_].entry.first();
            asked[place_].entry =
                Entry::read(block, 0, static_cast<uint32_t>(model_.block_size()), buffer_.id(), at);
            (void)model_.read(block, 0, model_.block_size(), std::span(expected_).subspan(at));
        }
        by_ring(asked);
        check_reads();
        asked.clear();
    };
    for (const auto &[number, block] : model_.owned()) {
        asked.push_back({Entry::read(number, 0, 0, 0), {}});
        if (asked.size() == burst_max) {
            ask();
        }
    }
    ask();
}

void Stream::spoil() {
    for (const auto &[number, block] : model_.owned()) {
        if (!block.sealed) {
            const Queue::Window view = queue_.map(number, 1, true);
            view.bytes()[0] ^= std::byte{1};
            return;
        }
    }
}

void Stream::run(uint64_t commands) {
    for (uint64_t done = 0; done < commands;) {
        const uint64_t count = 1 + random(burst_max);
        burst(count);
        done += count;
        if (chance(10)) {
            crowd();
        }
        if (chance(30)) {
            window();
        }
        if (chance(5)) {
            look_at_all();
        }
    }
    look_at_all();
    read_all();
}

}  // namespace conformance
