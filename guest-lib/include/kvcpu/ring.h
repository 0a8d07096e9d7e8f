// SPDX-License-Identifier: MIT
// The two rings of a queue pair as a process uses them: which word is read and written when, and
// what keeps the order. docs/device-spec.md, "Queue pairs", is the contract.
#ifndef KVCPU_RING_H
#define KVCPU_RING_H

#include <bit>
#include <cstdint>

#include "kvcpu/entry.h"
#include "kvcpu/queue_link.h"

namespace kvcpu {

namespace detail {

/* Loads the word. Later loads see everything that the device stored before it. */
inline uint64_t load_acquire(const uint64_t *word) noexcept {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/*
 * Orders earlier stores before later ones, as the device sees them. The entries are in ordinary
 * memory, and the doorbell is a device register that is mapped uncached. x86 does not reorder such
 * stores, so a compiler barrier is enough there; other architectures need their store barrier for
 * device memory.
 */
inline void store_barrier() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __asm__ __volatile__("" ::: "memory");
#elif defined(__aarch64__)
    __asm__ __volatile__("dsb oshst" ::: "memory");
#else
    __sync_synchronize();
#endif
}

inline void ring(QueueLink &link, kvcpu_doorbell which, uint64_t value) noexcept {
    volatile uint64_t *const page = link.memory().doorbells;
    if (page != nullptr) {
        page[which / sizeof(uint64_t)] = value;
    } else {
        link.ring(which, value);
    }
}

}  // namespace detail

/*
 * The submission ring. put() writes an entry into its place; the device reads the entry after
 * advance_tail() has published it.
 */
class SubmissionRing {
  public:
    explicit SubmissionRing(QueueLink &link) noexcept
        : link_(link),
          entries_(link.memory().submission),
          header_(link.memory().completion),
          size_(link.memory().submission_entries) {}

    [[nodiscard]] uint32_t size() const noexcept { return size_; }

    /* Free places, as of the last look at the device's head. */
    [[nodiscard]] uint32_t room() const noexcept {
        return size_ - static_cast<uint32_t>(tail_ - head_);
    }
    /* Reads the device's head, and returns the number of free places. */
    uint32_t look_for_room() noexcept {
        /* Acquire: the device has read the entries that SQ_HEAD counts. No store of a new entry
         * into their place may come before this load. */
        head_ = detail::load_acquire(header_ + KVCPU_CQH_SQ_HEAD);
        return room();
    }

    /* False if the ring is full. */
    [[nodiscard]] bool put(const Entry &entry) noexcept {
        if (room() == 0 && look_for_room() == 0) {
            return false;
        }
        uint64_t *const place = entries_ + (tail_++ & (size_ - 1)) * KVCPU_ENTRY_WORDS;
        /* There is no loop, so that the compiler builds the entry in the ring alone. */
        const auto &words = entry.words;
        place[KVCPU_EW_FIRST] = words[KVCPU_EW_FIRST];
        place[KVCPU_EW_COUNT] = words[KVCPU_EW_COUNT];
        place[KVCPU_EW_ARG] = words[KVCPU_EW_ARG];
        place[KVCPU_EW_ADDR] = words[KVCPU_EW_ADDR];
        place[KVCPU_EW_EXTENT] = words[KVCPU_EW_EXTENT];
        place[KVCPU_EW_META] = words[KVCPU_EW_META];
        place[KVCPU_EW_TAG] = words[KVCPU_EW_TAG];
        place[KVCPU_EW_CONTROL] = words[KVCPU_EW_CONTROL];
        return true;
    }

    /* Publishes all entries since the last call, with one store to the doorbell. */
    void advance_tail() noexcept {
        if (tail_ == published_) {
            return;
        }
        published_ = tail_;
        /* The device must see the entries before the tail that counts them. */
        detail::store_barrier();
        detail::ring(link_, KVCPU_DB_SQ_TAIL, tail_);
    }

    /* Counts since the ring was set up: published entries, and entries that the device took. */
    [[nodiscard]] uint64_t published() const noexcept { return published_; }
    [[nodiscard]] uint64_t taken() noexcept {
        look_for_room();
        return head_;
    }

    void restart() noexcept { head_ = tail_ = published_ = 0; }

  private:
    QueueLink &link_;
    uint64_t *entries_;
    const uint64_t *header_;
    uint32_t size_; /* a power of two */
    uint64_t head_ = 0;
    uint64_t tail_ = 0;
    uint64_t published_ = 0;
};

/* The completion ring, and the state of the queue pair that the device writes beside it. */
class CompletionRing {
  public:
    explicit CompletionRing(QueueLink &link) noexcept
        : link_(link),
          header_(link.memory().completion),
          completions_(header_ + KVCPU_CQ_HEADER_BYTES / sizeof(uint64_t)),
          size_(link.memory().completion_entries),
          lap_shift_(static_cast<unsigned>(std::countr_zero(size_))) {}

    /* Reads the oldest completion that was not consumed. Returns false if all were. */
    [[nodiscard]] bool peek(Completion &completion) const noexcept {
        const uint64_t *const words =
            completions_ + (taken_ & (size_ - 1)) * (KVCPU_COMPLETION_BYTES / sizeof(uint64_t));
        /* Acquire: the device stores this word last, so the other words are valid with it. */
        const uint64_t last = detail::load_acquire(words + KVCPU_CW_TAG);
        const bool phase = (last & KVCPU_PHASE) != 0;
        if (phase != ((taken_ >> lap_shift_) % 2 == 0)) {
            return false;
        }
        completion.tag = last & ~KVCPU_PHASE;
        completion.result = Result(words[KVCPU_CW_RESULT]);
        completion.time_ns = words[KVCPU_CW_TIME];
        return true;
    }
    void take() noexcept { ++taken_; }

    /* Returns the places of all taken completions to the device, with one store. */
    void advance_head() noexcept {
        if (returned_ == taken_) {
            return;
        }
        returned_ = taken_;
        /* Release: the loads from these places come before the device may write there again. This
         * is no instruction on x86. */
        __atomic_thread_fence(__ATOMIC_RELEASE);
        detail::ring(link_, KVCPU_DB_CQ_HEAD, taken_);
    }

    [[nodiscard]] kvcpu_ring_state state() const noexcept {
        return static_cast<kvcpu_ring_state>(detail::load_acquire(header_ + KVCPU_CQH_STATE));
    }
    [[nodiscard]] uint64_t failed() const noexcept {
        return detail::load_acquire(header_ + KVCPU_CQH_FAILED);
    }

    void restart() noexcept { taken_ = returned_ = 0; }

  private:
    QueueLink &link_;
    const uint64_t *header_;
    const uint64_t *completions_;
    uint32_t size_;
    unsigned lap_shift_;
    uint64_t taken_ = 0;
    uint64_t returned_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_RING_H
