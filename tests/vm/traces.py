# SPDX-License-Identifier: MIT
"""Small request traces for the tests, in the format of the published ones.

They are sessions whose prompts grow by what was said.
"""

import json
import random
from pathlib import Path

_TOKENS_PER_BLOCK = 512
_SYSTEM_PROMPT_BLOCKS = 2


def write(path: Path, requests: int, seconds: float, seed: int) -> None:
    """A trace by seed. Prompts have up to ten blocks, the first two often shared by all sessions."""
    choose = random.Random(seed)
    numbers = iter(range(_SYSTEM_PROMPT_BLOCKS, 1 << 30))
    sessions: list[list[int]] = []
    with open(path, "w", encoding="ascii") as file:
        for index in range(requests):
            if not sessions or choose.random() < 0.3:
                shared = choose.random() < 0.7
                sessions.append(list(range(_SYSTEM_PROMPT_BLOCKS)) if shared else [])
            # Recent sessions continue with a higher probability.
            place = len(sessions) - 1 - min(int(choose.expovariate(0.2)), len(sessions) - 1)
            prompt = sessions[place] + [next(numbers) for _ in range(choose.randint(1, 3))]
            if len(prompt) > 10:
                prompt = prompt[:_SYSTEM_PROMPT_BLOCKS] + [next(numbers)]
            sessions[place] = prompt
            request = {"timestamp": int(index * seconds * 1000 / requests),
                       "input_length": len(prompt) * _TOKENS_PER_BLOCK - choose.randint(0, 400),
                       "output_length": choose.randint(5, 40), "hash_ids": prompt}
            file.write(json.dumps(request) + "\n")
