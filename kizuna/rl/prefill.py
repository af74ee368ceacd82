"""One prefill of a whole group: all that a check of its rollouts needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kizuna.rl.config import NoiseKey
from kizuna.rl.model import F32, CausalModel
from kizuna.rl.sampling import I32
from kizuna.rl.scores import SeededNoise, score_gaps


@dataclass(frozen=True, slots=True)
class Prefill:
    """What one prefill says of a group's T completion tokens, concatenated in rollout order."""

    logprobs: F32  # (T,) of the tempered distribution
    gaps: npt.NDArray[np.float64]  # (T,) how far below the best score each token's is
    hidden: F32  # (T, d) proof rows


def prefill_group(
    model: CausalModel,
    prompt: Sequence[int],
    completions: Sequence[I32],
    *,
    first_rollout: int,
    key: NoiseKey,
    temperature: float,
) -> Prefill:
    """Recompute a group as one batch. The completions' token ids must be inside the vocabulary."""
    with model.evaluating():
        rows = completion_rows(model, prompt, completions)
        lengths = [len(c) for c in completions]
        noise = SeededNoise(
            key,
            np.repeat(np.arange(first_rollout, first_rollout + len(lengths)), lengths),
            np.concatenate([np.arange(n) for n in lengths]),
        )
        tokens = torch.from_numpy(np.concatenate(completions).astype(np.int64)).to(model.device)
        logprobs, gaps = score_gaps(model, rows, tokens, temperature=temperature, noise=noise)
        return Prefill(logprobs, gaps, rows.cpu().numpy())


def completion_rows(
    model: CausalModel, prompt: Sequence[int], completions: Sequence[I32], *, layer: int | None = None
) -> Tensor:
    """Hidden states (T, d) that the completions' tokens were computed from, the last ones or those of block `layer`.

    Rows are padded on the right, where causal attention never looks, so neither mask nor positions are needed.
    """
    ids, rows, columns = pack(prompt, completions)
    hidden = model.hidden(ids.to(model.device), layer=layer)
    return hidden[rows.to(model.device), columns.to(model.device)]


def pack(prompt: Sequence[int], completions: Sequence[I32]) -> tuple[Tensor, Tensor, Tensor]:
    """Token ids (G, L) and, for every completion token, the row and column (T,) of the state that predicts it."""
    width = len(prompt) + max(len(c) for c in completions)
    ids = torch.zeros(len(completions), width, dtype=torch.int64)
    rows: list[int] = []
    columns: list[int] = []
    for i, completion in enumerate(completions):
        ids[i, : len(prompt)] = torch.tensor(list(prompt))
        ids[i, len(prompt) : len(prompt) + len(completion)] = torch.from_numpy(completion.astype(np.int64))
        rows += [i] * len(completion)
        columns += range(len(prompt) - 1, len(prompt) - 1 + len(completion))
    # The dtype matters where there is no token at all: torch would make an empty list fp32.
    return ids, torch.tensor(rows, dtype=torch.int64), torch.tensor(columns, dtype=torch.int64)
