// SPDX-License-Identifier: MIT
// kvctl: looks at a KV-CPU, and says things to it.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "kvcpu/device.h"

namespace {

using Json = nlohmann::ordered_json;

struct Options {
    std::string device = "/dev/kvcpu0";
    bool json = false;
    uint64_t address = 0;
    uint64_t length = 0;
    uint64_t step = 0;
    uint64_t block = 0;
    std::string policy;
    kv_cpu_weights weights = {};
};

/* Hints of a one-shot program go to context 0 through the reference interface: there they outlive
 * its file, and so mean something. */
class ReferenceFile {
  public:
    explicit ReferenceFile(const std::string &path)
        : path_(path), file_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
        if (file_ < 0) {
            throw std::system_error(errno, std::generic_category(), path);
        }
    }
    ~ReferenceFile() { ::close(file_); }
    ReferenceFile(const ReferenceFile &) = delete;
    ReferenceFile &operator=(const ReferenceFile &) = delete;

    void call(unsigned long number, void *argument, const char *name) const {
        if (::ioctl(file_, number, argument) < 0) {
            throw std::system_error(errno, std::generic_category(), path_ + ": " + name);
        }
    }

  private:
    std::string path_;
    int file_;
};

void print(const Options &options, const Json &object) {
    if (options.json) {
        fmt::print("{}\n", object.dump(2));
        return;
    }
    for (const auto &[name, value] : object.items()) {
        fmt::print("{:<22} {}\n", name,
                   value.is_string() ? value.get<std::string>() : value.dump());
    }
}

std::string policy_names(uint64_t bits) {
    std::string names;
#define NAME(name, number, text)             \
    if (((bits >> (number)) & 1) != 0) {     \
        names += (names.empty() ? "" : " "); \
        names += text;                       \
    }
    KVCPU_POLICIES(NAME)
#undef NAME
    return names;
}

void show_info(const Options &options) {
    const kvcpu_info info = kvcpu::open_kernel_transport(options.device)->info();
    Json object;
    object["device"] = options.device;
    object["revision"] = fmt::format("{}.{}", (info.id >> 16) & 0xffff, info.id & 0xffff);
    object["uapi_version"] = info.uapi_version;
    object["policy"] = policy_names(uint64_t{1} << info.policy);
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
    print(options, object);
}

