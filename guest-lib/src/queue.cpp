// SPDX-License-Identifier: MIT
#include "kvcpu/queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "kvcpu/device.h"

namespace kvcpu {

namespace {

/* The tag of a Waiter: a bit that no other tag has, the slot's use count, and the slot. */
constexpr unsigned generation_shift = 32;
constexpr uint64_t generation_mask = (uint64_t{1} << 30) - 1;
constexpr uint64_t own_tag = Entry::tag_max + 1;

uint64_t cancelled() {
    return uint64_t{KVCPU_SC_CANCELLED} << KVCPU_RES_STATUS_SHIFT;
}

}  // namespace

Queue::Queue(Transport &transport, const QueueConfig &config)
    : transport_(transport),
      link_(transport.open_queue(config)),
      submission_(*link_),
      completion_(*link_),
      slots_(std::size_t{config.submission_entries} + config.completion_entries +
             KVCPU_CONTEXT_PENDING_MAX) {
    free_slots_.reserve(slots_.size());
    for (std::size_t slot = slots_.size(); slot-- > 0;) {
        free_slots_.push_back(static_cast<uint32_t>(slot));
    }
    kept_.reserve(slots_.size());
    /* Each slot may need two: the UNPIN of a PIN whose Waiter is gone, and its CANCEL. */
    releases_.reserve(2 * slots_.size());
}

Queue::~Queue() {
    submit_backlog();
    (void)submit();
    if (event_descriptor_ >= 0) {
        (void)link_->signal(-1);
        ::close(event_descriptor_);
    }
}

/* -- Waiters --------------------------------------------------------------- */

void Queue::List::append(Waiter &waiter, Waiter::At as) noexcept {
    waiter.at = as;
    waiter.next = nullptr;
    (first == nullptr ? first : last->next) = &waiter;
    last = &waiter;
}

Waiter &Queue::List::pop() noexcept {
    Waiter &waiter = *first;
    first = waiter.next;
    waiter.at = Waiter::At::nowhere;
    return waiter;
}

void Queue::List::remove(Waiter &waiter) noexcept {
    Waiter *before = nullptr;
    for (Waiter *at = first; at != &waiter; at = at->next) {
        before = at;
    }
    (before == nullptr ? first : before->next) = waiter.next;
    last = last == &waiter ? before : last;
    waiter.at = Waiter::At::nowhere;
}

uint64_t Queue::tag_of(uint32_t slot) const noexcept {
    return own_tag | (slots_[slot].generation & generation_mask) << generation_shift | slot;
}

bool Queue::begin(Waiter &waiter) noexcept {
    if (free_slots_.empty()) {
        return false;
    }
    const uint32_t slot = free_slots_.back();
    if (add(waiter.entry.answering(tag_of(slot))) != std::errc()) {
        return false;
    }
    free_slots_.pop_back();
    slots_[slot].is_used = true;
    slots_[slot].waiter = &waiter;
    slots_[slot].entry = waiter.entry;
    waiter.at = Waiter::At::slot;
    waiter.slot = slot;
    return true;
}

void Queue::start(Waiter &waiter) noexcept {
    assert(waiter.at == Waiter::At::nowhere);
    if (backlog_.first != nullptr || !begin(waiter)) {
        backlog_.append(waiter, Waiter::At::backlog);
    }
}

void Queue::forget(Waiter &waiter) noexcept {
    switch (waiter.at) {
        case Waiter::At::nowhere:
            break;
        case Waiter::At::backlog:
            backlog_.remove(waiter);
            break;
        case Waiter::At::slot: /* the slot stays in use until the completion arrives */
            slots_[waiter.slot].waiter = nullptr;
            waiter.at = Waiter::At::nowhere;
            break;
        case Waiter::At::completed:
            completed_.remove(waiter);
            if (waiter.entry.opcode() == KVCPU_OP_PIN && waiter.completion.result.ok()) {
                release(KVCPU_OP_UNPIN, waiter.entry.first(), waiter.entry.count());
            }
            break;
    }
}

void Queue::cancel(Waiter &waiter) noexcept {
    if (waiter.at == Waiter::At::backlog) {
        backlog_.remove(waiter);
        waiter.completion = {0, Result(cancelled()), 0};
        completed_.append(waiter, Waiter::At::completed);
    } else if (waiter.at == Waiter::At::slot) {
        release(KVCPU_OP_CANCEL, tag_of(waiter.slot), 0);
    }
}

/* A tag that belongs to no slot is ignored: a process that overwrites its ring affects only itself.
 */
void Queue::settle(const Completion &completion) noexcept {
    const auto index = static_cast<uint32_t>(completion.tag);
    if (index >= slots_.size() || !slots_[index].is_used || completion.tag != tag_of(index)) {
        return;
    }
    Slot &slot = slots_[index];
    if (slot.waiter != nullptr) {
        slot.waiter->completion = completion;
        completed_.append(*slot.waiter, Waiter::At::completed);
    } else if (slot.entry.opcode() == KVCPU_OP_PIN && completion.result.ok()) {
        release(KVCPU_OP_UNPIN, slot.entry.first(), slot.entry.count());
    }
    slot.is_used = false;
    slot.waiter = nullptr;
    ++slot.generation;
    free_slots_.push_back(index);
}

/* A Waiter may start, forget and cancel other Waiters. */
void Queue::run_callbacks() noexcept {
    while (completed_.first != nullptr) {
        Waiter &waiter = completed_.pop();
        waiter.on_complete(waiter);
    }
}

/* -- What ends without asking ----------------------------------------------- */

void Queue::promise_release() {
    releases_.reserve(2 * slots_.size() + releases_.size() + promised_ + 1);
    ++promised_;
}

void Queue::release(kvcpu_opcode opcode, uint64_t first, uint64_t count) noexcept {
    releases_.push_back({opcode, first, count});
    if (polling_ == 0) {
        submit_backlog();
        (void)submit();
    }
}

Entry Queue::Release::entry() const noexcept {
    switch (opcode) {
        case KVCPU_OP_FREE:
            return Entry::free(first, count);
        case KVCPU_OP_CANCEL:
            return Entry::cancel(first);
        default:
            return Entry::unpin(first, count);
    }
}

/* Commands that release blocks go first, since other commands may wait for these blocks. */
void Queue::submit_backlog() noexcept {
    std::size_t begun = 0;
    for (const Release &due : releases_) {
        if (add(due.entry()) != std::errc()) {
            break;
        }
        ++begun;
    }
    releases_.erase(releases_.begin(), releases_.begin() + static_cast<std::ptrdiff_t>(begun));
    while (backlog_.first != nullptr && releases_.empty()) {
        Waiter &waiter = *backlog_.first;
        if (!begin(waiter)) {
            break;
        }
        backlog_.first = waiter.next;
    }
}

/* -- Completions ----------------------------------------------------------- */

std::size_t Queue::take(std::span<Completion> into, bool keep) noexcept {
    std::size_t taken = 0;
    for (Completion completion; completion_.peek(completion); completion_.take()) {
        if (completion.tag >= own_tag) {
            settle(completion);
        } else if (taken < into.size()) {
            into[taken++] = completion;
        } else if (keep && kept_.size() < kept_.capacity()) {
            kept_.push_back(completion);
        } else {
            break;
        }
    }
    return taken;
}

std::size_t Queue::poll_once(std::span<Completion> into, bool keep) noexcept {
    ++polling_;
    submit_backlog();
    (void)submit();
    const std::size_t taken = take(into, keep);
    if (state() == KVCPU_RS_RUNNING) {
        completion_.advance_head();
    }
    run_callbacks();
    submit_backlog();
    (void)submit();
    --polling_;
    return taken;
}

std::size_t Queue::poll(std::span<Completion> into) noexcept {
    const std::size_t some = std::min(into.size(), kept_.size());
    std::copy_n(kept_.begin(), some, into.begin());
    kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(some));
    return some + poll_once(into.subspan(some), false);
}

