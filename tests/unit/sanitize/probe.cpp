// SPDX-License-Identifier: MIT
// Does what the sanitizers must find; the argument says what. `core` lets the core itself read
// beyond its host's memory, which only an instrumented core notices.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>

#include "kvcpu_core.h"

namespace {

/* A value that the compiler does not know, so that it neither warns nor removes the code. */
volatile size_t one = 1;
volatile int found;

int address() {
    const std::unique_ptr<uint8_t[]> bytes(new uint8_t[8]());
    return bytes[7 + one];
}

/* NOLINTBEGIN(modernize-use-auto,clang-analyzer-cplusplus.NewDeleteLeaks): on purpose */
void leak() {
    uint8_t *volatile lost = new uint8_t[64 * one]();
    found = *lost;
    lost = nullptr;
}
/* NOLINTEND(modernize-use-auto,clang-analyzer-cplusplus.NewDeleteLeaks) */

int undefined() {
    int largest = std::numeric_limits<int>::max();
    largest += static_cast<int>(one);
    return largest;
}

int core() {
    /* One word short of a record. */
    const std::unique_ptr<uint8_t[]> record(new uint8_t[sizeof(kvcpu_event) - 8 * one]());
    std::array<uint8_t, KVCPU_EVENT_BYTES> encoded{};
    kvcpu_event_encode(reinterpret_cast<const kvcpu_event *>(record.get()), encoded.data());
    return encoded[0];
}

}  // namespace

int main(int argc, char **argv) {
    const char *what = argc == 2 ? argv[1] : "";
    if (std::strcmp(what, "address") == 0) {
        found = address();
    } else if (std::strcmp(what, "leak") == 0) {
        leak();
    } else if (std::strcmp(what, "undefined") == 0) {
        found = undefined();
    } else {
        found = core();
    }
    return EXIT_SUCCESS;
}
