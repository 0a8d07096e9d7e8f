// SPDX-License-Identifier: GPL-2.0-or-later
// The C functions of kvcpu_core.h.
#include <cstdio>
#include <exception>

#include "core.h"
#include "kvcpu_core.h"

struct kvcpu_core {
    template <typename... Arguments>
    explicit kvcpu_core(Arguments... arguments) : core(arguments...) {}

    kvcpu::Core core;
};

struct kvcpu_core *kvcpu_core_create(const struct kvcpu_config *config,
                                     const struct kvcpu_host_ops *ops, void *opaque, void *fast,
                                     void *slow, char *message, size_t size) {
    if (!kvcpu_config_check(config, message, size)) {
        return nullptr;
    }
    try {
        return new kvcpu_core(*config, *ops, opaque, fast, slow);
    } catch (const std::exception &error) {
        /* std::bad_alloc, and std::length_error of a container. No exception may reach C. */
        if (size > 0) {
            (void)std::snprintf(message, size,
                                "slow-size: no memory for a directory of this size: %s",
                                error.what());
        }
        return nullptr;
    }
}

void kvcpu_core_destroy(struct kvcpu_core *core) {
    delete core;
}

uint64_t kvcpu_core_read(struct kvcpu_core *core, uint64_t offset, unsigned bytes) {
    return core->core.read(offset, bytes);
}

void kvcpu_core_write(struct kvcpu_core *core, uint64_t offset, uint64_t value, unsigned bytes) {
    core->core.write(offset, value, bytes);
}

void kvcpu_core_timer(struct kvcpu_core *core) {
    core->core.timer();
}

void kvcpu_core_reset(struct kvcpu_core *core, enum kvcpu_reset_kind kind) {
    core->core.reset(kind);
}
