// SPDX-License-Identifier: MIT
// Windows of the linear view of a device in this process.
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "kvcpu/batch.h"
#include "kvcpu/device.h"
#include "loopback_queue.h"

namespace kvcpu {

LoopbackView::~LoopbackView() {
    for (Window &window : windows_) {
        close(window);
    }
}

kvcpu_status LoopbackView::hold(uint64_t block, bool write, uint32_t &slot) noexcept {
    kvcpu_command command = {};
    command.opcode = KVCPU_OP_HOLD;
    command.flags = write ? KVCPU_F_WRITE : 0;
    command.first = block;
    command.count = 1;
    const Result result(device_.execute(command));
    slot = result.value;
    return result.status;
}

void LoopbackView::unhold(uint64_t block, bool write) noexcept {
    kvcpu_command command = {};
    command.opcode = KVCPU_OP_UNHOLD;
    command.flags = write ? KVCPU_F_WRITE : 0;
    command.first = block;
    command.count = 1;
    (void)device_.execute(command);
}

/* Waits until the block does not move, as a page fault does: a HOLD of a moving block is pending.
 */
void LoopbackView::wait_until_still(uint64_t block) noexcept {
    for (;;) {
        device_.put(KVCPU_REG_BLOCK_SELECT, block);
        const uint64_t state =
            device_.get(KVCPU_REG_BLOCK_STATE) >> KVCPU_BST_STATE_SHIFT & KVCPU_BST_STATE_MASK;
        if ((state != KVCPU_BS_FETCHING && state != KVCPU_BS_EVICTING) || device_.is_idle()) {
            return;
        }
        device_.advance(UINT64_MAX);
    }
}

/* Maps the bytes of a block from its slot, or from the slow tier if `slot` is KVCPU_NO_SLOT. */
void LoopbackView::place(const Window &window, uint64_t index, uint32_t slot,
                         bool writable) noexcept {
    if (device_.fast().file() < 0) {
        return; /* blocks hold no bytes */
    }
    const uint64_t size = device_.get(KVCPU_REG_BLOCK_SIZE);
    const bool is_fast = slot != KVCPU_NO_SLOT;
    const uint64_t offset = (is_fast ? slot : window.first + index) * size;
    (void)::mmap(window.start + index * size, size, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                 MAP_SHARED | MAP_FIXED | MAP_NORESERVE,
                 (is_fast ? device_.fast() : device_.slow()).file(), static_cast<off_t>(offset));
}

kvcpu_status LoopbackView::hold_and_place(Window &window, uint64_t index) noexcept {
    const uint64_t block = window.first + index;
    uint32_t slot = 0;
    bool write = window.writable;
    kvcpu_status status = hold(block, write, slot);
    if (status == KVCPU_SC_SEALED) {
        write = false; /* a store is then an error of the caller */
        status = hold(block, false, slot);
    }
    if (status == KVCPU_SC_SUCCESS) {
        window.held[index] = true;
        window.write_held[index] = write;
        place(window, index, slot, write);
    }
    return status;
}

void LoopbackView::give_back(Window &window, uint64_t index) noexcept {
    if (window.held[index]) {
        window.held[index] = false;
        unhold(window.first + index, window.write_held[index]);
    }
}

void LoopbackView::close(Window &window) noexcept {
    for (uint64_t i = window.held.size(); i-- > 0;) {
        give_back(window, i);
    }
    ::munmap(window.start, window.held.size() * device_.get(KVCPU_REG_BLOCK_SIZE));
}

std::span<std::byte> LoopbackView::map(uint64_t first, uint64_t count, bool writable) {
    const std::size_t bytes = count * device_.get(KVCPU_REG_BLOCK_SIZE);
    void *const start =
        ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) {
        throw std::system_error(errno, std::generic_category(), "the linear view");
    }
    Window window{static_cast<std::byte *>(start), first, writable, std::vector<bool>(count),
                  std::vector<bool>(count)};
    windows_.reserve(windows_.size() + 1);
    for (uint64_t i = 0; i < count; ++i) {
        wait_until_still(first + i);
        const kvcpu_status status = hold_and_place(window, i);
        if (status != KVCPU_SC_SUCCESS) {
            close(window);
            throw CommandError("the linear view", status);
        }
    }
    windows_.push_back(std::move(window));
    follow();
    return {static_cast<std::byte *>(start), bytes};
}

void LoopbackView::unmap(std::span<std::byte> bytes) noexcept {
    const auto window = std::find_if(windows_.begin(), windows_.end(),
                                     [&](const Window &one) { return one.start == bytes.data(); });
    if (window != windows_.end()) {
        close(*window);
        windows_.erase(window);
    }
}

/*
 * Releases a block that the device revokes, and maps the copy that is valid: until a move ends,
 * that is the copy at the origin. The block is held again when no move of it is pending.
 */
void LoopbackView::follow_block(Window &window, uint64_t index) noexcept {
    const auto select = [&] {
        device_.put(KVCPU_REG_BLOCK_SELECT, window.first + index);
        return device_.get(KVCPU_REG_BLOCK_STATE);
    };
    const auto flag = [](uint64_t state, uint64_t bit) {
        return (state >> KVCPU_BST_FLAGS_SHIFT & bit) != 0;
    };
    uint64_t state = select();
    if (window.held[index] && !flag(state, KVCPU_BF_REVOKING)) {
        return;
    }
    give_back(window, index);
    state = select();
    const uint64_t where = state >> KVCPU_BST_STATE_SHIFT & KVCPU_BST_STATE_MASK;
    const uint64_t owner = state >> KVCPU_BST_OWNER_SHIFT & KVCPU_BST_OWNER_MASK;
    const uint64_t size = device_.get(KVCPU_REG_BLOCK_SIZE);
    if (owner != LoopbackDevice::context) {
        (void)::mprotect(window.start + index * size, size, PROT_NONE);
    } else if (where == KVCPU_BS_FETCHING || flag(state, KVCPU_BF_QUEUED)) {
        place(window, index, KVCPU_NO_SLOT, window.writable);
    } else if (where != KVCPU_BS_EVICTING) {
        (void)hold_and_place(window, index);
    }
}

void LoopbackView::follow() noexcept {
    if (following_) {
        return; /* its own commands call it again */
    }
    following_ = true;
    for (Window &window : windows_) {
        for (uint64_t i = 0; i < window.held.size(); ++i) {
            follow_block(window, i);
        }
    }
    following_ = false;
}

}  // namespace kvcpu
