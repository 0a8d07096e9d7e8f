// SPDX-License-Identifier: MIT
// Functions that add sub-commands. A sub-command is executed while the command line is parsed.
#ifndef KVCPU_KVCTL_COMMANDS_H
#define KVCPU_KVCTL_COMMANDS_H

#include <CLI/App.hpp>

#include "session.h"

namespace kvcpu::kvctl {

/* Adds the commands that show the device: info, counters, telemetry, directory, block. */
void add_looks(CLI::App &app, Session &session);
/* Returns a block's directory entry, with its fields by name. */
Json block_json(const kvcpu_block &block);
/* Returns a policy's name by its number. */
std::string policy_text(uint32_t policy);
/* Throws std::runtime_error if there is no such block. */
void check_block(Session &session, uint64_t number);
/* Gives a required option of a block number its range. */
CLI::Option *block_number(CLI::Option *option);
/* Adds the command that explains a block's place: why. */
void add_history(CLI::App &app, Session &session);
/* Adds the command that shows the device's activity: top. */
void add_top(CLI::App &app, Session &session);
/* Adds the commands that set what all contexts share: policy, weights. */
void add_administration(CLI::App &app, Session &session);
/* Adds hints to context 0, which all processes share: step, hot, evict, prefetch, share. */
void add_reference_hints(CLI::App &app, Session &session);
/* Adds commands and hints on blocks of this process's own context: alloc to release. */
void add_own_commands(CLI::App &app, Session &session);

}  // namespace kvcpu::kvctl

#endif  // KVCPU_KVCTL_COMMANDS_H
