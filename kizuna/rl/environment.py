"""Environments: a prompt, a reward and an expert's answer, all pure functions of a 32-byte seed.

An answer is text written by an enemy. It is compared, never parsed, evaluated or executed, and
anything longer than the longest right answer costs no more than its first characters.
"""

from __future__ import annotations

from typing import Protocol

from kizuna.hashing import tagged

EXAM_TAG = "kizuna.exam.v1"
REWARD_ONE = 1_000_000
"""Rewards are integers in units of 1e-6."""


class Environment(Protocol):
    """A seeded task family. Every method is a pure function; none raises on an answer, however hostile."""

    alphabet: str
    """Every character that prompts and right answers use."""

    longest_prompt: int
    """Characters in the longest prompt."""

    longest_answer: int
    """Characters in the longest right answer."""

    def prompt(self, seed: bytes) -> str: ...

    def expert(self, seed: bytes) -> str: ...

    def reward(self, seed: bytes, answer: str) -> int: ...


class Reverse:
    """Write three to five letters backwards.

    Reward: 1 for the exact answer, otherwise half the fraction of positions that are right, counted
    over the longer of answer and target so that padding an answer never pays.
    """

    letters = "abcdefghijklmnopqrstuvwxyz"
    alphabet = letters + "="
    longest_prompt = 6
    longest_answer = 5

    def prompt(self, seed: bytes) -> str:
        return self._word(seed) + "="

    def expert(self, seed: bytes) -> str:
        return self._word(seed)[::-1]

    def reward(self, seed: bytes, answer: str) -> int:
        target = self.expert(seed)
        if not isinstance(answer, str):
            return 0
        if answer == target:
            return REWARD_ONE
        right = sum(a == b for a, b in zip(answer[: len(target)], target, strict=False))
        return REWARD_ONE * right // (2 * max(len(answer), len(target)))

    def _word(self, seed: bytes) -> str:
        # A prompt can bear the bias of a remainder: three letters come up 1/256 too often, each letter by 2^-200.
        digest = tagged("kizuna.reverse.v1", seed)
        length = 3 + digest[0] % 3
        draws = int.from_bytes(digest[1:], "big")
        word = []
        for _ in range(length):
            draws, letter = divmod(draws, len(self.letters))
            word.append(self.letters[letter])
        return "".join(word)


ENVIRONMENTS: dict[str, Environment] = {"reverse": Reverse()}


def exam(i: int) -> bytes:
    """The seed of held-out exercise i. No round's seed is ever computed under this tag."""
    return tagged(EXAM_TAG, i)
