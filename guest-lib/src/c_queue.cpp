// SPDX-License-Identifier: MIT
// A queue pair for C: a Queue behind a handle, with the buffers and windows that C names by number
// and address.
#include <algorithm>
#include <bit>
#include <iterator>
#include <map>
#include <span>
#include <vector>

#include "c_api.h"
#include "kvcpu/kvcpu_queue.h"
#include "kvcpu/queue.h"

using kvcpu::Completion;
using kvcpu::Entry;
using kvcpu::guarded;
using kvcpu::Queue;
using kvcpu::Result;

struct kvcpu_queue {
    Queue rings;
    /* Buffers and windows end before the rings. */
    std::map<uint32_t, Queue::Buffer> buffers;
    std::map<const void *, Queue::Window> windows;
    /* Room for a whole ring of completions, so that a poll needs one store to the doorbell. */
    std::vector<Completion> taken;

    kvcpu_queue(kvcpu::Transport &transport, const kvcpu::QueueConfig &config)
        : rings(transport, config), taken(config.completion_entries) {}
};

namespace {

static_assert(KVCPU_QUEUE_TAG_MAX == Entry::tag_max);
static_assert(sizeof(kvcpu_entry) == KVCPU_ENTRY_BYTES && sizeof(Entry) == KVCPU_ENTRY_BYTES);

int errno_of(std::errc error) {
    return -static_cast<int>(error);
}

int errno_of(const std::error_code &error) {
    return -error.value();
}

kvcpu::QueueConfig config_of(const kvcpu_queue_config &config) {
    if (config.reserved != 0 || (config.flags & ~KVCPU_SETUP_RESIDENCY) != 0) {
        throw std::system_error(EINVAL, std::generic_category());
    }
    kvcpu::QueueConfig result;
    result.residency = (config.flags & KVCPU_SETUP_RESIDENCY) != 0;
    result.submission_entries = config.submission_entries;
    result.completion_entries = config.completion_entries;
    result.coalesce_count = config.coalesce_count;
    result.coalesce_ns = config.coalesce_ns;
    result.slots_min = config.slots_min;
    result.slots_max = config.slots_max;
    return result;
}

uint64_t word_of(const Result &result) {
    return uint64_t{result.status} << KVCPU_RES_STATUS_SHIFT |
           uint64_t{result.aux} << KVCPU_RES_AUX_SHIFT |
           uint64_t{result.value} << KVCPU_RES_VALUE_SHIFT;
}

kvcpu_completion completion_of(const Completion &completion) {
    return {completion.tag, word_of(completion.result), completion.time_ns};
}

}  // namespace

/* -- Open and close ---------------------------------------------------------- */

void kvcpu_queue_defaults(kvcpu_queue_config *config) {
    const kvcpu::QueueConfig defaults;
    *config = {};
    config->flags = defaults.residency ? KVCPU_SETUP_RESIDENCY : 0;
    config->submission_entries = defaults.submission_entries;
    config->completion_entries = defaults.completion_entries;
    config->coalesce_count = defaults.coalesce_count;
    config->coalesce_ns = defaults.coalesce_ns;
    config->slots_min = defaults.slots_min;
    config->slots_max = defaults.slots_max;
}

int kvcpu_queue_open(kvcpu_device *device, const kvcpu_queue_config *config, kvcpu_queue **queue) {
    return guarded([&] {
        *queue = new kvcpu_queue(*device->transport,
                                 config == nullptr ? kvcpu::QueueConfig{} : config_of(*config));
    });
}

void kvcpu_queue_close(kvcpu_queue *queue) {
    delete queue;
}

/* -- Submitting -------------------------------------------------------------- */

int kvcpu_queue_add(kvcpu_queue *queue, const kvcpu_entry *entry) {
    return entry->words[KVCPU_EW_TAG] > KVCPU_QUEUE_TAG_MAX
               ? -EINVAL
               : errno_of(queue->rings.add(std::bit_cast<Entry>(*entry)));
}

int kvcpu_queue_add_batch(kvcpu_queue *queue, const kvcpu_entry *entries, size_t count,
                          size_t *added) {
    size_t done = 0;
    int error = 0;
    while (done < count && (error = kvcpu_queue_add(queue, entries + done)) == 0) {
        ++done;
    }
    if (added != nullptr) {
        *added = done;
    }
    return error;
}

