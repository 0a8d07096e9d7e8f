// SPDX-License-Identifier: MIT
// Each adds sub-commands; what they do happens while the command line is parsed.
#ifndef KVCPU_KVCTL_COMMANDS_H
#define KVCPU_KVCTL_COMMANDS_H

#include <CLI/App.hpp>

#include "session.h"

namespace kvcpu::kvctl {

/* Looking at the device: info, counters, telemetry, directory, block. */
void add_looks(CLI::App &app, Session &session);
/* The directory's entry of a block, by the names that its fields have. */
Json block_json(const kvcpu_block &block);
/* A policy's name by its number. */
std::string policy_text(uint32_t policy);
/* Throws std::runtime_error if there is no such block. */
void check_block(Session &session, uint64_t number);
/* Why a block is where it is. */
void add_history(CLI::App &app, Session &session);
/* What the device is doing, live: top. */
void add_top(CLI::App &app, Session &session);
/* Setting what holds for all: policy, weights. */
void add_administration(CLI::App &app, Session &session);
/* Hints to context 0, which is everybody's: step, hot, evict, prefetch, share. */
void add_reference_hints(CLI::App &app, Session &session);
/* Commands and hints on blocks of this process's own context: alloc to release. */
void add_own_commands(CLI::App &app, Session &session);

}  // namespace kvcpu::kvctl

#endif  // KVCPU_KVCTL_COMMANDS_H
