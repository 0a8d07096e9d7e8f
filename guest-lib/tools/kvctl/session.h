// SPDX-License-Identifier: MIT
#ifndef KVCPU_KVCTL_SESSION_H
#define KVCPU_KVCTL_SESSION_H

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "kvcpu/transport.h"

namespace kvcpu::kvctl {

using Json = nlohmann::ordered_json;

/* The device of an invocation, which is opened at its first use. */
class Session {
  public:
    std::string path = "/dev/kvcpu0";
    bool loopback = false;
    bool json = false;

    Transport &transport();
    /*
     * Makes a call of the reference interface. Its hints go to context 0, where they stay in force
     * when the program has ended. Throws std::system_error that names the path and the call.
     */
    void reference(unsigned long number, void *argument, const char *name) const;

    /* Prints one object: a line with name and value for each field, or JSON. */
    void print(const Json &object) const;

  private:
    std::unique_ptr<Transport> transport_;
};

}  // namespace kvcpu::kvctl

#endif  // KVCPU_KVCTL_SESSION_H