int kvcpu_queue_hint(kvcpu_queue *queue, uint16_t opcode, uint64_t first, uint64_t count,
                     uint64_t step, uint16_t flags) {
    return errno_of(queue->rings.add(
        Entry::hint(static_cast<kvcpu_opcode>(opcode), first, count, step, flags)));
}

int kvcpu_queue_step(kvcpu_queue *queue, uint64_t step) {
    return errno_of(queue->rings.add(Entry::step(step)));
}

int kvcpu_queue_submit(kvcpu_queue *queue) {
    return errno_of(queue->rings.submit());
}

uint32_t kvcpu_queue_room(kvcpu_queue *queue) {
    return queue->rings.room();
}

uint64_t kvcpu_queue_unfinished(kvcpu_queue *queue) {
    return queue->rings.unfinished();
}

/* -- Completions ------------------------------------------------------------- */

size_t kvcpu_queue_poll(kvcpu_queue *queue, kvcpu_completion *into, size_t capacity) {
    const std::span<Completion> places(queue->taken);
    size_t taken = 0;
    for (;;) {
        const size_t room = std::min(capacity - taken, places.size());
        const std::span<Completion> some = places.first(queue->rings.poll(places.first(room)));
        std::transform(some.begin(), some.end(), into + taken, completion_of);
        taken += some.size();
        if (some.size() < room || taken == capacity) {
            return taken;
        }
    }
}

int kvcpu_queue_wait(kvcpu_queue *queue, uint64_t until_ns, uint64_t *time_ns) {
    uint64_t now = 0;
    const std::error_code error = queue->rings.wait(until_ns, now);
    if (time_ns != nullptr) {
        *time_ns = now;
    }
    return errno_of(error);
}

int kvcpu_queue_execute(kvcpu_queue *queue, const kvcpu_entry *entry, uint64_t *result) {
    Result answer(0);
    const std::error_code error = queue->rings.execute(std::bit_cast<Entry>(*entry), answer);
    if (!error) {
        *result = word_of(answer);
    }
    return errno_of(error);
}

/* -- State ------------------------------------------------------------------- */

unsigned kvcpu_queue_state(const kvcpu_queue *queue) {
    return queue->rings.state();
}

uint64_t kvcpu_queue_failed(const kvcpu_queue *queue) {
    return queue->rings.failed();
}

int kvcpu_queue_restart(kvcpu_queue *queue, unsigned *stopped) {
    kvcpu_ring_state why = KVCPU_RS_RUNNING;
    const std::error_code error = queue->rings.restart(why);
    if (!error && stopped != nullptr) {
        *stopped = why;
    }
    return errno_of(error);
}

uint64_t kvcpu_queue_residency(const kvcpu_queue *queue, uint64_t block) {
    return queue->rings.residency_word(block);
}

/* -- Memory ------------------------------------------------------------------ */

int kvcpu_queue_add_buffer(kvcpu_queue *queue, void *bytes, size_t size, uint32_t *id) {
    return guarded([&] {
        Queue::Buffer buffer = queue->rings.add_buffer({static_cast<std::byte *>(bytes), size});
        const uint32_t number = buffer.id();
        queue->buffers.insert_or_assign(number, std::move(buffer));
        *id = number;
    });
}

int kvcpu_queue_remove_buffer(kvcpu_queue *queue, uint32_t id) {
    return queue->buffers.erase(id) == 0 ? -ENOENT : 0;
}

int kvcpu_queue_map(kvcpu_queue *queue, uint64_t first, uint64_t count, int writable,
                    void **bytes) {
    return guarded([&] {
        Queue::Window window = queue->rings.map(first, count, writable != 0);
        void *const start = window.bytes().data();
        queue->windows.insert_or_assign(start, std::move(window));
        *bytes = start;
    });
}

int kvcpu_queue_unmap(kvcpu_queue *queue, const void *bytes) {
    return queue->windows.erase(bytes) == 0 ? -ENOENT : 0;
}

/* -- Interrupts and quotas --------------------------------------------------- */

int kvcpu_queue_coalesce(kvcpu_queue *queue, uint32_t count, uint32_t ns) {
    return errno_of(queue->rings.coalesce(count, ns));
}

int kvcpu_queue_event_descriptor(kvcpu_queue *queue) {
    int descriptor = -1;
    const int error = guarded([&] { descriptor = queue->rings.event_descriptor(); });
    return error != 0 ? error : descriptor;
}

int kvcpu_queue_set_quota(kvcpu_queue *queue, uint32_t slots_min, uint32_t slots_max) {
    return errno_of(queue->rings.set_quota(slots_min, slots_max));
}
