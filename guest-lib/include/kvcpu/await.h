// SPDX-License-Identifier: MIT
// Commands of a Queue as coroutines await them.
#ifndef KVCPU_AWAIT_H
#define KVCPU_AWAIT_H

#include <coroutine>
#include <cstdint>
#include <exception>
#include <utility>

#include "kvcpu/queue.h"

namespace kvcpu {

/*
 * `const Completion done = co_await Operation(queue, Entry::fence());`
 *
 * The thread that calls Queue::poll() or execute() resumes the coroutine within that call. The
 * library has no thread of its own. An operation allocates nothing: it lives in the coroutine's
 * frame. If the frame is destroyed while the operation is pending, its completion is ignored, and
 * the blocks of a PIN that is granted later are unpinned.
 */
class Operation {
  public:
    Operation(Queue &queue, const Entry &entry) noexcept : queue_(queue) {
        waiter_.entry = entry;
        waiter_.operation = this;
        waiter_.on_complete = [](Waiter &waiter) noexcept {
            static_cast<Awaited &>(waiter).operation->coroutine_.resume();
        };
    }
    ~Operation() { queue_.forget(waiter_); }
    Operation(const Operation &) = delete;
    Operation &operator=(const Operation &) = delete;

    [[nodiscard]] static bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<> coroutine) noexcept {
        coroutine_ = coroutine;
        queue_.start(waiter_);
    }
    [[nodiscard]] Completion await_resume() const noexcept { return waiter_.completion; }

    /* Cancels a pending PIN, which then completes as CANCELLED. */
    void cancel() noexcept { queue_.cancel(waiter_); }

  protected:
    struct Awaited : Waiter {
        Operation *operation = nullptr;
    };

    Queue &queue_;
    Awaited waiter_;

  private:
    std::coroutine_handle<> coroutine_;
};

/* The result of a PIN, and the pin if it was granted. */
struct Pinned {
    Result result;
    Queue::Pin pin;

    explicit operator bool() const noexcept { return result.ok(); }
};

/* `const Pinned pinned = co_await PinOperation(queue, first, count, deadline_ns);` */
class PinOperation : public Operation {
  public:
    /* Throws std::bad_alloc. */
    PinOperation(Queue &queue, uint64_t first, uint64_t count, uint64_t deadline_ns)
        : Operation(queue, Entry::pin(first, count, deadline_ns)) {
        Queue::Pin::promise(queue);
    }
    ~PinOperation() {
        if (promised_) {
            Queue::Pin::cancel_promise(queue_);
        }
    }
    PinOperation(const PinOperation &) = delete;
    PinOperation &operator=(const PinOperation &) = delete;

    [[nodiscard]] Pinned await_resume() noexcept {
        const Result result = waiter_.completion.result;
        if (!result.ok()) {
            return {result, {}};
        }
        promised_ = false; /* the Pin owns the reservation from now on */
        return {result, Queue::Pin::granted(queue_, waiter_.entry, result)};
    }

  private:
    bool promised_ = true;
};

/*
 * A return type for coroutines of programs that have none of their own. The coroutine runs at once.
 * The end of the Task destroys the coroutine, even if the coroutine is suspended.
 */
class Task {
  public:
    struct promise_type {
        Task get_return_object() noexcept {
            return Task(std::coroutine_handle<promise_type>::from_promise(*this));
        }
        static std::suspend_never initial_suspend() noexcept { return {}; }
        static std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() const noexcept {}
        void unhandled_exception() noexcept { exception = std::current_exception(); }

        std::exception_ptr exception;
    };

    Task() = default;
    Task(Task &&other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
    Task &operator=(Task &&other) noexcept {
        std::swap(coroutine_, other.coroutine_);
        return *this;
    }
    ~Task() {
        if (coroutine_) {
            coroutine_.destroy();
        }
    }

    [[nodiscard]] bool is_done() const noexcept { return !coroutine_ || coroutine_.done(); }
    /* Throws what the coroutine threw, once it is done. */
    void get() const {
        if (coroutine_ && coroutine_.done() && coroutine_.promise().exception) {
            std::rethrow_exception(coroutine_.promise().exception);
        }
    }

  private:
    explicit Task(std::coroutine_handle<promise_type> coroutine) noexcept : coroutine_(coroutine) {}

    std::coroutine_handle<promise_type> coroutine_;
};

}  // namespace kvcpu

#endif  // KVCPU_AWAIT_H
