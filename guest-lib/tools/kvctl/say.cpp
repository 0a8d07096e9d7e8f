// SPDX-License-Identifier: MIT
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>
#include <string>
#include <vector>

#include "command_line.h"
#include "commands.h"
#include "kvcpu/device.h"

namespace kvcpu::kvctl {

namespace {

/* -- The reference interface ----------------------------------------------- */

struct ReferenceHint {
    const char *name;
    const char *what;
    unsigned long number;
};

constexpr std::array reference_hints = {
    ReferenceHint{"hot", "keep a byte range of context 0 in the fast tier", KV_CPU_MARK_HOT},
    ReferenceHint{"evict", "evict a byte range of context 0 from the fast tier", KV_CPU_EVICT},
    ReferenceHint{"prefetch", "fetch a byte range of context 0 by a step", KV_CPU_PREFETCH},
    ReferenceHint{"share", "add a sharer to a byte range of context 0", KV_CPU_SHARE_PREFIX},
};

/* -- This process's own context -------------------------------------------- */

struct Own {
    std::string kind;
    uint64_t first = 0;
    uint64_t count = 1;
    uint64_t step = 0;
    uint64_t deadline_ms = 1000;
    unsigned byte = 0;
    bool now = false;
};

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    return text;
}

const char *outcome_name(unsigned number) {
#define NAME(name, value, what) \
    if (number == (value)) {    \
        return #name;           \
    }
    KVCPU_HINT_OUTCOMES(NAME)
#undef NAME
    return "?";
}

const char *reason_name(unsigned number) {
#define NAME(name, value, what) \
    if (number == (value)) {    \
        return #name ": " what; \
    }
    KVCPU_HINT_REASONS(NAME)
#undef NAME
    return "?";
}

/* Returns the names of all hints except STEP, in lower case. */
std::vector<std::string> hint_names() {
    std::vector<std::string> names;
#define NAME(name, number, what)          \
    if ((number) != KVCPU_OP_STEP) {      \
        names.emplace_back(lower(#name)); \
    }
    KVCPU_HINTS(NAME)
#undef NAME
    return names;
}

kvcpu_opcode hint_opcode(const std::string &kind) {
#define SAME(name, number, what) \
    if (lower(#name) == kind) {  \
        return KVCPU_OP_##name;  \
    }
    KVCPU_HINTS(SAME)
#undef SAME
    throw std::runtime_error("no such hint: " + kind);
}

/* Executes one command. Throws if it is refused, and names the command and its blocks. */
Result execute(Session &session, const Own &own, const char *name,
               std::size_t (*add)(Batch &, const Own &)) {
    Batch batch;
    add(batch, own);
    const std::string what = fmt::format("{} {} {}", name, own.first, own.count);
    if (const std::error_code error = batch.submit(session.transport())) {
        throw std::system_error(error, what);
    }
    if (!batch.result(0).ok()) {
        throw CommandError(what, batch.result(0).status);
    }
    return batch.result(0);
}

void alloc(Session &session, const Own &own) {
    const Result result = execute(session, own, "alloc", [](Batch &batch, const Own &asked) {
        return batch.alloc(asked.count);
    });
    session.print({{"first", result.value}, {"count", result.aux}});
}

void fill(Session &session, const Own &own) {
    const std::vector<std::byte> bytes(session.transport().info().block_size,
                                       static_cast<std::byte>(own.byte));
    Batch batch;
    for (uint64_t i = 0; i < own.count; ++i) {
        batch.write(own.first + i, 0, bytes);
    }
    if (const std::error_code error = batch.submit(session.transport(), false)) {
        throw std::system_error(error, "fill");
    }
    if (!batch.result(batch.done() - 1).ok()) {
        throw CommandError(fmt::format("fill: block {}", own.first + batch.done() - 1),
                           batch.result(batch.done() - 1).status);
    }
}

/* Pins blocks and waits until the device grants the PIN or its deadline passes. */
void pin(Session &session, const Own &own) {
    const uint64_t asked_ns = session.transport().info().time_ns;
    const Result result = execute(session, own, "pin", [](Batch &batch, const Own &asked) {
        return batch.pin(asked.first, asked.count, asked.deadline_ms * 1'000'000, 0);
    });
    kvcpu_completion completion = {};
    completion.time_ns = asked_ns;
    std::size_t taken = result.status == KVCPU_SC_PENDING ? 0 : 1;
    while (taken == 0) {
        uint64_t time_ns = 0;
        const std::error_code error =
            session.transport().wait({&completion, 1}, 1, UINT64_MAX, taken, time_ns);
        if (error && error.value() != EINTR) {
            throw std::system_error(error, "pin");
        }
    }
    if (const Result end(completion.result); !end.ok()) {
        throw CommandError(fmt::format("pin {} {}", own.first, own.count), end.status);
    }
    session.print(
        {{"found_fast", result.aux},
         {"waited_ns", completion.time_ns - std::min<uint64_t>(completion.time_ns, asked_ns)}});
}

void hint(Session &session, const Own &own) {
    Batch batch;
    batch.hint(hint_opcode(own.kind), own.first, own.count, own.step, own.now ? KVCPU_F_NOW : 0);
    if (const std::error_code error = batch.submit(session.transport())) {
        throw std::system_error(error, own.kind);
    }
    const Result result = batch.result(0);
    if (!result.ok()) {
        throw CommandError(own.kind, result.status);
    }
    session.print({{"outcome", lower(outcome_name(result.outcome()))},
                   {"reason", reason_name(result.reason())},
                   {"blocks", result.value}});
}

/* Checks that data moves correctly: writes a block, pins it, and reads it back. */
void self_test(Session &session) {
    Device device(session.loopback ? make_loopback_transport({})
                                   : open_kernel_transport(session.path));
    const uint64_t size = device.info().block_size;
    std::vector<std::byte> written(size);
    for (std::size_t i = 0; i < size; ++i) {
        written[i] = static_cast<std::byte>(i * 7 + i / 256);
    }
    const Blocks blocks = device.alloc(1);
    device.write(blocks.first(), 0, written);
    std::vector<std::byte> read(size);
    const auto expect = [&](const char *where) {
        std::fill(read.begin(), read.end(), std::byte{0});
        device.read(blocks.first(), 0, read);
        if (read != written) {
            throw std::runtime_error(
                fmt::format("block {} is wrong in the {}", blocks.first(), where));
        }
    };
    expect("slow tier");
    {
        const Pin pin = device.pin(blocks.first(), 1, 1'000'000'000);
        expect("fast tier");
    }
    fmt::print("block {}: {} bytes written, moved, and read back from both tiers\n", blocks.first(),
               size);
}

/* FIRST and COUNT. The device checks them against its own size. */
void add_blocks(CLI::App &command, const std::shared_ptr<Own> &own) {
    block_number(command.add_option("FIRST", own->first, "first block"));
    tools::whole_number(command.add_option("COUNT", own->count, "number of blocks"),
                        "a number of blocks", 0, KVCPU_BLOCKS_MAX);
}

CLI::Option *step_number(CLI::Option *option) {
    return tools::whole_number(option, "a step", 0, UINT64_MAX);
}

CLI::App *add_range(CLI::App &app, const char *name, const char *what,
                    const std::shared_ptr<Own> &own) {
    CLI::App *command = app.add_subcommand(name, what);
    add_blocks(*command, own);
    return command;
}

}  // namespace

void add_reference_hints(CLI::App &app, Session &session) {
    CLI::App *step = app.add_subcommand("step", "set the decode step of context 0");
    const auto value = std::make_shared<uint64_t>(0);
    step_number(step->add_option("STEP", *value, "step to set"))->required();
    step->callback(
        [&session, value] { session.reference(KV_CPU_STEP_ADVANCE, value.get(), "STEP_ADVANCE"); });
    for (const ReferenceHint &hint : reference_hints) {
        CLI::App *command = app.add_subcommand(hint.name, hint.what);
        const auto range = std::make_shared<kv_cpu_block_info>();
        tools::whole_number(command->add_option("ADDRESS", range->va, "address of the first byte"),
                            "a byte address", 0, UINT64_MAX)
            ->required();
        tools::whole_number(command->add_option("LENGTH", range->len, "number of bytes"),
                            "a number of bytes", 0, UINT64_MAX)
            ->required();
        if (hint.number == KV_CPU_PREFETCH) {
            step_number(command->add_option("STEP", range->target_step, "target step"))->required();
        }
        command->callback(
            [&session, range, hint] { session.reference(hint.number, range.get(), hint.name); });
    }
}

void add_own_commands(CLI::App &app, Session &session) {
    const auto own = std::make_shared<Own>();
    CLI::App *command = app.add_subcommand("alloc", "allocate blocks, up to COUNT in one run");
    tools::whole_number(command->add_option("COUNT", own->count, "number of blocks"),
                        "a number of blocks", 1, KVCPU_COMMAND_BLOCKS_MAX)
        ->required();
    command->callback([&session, own] { alloc(session, *own); });

    add_range(app, "free", "free blocks", own)->callback([&session, own] {
        execute(session, *own, "free", [](Batch &batch, const Own &asked) {
            return batch.free(asked.first, asked.count);
        });
    });
    command = add_range(app, "fill", "fill blocks with a byte", own);
    tools::whole_number(command->add_option("--byte", own->byte, "value of the byte"), "a byte", 0,
                        255);
    command->callback([&session, own] { fill(session, *own); });

    command = add_range(app, "pin", "pin blocks into the fast tier and wait for the grant", own);
    tools::whole_number(command->add_option("--deadline", own->deadline_ms,
                                            "give up after this many ms of device time"),
                        "a number of ms", 0, KVCPU_PIN_DEADLINE_MAX_NS / 1'000'000);
    command->callback([&session, own] { pin(session, *own); });
    add_range(app, "unpin", "unpin blocks", own)->callback([&session, own] {
        execute(session, *own, "unpin", [](Batch &batch, const Own &asked) {
            return batch.unpin(asked.first, asked.count);
        });
    });

    command = app.add_subcommand("hint", "give a hint about blocks and print its outcome");
    command->add_option("KIND", own->kind, "kind of the hint")
        ->required()
        ->check(CLI::IsMember(hint_names()));
    add_blocks(*command, own);
    step_number(command->add_option(
        "--step", own->step, "step until which blocks are hot, or by which they are prefetched"));
    command->add_flag("--now", own->now, "evict evictable blocks at once");
    command->callback([&session, own] { hint(session, *own); });
    for (const auto &[name, what] :
         {std::pair{"seal", "hint that blocks will not be written again"},
          std::pair{"release", "hint that blocks will not be accessed again"}}) {
        add_range(app, name, what, own)->callback([&session, own, kind = std::string(name)] {
            own->kind = kind;
            hint(session, *own);
        });
    }
    app.add_subcommand("self-test", "write a block, move it, and read it back from both tiers")
        ->callback([&session] { self_test(session); });
}

}  // namespace kvcpu::kvctl
