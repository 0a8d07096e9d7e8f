// SPDX-License-Identifier: MIT
// `kvctl top`: shows where blocks are and what moves, once or at intervals.
#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <ctime>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "command_line.h"
#include "commands.h"

namespace kvcpu::kvctl {

namespace {

struct Options {
    double interval_s = 1;
    uint64_t count = 0;
    bool once = false;
    bool batch = false;
};

volatile std::sig_atomic_t ended_by = 0;

/* The alternate screen of a terminal. The end of the object, or a signal, restores the terminal. */
class Screen {
  public:
    Screen() {
        struct sigaction action = {};
        action.sa_handler = [](int number) { ended_by = number; };
        for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
            ::sigaction(number, &action,
                        nullptr); /* without SA_RESTART, so that it ends the sleep */
        }
        write("\x1b[?1049h\x1b[?25l");
    }
    ~Screen() { write("\x1b[?25h\x1b[?1049l"); }
    Screen(const Screen &) = delete;
    Screen &operator=(const Screen &) = delete;

    /* Shows as many lines and columns as fit. */
    static void show(const std::vector<std::string> &lines) {
        winsize size = {};
        const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
        const std::size_t rows = known ? size.ws_row : 24;
        const std::size_t columns = known ? size.ws_col : 80;
        std::string text = "\x1b[H";
        for (std::size_t i = 0; i < std::min(lines.size(), rows); ++i) {
            text += lines[i].substr(0, columns) + "\x1b[K" + (i + 1 < rows ? "\r\n" : "");
        }
        write(text + "\x1b[J");
    }

