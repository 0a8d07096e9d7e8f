#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The sample trace equals the generator's output, and has the documented statistics.

usage: test_sample_trace.py
"""

import json
import pathlib
import statistics
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
GENERATOR = HERE / "make_sample_trace.py"
SAMPLE = HERE / "sample-trace.jsonl"

sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))
import make_sample_trace  # noqa: E402 (found by the line above)


def generated(*options: str) -> bytes:
    return subprocess.run([sys.executable, "-B", GENERATOR, *options], check=True, capture_output=True).stdout


class SampleTrace(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lines = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]

    def test_the_generator_makes_it(self):
        self.assertEqual(generated(), SAMPLE.read_bytes())

    def test_another_seed_makes_another(self):
        self.assertNotEqual(generated("--seed", "1"), SAMPLE.read_bytes())

    def test_times_sit_on_ticks_and_do_not_fall(self):
        times = [line["timestamp"] for line in self.lines]
        self.assertEqual(times, sorted(times))
        self.assertTrue(all(time % make_sample_trace.TICK_MS == 0 for time in times))
        self.assertGreater(len(set(times)), 50)

    def test_a_prompt_has_a_block_for_every_512_tokens(self):
        for line in self.lines:
            self.assertEqual(len(line["hash_ids"]), -(-line["input_length"] // make_sample_trace.TOKENS_PER_BLOCK))
            self.assertLessEqual(line["input_length"] + line["output_length"], make_sample_trace.CONTEXT_WINDOW)

    def test_an_id_stands_for_its_whole_prefix(self):
        before: dict[int, tuple[int, ...]] = {}
        for line in self.lines:
            ids = line["hash_ids"]
            for place, number in enumerate(ids):
                prefix = tuple(ids[:place])
                self.assertEqual(before.setdefault(number, prefix), prefix)

    def test_ids_count_up_in_the_order_of_first_use(self):
        seen = -1
        for line in self.lines:
            for number in line["hash_ids"]:
                self.assertLessEqual(number, seen + 1)
                seen = max(seen, number)

    def test_prefixes_grow_and_are_shared(self):
        uses = [number for line in self.lines for number in line["hash_ids"]]
        self.assertGreater(1 - len(set(uses)) / len(uses), 0.4)
        # Some first blocks, those of system prompts, are the first blocks of many requests.
        firsts = [line["hash_ids"][0] for line in self.lines]
        self.assertGreater(max(firsts.count(number) for number in set(firsts)), len(firsts) / 10)

    def test_answers_are_lognormal(self):
        answers = [line["output_length"] for line in self.lines]
        self.assertAlmostEqual(statistics.median(answers), 220, delta=25)
        self.assertGreater(statistics.mean(answers), 1.3 * statistics.median(answers))


if __name__ == "__main__":
    unittest.main()
