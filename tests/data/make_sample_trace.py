#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a request trace of an imagined chat service, in the format of the published traces.

usage: make_sample_trace.py [--seed N] [--seconds N] [--describe] > sample-trace.jsonl

Nothing in it comes from a real trace. What is imagined, and from which distributions (L(median, sigma) is lognormal):

  sessions        start as a Poisson process, SESSIONS_PER_SECOND
  system prompt   of a session: one of SYSTEM_PROMPTS, the n-th most popular with weight 1/n; L(1500, 0.7) tokens each
  turns           of a session: geometric, TURNS_MEAN in the mean
  first message   L(2500, 1.3) tokens: a question, perhaps with a document
  later messages  L(150, 1.0) tokens
  answers         L(220, 0.9) tokens, at most ANSWER_MAX
  next turn       the answer at ANSWER_TOKENS_PER_SECOND, then L(40, 0.9) seconds of reading and typing
  context window  CONTEXT_WINDOW tokens: a session that would not fit ends

A turn's prompt is all that was said before it, and so shares a growing prefix with the turns before; sessions share
whole blocks of their system prompt. A block of 512 tokens has one id for its content and all before it; ids count up
in the order of their first use. The last block of a prompt is seldom full: the next turn fills it, which makes it
another block. Times sit on ticks of 3 s, as in the published traces.

Random numbers come from random.random() alone, whose sequence Python keeps from version to version.
"""

import argparse
import heapq
import json
import math
import random
import statistics
import sys
from dataclasses import dataclass

SEED = 20240613
SECONDS = 240
TOKENS_PER_BLOCK = 512
TICK_MS = 3000
SESSIONS_PER_SECOND = 2.6
SYSTEM_PROMPTS = 12
TURNS_MEAN = 4.0
ANSWER_MAX = 2000
ANSWER_TOKENS_PER_SECOND = 30
CONTEXT_WINDOW = 32768


class Source:
    """Random numbers of the distributions that are used."""

    def __init__(self, seed: int):
        self._uniform = random.Random(seed).random

    def lognormal(self, median: float, sigma: float) -> float:
        """A sample of L(median, sigma)."""
        # random() may be 0, for which the inverse normal distribution has no value.
        return median * math.exp(sigma * statistics.NormalDist().inv_cdf(self._uniform() or 0.5))

    def tokens(self, median: float, sigma: float) -> int:
        """A length: at least one token."""
        return max(1, int(self.lognormal(median, sigma)))

    def interval(self, rate: float) -> float:
        """Seconds to the next event of a Poisson process."""
        return -math.log(1 - self._uniform()) / rate

    def choice(self, weights: list[float]) -> int:
        """An index, by weight."""
        place = self._uniform() * sum(weights)
        for index, weight in enumerate(weights):
            place -= weight
            if place < 0:
                return index
        return len(weights) - 1

    def happens(self, chance: float) -> bool:
        """True with this probability."""
        return self._uniform() < chance


@dataclass
class Text:
    """What was said so far. Blocks are named by content: full ones keep their name as the text grows."""

    name: str
    tokens: int = 0
    # The system prompt, which other sessions share.
    shared: "Text | None" = None

    def say(self, tokens: int) -> None:
        """Append to the text."""
        self.tokens += tokens

    def prompt(self) -> list[str]:
        """Names of the blocks with the text; the last block may be partly filled."""
        full, rest = divmod(self.tokens, TOKENS_PER_BLOCK)
        inherited = self.shared.tokens // TOKENS_PER_BLOCK if self.shared else 0
        names = [f"{self.shared.name}/{index}" for index in range(inherited)]
        names += [f"{self.name}/{index}" for index in range(inherited, full)]
        return names + ([f"{self.name}/{full}+{rest}"] if rest else [])


@dataclass
class Session:
    """A conversation, and its next turn."""

    text: Text
    message: int


def conversations(source: Source, seconds: float) -> list[tuple[float, int, int, list[str]]]:
    """(second, input tokens, output tokens, names of blocks) of every request, in order of time."""
    prompts = [Text(f"system {number}", source.tokens(1500, 0.7)) for number in range(SYSTEM_PROMPTS)]
    popularity = [1 / (rank + 1) for rank in range(SYSTEM_PROMPTS)]
    # (time, number, session): the number breaks ties.
    due: list[tuple[float, int, Session]] = []
    start, made = source.interval(SESSIONS_PER_SECOND), 0
    while start < seconds:
        system = prompts[source.choice(popularity)]
        text = Text(f"session {made}", system.tokens, system)
        due.append((start, made, Session(text, source.tokens(2500, 1.3))))
        start, made = start + source.interval(SESSIONS_PER_SECOND), made + 1
    heapq.heapify(due)
    requests = []
    while due:
        when, order, session = heapq.heappop(due)
        answer = min(ANSWER_MAX, source.tokens(220, 0.9))
        if when >= seconds or session.text.tokens + session.message + answer > CONTEXT_WINDOW:
            continue
        session.text.say(session.message)
        requests.append((when, session.text.tokens, answer, session.text.prompt()))
        session.text.say(answer)
        if source.happens(1 - 1 / TURNS_MEAN):
            session.message = source.tokens(150, 1.0)
            when += answer / ANSWER_TOKENS_PER_SECOND + source.lognormal(40, 0.9)
            heapq.heappush(due, (when, order, session))
    return requests


def trace(seed: int, seconds: float) -> list[dict]:
    """The requests in the format of the trace."""
    ids: dict[str, int] = {}
    lines = []
    for when, tokens, answer, names in conversations(Source(seed), seconds):
        lines.append({"timestamp": int(when * 1000) // TICK_MS * TICK_MS, "input_length": tokens,
                      "output_length": answer, "hash_ids": [ids.setdefault(name, len(ids)) for name in names]})
    return lines


def describe(lines: list[dict]) -> str:
    """The statistics of a trace."""
    uses = sum(len(line["hash_ids"]) for line in lines)
    distinct = len({number for line in lines for number in line["hash_ids"]})
    inputs = [line["input_length"] for line in lines]
    outputs = [line["output_length"] for line in lines]
    return (f"{len(lines)} requests over {lines[-1]['timestamp'] / 1000:.0f} s; {uses} block uses of {distinct} "
            f"blocks, so at best {1 - distinct / uses:.3f} of the uses hit\n"
            f"prompt: mean {statistics.mean(inputs):.0f}, median {statistics.median(inputs):.0f}, "
            f"max {max(inputs)} tokens; answer: mean {statistics.mean(outputs):.0f}, "
            f"median {statistics.median(outputs):.0f}, max {max(outputs)}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=SEED, help="(%(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of the trace (%(default)s)")
    parser.add_argument("--describe", action="store_true", help="print figures instead of the trace")
    options = parser.parse_args()
    lines = trace(options.seed, options.seconds)
    if options.describe:
        print(describe(lines))
        return
    for line in lines:
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
