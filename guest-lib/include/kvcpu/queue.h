// SPDX-License-Identifier: MIT
// A context's queue pair: hints for the price of a store, commands that answer later.
#ifndef KVCPU_QUEUE_H
#define KVCPU_QUEUE_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "kvcpu/entry.h"
#include "kvcpu/queue_link.h"
#include "kvcpu/ring.h"
#include "kvcpu/transport.h"

namespace kvcpu {

/* A block's word of the residency map. The block may move at any time. Zero for other contexts'
 * blocks. */
struct Residency {
    bool is_owned = false;
    bool is_fast = false;
    kvcpu_block_state state = KVCPU_BS_FREE;
    uint32_t generation = 0;

    explicit Residency(uint64_t word) noexcept
        : is_owned((word >> KVCPU_RSD_OWNED_SHIFT & KVCPU_RSD_OWNED_MASK) != 0),
          is_fast(is_owned && (word >> KVCPU_RSD_TIER_SHIFT & KVCPU_RSD_TIER_MASK) == 0),
          state(
              static_cast<kvcpu_block_state>(word >> KVCPU_RSD_STATE_SHIFT & KVCPU_RSD_STATE_MASK)),
          generation(static_cast<uint32_t>(word >> KVCPU_RSD_GENERATION_SHIFT)) {}
};

/* A pending command, and the function to call when it completes. await.h makes coroutines of it. */
struct Waiter {
    Entry entry;
    Completion completion;
    /* Called once, within Queue::poll() or execute(), when `completion` is valid. */
    void (*on_complete)(Waiter &waiter) noexcept = nullptr;

    /* The queue's own fields: the list that holds the Waiter, and its place there. */
    enum class At : uint8_t { nowhere, backlog, slot, completed };
    At at = At::nowhere;
    uint32_t slot = 0;
    Waiter *next = nullptr;
};

/*
 * The rings of a Transport's context, mapped into this process. A function makes no system call
 * unless its comment says so.
 *
 * Threads: one at a time uses a queue and what belongs to it.
 * Errors: set-up throws std::system_error. On the hot path functions return std::errc:
 *   resource_unavailable_try_again (EAGAIN): the submission ring is full; nothing was added;
 *   broken_pipe (EPIPE): the ring is stopped, and state() says why; see restart().
 * Ownership: the Transport, and the memory of buffers, must live until the queue has ended. The end
 * of the Transport, not of the queue, gives back what commands took.
 */
class Queue {
  public:
    class Batch;
    class Buffer;
    class Range;
    class Pin;
    class Blocks;
    class Window;

    explicit Queue(Transport &transport, const QueueConfig &config = {});
    ~Queue();
    Queue(const Queue &) = delete;
    Queue &operator=(const Queue &) = delete;

    [[nodiscard]] Transport &transport() noexcept { return transport_; }
    [[nodiscard]] const QueueMemory &memory() const noexcept { return link_->memory(); }

    /* -- Submitting -------------------------------------------------------- */

    /* Writes an entry into the ring. The device does not see it before submit(), or poll(). */
    [[nodiscard]] std::errc add(const Entry &entry) noexcept {
        return submission_.put(entry) ? std::errc() : std::errc::resource_unavailable_try_again;
    }
    /* Publishes all added entries, with one store to the doorbell. */
    std::errc submit() noexcept {
        if (state() == KVCPU_RS_RUNNING) {
            submission_.advance_tail();
        }
        return state() == KVCPU_RS_RUNNING ? std::errc() : std::errc::broken_pipe;
    }
    /* Adds one entry and publishes it. */
    [[nodiscard]] std::errc submit(const Entry &entry) noexcept {
        const std::errc error = add(entry);
        return error == std::errc() ? submit() : error;
    }
    /* Reads the device's head, and returns how many entries can be added at least. */
    [[nodiscard]] uint32_t room() noexcept { return submission_.look_for_room(); }
    /* Published entries that the device has not executed. Pending PINs and FENCEs do not count. */
    [[nodiscard]] uint64_t unfinished() noexcept {
        return submission_.published() - submission_.taken();
    }

