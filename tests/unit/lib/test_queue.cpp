// SPDX-License-Identifier: MIT
// A queue pair as a runtime uses it: entries, batches, completions, claims, rings that stop.
#include <poll.h>

#include <algorithm>
#include <iterator>
#include <system_error>

#include "kvcpu/device.h"
#include "kvcpu/kvcpu_queue.h"
#include "queues.h"
#include "suites.h"

namespace kvcpu_test {

namespace {

using kvcpu::Completion;
using kvcpu::Entry;
using kvcpu::Queue;
using kvcpu::QueueConfig;
using kvcpu::Result;

constexpr uint64_t second = 1'000'000'000;

/* -- Submitting ---------------------------------------------------------------- */

void a_batch_goes_with_one_doorbell() {
    QueueOnLoopback on;
    const uint64_t first = on.execute(Entry::alloc(4)).value;
    const uint64_t before = on.counter(KVCPU_CNT_HINTS_ACCEPTED);
    const uint64_t bells = on.counter(KVCPU_CNT_DOORBELLS);
    {
        Queue::Batch batch(on.queue);
        CU_ASSERT(batch.step(5) == std::errc());
        CU_ASSERT(batch.hint(KVCPU_OP_HOT, first, 2, 9) == std::errc());
        CU_ASSERT(batch.hint(KVCPU_OP_EVICTABLE, first + 2, 2) == std::errc());
        CU_ASSERT_EQUAL(batch.size(), 3);
        CU_ASSERT_EQUAL(on.counter(KVCPU_CNT_HINTS_ACCEPTED), before);
    }
    CU_ASSERT_EQUAL(on.counter(KVCPU_CNT_HINTS_ACCEPTED), before + 3);
    CU_ASSERT_EQUAL(on.counter(KVCPU_CNT_DOORBELLS), bells + 1);
    CU_ASSERT_EQUAL(on.queue.unfinished(), 0);
    CU_ASSERT(on.poll().empty());
}

void nothing_added_rings_nothing() {
    QueueOnLoopback on;
    CU_ASSERT(on.queue.submit() == std::errc());
    { Queue::Batch batch(on.queue); }
    CU_ASSERT_EQUAL(on.counter(KVCPU_CNT_DOORBELLS), 0);
}

/* Numbers that show the position of each bit. */
void entries_made_in_c_are_the_same() {
    constexpr uint64_t first = 0x0102030405060708;
    constexpr uint64_t count = 0x1112131415161718;
    constexpr uint64_t arg = 0x2122232425262728;
    constexpr uint32_t part = 0x31323334;
    constexpr uint32_t length = 0x41424344;
    const std::pair<Entry, kvcpu_entry> pairs[] = {
        {Entry::alloc(count, arg, part, 0x5152), kvcpu_entry_alloc(count, arg, part, 0x5152)},
        {Entry::reclaimed(), kvcpu_entry_reclaimed()},
        {Entry::free(first, count), kvcpu_entry_free(first, count)},
        {Entry::pin(first, count, arg), kvcpu_entry_pin(first, count, arg)},
        {Entry::unpin(first, count), kvcpu_entry_unpin(first, count)},
        {Entry::read(first, part, length, 63, arg), kvcpu_entry_read(first, part, length, 63, arg)},
        {Entry::write(first, part, length, 7, arg), kvcpu_entry_write(first, part, length, 7, arg)},
        {Entry::cancel(arg), kvcpu_entry_cancel(arg)},
        {Entry::fence(), kvcpu_entry_fence()},
        {Entry::step(arg), kvcpu_entry_step(arg)},
        {Entry::hint(KVCPU_OP_EVICTABLE, first, count, arg, KVCPU_F_NOW),
         kvcpu_entry_hint(KVCPU_OP_EVICTABLE, first, count, arg, KVCPU_F_NOW)},
        {Entry::fence().answering(arg), kvcpu_entry_answering(kvcpu_entry_fence(), arg)},
    };
    for (const auto &[here, in_c] : pairs) {
        CU_ASSERT(std::equal(here.words.begin(), here.words.end(), std::begin(in_c.words),
                             std::end(in_c.words)));
    }
}

void a_full_ring_is_an_error_code() {
    QueueOnLoopback on;
    for (int i = 0; i < 8; ++i) {
        CU_ASSERT(on.queue.add(Entry::step(1)) == std::errc());
    }
    CU_ASSERT_EQUAL(on.queue.room(), 0);
    CU_ASSERT(on.queue.add(Entry::step(2)) == std::errc::resource_unavailable_try_again);
    CU_ASSERT(on.queue.submit() == std::errc());
    CU_ASSERT_EQUAL(on.queue.room(), 8);
    CU_ASSERT(on.queue.submit(Entry::step(3)) == std::errc());
    CU_ASSERT_EQUAL(on.counter(KVCPU_CNT_STEPS), 9);
}

void indices_go_round() {
    QueueOnLoopback on;
    for (uint64_t i = 0; i < 100; ++i) {
        CU_ASSERT(on.queue.submit(Entry::step(i).answering(i)) == std::errc());
        const std::vector<Completion> done = on.poll();
        CU_ASSERT_EQUAL_FATAL(done.size(), 1);
        CU_ASSERT_EQUAL(done[0].tag, i);
    }
}

/* -- Completions --------------------------------------------------------------- */

void completions_carry_tag_result_and_time() {
    QueueOnLoopback on;
    const uint64_t first = on.execute(Entry::alloc(2)).value;
    on.execute(Entry::hint(KVCPU_OP_TOUCH, first, 2));
    CU_ASSERT(on.queue.submit(Entry::hint(KVCPU_OP_TOUCH, first, 2).answering(77)) == std::errc());
    let_pass(on.transport, 100);
    CU_ASSERT(on.queue.submit(Entry::free(first + 2, 1).answering(Entry::tag_max)) == std::errc());
    const std::vector<Completion> done = on.poll();
    CU_ASSERT_EQUAL_FATAL(done.size(), 2);
    CU_ASSERT_EQUAL(done[0].tag, 77);
    CU_ASSERT_EQUAL(done[0].result.status, KVCPU_SC_SUCCESS);
    CU_ASSERT_EQUAL(done[0].result.outcome(), KVCPU_HO_ACCEPTED);
    CU_ASSERT_EQUAL(done[0].result.value, 2);
    CU_ASSERT_EQUAL(done[1].tag, Entry::tag_max);
    CU_ASSERT_EQUAL(done[1].result.status, KVCPU_SC_NOT_OWNER);
    CU_ASSERT_EQUAL(done[1].time_ns, done[0].time_ns + 100);
    CU_ASSERT_EQUAL(on.queue.failed(), 1);
}

/* The device pauses, and loses no completion. */
void completions_not_consumed_are_kept() {
    QueueOnLoopback on;
    for (uint64_t i = 0; i < 12; ++i) {
        CU_ASSERT(on.queue.submit(Entry::step(i).answering(i)) == std::errc());
    }
    CU_ASSERT_EQUAL(on.queue.unfinished(), 4);
    std::array<Completion, 3> few;
    uint64_t next = 0;
    for (std::size_t taken = 1; taken > 0;) {
        taken = on.queue.poll(few);
        for (std::size_t i = 0; i < taken; ++i) {
            CU_ASSERT_EQUAL(few[i].tag, next++);
        }
    }
    CU_ASSERT_EQUAL(next, 12);
    CU_ASSERT_EQUAL(on.queue.unfinished(), 0);
}

void execute_keeps_what_others_wait_for() {
    QueueOnLoopback on;
    CU_ASSERT(on.queue.submit(Entry::step(1).answering(1)) == std::errc());
    CU_ASSERT(on.queue.submit(Entry::step(2).answering(2)) == std::errc());
    CU_ASSERT_EQUAL(on.execute(Entry::alloc(4)).aux, 4);
    const std::vector<Completion> done = on.poll();
    CU_ASSERT_EQUAL_FATAL(done.size(), 2);
    CU_ASSERT_EQUAL(done[0].tag, 1);
    CU_ASSERT_EQUAL(done[1].tag, 2);
}

void a_wait_ends_with_a_completion_or_in_time() {
    QueueOnLoopback on;
    const Queue::Blocks blocks = on.queue.alloc(4);
    const uint64_t start = on.transport.info().time_ns;
    uint64_t time_ns = 0;
    CU_ASSERT(!on.queue.wait(start + 50, time_ns));
    CU_ASSERT_EQUAL(time_ns, start + 50);
    CU_ASSERT(on.queue.add(Entry::pin(blocks.first(), 2, second).answering(5)) == std::errc());
    CU_ASSERT(!on.queue.wait(UINT64_MAX, time_ns));
    CU_ASSERT(time_ns > start + 50);
    const std::vector<Completion> done = on.poll();
    CU_ASSERT_EQUAL_FATAL(done.size(), 1);
    CU_ASSERT_EQUAL(done[0].time_ns, time_ns);
    CU_ASSERT(on.queue.wait(UINT64_MAX, time_ns) == std::errc::resource_deadlock_would_occur);
    CU_ASSERT_EQUAL(on.transport.system_calls(), 0);
}

/* -- What is owned ------------------------------------------------------------- */

void claims_end_with_their_object() {
    QueueOnLoopback on;
    const Queue::Blocks blocks = on.queue.alloc(3);
    CU_ASSERT_EQUAL(blocks.count(), 3);
    {
        const Queue::Pin pin = on.queue.pin(blocks.first(), 3, second);
        CU_ASSERT_EQUAL(pin.found_fast(), 0);
        CU_ASSERT_EQUAL(on.claims(blocks.first() + 2), 1);
        Queue::Pin again = on.queue.pin(blocks.first(), 1, second);
        CU_ASSERT_EQUAL(again.found_fast(), 1);
        CU_ASSERT_EQUAL(on.claims(blocks.first()), 2);
        Queue::Pin moved = std::move(again);
        CU_ASSERT_EQUAL(on.claims(blocks.first()), 2);
        moved = Queue::Pin();
        CU_ASSERT_EQUAL(on.claims(blocks.first()), 1);
    }
    CU_ASSERT_EQUAL(on.claims(blocks.first()), 0);
}

void blocks_end_with_their_object() {
    QueueOnLoopback on;
    uint64_t first = 0;
    {
        Queue::Blocks blocks = on.queue.alloc(5);
        first = blocks.first();
        blocks = on.queue.alloc(2);
        CU_ASSERT_EQUAL(on.state(first), KVCPU_BS_SCRUBBING);
        CU_ASSERT_EQUAL(on.state(blocks.first()), KVCPU_BS_SLOW);
        blocks.release();
        first = blocks.first();
    }
    CU_ASSERT_EQUAL(on.state(first), KVCPU_BS_SLOW);
}

/* Their UNPIN and FREE wait for space in the ring, and precede newer entries. */
void objects_destroyed_while_the_ring_is_full_are_released_later() {
    QueueOnLoopback on;
    const Queue::Blocks blocks = on.queue.alloc(1);
    {
        const Queue::Pin pin = on.queue.pin(blocks.first(), 1, second);
        for (uint64_t i = 0; i < 16;
             ++i) { /* 8 completions that are not consumed, 8 entries in a paused ring */
            CU_ASSERT(on.queue.submit(Entry::step(i).answering(i)) == std::errc());
        }
        CU_ASSERT_EQUAL(on.queue.room(), 0);
    }
    CU_ASSERT_EQUAL(on.claims(blocks.first()), 1);
    CU_ASSERT_EQUAL(on.poll().size(), 8);
    CU_ASSERT_EQUAL(on.poll().size(), 8);
    CU_ASSERT_EQUAL(on.claims(blocks.first()), 0);
}

void refusals_are_thrown() {
    QueueOnLoopback on;
    try {
        (void)on.queue.pin(0, 1, second);
        CU_FAIL("granted");
    } catch (const kvcpu::CommandError &error) {
        CU_ASSERT_EQUAL(error.status(), KVCPU_SC_NOT_OWNER);
    }
    const Queue::Blocks blocks = on.queue.alloc(8);
    try {
        (void)on.queue.pin(blocks.first(), 8, second);
        CU_FAIL("granted");
    } catch (const kvcpu::CommandError &error) {
        CU_ASSERT_EQUAL(error.status(), KVCPU_SC_NO_SLOTS);
    }
}

/* -- Set-up -------------------------------------------------------------------- */

void set_up_is_checked() {
    const auto transport = small_transport();
    for (const QueueConfig &bad :
         {QueueConfig{.submission_entries = 3}, QueueConfig{.completion_entries = 8192},
          QueueConfig{.submission_entries = 0}, QueueConfig{.coalesce_count = 2},
          QueueConfig{.coalesce_ns = 1}}) {
        try {
            Queue queue(*transport, bad);
            CU_FAIL("accepted");
        } catch (const std::system_error &error) {
            CU_ASSERT(error.code() == std::errc::invalid_argument);
        }
    }
    Queue queue(*transport, QueueOnLoopback::small_queue());
    try {
        Queue another(*transport);
        CU_FAIL("accepted");
    } catch (const std::system_error &error) {
        CU_ASSERT(error.code() == std::errc::device_or_resource_busy);
    }
    CU_ASSERT_EQUAL(transport->info().ring_state, KVCPU_RS_RUNNING);
}

void a_transport_without_rings_says_so() {
    Passing transport(small_transport());
    try {
        Queue queue(transport);
        CU_FAIL("accepted");
    } catch (const std::system_error &error) {
        CU_ASSERT(error.code() == std::errc::operation_not_supported);
    }
}

/* With quotas in the device, they are applied; without them, the call is refused. */
void quotas_are_the_devices() {
    const kvcpu::QueueConfig config{
        .submission_entries = 8, .completion_entries = 8, .slots_min = 1, .slots_max = 2};
    const auto transport = small_transport();
    if ((transport->info().features & KVCPU_FEATURE_QUOTAS) == 0) {
        try {
            Queue queue(*transport, config);
            CU_FAIL("accepted");
        } catch (const std::system_error &error) {
            CU_ASSERT(error.code() == std::errc::operation_not_supported);
        }
        QueueOnLoopback on;
        CU_ASSERT(on.queue.set_quota(0, 3) == std::errc::operation_not_supported);
        return;
    }
    QueueOnLoopback on(config);
    CU_ASSERT_EQUAL(on.transport.info().slots_max, 2);
    const Queue::Blocks blocks = on.queue.alloc(4);
    CU_ASSERT_EQUAL(on.execute(Entry::pin(blocks.first(), 3, second)).status, KVCPU_SC_NO_SLOTS);
    CU_ASSERT(!on.queue.set_quota(0, 3));
    CU_ASSERT_EQUAL(on.transport.info().slots_max, 3);
    CU_ASSERT_EQUAL(on.execute(Entry::pin(blocks.first(), 3, second)).status, KVCPU_SC_SUCCESS);
    CU_ASSERT(on.queue.set_quota(0, 99) == std::errc::invalid_argument);
}

void the_residency_map_says_where_blocks_are() {
    QueueOnLoopback on;
    CU_ASSERT(!on.queue.residency(0).is_owned);
    const Queue::Blocks blocks = on.queue.alloc(2);
    const uint64_t block = blocks.first();
    CU_ASSERT(on.queue.residency(block).is_owned);
    CU_ASSERT(!on.queue.residency(block).is_fast);
    CU_ASSERT_EQUAL(on.queue.residency(block).state, KVCPU_BS_SLOW);
    {
        const Queue::Pin pin = on.queue.pin(block, 1, second);
        CU_ASSERT(on.queue.residency(block).is_fast);
        CU_ASSERT(!on.queue.residency(block + 1).is_fast);
        CU_ASSERT_EQUAL(on.queue.residency(block).generation,
                        on.transport.block(block).use >> KVCPU_BUS_GENERATION_SHIFT);
    }
    CU_ASSERT(!on.queue.residency(1'000'000).is_owned);

    QueueOnLoopback without(QueueConfig{.residency = false});
    const Queue::Blocks others = without.queue.alloc(2);
    CU_ASSERT(!without.queue.residency(others.first()).is_owned);
}

/* -- Stopped rings ------------------------------------------------------------- */

void a_stopped_ring_says_why_and_starts_again() {
    QueueOnLoopback on;
    const Queue::Blocks blocks = on.queue.alloc(1);
    on.transport.link->ring(KVCPU_DB_SQ_TAIL, 1'000'000);
    CU_ASSERT_EQUAL(on.queue.state(), KVCPU_RS_BAD_TAIL);
    CU_ASSERT(on.queue.submit(Entry::step(1)) == std::errc::broken_pipe);
    Result result(0);
    CU_ASSERT(on.queue.execute(Entry::step(1), result) == std::errc::broken_pipe);
    kvcpu_ring_state stopped = KVCPU_RS_RUNNING;
    CU_ASSERT(!on.queue.restart(stopped));
    CU_ASSERT_EQUAL(stopped, KVCPU_RS_BAD_TAIL);
    CU_ASSERT_EQUAL(on.queue.state(), KVCPU_RS_RUNNING);
    CU_ASSERT_EQUAL(on.execute(Entry::pin(blocks.first(), 1, second)).status, KVCPU_SC_SUCCESS);
    CU_ASSERT(on.queue.restart(stopped) == std::errc::device_or_resource_busy);
}

void a_completion_index_too_far_stops_the_ring() {
    QueueOnLoopback on;
    on.transport.link->ring(KVCPU_DB_CQ_HEAD, 5);
    CU_ASSERT_EQUAL(on.queue.state(), KVCPU_RS_BAD_HEAD);
    kvcpu_ring_state stopped = KVCPU_RS_RUNNING;
    CU_ASSERT(!on.queue.restart(stopped));
    CU_ASSERT_EQUAL(on.execute(Entry::step(1)).status, KVCPU_SC_SUCCESS);
}

/* -- Interrupts ---------------------------------------------------------------- */

bool readable(int descriptor) {
    pollfd one = {descriptor, POLLIN, 0};
    return ::poll(&one, 1, 0) == 1;
}

void an_eventfd_is_signalled() {
    QueueOnLoopback on;
    const int descriptor = on.queue.event_descriptor();
    CU_ASSERT_EQUAL(on.queue.event_descriptor(), descriptor);
    CU_ASSERT(on.queue.submit(Entry::step(1).answering(1)) == std::errc());
    CU_ASSERT(!readable(descriptor)); /* interrupts were not requested */
    CU_ASSERT(!on.queue.coalesce(1, 0));
    CU_ASSERT(readable(descriptor)); /* completions that were not consumed count as just written */
    CU_ASSERT(on.queue.coalesce(2, 0) == std::errc::invalid_argument);
}

}  // namespace

void add_queue_suite() {
    Suite("queue")
        .test("a batch goes with one doorbell", a_batch_goes_with_one_doorbell)
        .test("nothing added rings nothing", nothing_added_rings_nothing)
        .test("entries made in C are the same", entries_made_in_c_are_the_same)
        .test("a full ring is an error code", a_full_ring_is_an_error_code)
        .test("indices go round", indices_go_round)
        .test("completions carry tag, result and time", completions_carry_tag_result_and_time)
        .test("completions not consumed are kept", completions_not_consumed_are_kept)
        .test("execute() keeps what others wait for", execute_keeps_what_others_wait_for)
        .test("a wait ends with a completion or in time", a_wait_ends_with_a_completion_or_in_time)
        .test("claims end with their object", claims_end_with_their_object)
        .test("blocks end with their object", blocks_end_with_their_object)
        .test("objects destroyed while the ring is full are released later",
              objects_destroyed_while_the_ring_is_full_are_released_later)
        .test("refusals are thrown", refusals_are_thrown)
        .test("set-up is checked", set_up_is_checked)
        .test("a transport without rings says so", a_transport_without_rings_says_so)
        .test("quotas are the device's", quotas_are_the_devices)
        .test("the residency map says where blocks are", the_residency_map_says_where_blocks_are)
        .test("a stopped ring says why and starts again", a_stopped_ring_says_why_and_starts_again)
        .test("a completion index too far stops the ring",
              a_completion_index_too_far_stops_the_ring)
        .test("an eventfd is signalled", an_eventfd_is_signalled);
}

}  // namespace kvcpu_test
