// SPDX-License-Identifier: MIT
#ifndef KVCPU_BATCH_H
#define KVCPU_BATCH_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>
#include <vector>

#include "kvcpu/transport.h"

namespace kvcpu {

/* The fields of a command's result word, KVCPU_RES_* in kvcpu_hw.h. */
struct Result {
    kvcpu_status status = KVCPU_SC_SUCCESS;
    uint16_t aux = 0;
    uint32_t value = 0;

    explicit Result(uint64_t word) noexcept;
    [[nodiscard]] bool ok() const noexcept {
        return status == KVCPU_SC_SUCCESS || status == KVCPU_SC_PENDING;
    }
    /* For hints only. */
    [[nodiscard]] kvcpu_hint_outcome outcome() const noexcept;
    [[nodiscard]] kvcpu_hint_reason reason() const noexcept;
};

/* "NO_SPACE: no block is free" */
const char *describe(kvcpu_status status) noexcept;

/*
 * Commands that go to the device together, with one system call. Each function adds a command and
 * returns its place in the batch. Buffers must live until submit() has returned. Ranges are
 * a first block and a count; steps and deadlines as docs/device-spec.md has them (ns from now).
 * The functions that add throw std::bad_alloc at the most; a batch is used by one thread.
 */
class Batch {
  public:
    std::size_t alloc(uint64_t count, uint64_t meta = 0, uint32_t first_token = 0,
                      uint16_t flags = 0);
    /* Which cached blocks are gone: `value` is the first, `aux` how many, 0 when there are no more.
     */
    std::size_t reclaimed();
    std::size_t free(uint64_t first, uint64_t count);
    std::size_t pin(uint64_t first, uint64_t count, uint64_t deadline_ns, uint64_t user_data);
    std::size_t unpin(uint64_t first, uint64_t count);
    std::size_t cancel(uint64_t user_data);
    /* READ and WRITE transfer at most one block. */
    std::size_t read(uint64_t block, uint32_t offset, std::span<std::byte> into);
    std::size_t write(uint64_t block, uint32_t offset, std::span<const std::byte> from);
    std::size_t step(uint64_t step);
    /* HOT to CLEAR of kvcpu_hw.h; `step` for HOT and PREFETCHABLE. */
    std::size_t hint(kvcpu_opcode opcode, uint64_t first, uint64_t count, uint64_t step = 0,
                     uint16_t flags = 0);

    [[nodiscard]] bool empty() const noexcept { return commands_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return commands_.size(); }
    void clear() noexcept { commands_.clear(); }

    /*
     * Executes all commands, with as many calls as necessary. Returns an error only if a call
     * itself failed; result() has the result of each command. If `go_on` is false, the commands
     * after the first failure are not executed, and `done()` is less than size().
     */
    std::error_code submit(Transport &transport, bool go_on = true) noexcept;
    [[nodiscard]] std::size_t done() const noexcept { return done_; }
    [[nodiscard]] Result result(std::size_t place) const noexcept {
        return Result(commands_[place].result);
    }
    [[nodiscard]] const kvcpu_command &command(std::size_t place) const noexcept {
        return commands_[place];
    }

  private:
    std::size_t add(const kvcpu_command &command);

    std::vector<kvcpu_command> commands_;
    std::size_t done_ = 0;
};

}  // namespace kvcpu

#endif  // KVCPU_BATCH_H
