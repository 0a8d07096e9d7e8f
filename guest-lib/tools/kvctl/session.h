// SPDX-License-Identifier: MIT
#ifndef KVCPU_KVCTL_SESSION_H
#define KVCPU_KVCTL_SESSION_H

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "kvcpu/transport.h"

namespace kvcpu::kvctl {

using Json = nlohmann::ordered_json;

/* The device that an invocation is about, opened when something first needs it. */
class Session {
  public:
    std::string path = "/dev/kvcpu0";
    bool loopback = false;
    bool json = false;

    Transport &transport();
    /*
     * A call of the reference interface. Hints of a one-shot program go to context 0 through it:
     * there they outlive its file, and so mean something. Throws std::system_error that names path
     * and call.
     */
    void reference(unsigned long number, void *argument, const char *name) const;

    /* One object: a `name value` a line, or JSON. */
    void print(const Json &object) const;

  private:
    std::unique_ptr<Transport> transport_;
};

}  // namespace kvcpu::kvctl

#endif  // KVCPU_KVCTL_SESSION_H
