// SPDX-License-Identifier: MIT
// Commands as coroutines await them: order, cancelling, and coroutines that end while they wait.
#include <optional>
#include <stdexcept>

#include "kvcpu/await.h"
#include "queues.h"
#include "suites.h"

namespace kvcpu_test {

namespace {

using kvcpu::Completion;
using kvcpu::Entry;
using kvcpu::Operation;
using kvcpu::Pinned;
using kvcpu::PinOperation;
using kvcpu::Queue;
using kvcpu::Result;
using kvcpu::Task;

constexpr uint64_t second = 1'000'000'000;

/* The observations of a test about a coroutine. */
struct Seen {
    int steps = 0;
    Result result{KVCPU_STATUS_COUNT};
    Queue::Pin pin;
};

void run_dry(QueueOnLoopback &on) {
    uint64_t time_ns = 0;
    do {
        (void)on.poll();
    } while (!on.queue.wait(UINT64_MAX, time_ns));
}

Task pins(Queue &queue, uint64_t first, uint64_t count, uint64_t deadline_ns, Seen &seen) {
    ++seen.steps;
    Pinned pinned = co_await PinOperation(queue, first, count, deadline_ns);
    ++seen.steps;
    seen.result = pinned.result;
    seen.pin = std::move(pinned.pin);
}

void a_coroutine_goes_on_with_the_answer() {
    QueueOnLoopback on;
    const Queue::Blocks blocks = on.queue.alloc(2);
    Seen seen;
    const Task task = pins(on.queue, blocks.first(), 2, second, seen);
    CU_ASSERT_EQUAL(seen.steps, 1);
    CU_ASSERT(!task.is_done());
    run_dry(on);
    CU_ASSERT(task.is_done());
    CU_ASSERT_EQUAL(seen.result.status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(on.claims(blocks.first()), 1);
    seen.pin = {};
    CU_ASSERT_EQUAL(on.claims(blocks.first()), 0);
}

void a_refused_pin_claims_nothing() {
    QueueOnLoopback on;
    Seen seen;
    const Task task = pins(on.queue, 3, 1, second, seen);
    run_dry(on);
    CU_ASSERT_EQUAL(seen.result.status, KVCPU_SC_NOT_OWNER);
    CU_ASSERT_EQUAL(seen.pin.count(), 0);
}

/* More operations than the ring has places: the others start when places become free. */
Task counts(Queue &queue, uint64_t number, std::vector<uint64_t> &order) {
    const Completion done = co_await Operation(queue, Entry::step(number));
    CU_ASSERT_EQUAL(done.result.status, KVCPU_SC_SUCCESS);
    order.push_back(number);
    (void)co_await Operation(queue, Entry::fence());
    order.push_back(number);
}

void operations_beyond_the_ring_size_wait() {
    QueueOnLoopback on;
    std::vector<uint64_t> order;
    std::vector<Task> tasks;
    for (uint64_t i = 0; i < 50; ++i) {
        tasks.push_back(counts(on.queue, i, order));
    }
    run_dry(on);
    for (const Task &task : tasks) {
        CU_ASSERT(task.is_done());
    }
    CU_ASSERT_EQUAL_FATAL(order.size(), 100);
    CU_ASSERT_EQUAL(on.counter(KVCPU_CNT_STEPS), 50);
    std::vector<uint64_t> firsts;
    for (const uint64_t number : order) {
        if (std::find(firsts.begin(), firsts.end(), number) == firsts.end()) {
            firsts.push_back(number);
        }
    }
    CU_ASSERT(std::is_sorted(firsts.begin(), firsts.end()));
}

Task pins_until_cancelled(Queue &queue, uint64_t first, uint64_t count,
                          std::optional<PinOperation> &operation, Seen &seen) {
    PinOperation &waiting = operation.emplace(queue, first, count, second);
    const Pinned pinned = co_await waiting;
    seen.result = pinned.result;
}

void a_waiting_pin_can_be_cancelled() {
    QueueOnLoopback on;
    const Queue::Blocks blocks = on.queue.alloc(8);
    const Queue::Pin all = on.queue.pin(blocks.first(), 4, second);
    Seen seen;
    std::optional<PinOperation> operation;
    const Task task = pins_until_cancelled(on.queue, blocks.first() + 4, 1, operation, seen);
    (void)on.poll();
    CU_ASSERT(!task.is_done());
    operation->cancel();
    (void)on.poll();
    CU_ASSERT(task.is_done());
    CU_ASSERT_EQUAL(seen.result.status, KVCPU_SC_CANCELLED);
    operation->cancel(); /* too late, without effect */
    run_dry(on);
}

void a_pin_that_never_began_can_be_cancelled() {
    QueueOnLoopback on;
    const Queue::Blocks blocks = on.queue.alloc(1);
    std::vector<uint64_t> order;
    std::vector<Task> tasks;
    for (uint64_t i = 0; i < 20; ++i) {
        tasks.push_back(counts(on.queue, i, order));
    }
    Seen seen;
    std::optional<PinOperation> operation;
    const Task task = pins_until_cancelled(on.queue, blocks.first(), 1, operation, seen);
    operation->cancel();
    (void)on.poll();
    CU_ASSERT(task.is_done());
    CU_ASSERT_EQUAL(seen.result.status, KVCPU_SC_CANCELLED);
    run_dry(on);
    CU_ASSERT_EQUAL(on.claims(blocks.first()), 0);
}

/* The PIN is granted nevertheless, and must be released. */
void a_coroutine_may_end_while_it_waits() {
    QueueOnLoopback on;
    const Queue::Blocks blocks = on.queue.alloc(2);
    Seen seen;
    {
        const Task task = pins(on.queue, blocks.first(), 2, second, seen);
        (void)on.poll();
        CU_ASSERT(!task.is_done());
    }
    run_dry(on);
    CU_ASSERT_EQUAL(seen.steps, 1);
    CU_ASSERT_EQUAL(on.counter(KVCPU_CNT_PINS_WAITED), 1);
    CU_ASSERT_EQUAL(on.claims(blocks.first()), 0);
    CU_ASSERT_EQUAL(on.claims(blocks.first() + 1), 0);
}

void a_restart_notifies_waiters() {
    QueueOnLoopback on;
    const Queue::Blocks blocks = on.queue.alloc(1);
    Seen seen;
    const Task task = pins(on.queue, blocks.first(), 1, second, seen);
    (void)on.poll();
    on.transport.link->ring(KVCPU_DB_SQ_TAIL, 0);
    kvcpu_ring_state stopped = KVCPU_RS_RUNNING;
    CU_ASSERT(!on.queue.restart(stopped));
    CU_ASSERT(task.is_done());
    CU_ASSERT_EQUAL(seen.result.status, KVCPU_SC_CANCELLED);
    run_dry(on);
    CU_ASSERT_EQUAL(on.claims(blocks.first()), 0);
}

Task throws(Queue &queue) {
    (void)co_await Operation(queue, Entry::step(1));
    throw std::runtime_error("of the coroutine");
}

void exceptions_are_kept() {
    QueueOnLoopback on;
    const Task task = throws(on.queue);
    task.get(); /* not yet */
    run_dry(on);
    CU_ASSERT(task.is_done());
    try {
        task.get();
        CU_FAIL("not thrown");
    } catch (const std::runtime_error &error) {
        CU_ASSERT_STRING_EQUAL(error.what(), "of the coroutine");
    }
}

}  // namespace

void add_await_suite() {
    Suite("await")
        .test("a coroutine goes on with the answer", a_coroutine_goes_on_with_the_answer)
        .test("a refused pin claims nothing", a_refused_pin_claims_nothing)
        .test("operations beyond the ring size wait", operations_beyond_the_ring_size_wait)
        .test("a waiting pin can be cancelled", a_waiting_pin_can_be_cancelled)
        .test("a pin that never began can be cancelled", a_pin_that_never_began_can_be_cancelled)
        .test("a coroutine may end while it waits", a_coroutine_may_end_while_it_waits)
        .test("a restart notifies waiters", a_restart_notifies_waiters)
        .test("exceptions are kept", exceptions_are_kept);
}

}  // namespace kvcpu_test
