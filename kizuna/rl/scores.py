"""Log-probabilities and sampling scores of tokens, in chunks that a vocabulary of 200,000 does not blow up.

A full log-softmax holds rows x vocabulary values twice; here at most CHUNK_VALUES logits exist at a time,
forward and (by recomputing them) backward.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from kizuna.rl.config import NoiseKey
from kizuna.rl.model import F32, CausalModel
from kizuna.rl.noise import gumbel

CHUNK_VALUES = 2**22
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SeededNoise:
    """The noise of N tokens: Philox key, rollout index (N,) and completion position (N,) of each."""

    key: NoiseKey
    rollouts: I64
    positions: I64


def tempered(logits: Tensor, temperature: float) -> Tensor:
    """Logits of the distribution whose log-probabilities are recorded; temperature 0 records the untempered one."""
    return logits / temperature if temperature > 0 else logits


def token_logprobs(model: CausalModel, hidden: Tensor, tokens: Tensor, *, temperature: float) -> Tensor:
    """Log-probabilities (N,) fp32 of tokens (N,) under last hidden states (N, d). Differentiable."""
    spans = list(_spans(len(tokens), model.vocab_size))
    if len(spans) == 1 or not torch.is_grad_enabled():
        parts = [_logprobs(model, hidden[a:b], tokens[a:b], temperature) for a, b in spans]
    else:
        parts = [
            checkpoint(
                _logprobs,
                model,
                hidden[a:b],
                tokens[a:b],
                temperature,
                use_reentrant=False,
                preserve_rng_state=False,
            )
            for a, b in spans
        ]
    # Of no tokens a sum over nothing: shape (0,), and still part of the graph.
    return torch.cat(parts) if parts else hidden.sum(-1)


def score_gaps(
    model: CausalModel, hidden: Tensor, tokens: Tensor, *, temperature: float, noise: SeededNoise
) -> tuple[F32, npt.NDArray[np.float64]]:
    """Log-probabilities (N,) and how far below the best score each token's is (N,) fp64: 0 for the sampled token.

    A score is logits / temperature + Gumbel noise; with temperature 0 it is the logit.
    """
    logprobs = np.zeros(len(tokens), dtype=np.float32)
    gaps = np.zeros(len(tokens), dtype=np.float64)
    for a, b in _spans(len(tokens), model.vocab_size):
        z = tempered(model.logits(hidden[a:b]), temperature)
        rows = torch.arange(b - a, device=z.device)
        logprobs[a:b] = (z[rows, tokens[a:b]] - z.logsumexp(-1)).cpu().numpy()
        scores = add_noise(z, noise.key, noise.rollouts[a:b], noise.positions[a:b], temperature=temperature)
        gaps[a:b] = scores.max(axis=1) - scores[np.arange(b - a), tokens[a:b].cpu().numpy()]
    return logprobs, gaps


def add_noise(
    z: Tensor, key: NoiseKey, rollouts: I64, positions: I64, *, temperature: float
) -> npt.NDArray[np.float64]:
    """Sampling scores (N, vocab) in fp64 of tempered logits; greedy if the temperature is 0."""
    scores = z.cpu().numpy().astype(np.float64)
    if temperature > 0:
        scores += gumbel(key, rollouts, positions, z.shape[-1])
    return scores


def _logprobs(model: CausalModel, hidden: Tensor, tokens: Tensor, temperature: float) -> Tensor:
    z = tempered(model.logits(hidden), temperature)  # (n, vocab)
    return z.gather(-1, tokens[:, None])[:, 0] - z.logsumexp(-1)


def _spans(rows: int, vocab: int) -> Iterator[tuple[int, int]]:
    size = max(1, CHUNK_VALUES // vocab)
    for start in range(0, rows, size):
        yield start, min(rows, start + size)