    /* -- Completions ------------------------------------------------------- */

    /*
     * Takes completions, publishes added entries, and calls Waiters. Writes the completions that
     * belong to no Waiter to `into`, oldest first, and returns their number. A completion for which
     * `into` has no room stays in the ring, with all that follow it. One store to the doorbell
     * returns the places to the device.
     */
    std::size_t poll(std::span<Completion> into) noexcept;

    /*
     * Publishes added entries, and sleeps until there is a completion to take, the ring is stopped,
     * or the device's time is `until_ns`. One system call.
     */
    std::error_code wait(uint64_t until_ns, uint64_t &time_ns) noexcept;

    /*
     * Executes one command and waits for it. Completions of other commands are kept for poll().
     * The error is that of the ring or of the wait; the command's own status is in `result`.
     */
    std::error_code execute(const Entry &entry, Result &result) noexcept;

    /*
     * Submits the Waiter's entry now or, if the ring is full, when poll() finds room. A pending
     * Waiter must not be started again.
     */
    void start(Waiter &waiter) noexcept;
    /* Forgets the Waiter. If its PIN is granted later, the blocks are unpinned. */
    void forget(Waiter &waiter) noexcept;
    /* Cancels a pending PIN, which then completes as CANCELLED. */
    void cancel(Waiter &waiter) noexcept;

    /* -- State ------------------------------------------------------------- */

    [[nodiscard]] kvcpu_ring_state state() const noexcept { return completion_.state(); }
    /* The number of commands that ended in an error status, with a completion or without. */
    [[nodiscard]] uint64_t failed() const noexcept { return completion_.failed(); }

    /* Restarts stopped rings, which are then empty. Waiters complete as CANCELLED. A system call.
     */
    std::error_code restart(kvcpu_ring_state &stopped) noexcept;

    /* One load, without a lock. Zero if the queue has no residency map. */
    [[nodiscard]] uint64_t residency_word(uint64_t block) const noexcept {
        const uint64_t *const map = link_->memory().residency;
        return map == nullptr || block >= link_->memory().blocks
                   ? 0
                   : detail::load_acquire(map + block);
    }
    [[nodiscard]] Residency residency(uint64_t block) const noexcept {
        return Residency(residency_word(block));
    }

    /* -- Interrupts, each a system call ------------------------------------ */

    std::error_code coalesce(uint32_t count, uint32_t ns) noexcept {
        return link_->coalesce(count, ns);
    }
    /* Returns an eventfd that an interrupt makes readable. The queue owns it. Throws. */
    int event_descriptor();

    std::error_code set_quota(uint32_t slots_min, uint32_t slots_max) noexcept {
        return link_->set_quota(slots_min, slots_max);
    }

    /* -- Ownership; these throw CommandError or std::system_error ------------ */

    /* Registers memory for READ and WRITE, for the life of the object. A system call. */
    Buffer add_buffer(std::span<std::byte> bytes);
    /* Allocates at most `count` blocks in one run. */
    Blocks alloc(uint64_t count, uint64_t meta = 0);
    /* Pins the blocks, and waits for the grant. */
    Pin pin(uint64_t first, uint64_t count, uint64_t deadline_ns);

    /*
     * Maps the bytes of a run of own blocks for the life of the object, in whichever tier each
     * block is. Blocks may move meanwhile. A store to a sealed block, and any access to a freed
     * block, raises SIGBUS (on a loopback SIGSEGV).
     */
    Window map(uint64_t first, uint64_t count, bool writable = false);

  private:
    friend class Range;
    friend class Pin;
    struct Slot {
        bool is_used = false;
        Waiter *waiter = nullptr; /* null after forget() */
        uint32_t generation = 0;
        Entry entry;
    };
    struct Release {
        kvcpu_opcode opcode;
        uint64_t first; /* of CANCEL the tag */
        uint64_t count;