void show_counters(const Options &options) {
    const std::vector<uint64_t> values = kvcpu::open_kernel_transport(options.device)->counters();
    Json object;
#define COUNTER(name, index, what) object[#name] = values[index];
    KVCPU_COUNTERS(COUNTER)
#undef COUNTER
#define STATUS(name, number, what) \
    object["STATUS_" #name] = values[std::size_t{KVCPU_COUNTER_COUNT} + (number)];
    KVCPU_STATUS_CODES(STATUS)
#undef STATUS
    print(options, object);
}

const char *state_name(uint64_t state) {
    static constexpr std::array names = {
#define NAME(name, number, what) #name,
        KVCPU_BLOCK_STATES(NAME)
#undef NAME
    };
    return state < names.size() ? names.at(state) : "?";
}

const char *class_name(uint64_t number) {
    static constexpr std::array names = {
#define NAME(name, value, what) #name,
        KVCPU_VICTIM_CLASSES(NAME)
#undef NAME
    };
    return number < names.size() ? names.at(number) : "?";
}

#define FIELD(word, name) (((word) >> KVCPU_##name##_SHIFT) & KVCPU_##name##_MASK)

void show_block(const Options &options) {
    const kvcpu_block block = kvcpu::open_kernel_transport(options.device)->block(options.block);
    const uint64_t slot = FIELD(block.place, BPL_SLOT);
    Json object;
    object["block"] = block.block;
    object["state"] = state_name(FIELD(block.state, BST_STATE));
    object["class"] = class_name(FIELD(block.state, BST_CLASS));
    object["owner"] = FIELD(block.state, BST_OWNER);
    object["flags"] = fmt::format("{:#x}", FIELD(block.state, BST_FLAGS));
    object["slot"] = slot == KVCPU_NO_SLOT ? Json(nullptr) : Json(slot);
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
    print(options, object);
}

#undef FIELD

void show_telemetry(const Options &options) {
    kv_cpu_telemetry telemetry = {};
    ReferenceFile(options.device).call(KV_CPU_GET_TELEMETRY, &telemetry, "GET_TELEMETRY");
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
    print(options, object);
}

void say_step(const Options &options) {
    uint64_t step = options.step;
    ReferenceFile(options.device).call(KV_CPU_STEP_ADVANCE, &step, "STEP_ADVANCE");
}

void say_range(const Options &options, unsigned long number, const char *name) {
    kv_cpu_block_info range = {options.address, options.length, options.step};
    ReferenceFile(options.device).call(number, &range, name);
}

/* A fresh file's own blocks: written, pinned, read back. For a first look that all is well. */
void self_test(const Options &options) {
    kvcpu::Device device(kvcpu::open_kernel_transport(options.device));
    const uint64_t size = device.info().block_size;
    std::vector<std::byte> written(size);
    for (std::size_t i = 0; i < size; ++i) {
        written[i] = static_cast<std::byte>(i * 7 + i / 256);
    }
    const kvcpu::Blocks blocks = device.alloc(1);
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
        const kvcpu::Pin pin = device.pin(blocks.first(), 1, 1'000'000'000);
        expect("fast tier");
    }
    fmt::print("block {}: {} bytes written, moved, and read back from both tiers\n", blocks.first(),
               size);
}

void define_hints(CLI::App &app, Options &options) {
    CLI::App *step = app.add_subcommand("step", "the decode step of context 0");
    step->add_option("STEP", options.step)->required();
    step->callback([&] { say_step(options); });

    const struct {
        const char *name;
        const char *what;
        unsigned long number;
    } hints[] = {
        {"hot", "keep a byte range of context 0's space fast", KV_CPU_MARK_HOT},
        {"evict", "let a byte range leave the fast tier now", KV_CPU_EVICT},
        {"prefetch", "have a byte range in the fast tier by a step", KV_CPU_PREFETCH},
        {"share", "one more sharer of a byte range", KV_CPU_SHARE_PREFIX},
    };
    for (const auto &hint : hints) {
        CLI::App *command = app.add_subcommand(hint.name, hint.what);
        command->add_option("ADDRESS", options.address, "first byte")->required();
        command->add_option("LENGTH", options.length, "bytes")->required();
        if (hint.number == KV_CPU_PREFETCH) {
            command->add_option("STEP", options.step, "target step")->required();
        }
        command->callback([&options, hint] { say_range(options, hint.number, hint.name); });
    }

    CLI::App *weights = app.add_subcommand("weights", "weights and thresholds of the score");
    weights->add_option("W_R", options.weights.w_r)->required();
    weights->add_option("W_F", options.weights.w_f)->required();
    weights->add_option("W_S", options.weights.w_s)->required();
    weights->add_option("W_D", options.weights.w_d)->required();
    weights->add_option("EVICT_THRESH", options.weights.evict_thresh)->required();
    weights->add_option("PREFETCH_THRESH", options.weights.prefetch_thresh)->required();
    weights->callback(
        [&] { kvcpu::open_kernel_transport(options.device)->set_weights(options.weights); });
}

void define_looks(CLI::App &app, Options &options) {
    app.add_subcommand("info", "what the device is")->callback([&] { show_info(options); });
    app.add_subcommand("counters", "what it has counted")->callback([&] {
        show_counters(options);
    });
    app.add_subcommand("telemetry", "what was said to it since the driver bound it")->callback([&] {
        show_telemetry(options);
    });
    CLI::App *block = app.add_subcommand("block", "what the directory says of a block");
    block->add_option("NUMBER", options.block)->required();
    block->callback([&] { show_block(options); });
    CLI::App *policy = app.add_subcommand("policy", "set the placement policy");
    policy->add_option("NAME", options.policy)->required();
    policy->callback(
        [&] { kvcpu::open_kernel_transport(options.device)->set_policy(options.policy); });
    app.add_subcommand("self-test", "write, move and read back a block")->callback([&] {
        self_test(options);
    });
}

}  // namespace

int main(int argc, char **argv) {
    Options options;
    CLI::App app("Looks at a KV-CPU, and says things to it.");
    app.add_option("-d,--device", options.device, "device node")->capture_default_str();
    app.add_flag("--json", options.json, "print JSON");
    app.require_subcommand(1);
    app.footer("Exit status: 0 done; 1 the device or the driver refused; 2 a wrong option.");
    define_looks(app, options);
    define_hints(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError &error) {
        return app.exit(error) == 0 ? 0 : 2;
    } catch (const std::exception &error) {
        fmt::print(stderr, "kvctl: {}\n", error.what());
        return 1;
    }
    return 0;
}
