// SPDX-License-Identifier: MIT
#ifndef KVCPU_SERVING_TRACE_H
#define KVCPU_SERVING_TRACE_H

#include <cstddef>
#include <cstdint>
#include <istream>
#include <stdexcept>
#include <string>
#include <vector>

namespace kvcpu::serving {

inline constexpr uint64_t tokens_per_block = 512;

/* A line of a trace. */
struct Request {
    uint64_t timestamp_ms = 0;
    uint64_t input_tokens = 0;
    uint64_t output_tokens = 0;
    std::vector<uint64_t> hash_ids;  // a prompt block each; equal ids are equal prefixes

    /* Returns the number of blocks that the output adds to those of the prompt. */
    [[nodiscard]] uint64_t output_blocks() const noexcept;
    [[nodiscard]] uint64_t total_blocks() const noexcept {
        return hash_ids.size() + output_blocks();
    }
};

/* "FILE:LINE: what is wrong" */
class TraceError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/*
 * Reads JSON lines of timestamp (ms, not falling), input_length, output_length (tokens) and
 * hash_ids, at most `limit` of them (0: all). Throws TraceError; `name` is for its message.
 */
std::vector<Request> read_trace(std::istream &stream, const std::string &name, std::size_t limit);
std::vector<Request> read_trace_file(const std::string &path, std::size_t limit);

/*
 * When each request arrives, in seconds from the start. The times of published traces sit on
 * ticks of three seconds; here they are spread evenly at random within theirs, by `seed`, in the
 * order of the file, and divided by `scale`: more is more load.
 */
std::vector<double> arrival_times(const std::vector<Request> &requests, double scale,
                                  uint64_t seed);

/* Counts of a trace that need no run. */
struct TraceFacts {
    uint64_t block_uses = 0;
    uint64_t distinct_blocks = 0;
    uint64_t output_blocks = 0;
    uint64_t largest_request = 0;  // blocks, output included

    /* The number of blocks with which no block is ever freed for another. */
    [[nodiscard]] uint64_t blocks_to_keep_everything() const noexcept {
        return distinct_blocks + output_blocks;
    }
};
TraceFacts facts_of(const std::vector<Request> &requests);

}  // namespace kvcpu::serving

#endif  // KVCPU_SERVING_TRACE_H