        [[nodiscard]] Entry entry() const noexcept;
    };
    /* A list of Waiters, linked by `next`. */
    struct List {
        Waiter *first = nullptr;
        Waiter *last = nullptr;

        void append(Waiter &waiter, Waiter::At as) noexcept;
        Waiter &pop() noexcept;
        void remove(Waiter &waiter) noexcept;
    };

    [[nodiscard]] uint64_t tag_of(uint32_t slot) const noexcept;
    bool begin(Waiter &waiter) noexcept;
    void submit_backlog() noexcept;
    void settle(const Completion &completion) noexcept;
    void run_callbacks() noexcept;
    std::size_t take(std::span<Completion> into, bool keep) noexcept;
    std::size_t poll_once(std::span<Completion> into, bool keep) noexcept;
    std::error_code sleep(const Waiter &waiter) noexcept;
    Result obtain(const Entry &entry, const char *what);

    /* Reserves memory for the release() of one more object, so that its end cannot fail. Throws. */
    void promise_release();
    void cancel_promise() noexcept { --promised_; }
    void release(kvcpu_opcode opcode, uint64_t first, uint64_t count) noexcept;

    Transport &transport_;
    std::unique_ptr<QueueLink> link_;
    SubmissionRing submission_;
    CompletionRing completion_;
    std::vector<Completion> kept_;
    std::vector<Slot> slots_; /* one for each completion that can be outstanding */
    std::vector<uint32_t> free_slots_;
    List backlog_; /* Waiters that wait for room in the ring */
    List completed_;
    std::vector<Release> releases_; /* commands that wait for room in the ring */
    std::size_t promised_ = 0;
    unsigned polling_ = 0;
    int event_descriptor_ = -1;
};

/*
 * Commands that are submitted together. Each is written straight into the ring. One store to the
 * doorbell publishes them, at submit() or at the end of the object's life. Any other submission of
 * the queue publishes them as well.
 */
class Queue::Batch {
  public:
    explicit Batch(Queue &queue) noexcept : queue_(queue) {}
    ~Batch() { (void)submit(); }
    Batch(const Batch &) = delete;
    Batch &operator=(const Batch &) = delete;

    [[nodiscard]] std::errc add(const Entry &entry) noexcept {
        const std::errc error = queue_.add(entry);
        size_ += error == std::errc() ? 1 : 0;
        return error;
    }
    /* HOT to CLEAR of kvcpu_hw.h; `step` for HOT and PREFETCHABLE. */
    [[nodiscard]] std::errc hint(kvcpu_opcode opcode, uint64_t first, uint64_t count,
                                 uint64_t step = 0, uint16_t flags = 0) noexcept {
        return add(Entry::hint(opcode, first, count, step, flags));
    }
    [[nodiscard]] std::errc step(uint64_t step) noexcept { return add(Entry::step(step)); }

    std::errc submit() noexcept {
        size_ = 0;
        return queue_.submit();
    }
    /* Entries added since the last submit(). */
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

  private:
    Queue &queue_;
    std::size_t size_ = 0;
};

/*
 * A run of blocks that must be released. The release command is submitted at the object's end or,
 * if the ring is full, by the next poll(). Objects must end before their queue.
 */
class Queue::Range {
  public:
    Range() = default;
    Range(Range &&other) noexcept { swap(other); }
    Range &operator=(Range &&other) noexcept {
        Range moved(std::move(other));
        swap(moved);
        return *this;
    }
    ~Range() { give_back(); }

    [[nodiscard]] uint64_t first() const noexcept { return first_; }
    [[nodiscard]] uint64_t count() const noexcept { return count_; }
    /* Leaves the blocks to the caller. */
    void release() noexcept {
        if (count_ > 0) {
            queue_->cancel_promise();
        }
        count_ = 0;
    }
    void give_back() noexcept {
        if (count_ > 0) {
            queue_->cancel_promise();
            queue_->release(opcode_, first_, count_);
        }
        count_ = 0;
    }

