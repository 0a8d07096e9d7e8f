#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Properties out of range: QEMU does not start, and names the property and the reason."""

import hw
from kvcpu import BLOCK, SLOT, SLOTS, Device, DeviceTest, main, scratch
from pci import Function
from qtest import StartFailed

G = 1 << 30
# property, value, other properties, text in the message besides the property's name
REFUSED = [
    ("block-size", 4095, {}, "4096"), ("block-size", 6000, {}, "power of two"), ("block-size", 4 << 20, {}, "2097152"),
    ("block-size", 0, {}, "4096"),
    ("fast-size", BLOCK - 1, {}, "4095"), ("fast-size", 3 * BLOCK + 1, {}, "multiple"),
    ("fast-size", 65 * BLOCK, {}, "266240"),
    ("slow-size", 64 * BLOCK + 512, {}, "multiple"), ("slow-size", BLOCK, {"fast-size": BLOCK * 2}, None),
    ("max-contexts", 0, {}, "256"), ("max-contexts", 257, {}, "256"), ("max-contexts", 2**32 - 1, {}, "256"),
    ("policy", "mru", {}, "hepc"), ("policy", "LRU", {}, "lru"),
    ("dma-channels", 0, {}, "16"), ("dma-channels", 17, {}, "16"),
    ("dma-latency-ns", 10**9 + 1, {}, "1000000000"), ("dma-latency-ns", 2**64 - 1, {}, "1000000000"),
    ("dma-bandwidth", 0, {}, "1"),
    ("vectors", 0, {}, "257"), ("vectors", 2, {}, "3"), ("vectors", 258, {}, "257"),
    ("doorbell-latency-ns", 10**9 + 1, {}, "1000000000"),
]
# Values that QEMU's parser refuses, also with the property's name.
UNPARSED = [("max-contexts", "-1"), ("max-contexts", "many"), ("block-size", "4X"), ("dma-latency-ns", "1.5"),
            ("vendor-id", "0x10000"), ("fast-memdev", "nothing"), ("slow-memdev", "nothing"), ("no-such", "1")]


class Refused(DeviceTest):
    def setUp(self) -> None:
        """No machine until the test starts one."""

    def refusal(self, changes: dict[str, object], *arguments: str) -> str:
        with self.assertRaises(StartFailed) as caught:
            self.start(*arguments, **{name.replace("-", "_"): value for name, value in changes.items()})
        return str(caught.exception)

    def test_out_of_range(self) -> None:
        for name, value, others, needed in REFUSED:
            with self.subTest(property=name, value=value):
                said = self.refusal({name: value, **others})
                # A slow tier that is smaller than the fast tier may be reported as either property.
                self.assertRegex(said, f"kvcpu.*: ({name}|fast-size): " if needed is None else f"kvcpu.*: {name}: ")
                self.assertIn(needed or "", said)

    def test_no_values_at_all(self) -> None:
        for name, value in UNPARSED:
            with self.subTest(property=name, value=value):
                self.assertIn(name, self.refusal({name: value}))

    def test_too_much_memory(self) -> None:
        said = self.refusal({"slow-size": 2**46, "block-size": 2 << 20, "fast-size": 2 << 20})
        self.assertIn("slow-size: ", said)

    def test_a_backend_is_used_once(self) -> None:
        backend = ("-object", f"memory-backend-ram,id=one,size={SLOTS * BLOCK}")
        both = {"fast-size": None, "slow-size": None, "fast-memdev": "one", "slow-memdev": "one"}
        said = self.refusal(both, *backend)
        self.assertRegex(said, "(fast|slow)-memdev: .*one")

    def test_a_size_beside_a_backend(self) -> None:
        backend = ("-object", f"memory-backend-ram,id=one,size={SLOTS * BLOCK}")
        said = self.refusal({"fast-size": 2 * SLOTS * BLOCK, "fast-memdev": "one"}, *backend)
        self.assertIn("fast-size: ", said)

    def test_a_backend_that_cannot_be_written(self) -> None:
        path = scratch(self, "tier")
        path.write_bytes(bytes(SLOTS * BLOCK))
        backend = ("-object", f"memory-backend-file,id=one,size={SLOTS * BLOCK},mem-path={path},readonly=on,rom=on")
        said = self.refusal({"fast-size": None, "fast-memdev": "one"}, *backend)
        self.assertRegex(said, "fast-memdev: .*one.*read-only")

    def test_a_backend_of_odd_size(self) -> None:
        backend = ("-object", f"memory-backend-ram,id=one,size={SLOTS * 4096}")
        said = self.refusal({"block-size": 65536, "slow-size": 1 << 20, "fast-size": None, "fast-memdev": "one"},
                            *backend)
        self.assertIn("fast-size: ", said)


class Accepted(DeviceTest):
    """The limits of the ranges are accepted."""

    def setUp(self) -> None:
        """No machine until the test starts one."""

    def device_with(self, **changes: object) -> Device:
        self.machine = self.start(**changes)
        return Device(self.machine, Function(self.machine, 0, SLOT))

    def test_one_block(self) -> None:
        device = self.device_with(fast_size=BLOCK, slow_size=BLOCK, max_contexts=1)
        self.assertEqual((device.read("BLOCKS"), device.read("FAST_SLOTS"), device.read("CONTEXTS")), (1, 1, 1))
        device.write("BOOST_LEN", 1)
        self.settle()
        self.assertEqual(device.block(0).state, "FAST")

    def test_largest_blocks_and_most_of_everything(self) -> None:
        device = self.device_with(block_size=hw.CONST["BLOCK_SIZE_MAX"], fast_size="8M", slow_size="32M",
                                  max_contexts=hw.CONST["CONTEXTS_MAX"],
                                  dma_channels=hw.CONST["DMA_CHANNELS_MAX"], dma_latency_ns=10**9,
                                  dma_bandwidth=2**64 - 1)
        self.assertEqual(device.read("BLOCKS"), 16)
        self.assertEqual(device.read("DMA_BANDWIDTH"), 2**64 - 1)
        device.write("BOOST_LEN", 1)
        self.settle(10**9)
        self.settle()
        self.assertEqual(device.block(0).state, "FAST")

    def test_policies_by_name(self) -> None:
        for name, number in hw.POLICIES.items():
            with self.subTest(policy=name):
                self.assertEqual(self.device_with(policy=name.lower().replace("_", "-")).read("POLICY"), number)

    def test_sizes_with_suffixes(self) -> None:
        device = self.device_with(fast_size="1M", slow_size="4M", block_size="64K")
        self.assertEqual((device.read("BLOCKS"), device.read("FAST_SLOTS")), (64, 16))

    def test_scrub_bandwidth_by_default(self) -> None:
        device = self.device_with(scrub_bandwidth=None, dma_bandwidth=G)
        self.assertEqual(device.read("SCRUB_BANDWIDTH"), 32 * G)


if __name__ == "__main__":
    main()