  private:
    static void write(const std::string &text) {
        std::fwrite(text.data(), 1, text.size(), stdout);
        std::fflush(stdout);
    }
};

/* The device's state at one moment. */
struct Look {
    kvcpu_info info;
    std::vector<uint64_t> counters;
};

Look look(Session &session) {
    return {session.transport().info(), session.transport().counters()};
}

double ratio(uint64_t part, uint64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

/* In the order of the registers OCCUPANCY_*. */
enum Where : uint8_t { free_, scrubbing, slow, fetching, clean, dirty, pinned, evicting };

Json occupancy_json(const kvcpu_info &info) {
    const auto &at = info.occupancy;
    return {{"fast",
             {{"pinned", at[pinned]},
              {"dirty", at[dirty]},
              {"clean", at[clean]},
              {"evicting", at[evicting]},
              {"fetching", at[fetching]},
              {"free", info.fast_free},
              {"slots", info.fast_slots}}},
            {"slow",
             {{"slow", at[slow]},
              {"scrubbing", at[scrubbing]},
              {"free", at[free_]},
              {"blocks", info.blocks}}}};
}

/* Returns the differences between two looks. */
Json figures(const Look &before, const Look &now) {
    const auto count = [&](kvcpu_counter counter) {
        return now.counters[counter] - std::min(before.counters[counter], now.counters[counter]);
    };
    const uint64_t time_ns = now.info.time_ns - before.info.time_ns;
    const uint64_t pins = count(KVCPU_CNT_PINS);
    const uint64_t waited = std::min(count(KVCPU_CNT_PINS_WAITED), pins);
    const uint64_t used = count(KVCPU_CNT_PREFETCH_USED);
    const uint64_t unused = count(KVCPU_CNT_PREFETCH_UNUSED);
    Json json;
    json["time_ns"] = now.info.time_ns;
    json["interval_ns"] = time_ns;
    json["policy"] = policy_text(now.info.policy);
    json.update(occupancy_json(now.info));
    json["hits"] = {
        {"pins", pins}, {"at_once", pins - waited}, {"fraction", ratio(pins - waited, pins)}};
    json["prefetch"] = {
        {"used", used}, {"unused", unused}, {"late", count(KVCPU_CNT_PREFETCH_LATE)}};
    json["traffic"] = {
        {"in_demand", count(KVCPU_CNT_FETCHES_DEMAND)},
        {"in_prefetch", count(KVCPU_CNT_FETCHES_PREFETCH)},
        {"out", count(KVCPU_CNT_WRITE_BACKS)},
        {"zero_fills", count(KVCPU_CNT_ZERO_FILLS)},
        {"reclaimed", count(KVCPU_CNT_BLOCKS_RECLAIMED)},
        {"link_busy", ratio(count(KVCPU_CNT_LINK_BUSY_NS), time_ns * now.info.dma_channels)}};
    json["evicted"] = {{"released", count(KVCPU_CNT_EVICTED_RELEASED)},
                       {"evictable", count(KVCPU_CNT_EVICTED_EVICTABLE)},
                       {"unhinted", count(KVCPU_CNT_EVICTED_UNHINTED)},
                       {"prefetched", count(KVCPU_CNT_EVICTED_PREFETCHED)},
                       {"hot", count(KVCPU_CNT_EVICTED_HOT)},
                       {"shared", count(KVCPU_CNT_EVICTED_SHARED)}};
    json["hints"] = {{"accepted", count(KVCPU_CNT_HINTS_ACCEPTED)},
                     {"deferred", count(KVCPU_CNT_HINTS_DEFERRED)},
                     {"clipped", count(KVCPU_CNT_HINTS_CLIPPED)},
                     {"ignored", count(KVCPU_CNT_HINTS_IGNORED)},
                     {"steps", count(KVCPU_CNT_STEPS)}};
    json["commands"] = {{"done", count(KVCPU_CNT_COMMANDS)},
                        {"failed", count(KVCPU_CNT_COMMANDS_FAILED)}};
    return json;
}

/* Returns a bar with a letter for the state of slots: pinned, dirty, clean, evicting, fetching. */
std::string bar(const Json &fast) {
    constexpr double width = 50;
    const double slots = std::max(fast["slots"].get<double>(), 1.0);
    std::string text;
    double sum = 0;
    for (const char *kind : {"pinned", "dirty", "clean", "evicting", "fetching"}) {
        sum += fast[kind].get<double>();
        const auto end = static_cast<std::size_t>(std::lround(width * sum / slots));
        text.append(std::max(end, text.size()) - text.size(), *kind);
    }
    text.resize(static_cast<std::size_t>(width), '.');
    return "[" + text + "]";
}

/* Formats an object as `name value  name value`. A number with a fraction is shown as a percentage.
 */
std::string row(const char *title, const Json &object) {
    std::string text = fmt::format("{:<9}", title);
    for (const auto &[name, value] : object.items()) {
        const std::string shown = value.is_number_float()
                                      ? fmt::format("{:.1f}%", 100 * value.get<double>())
                                      : value.dump();
        text += fmt::format(" {} {:<6}", name, shown);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

std::vector<std::string> lines_of(const Json &json, const std::string &device) {
    return {fmt::format("{}  policy {}  device time {:.3f} s  interval {:.3f} s", device,
                        json["policy"].get<std::string>(), json["time_ns"].get<double>() / 1e9,
                        json["interval_ns"].get<double>() / 1e9),
            "fast      " + bar(json["fast"]),
            row("", json["fast"]),
            row("slow", json["slow"]),
            row("hits", json["hits"]),
            row("prefetch", json["prefetch"]),
            row("traffic", json["traffic"]),
            row("evicted", json["evicted"]),
            row("hints", json["hints"]),
            row("commands", json["commands"])};
}

/* Waits. Returns false if a signal ended the wait. The clock of a device in this process is
 * advanced. */
bool pass(Session &session, double seconds) {
    const auto ns = static_cast<uint64_t>(seconds * 1e9);
    if (session.loopback) {
        std::size_t taken = 0;
        uint64_t time_ns = 0;
        (void)session.transport().wait({}, 0, session.transport().info().time_ns + ns, taken,
                                       time_ns);
    }
    if (!session.loopback || ::isatty(STDOUT_FILENO) != 0) {
        timespec left = {static_cast<time_t>(ns / 1'000'000'000),
                         static_cast<long>(ns % 1'000'000'000)};
        while (::nanosleep(&left, &left) != 0 && errno == EINTR && ended_by == 0) {
        }
    }
    return ended_by == 0;
}

void top(Session &session, const Options &options) {
    const bool live =
        !options.once && !options.batch && !session.json && ::isatty(STDOUT_FILENO) != 0;
    const std::string device = session.loopback ? "loopback" : session.path;
    Look before = look(session); /* an error comes before the screen is switched */
    if (options.once) {
        before.info.time_ns = 0;
        std::fill(before.counters.begin(), before.counters.end(), 0);
    }
    const std::unique_ptr<Screen> screen = live ? std::make_unique<Screen>() : nullptr;
    for (uint64_t shown = 0; options.count == 0 || shown < options.count; ++shown) {
        if (!options.once && !pass(session, options.interval_s)) {
            return;
        }
        const Look now = look(session);
        const Json json = figures(before, now);
        before = now;
        if (live) {
            Screen::show(lines_of(json, device));
        } else if (session.json) {
            fmt::print("{}\n", json.dump());
        } else {
            for (const std::string &line : lines_of(json, device)) {
                fmt::print("{}\n", line);
            }
            fmt::print("\n");
        }
        if (std::fflush(stdout) != 0) {
            throw std::system_error(errno, std::generic_category(), "standard output");
        }
    }
}

}  // namespace

void add_top(CLI::App &app, Session &session) {
    const auto options = std::make_shared<Options>();
    CLI::App *command = app.add_subcommand("top", "show where blocks are and what moves, live");
    tools::real_number(
        command->add_option("-i,--interval", options->interval_s, "seconds between two samples"),
        "a number of seconds", 0.01, 86400);
    tools::whole_number(
        command->add_option("-n,--count", options->count, "end after this number of samples"),
        "a number of samples", 0, UINT32_MAX)
        ->default_str("0, no end");
    command->add_flag("--once", options->once, "print one sample: sums since the device's reset");
    command->add_flag("--batch", options->batch, "print plain text, also on a terminal");
    command->footer(
        "On a terminal top uses the whole screen until it is interrupted. Elsewhere it prints "
        "plain text, and with --json one line for each interval.\n"
        "hits: PINs granted at once, of all granted PINs. prefetch: blocks that were used, that "
        "were evicted unused, and that were needed before their fetch ended. link_busy: the share "
        "of all channels' time.");
    command->callback([&session, options] {
        options->count = options->once ? 1 : options->count;
        top(session, *options);
    });
}

}  // namespace kvcpu::kvctl
