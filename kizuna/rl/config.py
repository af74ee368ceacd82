"""What a task fixes about one trainer's round: everything that generation, learning and replay depend on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kizuna.errors import TaskInvalid
from kizuna.hashing import tagged

PROMPT_TAG = "kizuna.prompt.v1"
NOISE_TAG = "kizuna.noise.v1"

NoiseKey = tuple[int, int]
"""The two 32-bit words of a Philox key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundConfig:
    """One slot's round. `base` and `seed` are 32 bytes; `learning_rate` is the peak after warm-up.

    Raises TaskInvalid where the numbers do not fit together.
    """

    task: int
    round: int
    slot: int
    base: bytes
    seed: bytes
    prompts_per_step: int
    completions: int
    steps: int
    segment_steps: int
    max_new_tokens: int
    learning_rate: float
    policy_lag: int = 0
    temperature: float = 1.0
    micro_batches: int = 8
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    clip_ratio: float = 0.2

    def __post_init__(self) -> None:
        for field in ("prompts_per_step", "completions", "steps", "segment_steps", "max_new_tokens", "micro_batches"):
            if getattr(self, field) < 1:
                raise TaskInvalid(field, "must be at least 1")
        if self.steps % self.segment_steps:
            raise TaskInvalid(
                "segment_steps", f"{self.steps} steps cannot be cut into segments of {self.segment_steps}"
            )
        if self.rollouts_per_step % self.micro_batches:
            raise TaskInvalid("micro_batches", f"must divide the {self.rollouts_per_step} rollouts of a step")
        if self.policy_lag not in (0, 1):
            raise TaskInvalid("policy_lag", "must be 0 or 1")
        if len(self.base) != 32 or len(self.seed) != 32:
            raise TaskInvalid("seed", "base and seed are 32 bytes")
        self._check_reals()

    def _check_reals(self) -> None:
        for field in ("learning_rate", "eps", "clip_norm", "clip_ratio"):
            if not 0 < getattr(self, field) < math.inf:
                raise TaskInvalid(field, "must be positive and finite")
        for field in ("beta1", "beta2"):
            if not 0 <= getattr(self, field) < 1:
                raise TaskInvalid(field, "must be at least 0 and below 1")
        for field in ("temperature", "weight_decay"):
            if not 0 <= getattr(self, field) < math.inf:
                raise TaskInvalid(field, "must not be negative")

    @property
    def rollouts_per_step(self) -> int:
        return self.prompts_per_step * self.completions

    @property
    def segments(self) -> int:
        """J, the number of segments; there are J + 1 boundaries and leaves."""
        return self.steps // self.segment_steps

    @property
    def groups_per_segment(self) -> int:
        return self.segment_steps * self.prompts_per_step

    @property
    def rollouts_per_segment(self) -> int:
        return self.groups_per_segment * self.completions

    @property
    def warmup_steps(self) -> int:
        return -(-self.steps // 3)

    @property
    def noise_key(self) -> NoiseKey:
        """The Philox key of the slot's sampling noise (docs/protocol.md, "Rollouts")."""
        digest = tagged(NOISE_TAG, self.task, self.round, self.seed, self.slot)
        return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")

    def rate(self, step: int) -> float:
        """Learning rate of inner step `step`: linear warm-up over the first third of the round, then constant."""
        return self.learning_rate * min(1.0, (step + 1) / self.warmup_steps)

    def policy(self, segment: int) -> int:
        """The boundary that samples the rollouts of a segment."""
        return max(0, segment - self.policy_lag)

    def prompt_seed(self, group: int) -> bytes:
        """The 32-byte seed of a group's prompt and reward; groups are numbered within the round."""
        return tagged(PROMPT_TAG, self.task, self.round, self.seed, self.slot, group)