std::error_code Queue::wait(uint64_t until_ns, uint64_t &time_ns) noexcept {
    submit_backlog();
    (void)submit();
    return link_->wait(kept_.empty() ? until_ns : 0, time_ns);
}

/* Sleeps until the state of the Waiter may have changed. */
std::error_code Queue::sleep(const Waiter &waiter) noexcept {
    uint64_t time_ns = 0;
    if (waiter.at == Waiter::At::slot) {
        return link_->wait(UINT64_MAX, time_ns);
    }
    /* No completion reports room in the ring. The device makes room in a slice of the ring. */
    const std::error_code error = link_->wait(0, time_ns);
    return error ? error : link_->wait(time_ns + KVCPU_RING_SLICE_NS, time_ns);
}

std::error_code Queue::execute(const Entry &entry, Result &result) noexcept {
    Waiter waiter;
    waiter.entry = entry;
    waiter.on_complete = [](Waiter &) noexcept {};
    start(waiter);
    for (;;) {
        poll_once({}, true);
        if (waiter.at == Waiter::At::nowhere) {
            result = waiter.completion.result;
            return {};
        }
        const std::error_code error = state() == KVCPU_RS_RUNNING
                                          ? sleep(waiter)
                                          : std::make_error_code(std::errc::broken_pipe);
        if (error && error != std::errc::interrupted) {
            forget(waiter);
            return error;
        }
    }
}