  protected:
    /* The caller has called promise_release(). */
    Range(Queue &queue, kvcpu_opcode opcode, uint64_t first, uint64_t count) noexcept
        : queue_(&queue), opcode_(opcode), first_(first), count_(count) {}

  private:
    void swap(Range &other) noexcept {
        std::swap(queue_, other.queue_);
        std::swap(opcode_, other.opcode_);
        std::swap(first_, other.first_);
        std::swap(count_, other.count_);
    }

    Queue *queue_ = nullptr;
    kvcpu_opcode opcode_ = KVCPU_OP_FREE;
    uint64_t first_ = 0;
    uint64_t count_ = 0;
};

/* Blocks of this context, in one run. */
class Queue::Blocks : public Range {
  public:
    Blocks() = default;

  private:
    friend class Queue;
    Blocks(Queue &queue, uint64_t first, uint64_t count) noexcept
        : Range(queue, KVCPU_OP_FREE, first, count) {}
};

/* A pin: the blocks stay in the fast tier until the object's end. It must end before the Blocks. */
class Queue::Pin : public Range {
  public:
    Pin() = default;
    /* The number of blocks that were in the fast tier when the PIN was executed. */
    [[nodiscard]] uint64_t found_fast() const noexcept { return found_fast_; }

    /* For await.h: reserve the release of a PIN before it is submitted; cancel the reservation. */
    static void promise(Queue &queue) { queue.promise_release(); }
    static void cancel_promise(Queue &queue) noexcept { queue.cancel_promise(); }
    static Pin granted(Queue &queue, const Entry &entry, const Result &result) noexcept {
        return {queue, entry.first(), entry.count(), result.aux};
    }

  private:
    friend class Queue;
    Pin(Queue &queue, uint64_t first, uint64_t count, uint64_t found_fast) noexcept
        : Range(queue, KVCPU_OP_UNPIN, first, count), found_fast_(found_fast) {}

    uint64_t found_fast_ = 0;
};

/* Registered memory, which must live as long as the object. */
class Queue::Buffer {
  public:
    Buffer() = default;
    Buffer(Buffer &&other) noexcept { swap(other); }
    Buffer &operator=(Buffer &&other) noexcept {
        Buffer moved(std::move(other));
        swap(moved);
        return *this;
    }
    ~Buffer();

    /* The number that Entry::read() and write() take. */
    [[nodiscard]] uint32_t id() const noexcept { return id_; }
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }

  private:
    friend class Queue;
    Buffer(QueueLink &link, uint32_t id, std::span<std::byte> bytes) noexcept
        : link_(&link), id_(id), bytes_(bytes) {}
    void swap(Buffer &other) noexcept {
        std::swap(link_, other.link_);
        std::swap(id_, other.id_);
        std::swap(bytes_, other.bytes_);
    }

    QueueLink *link_ = nullptr;
    uint32_t id_ = 0;
    std::span<std::byte> bytes_;
};

/* A mapped part of the linear view. Objects must end before their queue. */
class Queue::Window {
  public:
    Window() = default;
    Window(Window &&other) noexcept { swap(other); }
    Window &operator=(Window &&other) noexcept {
        Window moved(std::move(other));
        swap(moved);
        return *this;
    }
    ~Window() {
        if (link_ != nullptr) {
            link_->unmap(bytes_);
        }
    }

    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }

  private:
    friend class Queue;
    Window(QueueLink &link, std::span<std::byte> bytes) noexcept : link_(&link), bytes_(bytes) {}
    void swap(Window &other) noexcept {
        std::swap(link_, other.link_);
        std::swap(bytes_, other.bytes_);
    }

    QueueLink *link_ = nullptr;
    std::span<std::byte> bytes_;
};

}  // namespace kvcpu

#endif  // KVCPU_QUEUE_H
