"""What a training step minimises. A variant is one small class with one loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kizuna.rl.model import F32
from kizuna.rl.prefill import pack
from kizuna.rl.sampling import I32


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt and completion to learn from. `old_logprobs` (n,) are those it was sampled with."""

    prompt: tuple[int, ...]
    completion: I32  # (n,)
    old_logprobs: F32  # (n,)
    advantage: float


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """N rows padded on the right to length L, and their T completion tokens, flattened in row order.

    Which places are completion tokens is known by position alone; the padding's id is an ordinary token.
    """

    ids: Tensor  # (N, L) int64
    rows: Tensor  # (T,) row of each completion token
    columns: Tensor  # (T,) input position whose state predicts it
    tokens: Tensor  # (T,) int64
    old_logprobs: Tensor  # (T,) fp32
    advantages: Tensor  # (T,) fp32, the row's for each of its tokens
    scale: float  # 1 / completion tokens of the whole step


class Objective(Protocol):
    """A loss over one micro-batch; the losses of a step's micro-batches add up to the step's."""

    @property
    def temperature(self) -> float:
        """The temperature of the distribution whose log-probabilities the loss is given."""
        ...

    def loss(self, logprobs: Tensor, batch: MicroBatch) -> Tensor:
        """A scalar from the log-probabilities (T,) of the batch's completion tokens."""
        ...


@dataclass(frozen=True, slots=True)
class Supervised:
    """Cross entropy of the completions, averaged over the tokens of the step."""

    temperature: float = 1.0

    def loss(self, logprobs: Tensor, batch: MicroBatch) -> Tensor:
        return -logprobs.sum() * batch.scale


def collate(rows: Sequence[Row], *, scale: float) -> MicroBatch:
    """A micro-batch on the CPU. A row with an empty completion adds nothing, and no division by zero."""
    ids, at, columns = _pack_rows(rows)
    lengths = [len(row.completion) for row in rows]
    tokens = _concatenate([row.completion for row in rows]).astype(np.int64)
    old = _concatenate([row.old_logprobs for row in rows]).astype(np.float32)
    advantages = np.repeat(np.array([row.advantage for row in rows], dtype=np.float32), lengths)
    return MicroBatch(
        ids, at, columns, torch.from_numpy(tokens), torch.from_numpy(old), torch.from_numpy(advantages), scale
    )


def micro_batches(rows: Sequence[Row], count: int) -> list[MicroBatch]:
    """A step's rows, in order, as `count` micro-batches of equal size. `count` must divide their number."""
    if len(rows) % count:
        raise ValueError(f"{count} micro-batches cannot share {len(rows)} rows")
    scale = 1.0 / max(1, sum(len(row.completion) for row in rows))
    size = len(rows) // count
    return [collate(rows[i : i + size], scale=scale) for i in range(0, len(rows), size)]


def _pack_rows(rows: Sequence[Row]) -> tuple[Tensor, Tensor, Tensor]:
    width = max(len(row.prompt) + len(row.completion) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.int64)
    at, columns = [], []
    for i, row in enumerate(rows):
        one, _, predictors = pack(row.prompt, [row.completion])
        ids[i, : one.shape[1]] = one[0]
        at.append(torch.full_like(predictors, i))
        columns.append(predictors)
    return ids, torch.cat(at), torch.cat(columns)


def _concatenate(parts: Sequence[npt.NDArray[np.generic]]) -> npt.NDArray[np.generic]:
    return cast(npt.NDArray[np.generic], np.concatenate(parts))
