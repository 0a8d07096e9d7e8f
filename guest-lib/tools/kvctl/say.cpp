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
    ReferenceHint{"hot", "keep a byte range of context 0's space fast", KV_CPU_MARK_HOT},
    ReferenceHint{"evict", "let a byte range leave the fast tier now", KV_CPU_EVICT},
    ReferenceHint{"prefetch", "have a byte range in the fast tier by a step", KV_CPU_PREFETCH},
    ReferenceHint{"share", "one more sharer of a byte range", KV_CPU_SHARE_PREFIX},
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

/* Names of the hints, but for STEP, in lower case. */
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

/* One command; throws where it is refused, and names the command and its blocks. */
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

/* Waits for the grant, which is the device's to give by the deadline. */
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

/* A fresh file's own block: written, pinned, read back. For a first look that all is well. */
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

CLI::App *add_range(CLI::App &app, const char *name, const char *what,
                    const std::shared_ptr<Own> &own) {
    CLI::App *command = app.add_subcommand(name, what);
    command->add_option("FIRST", own->first, "first block")->required();
    command->add_option("COUNT", own->count, "blocks (1)");
    return command;
}

}  // namespace

void add_reference_hints(CLI::App &app, Session &session) {
    CLI::App *step = app.add_subcommand("step", "the decode step of context 0");
    const auto value = std::make_shared<uint64_t>(0);
    step->add_option("STEP", *value)->required();
    step->callback(
        [&session, value] { session.reference(KV_CPU_STEP_ADVANCE, value.get(), "STEP_ADVANCE"); });
    for (const ReferenceHint &hint : reference_hints) {
        CLI::App *command = app.add_subcommand(hint.name, hint.what);
        const auto range = std::make_shared<kv_cpu_block_info>();
        command->add_option("ADDRESS", range->va, "first byte")->required();
        command->add_option("LENGTH", range->len, "bytes")->required();
        if (hint.number == KV_CPU_PREFETCH) {
            command->add_option("STEP", range->target_step, "target step")->required();
        }
        command->callback(
            [&session, range, hint] { session.reference(hint.number, range.get(), hint.name); });
    }
}

void add_own_commands(CLI::App &app, Session &session) {
    const auto own = std::make_shared<Own>();
    CLI::App *command = app.add_subcommand("alloc", "allocate blocks, up to COUNT in one run");
    command->add_option("COUNT", own->count, "number of blocks")
        ->required()
        ->check(tools::whole_number("a number of blocks", 1, KVCPU_COMMAND_BLOCKS_MAX));
    command->callback([&session, own] { alloc(session, *own); });

    add_range(app, "free", "give blocks back", own)->callback([&session, own] {
        execute(session, *own, "free", [](Batch &batch, const Own &asked) {
            return batch.free(asked.first, asked.count);
        });
    });
    command = add_range(app, "fill", "write a byte all over blocks", own);
    command->add_option("--byte", own->byte, "the byte")->check(CLI::Range(0, 255));
    command->callback([&session, own] { fill(session, *own); });

    command = add_range(app, "pin", "have blocks in the fast tier, and wait for it", own);
    command->add_option("--deadline", own->deadline_ms, "give up after so many ms of device time")
        ->capture_default_str();
    command->callback([&session, own] { pin(session, *own); });
    add_range(app, "unpin", "let go of them", own)->callback([&session, own] {
        execute(session, *own, "unpin", [](Batch &batch, const Own &asked) {
            return batch.unpin(asked.first, asked.count);
        });
    });

    command = app.add_subcommand("hint", "say something of blocks, and print what became of it");
    command->add_option("KIND", own->kind)->required()->check(CLI::IsMember(hint_names()));
    command->add_option("FIRST", own->first, "first block")->required();
    command->add_option("COUNT", own->count, "blocks (1)");
    command->add_option("--step", own->step, "hot: until; prefetchable: by");
    command->add_flag("--now", own->now, "evictable: at once");
    command->callback([&session, own] { hint(session, *own); });
    for (const auto &[name, what] : {std::pair{"seal", "hint: no more writes"},
                                     std::pair{"release", "hint: nobody will ask again"}}) {
        add_range(app, name, what, own)->callback([&session, own, kind = std::string(name)] {
            own->kind = kind;
            hint(session, *own);
        });
    }
    app.add_subcommand("self-test", "write, move and read back a block")->callback([&session] {
        self_test(session);
    });
}

}  // namespace kvcpu::kvctl
