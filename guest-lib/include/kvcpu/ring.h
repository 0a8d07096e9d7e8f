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

/* What the device stored before this word is seen by loads after this one. */
inline uint64_t load_acquire(const uint64_t *word) noexcept {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/*
 * What was stored before is seen by the device before what is stored after. The entries are in
 * ordinary memory, the doorbell is a device register mapped uncached. x86 keeps the order of such
 * stores by itself, so that it is the compiler alone that must; others need their store barrier for
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
 * The submission ring. An entry is written in its place at once; the device looks at it once
 * announce() has counted it.
 */
class SubmissionRing {
  public:
    explicit SubmissionRing(QueueLink &link) noexcept
        : link_(link),
          entries_(link.memory().submission),
          header_(link.memory().completion),
          size_(link.memory().submission_entries) {}

    [[nodiscard]] uint32_t size() const noexcept { return size_; }

    /* Places for entries, as far as is known. */
    [[nodiscard]] uint32_t room() const noexcept {
        return size_ - static_cast<uint32_t>(tail_ - head_);
    }
    /* Looks how far the device is. */
    uint32_t look_for_room() noexcept {
        /* Acquire: the device has read the entries that SQ_HEAD counts, so that no store of a new
         * entry in their place may come before this load. */
        head_ = detail::load_acquire(header_ + KVCPU_CQH_SQ_HEAD);
        return room();
    }

    /* False if the ring is full. */
    [[nodiscard]] bool put(const Entry &entry) noexcept {
        if (room() == 0 && look_for_room() == 0) {
            return false;
        }
        uint64_t *const place = entries_ + (tail_++ & (size_ - 1)) * KVCPU_ENTRY_WORDS;
        /* No loop, so that an entry made where it is added is nowhere in memory but here. */
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

    /* One store for all entries since the last time. */
    void announce() noexcept {
        if (tail_ == announced_) {
            return;
        }
        announced_ = tail_;
        /* The entries are seen before the count that has them. */
        detail::store_barrier();
        detail::ring(link_, KVCPU_DB_SQ_TAIL, tail_);
    }

    /* Entries announced, and those that the device is done with: counts since the ring began. */
    [[nodiscard]] uint64_t announced() const noexcept { return announced_; }
    [[nodiscard]] uint64_t taken() noexcept {
        look_for_room();
        return head_;
    }

    void restart() noexcept { head_ = tail_ = announced_ = 0; }

  private:
    QueueLink &link_;
    uint64_t *entries_;
    const uint64_t *header_;
    uint32_t size_; /* a power of two */
    uint64_t head_ = 0;
    uint64_t tail_ = 0;
    uint64_t announced_ = 0;
};

/* The completion ring, and what of the queue pair's state the device shows beside it. */
class CompletionRing {
  public:
    explicit CompletionRing(QueueLink &link) noexcept
        : link_(link),
          header_(link.memory().completion),
          completions_(header_ + KVCPU_CQ_HEADER_BYTES / sizeof(uint64_t)),
          size_(link.memory().completion_entries),
          lap_shift_(static_cast<unsigned>(std::countr_zero(size_))) {}

    /* The oldest that was not taken; false if there is none. */
    [[nodiscard]] bool peek(Completion &completion) const noexcept {
        const uint64_t *const words =
            completions_ + (taken_ & (size_ - 1)) * (KVCPU_COMPLETION_BYTES / sizeof(uint64_t));
        /* Acquire: the device stores this word last, so the others are there once it is. */
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

    /* Gives the places of all that was taken back to the device: one store. */
    void give_back() noexcept {
        if (given_back_ == taken_) {
            return;
        }
        given_back_ = taken_;
        /* What was read there was read before the device may write there again: a release, which
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

    void restart() noexcept { taken_ = given_back_ = 0; }

  private:
    QueueLink &link_;
    const uint64_t *header_;
    const uint64_t *completions_;
    uint32_t size_;
    unsigned lap_shift_;
    uint64_t taken_ = 0;
    uint64_t given_back_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_RING_H
