// SPDX-License-Identifier: MIT
// libFuzzer on the core, through its C API: registers, doorbells, entries of every ring, time,
// resets, DMA that fails, and memory that changes while the device reads it. Whatever comes, no
// sanitizer may find anything, and in the end every block is free, and zero.
//
// KVCPU_FUZZ_ENTRIES=N in the environment ends the run, well, once N entries were taken from
// rings; KVCPU_FUZZ_PLANT=1 leaves something behind that must be found.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "fuzz_host.h"

namespace kvcpu_fuzz {

namespace {

constexpr std::array<uint16_t, 32> opcodes = {
#define OPCODE_(name, number, what) (number),
    KVCPU_COMMANDS(OPCODE_) KVCPU_HINTS(OPCODE_) KVCPU_ADMIN_COMMANDS(OPCODE_)
#undef OPCODE_
};
constexpr std::array register_offsets = {
#define OFFSET_(name, offset, access, reset, what) uint64_t{offset},
    KVCPU_REGISTERS(OFFSET_)
#undef OFFSET_
};

uint64_t entries_taken = 0;
uint64_t entries_wanted = UINT64_MAX;

/* The rest of an input; zeroes after its end. */
class Input {
  public:
    explicit Input(std::span<const uint8_t> bytes) : bytes_(bytes) {}

    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    uint8_t byte() {
        if (bytes_.empty()) {
            return 0;
        }
        const uint8_t first = bytes_.front();
        bytes_ = bytes_.subspan(1);
        return first;
    }
    /* A number that is mostly small, as valid numbers are small. */
    uint64_t number() {
        const uint8_t small = byte();
        if (small < 0xf0) {
            return small % 32U;
        }
        if (small < 0xf8) {
            return UINT64_MAX - (small & 7U);
        }
        uint64_t value = 0;
        for (unsigned i = 0; i < 8; ++i) {
            value = value << 8U | byte();
        }
        return value;
    }
    /* A bus address: mostly near the beginning of a structure; sometimes of no memory. */
    uint64_t address() {
        const uint8_t which = byte();
        if (which >= 0xf0) {
            return which >= 0xf8 ? own_at : number();
        }
        return uint64_t{which} * page % memory_bytes + (which >= 0xc0 ? byte() : 0U);
    }

