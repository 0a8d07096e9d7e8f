// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef KVCPU_CORE_QUEUES_QUEUE_PAIRS_H
#define KVCPU_CORE_QUEUES_QUEUE_PAIRS_H

#include <array>
#include <cstdint>
#include <vector>

#include "state/completion_target.h"
#include "state/device.h"
#include "util/index_lists.h"

namespace kvcpu {

/* Interrupt coalescing settings of a context: "Interrupts" in the specification. */
struct Coalescing {
    uint32_t count = 0;
    uint32_t vector = 0;
    uint64_t ns = 0;
};

/* The addresses and sizes of a queue pair, from OPEN or the admin registers. */
struct QueueSetup {
    uint64_t sq_address = 0;
    uint64_t cq_address = 0;
    uint32_t sq_entries = 0;
    uint32_t cq_entries = 0;
    Coalescing coalescing;
};

[[nodiscard]] bool is_queue_size(uint64_t entries) noexcept;
[[nodiscard]] bool is_queue_address(uint64_t address) noexcept;

/* The eight words of an entry, in host byte order. */
using Entry = std::array<uint64_t, KVCPU_ENTRY_WORDS>;

/*
 * The device's state of a submission ring and a completion ring. The device never reads it back
 * from memory that a process can write.
 */
struct QueuePair {
    kvcpu_ring_state state = KVCPU_RS_NO_RING;
    kvcpu_ring_state fault = KVCPU_RS_RUNNING;  // a reason to stop that is still to be handled
    bool paused = false;
    QueueSetup setup;

    uint64_t head = 0;  // entries consumed
    uint64_t tail = 0;  // published by the guest
    uint64_t failed = 0;
    uint32_t waiting = 0;              // commands
    std::array<uint64_t, 3> stored{};  // the header as it was last written

    uint64_t written = 0;   // completions
    uint64_t taken = 0;     // of those: consumed by the guest
    uint32_t reserved = 0;  // for pending commands

    uint64_t unsignalled = 0;  // completions written since the vector was raised
    uint64_t signal_ns = KVCPU_TIMER_OFF;

    [[nodiscard]] bool runs() const noexcept {
        return state == KVCPU_RS_RUNNING && fault == KVCPU_RS_RUNNING;
    }
    [[nodiscard]] bool has_completion_entry() const noexcept {
        return written - taken + reserved < setup.cq_entries;
    }
};

/*
 * All queue pairs, the admin ring's as context 0's: their memory, indices, place in the
 * scheduler's queue, and interrupts.
 * This class does not decode entries.
 */
class QueuePairs {
  public:
    explicit QueuePairs(Device &device);

    void clear() noexcept;
    [[nodiscard]] const QueuePair &operator[](uint16_t context) const noexcept {
        return pairs_[context];
    }

    /* Opens a queue pair: writes its header, and checks that the submission ring can be read. */
    kvcpu_dma_result open(uint16_t context, const QueueSetup &setup) noexcept;
    /* Closes a queue pair. The device no longer accesses its memory. */
    void close(uint16_t context) noexcept;
    void coalesce(uint16_t context, const Coalescing &coalescing) noexcept;

    /* Doorbell writes. False if the value is invalid. */
    bool advance_tail(uint16_t context, uint64_t tail) noexcept;
    bool advance_head(uint16_t context, uint64_t head) noexcept;

    /* The scheduler consumes entries by these functions. */
    [[nodiscard]] uint32_t available(uint16_t context) const noexcept {
        return static_cast<uint32_t>(pairs_[context].tail - pairs_[context].head);
    }
    /* Copies entries from the head on, up to the end of the ring's memory; 0 on a fault. */
    uint32_t fetch(uint16_t context, Entry *to, uint32_t limit) noexcept;
    void consume(uint16_t context) noexcept { ++pairs_[context].head; }
    /* Marks the header as changed. */
    void mark_header_changed(uint16_t context) noexcept { changed_.insert(context); }
    /* Reserves a place for the completion of the next command. False: the ring pauses. */
    bool reserve_completion(uint16_t context) noexcept;
    /* Ends a command: its reserved place is used or released. */
    void finish(uint16_t context, const CompletionTarget &completion,
                const Result &result) noexcept;
    /* Makes a command pending. False if too many are. */
    bool begin_wait(uint16_t context) noexcept;
    void end_wait(uint16_t context) noexcept { --pairs_[context].waiting; }

