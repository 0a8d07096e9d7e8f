# SPDX-License-Identifier: MIT
"""The KV-CPU launcher: sets up, builds, boots and tests the device, its driver and its tools."""
