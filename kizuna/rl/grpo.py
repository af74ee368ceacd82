"""Group relative policy optimisation (Shao et al., DeepSeekMath, 2024) on integer rewards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kizuna.rl.objectives import MicroBatch

_LARGEST_LOG_RATIO = 20.0


def advantages(rewards: Sequence[int]) -> list[float]:
    """(reward - mean) / standard deviation of one group; all zero where the rewards are equal.

    Numerator and variance are exact integers, so the only roundings are one square root and one division.
    """
    n, total = len(rewards), sum(rewards)
    variance = n * sum(r * r for r in rewards) - total * total  # n^2 times the variance
    if variance <= 0:
        return [0.0] * n
    deviation = math.sqrt(variance)
    return [(n * r - total) / deviation for r in rewards]


@dataclass(frozen=True, slots=True)
class Grpo:
    """Clipped policy gradient per token, averaged over the tokens of the step."""

    temperature: float = 1.0
    clip_ratio: float = 0.2

    def loss(self, logprobs: Tensor, batch: MicroBatch) -> Tensor:
        # Recorded log-probabilities come from the trainer: an absurd one must not make the ratio infinite.
        difference = (logprobs - batch.old_logprobs).clamp(-_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO)
        ratio = difference.exp()  # (T,)
        clipped = ratio.clamp(1.0 - self.clip_ratio, 1.0 + self.clip_ratio)
        gain = torch.minimum(ratio * batch.advantages, clipped * batch.advantages)
        return -gain.sum() * batch.scale
