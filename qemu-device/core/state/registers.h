// SPDX-License-Identifier: GPL-2.0-or-later
// The register map, made from KVCPU_REGISTERS, and the checks of a register access.
#ifndef KVCPU_CORE_STATE_REGISTERS_H
#define KVCPU_CORE_STATE_REGISTERS_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <variant>

#include "kvcpu_hw.h"
#include "kvcpu_hw_rings.h"

namespace kvcpu {

/* The index of a register in the table. */
enum class Reg : uint8_t {
#define KVCPU_REG_INDEX_(name, offset, access, reset, what) name,
    KVCPU_REGISTERS(KVCPU_REG_INDEX_)
#undef KVCPU_REG_INDEX_
        count,
};

inline constexpr size_t register_count = static_cast<size_t>(Reg::count);

enum class Direction : uint8_t { read, write };

/* The register, counter or doorbell of a valid access. */
struct CounterIndex {
    unsigned index;
};
struct StatusCounterIndex {
    unsigned index;
};
struct Doorbell {
    uint16_t context;
    kvcpu_doorbell which;
};
using Target = std::variant<Reg, CounterIndex, StatusCounterIndex, Doorbell>;

/* The target of a valid access, or the counter of the first rule that the access violates. */
using Decoded = std::variant<Target, kvcpu_counter>;
[[nodiscard]] Decoded decode_access(uint64_t offset, unsigned bytes, Direction direction,
                                    uint32_t contexts) noexcept;

/* The values of the RW registers. */
class RegisterValues {
  public:
    RegisterValues() noexcept { reset(); }

    [[nodiscard]] uint64_t operator[](Reg reg) const noexcept {
        return values_[static_cast<size_t>(reg)];
    }
    uint64_t &operator[](Reg reg) noexcept { return values_[static_cast<size_t>(reg)]; }

    /* Values after reset; 0 where they depend on the configuration. */
    void reset() noexcept;

  private:
    std::array<uint64_t, register_count> values_{};
};

}  // namespace kvcpu

#endif  // KVCPU_CORE_STATE_REGISTERS_H
