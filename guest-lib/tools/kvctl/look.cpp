// SPDX-License-Identifier: MIT
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <array>
#include <stdexcept>
#include <string>

#include "command_line.h"
#include "commands.h"

namespace kvcpu::kvctl {

namespace {

struct Range {
    uint64_t first = 0;
    uint64_t count = 0;
};

std::string policy_names(uint64_t bits) {
    std::string names;
#define NAME(name, number, text)             \
    if (((bits >> (number)) & 1) != 0) {     \
        names += (names.empty() ? "" : " "); \
        names += (text);                     \
    }
    KVCPU_POLICIES(NAME)
#undef NAME
    return names;
}

std::vector<std::string> all_policies() {
#define NAME(name, number, text) text,
    return {KVCPU_POLICIES(NAME)};
#undef NAME
}

std::string present_policy(const kvcpu_info &info) {
    return policy_text(info.policy);
}

void show_info(Session &session) {
    const kvcpu_info info = session.transport().info();
    Json object;
    object["device"] = session.loopback ? "loopback" : session.path;
    object["revision"] = fmt::format("{}.{}", (info.id >> 16) & 0xffff, info.id & 0xffff);
    object["uapi_version"] = info.uapi_version;
    object["policy"] = present_policy(info);
    object["policies"] = policy_names(info.policies);
    object["block_size"] = info.block_size;
    object["blocks"] = info.blocks;
    object["blocks_free"] = info.blocks_free;
    object["fast_slots"] = info.fast_slots;
    object["fast_free"] = info.fast_free;
    object["contexts"] = info.contexts;
    object["dma_channels"] = info.dma_channels;
    object["dma_latency_ns"] = info.dma_latency_ns;
    object["dma_bandwidth"] = info.dma_bandwidth;
    object["scrub_bandwidth"] = info.scrub_bandwidth;
    object["log_records"] = info.log_records;
    object["time_ns"] = info.time_ns;
    session.print(object);
}

void show_counters(Session &session) {
    const std::vector<uint64_t> values = session.transport().counters();
    Json object;
#define COUNTER(name, index, what) object[#name] = values[index];
    KVCPU_COUNTERS(COUNTER)
#undef COUNTER
#define STATUS(name, number, what) \
    object["STATUS_" #name] = values[std::size_t{KVCPU_COUNTER_COUNT} + (number)];
    KVCPU_STATUS_CODES(STATUS)
#undef STATUS
    session.print(object);
}

void show_telemetry(Session &session) {
    kv_cpu_telemetry telemetry = {};
    session.reference(KV_CPU_GET_TELEMETRY, &telemetry, "GET_TELEMETRY");
    Json object;
    object["current_step"] = telemetry.current_step;
    object["step_count"] = telemetry.step_count;
    object["hot_count"] = telemetry.hot_count;
    object["evict_count"] = telemetry.evict_count;
    object["prefetch_count"] = telemetry.prefetch_count;
    object["share_count"] = telemetry.share_count;
    object["last_va"] = fmt::format("{:#x}", telemetry.last_va);
    object["last_len"] = telemetry.last_len;
    object["last_target_step"] = telemetry.last_target_step;
    object["w_r"] = telemetry.w_r;
    object["w_f"] = telemetry.w_f;
    object["w_s"] = telemetry.w_s;
    object["w_d"] = telemetry.w_d;
    object["evict_thresh"] = telemetry.evict_thresh;
    object["prefetch_thresh"] = telemetry.prefetch_thresh;
    session.print(object);
}

/* -- The directory ---------------------------------------------------------- */

template <std::size_t Size>
const char *name_of(const std::array<const char *, Size> &names, uint64_t number) {
    return number < Size ? names[number] : "?";
}

#define NAME(name, number, what) #name,
constexpr std::array state_names = {KVCPU_BLOCK_STATES(NAME)};
constexpr std::array class_names = {KVCPU_VICTIM_CLASSES(NAME)};
#undef NAME

/* Names of the flags, in the order of their bits. */
constexpr std::array flag_names = {"allocated", "written", "dirty",      "sealed",   "prefix",
                                   "queued",    "held",    "write_held", "revoking", "cached"};

#define FIELD(word, name) (((word) >> KVCPU_##name##_SHIFT) & KVCPU_##name##_MASK)

}  // namespace

Json block_json(const kvcpu_block &block) {
    const uint64_t slot = FIELD(block.place, BPL_SLOT);
    const uint64_t flags = FIELD(block.state, BST_FLAGS);
    Json object;
    object["block"] = block.block;
    object["state"] = name_of(state_names, FIELD(block.state, BST_STATE));
    object["class"] = name_of(class_names, FIELD(block.state, BST_CLASS));
    object["tier"] = FIELD(block.state, BST_TIER) == KVCPU_TIER_HBM ? "fast" : "slow";
    object["slot"] = slot == KVCPU_NO_SLOT ? Json(nullptr) : Json(slot);
    object["owner"] = FIELD(block.state, BST_OWNER);
    object["flags"] = Json::array();
    for (std::size_t bit = 0; bit < flag_names.size(); ++bit) {
        if (((flags >> bit) & 1) != 0) {
            object["flags"].push_back(flag_names.at(bit));
        }
    }
    object["claims"] = FIELD(block.place, BPL_CLAIMS);
    object["sharers"] = FIELD(block.place, BPL_SHARERS);
    object["r"] = FIELD(block.use, BUS_R);
    object["f"] = FIELD(block.use, BUS_F);
    object["score"] = FIELD(block.use, BUS_P);
    object["generation"] = FIELD(block.use, BUS_GENERATION);
    object["request"] = FIELD(block.tag, TAG_REQUEST);
    object["layer"] = FIELD(block.tag, TAG_LAYER);
    object["head"] = FIELD(block.tag, TAG_HEAD);
    object["first_token"] = FIELD(block.tokens, BTK_FIRST);
    object["last_token"] = FIELD(block.tokens, BTK_LAST);
    object["last_step"] = block.last_step;
    object["target_step"] = block.target;
    return object;
}

namespace {

/* True for a free block, which is in its initial state and gets no line. */
bool is_plain(const kvcpu_block &block) {
    return FIELD(block.state, BST_STATE) == KVCPU_BS_FREE;
}

#undef FIELD

void check_range(const Range &range, uint64_t blocks) {
    const uint64_t last = range.first + std::max<uint64_t>(range.count, 1) - 1;
    if (range.first >= blocks || range.count > blocks - range.first) {
        throw std::runtime_error(fmt::format("there is no block {}: the device has 0 to {}",
                                             std::max(range.first, last), blocks - 1));
    }
}

void show_block(Session &session, uint64_t number) {
    check_block(session, number);
    session.print(block_json(session.transport().block(number)));
}

void show_directory(Session &session, Range range) {
    const uint64_t blocks = session.transport().info().blocks;
    check_range(range, blocks);
    const uint64_t end = range.count == 0 ? blocks : range.first + range.count;
    Json list = Json::array();
    for (uint64_t number = range.first; number < end; ++number) {
        const kvcpu_block block = session.transport().block(number);
        if (!is_plain(block)) {
            list.push_back(block_json(block));
        }
    }
    if (session.json) {
        session.print(list);
        return;
    }
    fmt::print("{:>10} {:<12} {:<10} {:>10} {:>5} {:>6} {:>7} {:>5} {:>9} {:>9}  {}\n", "block",
               "state", "class", "slot", "owner", "claims", "sharers", "score", "last_step",
               "target", "flags");
    for (const Json &row : list) {
        std::string flags;
        for (const Json &flag : row["flags"]) {
            flags += (flags.empty() ? "" : ",") + flag.get<std::string>();
        }
        fmt::print("{:>10} {:<12} {:<10} {:>10} {:>5} {:>6} {:>7} {:>5} {:>9} {:>9}  {}\n",
                   row["block"].dump(), row["state"].get<std::string>(),
                   row["class"].get<std::string>(),
                   row["slot"].is_null() ? "-" : row["slot"].dump(), row["owner"].dump(),
                   row["claims"].dump(), row["sharers"].dump(), row["score"].dump(),
                   row["last_step"].dump(), row["target_step"].dump(), flags);
    }
    fmt::print("{} of {} blocks; the others are free, and in the slow tier\n", list.size(),
               end - range.first);
}

}  // namespace

std::string policy_text(uint32_t policy) {
    return policy_names(uint64_t{1} << policy);
}

void check_block(Session &session, uint64_t number) {
    check_range({number, 1}, session.transport().info().blocks);
}

CLI::Option *block_number(CLI::Option *option) {
    return tools::whole_number(option, "a block number", 0, KVCPU_BLOCKS_MAX - 1)->required();
}

void add_looks(CLI::App &app, Session &session) {
    app.add_subcommand("info", "show the device's properties and state")->callback([&session] {
        show_info(session);
    });
    app.add_subcommand("counters", "show the device's counters")->callback([&session] {
        show_counters(session);
    });
    app.add_subcommand("telemetry",
                       "show the commands of the reference interface since the driver was bound")
        ->callback([&session] { show_telemetry(session); });

    CLI::App *block = app.add_subcommand("block", "show a block's directory entry");
    const auto number = std::make_shared<uint64_t>(0);
    block_number(block->add_option("NUMBER", *number, "block number"));
    block->callback([&session, number] { show_block(session, *number); });

    CLI::App *directory = app.add_subcommand(
        "directory", "show the directory entries of all blocks that are not free");
    const auto range = std::make_shared<Range>();
    tools::whole_number(directory->add_option("FIRST", range->first, "first block to show"),
                        "a block number", 0, KVCPU_BLOCKS_MAX - 1);
    tools::whole_number(directory->add_option("COUNT", range->count, "number of blocks to show"),
                        "a number of blocks", 0, KVCPU_BLOCKS_MAX)
        ->default_str("0, all blocks");
    directory->callback([&session, range] { show_directory(session, *range); });
}

void add_administration(CLI::App &app, Session &session) {
    CLI::App *policy = app.add_subcommand("policy", "print or set the placement policy");
    const auto name = std::make_shared<std::string>();
    policy->add_option("NAME", *name, "policy to set")
        ->default_str("none, print the present policy")
        ->check(CLI::IsMember(all_policies()));
    policy->callback([&session, name] {
        if (name->empty()) {
            fmt::print("{}\n", present_policy(session.transport().info()));
            return;
        }
        const std::string names = policy_names(session.transport().info().policies);
        if ((" " + names + " ").find(" " + *name + " ") == std::string::npos) {
            throw std::runtime_error("policy " + *name + ": no such policy; there are: " + names);
        }
        session.transport().set_policy(*name);
    });

    CLI::App *weights = app.add_subcommand("weights", "set weights and thresholds of the score");
    weights->footer("`kvctl telemetry` shows the values in force.");
    const auto values = std::make_shared<kv_cpu_weights>();
    const auto add = [weights](const char *value_name, uint32_t &value, const char *what) {
        tools::whole_number(weights->add_option(value_name, value, what), "a number", 0, UINT32_MAX)
            ->required();
    };
    add("W_R", values->w_r, "weight of recency");
    add("W_F", values->w_f, "weight of frequency");
    add("W_S", values->w_s, "weight of step age");
    add("W_D", values->w_d, "weight of sharing");
    add("EVICT_THRESH", values->evict_thresh, "score below which a block is demoted");
    add("PREFETCH_THRESH", values->prefetch_thresh, "score above which a block is promoted");
    weights->callback([&session, values] { session.transport().set_weights(*values); });
}

}  // namespace kvcpu::kvctl
