"""Batched sampling with a key-value cache and seeded noise.

A rollout depends on the weights, its prompt and its index alone, never on the rows beside it. The proof
row of a token is the last hidden state that its logits were computed from: the state at the input
position before it. So decoding yields one row per token, the stop token included, and a prefill of
prompt + completion finds the same rows at input positions len(prompt) - 1 + k.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kizuna.rl.architecture import admit
from kizuna.rl.config import NoiseKey
from kizuna.rl.model import F32, CausalModel
from kizuna.rl.scores import add_noise, tempered
from kizuna.types import Finish

MAX_ROWS = 1024
I32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled completion of n tokens. `hidden` holds its proof rows."""

    tokens: I32  # (n,) with the stop token, if there is one
    logprobs: F32  # (n,) of the tempered distribution
    finish: Finish
    hidden: F32  # (n, d)


@dataclass(frozen=True, slots=True)
class GroupRequest:
    """`count` completions of one prompt; their noise is that of rollouts first_rollout, first_rollout + 1, ..."""

    prompt: tuple[int, ...]
    first_rollout: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How completions are drawn. Temperature 0 takes the most likely token."""

    key: NoiseKey
    temperature: float
    max_new_tokens: int
    stop_id: int


def sample_groups(
    model: CausalModel, requests: Sequence[GroupRequest], *, sampling: Sampling, max_rows: int = MAX_ROWS
) -> list[list[Completion]]:
    """Completions of every request, in order. Batches hold at most about `max_rows` rows, which changes no token.

    Raises TaskInvalid before anything is computed if a prompt and its completion could pass the context limit.
    """
    for request in requests:
        admit(len(request.prompt), sampling.max_new_tokens, model.context)
    groups: list[list[Completion]] = []
    with model.evaluating():
        for batch in _batches(requests, max_rows):
            groups += _sample_batch(model, batch, sampling)
    return groups


def _batches(requests: Sequence[GroupRequest], max_rows: int) -> Iterator[list[GroupRequest]]:
    batch: list[GroupRequest] = []
    for request in requests:
        if batch and sum(r.count for r in batch) + request.count > max_rows:
            yield batch
            batch = []
        batch.append(request)
    if batch:
        yield batch


def _sample_batch(model: CausalModel, requests: Sequence[GroupRequest], sampling: Sampling) -> list[list[Completion]]:
    counts = torch.tensor([r.count for r in requests], device=model.device)
    rollouts = np.concatenate([np.arange(r.first_rollout, r.first_rollout + r.count) for r in requests])
    cache, mask, positions, hidden = _prefill_prompts(model, requests, counts)
    ends = np.full(len(rollouts), sampling.max_new_tokens)
    tokens: list[npt.NDArray[np.int64]] = []
    logprobs: list[F32] = []
    rows: list[F32] = []
    for position in range(sampling.max_new_tokens):
        chosen, logprob = _choose(model, hidden, rollouts, position, sampling)
        tokens.append(chosen)
        logprobs.append(logprob)
        rows.append(hidden.cpu().numpy())
        stopped = (chosen == sampling.stop_id) & (ends == sampling.max_new_tokens)
        ends[stopped] = position + 1
        if position + 1 == sampling.max_new_tokens or (ends <= position + 1).all():
            break
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        positions = positions + 1
        step = torch.from_numpy(chosen).to(model.device)[:, None]
        hidden = model.hidden(step, mask=mask, positions=positions, cache=cache)[:, -1]
    return _split(requests, np.stack(tokens, 1), np.stack(logprobs, 1), np.stack(rows, 1), ends, sampling.stop_id)


def _prefill_prompts(
    model: CausalModel, requests: Sequence[GroupRequest], counts: Tensor
) -> tuple[Any, Tensor, Tensor, Tensor]:
    """Cache, mask (N, L), positions (N, 1) and last hidden state (N, d); each prompt is computed once."""
    from transformers import DynamicCache

    width = max(len(r.prompt) for r in requests)
    ids = torch.zeros(len(requests), width, dtype=torch.int64)
    mask = torch.zeros(len(requests), width, dtype=torch.int64)
    for i, request in enumerate(requests):
        ids[i, width - len(request.prompt) :] = torch.tensor(request.prompt)
        mask[i, width - len(request.prompt) :] = 1
    ids, mask = ids.to(model.device), mask.to(model.device)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    cache = DynamicCache()
    hidden = model.hidden(ids, mask=mask, positions=positions, cache=cache)[:, -1]
    row_of = torch.repeat_interleave(torch.arange(len(requests), device=model.device), counts)
    cache.batch_select_indices(row_of)
    return cache, mask[row_of], positions[row_of, -1:], hidden[row_of]


def _choose(
    model: CausalModel, hidden: Tensor, rollouts: npt.NDArray[np.int64], position: int, sampling: Sampling
) -> tuple[npt.NDArray[np.int64], F32]:
    z = tempered(model.logits(hidden), sampling.temperature)  # (N, vocab)
    at = np.full(len(rollouts), position)
    scores = add_noise(z, sampling.key, rollouts, at, temperature=sampling.temperature)
    chosen = scores.argmax(axis=1)
    picked = z[torch.arange(len(z), device=z.device), torch.from_numpy(chosen).to(z.device)]
    return chosen, (picked - z.logsumexp(-1)).cpu().numpy()


def _split(
    requests: Sequence[GroupRequest],
    tokens: npt.NDArray[np.int64],
    logprobs: F32,
    rows: F32,
    ends: npt.NDArray[np.int64],
    stop_id: int,
) -> list[list[Completion]]:
    groups: list[list[Completion]] = []
    start = 0
    for request in requests:
        group = []
        for r in range(start, start + request.count):
            n = ends[r]
            finish = Finish.STOP if tokens[r, n - 1] == stop_id else Finish.LENGTH
            group.append(Completion(tokens[r, :n].astype(np.int32), logprobs[r, :n], finish, rows[r, :n]))
        groups.append(group)
        start += request.count
    return groups
