// SPDX-License-Identifier: MIT
// `kvctl why`: shows a block's history, and the decision that put it where it is.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>

#include "command_line.h"
#include "commands.h"
#include "history.h"
#include "kvcpu/batch.h"
#include "kvcpu_hw_log.h"

namespace kvcpu::kvctl {

namespace {

template <std::size_t Size>
std::string name_of(const std::array<const char *, Size> &names, uint64_t number) {
    return number < Size ? names[number] : "?";
}

#define NAME(name, number, what) #name,
#define WHAT(name, number, what) what,
#define TEXT(name, number, text) text,
constexpr std::array event_names = {KVCPU_EVENTS(NAME)};
constexpr std::array class_names = {KVCPU_VICTIM_CLASSES(NAME)};
constexpr std::array class_texts = {KVCPU_VICTIM_CLASSES(WHAT)};
constexpr std::array cause_names = {KVCPU_EVICTION_CAUSES(NAME)};
constexpr std::array policy_names = {KVCPU_POLICIES(TEXT)};
constexpr std::array move_names = {"DEMAND", "PREFETCH", "CLEAN"};
#undef NAME
#undef WHAT
#undef TEXT

std::string opcode_name(uint64_t opcode) {
    switch (opcode) {
#define CASE(name, number, what) \
    case number:                 \
        return #name;
        KVCPU_COMMANDS(CASE)
        KVCPU_HINTS(CASE)
#undef CASE
        default:
            return fmt::format("{:#x}", opcode);
    }
}

std::string outcome_text(uint64_t status) {
#define NAME(name, number, what) #name,
    static constexpr std::array outcomes = {KVCPU_HINT_OUTCOMES(NAME)};
#undef NAME
    return name_of(outcomes, status & KVCPU_HINT_OUTCOME_MASK);
}

struct Choice {
    uint64_t in_class;
    uint64_t cause;
    uint64_t wanted_by;
    uint64_t age;
};

Choice choice_in(const kvcpu_record &record) {
    const uint64_t detail = detail_of(record);
    return {detail >> KVCPU_CHO_CLASS_SHIFT & KVCPU_CHO_CLASS_MASK,
            detail >> KVCPU_CHO_CAUSE_SHIFT & KVCPU_CHO_CAUSE_MASK,
            record.value >> KVCPU_CHW_FOR_SHIFT & KVCPU_CHW_FOR_MASK,
            record.value >> KVCPU_CHW_AGE_SHIFT & KVCPU_CHW_AGE_MASK};
}

std::string why_chosen(const kvcpu_record &record) {
    const Choice choice = choice_in(record);
    const std::string policy = name_of(policy_names, status_of(record));
    switch (choice.cause) {
        case KVCPU_EC_PIN:
            return fmt::format("a PIN waited for block {}, which needed a slot", choice.wanted_by);
        case KVCPU_EC_HINT:
            return fmt::format("block {} was to be fetched for a hint, and needed a slot",
                               choice.wanted_by);
        case KVCPU_EC_SCORE:
            return fmt::format("block {} was to be fetched for its score, and needed a slot",
                               choice.wanted_by);
        case KVCPU_EC_NOW:
            return "EVICTABLE asked for its eviction at once";
        default:
            return fmt::format("{} evicted it because its score had fallen", policy);
    }
}

std::string range_of(const kvcpu_record &record) {
    return record.value == 1
               ? fmt::format("block {}", record.first)
               : fmt::format("blocks {} to {}", record.first, record.first + record.value - 1);
}

}  // namespace

uint64_t kind_of(const kvcpu_record &record) {
    return record.what & 0xffff;
}
uint64_t detail_of(const kvcpu_record &record) {
    return record.what >> 16 & 0xffff;
}
uint64_t context_of(const kvcpu_record &record) {
    return record.what >> 32 & 0xffff;
}
uint64_t status_of(const kvcpu_record &record) {
    return record.what >> 48;
}

std::string describe_record(const kvcpu_record &record) {
    const uint64_t detail = detail_of(record);
    switch (kind_of(record)) {
        case KVCPU_EV_HINT:
            return fmt::format("{} of {}: {}", opcode_name(detail), range_of(record),
                               outcome_text(status_of(record)));
        case KVCPU_EV_COMMAND_FAILED:
            return fmt::format("{}: {}", opcode_name(detail),
                               describe(static_cast<kvcpu_status>(status_of(record))));
        case KVCPU_EV_PIN_ENDED:
            return fmt::format("{}: {}", range_of(record),
                               describe(static_cast<kvcpu_status>(status_of(record))));
        case KVCPU_EV_ALLOC:
        case KVCPU_EV_FREE:
        case KVCPU_EV_PIN_WAITS:
        case KVCPU_EV_PIN_GRANTED:
        case KVCPU_EV_UNPIN:
        case KVCPU_EV_UNHOLD:
            return range_of(record);
        case KVCPU_EV_READ:
        case KVCPU_EV_WRITE:
            return fmt::format("{} bytes", record.value);
        case KVCPU_EV_FETCH_START:
        case KVCPU_EV_FETCH_DONE:
        case KVCPU_EV_WRITE_BACK_START:
        case KVCPU_EV_WRITE_BACK_DONE:
            return fmt::format("{}, slot {}", name_of(move_names, detail), record.value);
        case KVCPU_EV_ZERO_FILLED:
            return fmt::format("slot {}", record.value);
        case KVCPU_EV_EVICTED:
        case KVCPU_EV_DISPLACED:
            return fmt::format("as {}, from slot {}", name_of(class_names, detail), record.value);
        case KVCPU_EV_CHOSEN: {
            const Choice choice = choice_in(record);
            return fmt::format("by {} as {}, {} steps after its last use: {}",
                               name_of(policy_names, status_of(record)),
                               name_of(class_names, choice.in_class), choice.age,
                               why_chosen(record));
        }
        case KVCPU_EV_POLICY:
            return name_of(policy_names, record.value);
        default:
            return "";
    }
}

namespace {

std::string why_it_left(const kvcpu_record &record) {
    const Choice choice = choice_in(record);
    return fmt::format(
        "evicted from the fast tier by {}: {}; it was {} ({}), {} steps after its last use",
        name_of(policy_names, status_of(record)), why_chosen(record),
        name_of(class_names, choice.in_class), name_of(class_texts, choice.in_class), choice.age);
}

/* Returns an empty text for a record that moves no block. */
std::string why_it_arrived(const kvcpu_record &record) {
    switch (kind_of(record)) {
        case KVCPU_EV_FETCH_START:
        case KVCPU_EV_FETCH_DONE:
            return detail_of(record) == KVCPU_MOVE_DEMAND
                       ? "fetched into the fast tier because a PIN waited for it"
                       : "fetched into the fast tier ahead of use, for a hint or its score";
        case KVCPU_EV_ZERO_FILLED:
            return "given a zeroed slot of the fast tier because a PIN waited for it";
        case KVCPU_EV_RECLAIMED:
            return "reclaimed: an ALLOC lacked space, and it was the least valuable cached block";
        case KVCPU_EV_SCRUBBED:
        case KVCPU_EV_FREE:
            return "freed by its owner, and zeroed";
        case KVCPU_EV_ALLOC:
            return "in the slow tier since it was allocated: nothing has made it fast";
        case KVCPU_EV_RESET:
            return "as the reset left it";
        default:
            return "";
    }
}

}  // namespace

std::string verdict(const std::vector<kvcpu_record> &newest_first, kvcpu_block_state state) {
    const bool stays = state == KVCPU_BS_FAST || state == KVCPU_BS_WRITING_BACK;
    std::string kept;
    for (const kvcpu_record &record : newest_first) {
        const bool is_choice = kind_of(record) == KVCPU_EV_CHOSEN;
        if (is_choice && !stays) {
            return (state == KVCPU_BS_EVICTING ? "being evicted: " : "") + why_it_left(record);
        }
        if (is_choice) {
            kept = "; chosen for eviction since, and kept by a PIN or a hold";
            continue;
        }
        const std::string why = why_it_arrived(record);
        if (!why.empty()) {
            return why + kept;
        }
    }
    return "the history does not reach back to its arrival";
}

namespace {

Json record_json(const kvcpu_record &record) {
    Json object;
    object["sequence"] = record.sequence;
    object["time_ns"] = record.time_ns;
    object["event"] = name_of(event_names, kind_of(record));
    object["context"] = context_of(record);
    object["what"] = describe_record(record);
    if (kind_of(record) == KVCPU_EV_CHOSEN) {
        const Choice choice = choice_in(record);
        object["policy"] = name_of(policy_names, status_of(record));
        object["class"] = name_of(class_names, choice.in_class);
        object["cause"] = name_of(cause_names, choice.cause);
        object["wanted_by"] =
            choice.wanted_by == KVCPU_NO_SLOT ? Json(nullptr) : Json(choice.wanted_by);
        object["steps_since_use"] = choice.age;
    }
    return object;
}

void why(Session &session, uint64_t number, std::size_t most) {
    check_block(session, number);
    const kvcpu_block entry = session.transport().block(number);
    const Json block = block_json(entry);
    const auto state =
        static_cast<kvcpu_block_state>(entry.state >> KVCPU_BST_STATE_SHIFT & KVCPU_BST_STATE_MASK);
    const std::vector<kvcpu_record> records = session.transport().history(number, most);
    Json history = Json::array();
    std::transform(records.rbegin(), records.rend(), std::back_inserter(history), record_json);
    if (session.json) {
        session.print({{"block", block}, {"why", verdict(records, state)}, {"history", history}});
        return;
    }
    const auto text = [&block](const char *name) { return block[name].get<std::string>(); };
    fmt::print("block {}: {}, in the {} tier, class {}, owner {}\n", number, text("state"),
               text("tier"), text("class"), block["owner"].dump());
    fmt::print("why: {}\n", verdict(records, state));
    fmt::print("\n{:>16} {:>10} {:>7} {:<17} {}\n", "time ns", "sequence", "context", "event", "");
    for (const Json &record : history) {
        fmt::print("{:>16} {:>10} {:>7} {:<17} {}\n", record["time_ns"].dump(),
                   record["sequence"].dump(), record["context"].dump(),
                   record["event"].get<std::string>(), record["what"].get<std::string>());
    }
    if (records.size() == most) {
        fmt::print("there are older records: --last shows more\n");
    }
}

}  // namespace

void add_history(CLI::App &app, Session &session) {
    struct Options {
        uint64_t number = 0;
        std::size_t most = 50;
    };
    const auto options = std::make_shared<Options>();
    CLI::App *command = app.add_subcommand(
        "why", "show a block's history, and the decision that put it where it is");
    block_number(command->add_option("NUMBER", options->number, "block number"));
    tools::whole_number(
        command->add_option("--last", options->most, "show at most this number of records"),
        "a number of records", 1, KVCPU_HISTORY_RECORDS);
    command->callback([&session, options] { why(session, options->number, options->most); });
}

}  // namespace kvcpu::kvctl