    /* Requests a stop of the ring, for an error that was found during other work. */
    void fail(uint16_t context, kvcpu_ring_state reason) noexcept;
    /* The next ring with a requested stop, or none. */
    [[nodiscard]] uint32_t next_faulty() const noexcept { return faulty_.first(); }
    /* Removes the ring from the scheduler's queues and stores its header once more. */
    void stop(uint16_t context) noexcept;
    /* Stores FAILED, STATE and SQ_HEAD of every ring in which they changed. */
    void store_headers() noexcept;

    /* Enqueues the ring for a slice; rings are served in order. */
    void enqueue(uint16_t context) noexcept {
        slice_lists_.push_back(context == 0 ? urgent : ready, context);
    }
    /* Enqueues the ring after a slice that it used up: here the admin ring has no precedence. */
    void enqueue_again(uint16_t context) noexcept { slice_lists_.push_back(ready, context); }
    void enqueue_later(uint16_t context) noexcept;
    void dequeue(uint16_t context) noexcept { slice_lists_.remove(context); }
    [[nodiscard]] bool is_enqueued(uint16_t context) const noexcept {
        return slice_lists_.contains(context);
    }
    /* Enqueues the rings whose doorbell latency has passed. */
    void enqueue_delayed() noexcept;
    [[nodiscard]] bool is_any_ready() const noexcept {
        return slice_lists_.front(ready) != IndexLists::none ||
               slice_lists_.front(urgent) != IndexLists::none;
    }
    /* The next ring to serve. The admin ring has precedence. */
    [[nodiscard]] uint16_t next_ready() const noexcept {
        return static_cast<uint16_t>(
            slice_lists_.front(urgent) == IndexLists::none ? slice_lists_.front(ready) : 0);
    }
    [[nodiscard]] uint64_t next_delayed() const noexcept {
        const uint32_t first = slice_lists_.front(delayed);
        return first == IndexLists::none ? KVCPU_TIMER_OFF : delayed_until_ns_[first];
    }

    /* Raises the vectors whose coalescing time has passed. */
    void signal_due() noexcept;
    [[nodiscard]] uint64_t next_signal() const noexcept { return next_signal_ns_; }

  private:
    static constexpr uint32_t ready = 0;
    static constexpr uint32_t urgent = 1;
    static constexpr uint32_t delayed = 2;
    static constexpr uint32_t slice_list_count = 3;

    [[nodiscard]] uint16_t number(const QueuePair &pair) const noexcept {
        return static_cast<uint16_t>(&pair - pairs_.data());
    }
    kvcpu_dma_result store(const QueuePair &pair, uint64_t offset, const uint64_t *words,
                           uint32_t count) noexcept;
    void store_header(QueuePair &pair) noexcept;
    void write_completion(QueuePair &pair, uint64_t tag, const Result &result) noexcept;
    void consider_signal(QueuePair &pair) noexcept;
    void set_signal(QueuePair &pair, uint64_t ns) noexcept;
    void raise(QueuePair &pair) noexcept;

    Device &d_;
    std::vector<QueuePair> pairs_;
    IndexLists slice_lists_;
    std::vector<uint64_t> delayed_until_ns_;
    NumberSet faulty_;
    NumberSet changed_;  // queue pairs whose header must be written
    uint64_t next_signal_ns_ = KVCPU_TIMER_OFF;
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_QUEUES_QUEUE_PAIRS_H