std::error_code Queue::restart(kvcpu_ring_state &stopped) noexcept {
    take({}, true);
    if (const std::error_code error = link_->restart(stopped)) {
        return error;
    }
    submission_.restart();
    completion_.restart();
    /* A command without an answer was not executed, or was cancelled when the rings stopped. */
    for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
        settle({tag_of(slot), Result(cancelled()), 0});
    }
    poll_once({}, true);
    return {};
}

/* -- Set-up ---------------------------------------------------------------- */

int Queue::event_descriptor() {
    if (event_descriptor_ < 0) {
        const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (descriptor < 0) {
            throw std::system_error(errno, std::generic_category(), "eventfd");
        }
        if (const std::error_code error = link_->signal(descriptor)) {
            ::close(descriptor);
            throw std::system_error(error, "EVENTFD");
        }
        event_descriptor_ = descriptor;
    }
    return event_descriptor_;
}

Queue::Buffer Queue::add_buffer(std::span<std::byte> bytes) {
    uint32_t id = 0;
    if (const std::error_code error = link_->add_buffer(bytes, id)) {
        throw std::system_error(error, "BUFFER_ADD");
    }
    return {*link_, id, bytes};
}

Queue::Window Queue::map(uint64_t first, uint64_t count, bool writable) {
    const uint64_t blocks = link_->memory().blocks;
    if (count == 0 || first >= blocks || count > blocks - first) {
        throw std::system_error(EINVAL, std::generic_category(), "the linear view");
    }
    return {*link_, link_->map(first, count, writable)};
}

Queue::Buffer::~Buffer() {
    if (link_ != nullptr) {
        (void)link_->remove_buffer(id_);
    }
}

Result Queue::obtain(const Entry &entry, const char *what) {
    promise_release();
    Result result(0);
    const std::error_code error = execute(entry, result);
    if (error || !result.ok()) {
        cancel_promise();
        if (error) {
            throw std::system_error(error, what);
        }
        throw CommandError(what, result.status);
    }
    return result;
}

Queue::Blocks Queue::alloc(uint64_t count, uint64_t meta) {
    const Result result = obtain(Entry::alloc(count, meta), "ALLOC");
    return {*this, result.value, result.aux};
}

Queue::Pin Queue::pin(uint64_t first, uint64_t count, uint64_t deadline_ns) {
    const Entry entry = Entry::pin(first, count, deadline_ns);
    return Pin::granted(*this, entry, obtain(entry, "PIN"));
}

std::unique_ptr<QueueLink> Transport::open_queue(const QueueConfig & /*config*/) {
    throw std::system_error(std::make_error_code(std::errc::operation_not_supported), "SETUP");
}

}  // namespace kvcpu
