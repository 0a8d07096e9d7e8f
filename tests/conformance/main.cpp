// SPDX-License-Identifier: MIT
// Random commands on a context of a KV-CPU, against a model that is obviously right. What it prints
// does not depend on the way to the device: equal on every transport.
//
// usage: conformance [--device PATH | --policy NAME] [--seed N] [--commands N] [--spoil]
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "stream.h"

namespace {

struct Options {
    std::string device; /* empty: a loopback device */
    std::string policy = "hepc";
    uint64_t seed = 1;
    uint64_t commands = 10000;
    bool spoil = false; /* must end in a failure */
};

bool parse(int argc, char **argv, Options &options) {
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--spoil") {
            options.spoil = true;
            continue;
        }
        if (i + 1 == argc) {
            return false;
        }
        const std::string value = argv[++i];
        if (name == "--device") {
            options.device = value;
        } else if (name == "--policy") {
            options.policy = value;
        } else if (name == "--seed") {
            options.seed = std::strtoull(value.c_str(), nullptr, 10);
        } else if (name == "--commands") {
            options.commands = std::strtoull(value.c_str(), nullptr, 10);
        } else {
            return false;
        }
    }
    return true;
}

/* As small as the device of the test in a guest, so that blocks and slots run out. */
std::unique_ptr<kvcpu::Transport> open(const Options &options) {
    if (!options.device.empty()) {
        return kvcpu::open_kernel_transport(options.device);
    }
    kvcpu::LoopbackConfig config;
    config.fast_blocks = 24;
    config.slow_blocks = 256;
    config.policy = options.policy;
    return kvcpu::make_loopback_transport(config);
}

int run(const Options &options) {
    const std::unique_ptr<kvcpu::Transport> transport = open(options);
    conformance::Stream stream(*transport, options.seed);
    stream.run(options.commands);
    if (options.spoil) {
        stream.spoil();
        stream.run(0);
    }
    for (const auto &[what, count] : stream.mix()) {
        std::printf("%s: %llu\n", what.c_str(), static_cast<unsigned long long>(count));
    }
    std::printf("seed %llu: digest %016llx\n", static_cast<unsigned long long>(options.seed),
                static_cast<unsigned long long>(stream.digest()));
    return 0;
}

}  // namespace

int main(int argc, char **argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        (void)std::fprintf(stderr,
                           "usage: conformance [--device PATH | --policy NAME] [--seed N] "
                           "[--commands N] [--spoil]\n");
        return 2;
    }
    try {
        return run(options);
    } catch (const std::exception &error) {
        (void)std::fprintf(stderr, "conformance: seed %llu: %s\n",
                           static_cast<unsigned long long>(options.seed), error.what());
        return 1;
    }
}
