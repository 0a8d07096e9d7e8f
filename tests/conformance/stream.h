// SPDX-License-Identifier: MIT
// A random stream of commands, given to a context and to the model alike.
#ifndef KVCPU_CONFORMANCE_STREAM_H
#define KVCPU_CONFORMANCE_STREAM_H

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "kvcpu/queue.h"
#include "model.h"

namespace conformance {

/*
 * Sends commands in bursts, through the ring or by calls of the transport, and data through
 * buffers, calls or windows of the view. The results of a burst must not depend on when moves and
 * scrubs end. So a burst does not unpin its own pins, allocates nothing after it has freed blocks,
 * and requests no pins that cannot all be granted. Between bursts, the stream waits for all pending
 * commands.
 */
class Stream {
  public:
    Stream(kvcpu::Transport &transport, uint64_t seed);

    /* Throws std::runtime_error with the difference. */
    void run(uint64_t commands);
    /* Changes a byte of a block without the model, to test that the difference is found. */
    void spoil();

    /* The digest of all observations, in order. */
    [[nodiscard]] uint64_t digest() const { return digest_; }
    /* The number of commands by opcode and status: "PIN SUCCESS". */
    [[nodiscard]] const std::map<std::string, uint64_t> &mix() const { return mix_; }

  private:
    /* A command in progress, and its expected result. */
    struct Asked {
        kvcpu::Entry entry;
        Answer expected;
        bool aux_depends_on_time = false;
    };

    uint64_t random(uint64_t below) { return random_() % below; }
    bool chance(unsigned percent) { return random(100) < percent; }
    uint64_t some_block();
    uint64_t some_claimed_block();
    uint64_t some_count();

    void burst(uint64_t commands);
    Asked next();
    Asked next_command();
    Asked next_hint();
    Asked next_copy(bool write);
    Asked next_pin();
    Asked next_mistake();
    void by_ring(std::vector<Asked> &asked);
    void by_call(std::vector<Asked> &asked);
    void check(const Asked &asked, uint64_t result);
    void check_reads();

    void crowd();
    void window();
    void settle();
    void look_at_all();
    void read_all();

    void observe(uint64_t value);
    void observe(std::span<const std::byte> bytes);
    void agree(bool good, const std::string &what);

    kvcpu::Transport &transport_;
    kvcpu::Queue queue_;
    Model model_;
    std::mt19937_64 random_;
    std::vector<std::byte> memory_;   /* registered; a place for each command of a burst */
    std::vector<std::byte> expected_; /* the expected bytes after the READs of the burst */
    kvcpu::Queue::Buffer buffer_;
    std::size_t place_ = 0;
    bool has_freed_ = false;
    bool is_ring_ = false; /* the interface of the current burst */
    bool has_pinned_ = false;
    uint64_t failed_ = 0; /* in the ring */
    uint64_t digest_ = 0xcbf29ce484222325;
    std::map<std::string, uint64_t> mix_;
};

}  // namespace conformance

#endif  // KVCPU_CONFORMANCE_STREAM_H