  private:
    std::span<const uint8_t> bytes_;
};

struct IndexLists {
    std::array<uint64_t, context_total> tail{};
    std::array<uint64_t, context_total> taken{};
};

void push(FuzzHost &host, IndexLists &rings, Input &input, unsigned context) {
    const uint64_t at =
        rings_at + 2 * page * context + rings.tail[context]++ % ring_entries * KVCPU_ENTRY_BYTES;
    const uint8_t shape = input.byte();
    const uint64_t opcode = opcodes[input.byte() % opcodes.size()];
    const uint64_t completes = (shape & 1U) != 0 ? uint64_t{KVCPU_F_COMPLETE} : 0;
    const uint64_t other_flags = (shape & 2U) != 0 ? input.byte() : 0;
    const uint64_t named = context == 0 ? input.byte() % context_total : 0;
    std::array<uint64_t, KVCPU_ENTRY_WORDS> words{};
    words[KVCPU_EW_FIRST] = input.number();
    words[KVCPU_EW_COUNT] = input.number() % ((shape & 0x80U) != 0 ? UINT64_MAX : 8);
    words[KVCPU_EW_ARG] = (shape & 4U) != 0 ? input.number() * ((shape & 8U) != 0 ? 1000 : 1) : 0;
    if ((shape & 16U) != 0) {
        words[KVCPU_EW_ADDR] = context == 0 ? input.address() : input.number();
        words[KVCPU_EW_EXTENT] = input.number() << KVCPU_EXT_LENGTH_SHIFT | input.number();
    }
    if ((shape & 32U) != 0) {
        words[KVCPU_EW_META] = input.number();
    }
    words[KVCPU_EW_TAG] = input.byte() % 16U;
    words[KVCPU_EW_CONTROL] = opcode | (completes | other_flags) << KVCPU_CTL_FLAGS_SHIFT |
                              named << KVCPU_CTL_CONTEXT_SHIFT;
    if ((shape & 64U) != 0) {
        words[input.byte() % words.size()] ^= input.number() << input.byte() % 64U;
    }
    for (size_t word = 0; word < words.size(); ++word) {
        host.store(at + 8 * word, words[word]);
    }
}

void ring(FuzzHost &host, unsigned context, uint64_t doorbell, uint64_t value) {
    host.write(KVCPU_DOORBELL_BASE + uint64_t{context} * KVCPU_DOORBELL_STRIDE + doorbell, value);
}

/*
 * Publishes several entries at once, and consumes all completions, as a well-behaved process would.
 */
void submit(FuzzHost &host, IndexLists &rings, Input &input, unsigned context) {
    const unsigned entries = 1U + input.byte() % 16U;
    for (unsigned i = 0; i < entries; ++i) {
        push(host, rings, input, context);
    }
    ring(host, context, KVCPU_DB_SQ_TAIL, rings.tail[context]);
}

/* Repeats the entries that were published last, in the next places: many cheap entries. */
void repeat(FuzzHost &host, IndexLists &rings, Input &input, unsigned context) {
    const unsigned times = 1U + input.byte() % 16U;
    for (unsigned i = 0; i < times; ++i) {
        rings.tail[context] += ring_entries / 2;
        ring(host, context, KVCPU_DB_SQ_TAIL, rings.tail[context]);
        host.advance(3000);
    }
}

void restart(FuzzHost &host, IndexLists &rings, Input &input, unsigned context) {
    host.command(KVCPU_OP_RESTART, context, 0, 0, 0, 0, 0);
    rings.tail[context] = rings.taken[context] = 0;
    if (input.byte() % 8U == 0) {
        host.command(KVCPU_OP_CLOSE, context, 0, 0, 0, 0, 0);
        rings = {};
        host.open_all();
    }
}

void access_anything(FuzzHost &host, Input &input) {
    const uint64_t offset = input.number() << input.byte() % 24U;
    const unsigned bytes = 1U << input.byte() % 4U;
    if (input.byte() % 2U == 0) {
        host.write(offset, input.number(), bytes);
    } else {
        host.read(offset, bytes);
    }
}

/* Avoids the addresses of the rings most of the time, as later entries would not be executed. */
void access_register(FuzzHost &host, Input &input) {
    const uint64_t offset = register_offsets[input.byte() % register_offsets.size()];
    if (offset >= KVCPU_REG_ADMIN_SQ_ADDR && offset <= KVCPU_REG_QUEUE_ENABLE &&
        input.byte() % 8U != 0) {
        host.read(offset);
        return;
    }
    if (offset == KVCPU_REG_CMD_CONTROL) {
        host.write(offset, opcodes[input.byte() % opcodes.size()] |
                               uint64_t{input.byte()} % context_total << KVCPU_CTL_CONTEXT_SHIFT);
        return;
    }
    host.write(offset, offset == KVCPU_REG_CMD_ADDR ? input.address() : input.number());
    host.read(offset);
}

void step(FuzzHost &host, IndexLists &rings, Input &input) {
    const uint8_t what = input.byte();
    const unsigned context = (what >> 4U) % context_total;
    switch (what % 16U) {
        default:
            submit(host, rings, input, context);
            break;
        case 6:
            repeat(host, rings, input, context);
            break;
        case 7:
            host.advance(uint64_t{input.byte()} * 100);
            break;
        case 8:
            rings.taken[context] += input.byte() % 16U;
            ring(host, context, KVCPU_DB_CQ_HEAD, rings.taken[context]);
            break;
        case 9:
            ring(host, 0, KVCPU_DB_EVQ_HEAD, input.number());
            break;
        case 10:
            ring(host, context, input.byte() % 4U * 8U, input.number());
            break;
        case 11:
            access_register(host, input);
            break;
        case 12:
            access_anything(host, input);
            break;
        case 13:
            host.fail_dma(input.byte() % 16U);
            break;
        case 14:
            host.store(input.address(), input.number());
            host.flip(input.byte() % 4U == 0 ? input.byte() : 0);
            break;
        case 15:
            if (input.byte() % 16U == 0) {
                host.reset(input.byte() % 4U == 0 ? KVCPU_RESET_COLD : KVCPU_RESET_FUNCTION);
                rings = {};
                host.open_all();
            } else {
                restart(host, rings, input, context);
            }
            break;
    }
}

void count_entries() {
    std::fprintf(stderr, "kvcpu: %llu entries taken from rings\n",
                 static_cast<unsigned long long>(entries_taken));
}

}  // namespace

}  // namespace kvcpu_fuzz

extern "C" int LLVMFuzzerInitialize(int * /*argc*/, char *** /*argv*/) {
    if (const char *wanted = std::getenv("KVCPU_FUZZ_ENTRIES"); wanted != nullptr) {
        kvcpu_fuzz::entries_wanted = std::strtoull(wanted, nullptr, 10);
    }
    std::atexit(kvcpu_fuzz::count_entries);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    using namespace kvcpu_fuzz;
    Input input({data, size});
    FuzzHost host(input.byte());
    IndexLists rings;
    host.open_all();
    while (!input.empty()) {
        step(host, rings, input);
    }
    if (std::getenv("KVCPU_FUZZ_PLANT") != nullptr) {
        host.plant();
    }
    host.check_conservation();
    entries_taken += host.entries_taken();
    if (entries_taken >= entries_wanted) {
        /* exit() would be reported as an error of the core. */
        count_entries();
        std::_Exit(0);
    }
    return 0;
}
