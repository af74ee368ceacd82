"""One training step: micro-batch gradients in a fixed order, clipping, AdamW.

`Learner` is the interface that a numerics class implements. `TorchLearner` is the class of plain fp32:
torch computes the gradients, numpy everything after them, because its elementwise operations and square
roots are correctly rounded on every processor (torch.sqrt on x86 is not).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from kizuna.rl.determinism import deterministic
from kizuna.rl.model import F32, CausalModel
from kizuna.rl.objectives import MicroBatch, Objective
from kizuna.rl.scores import token_logprobs
from kizuna.rl.state import Boundary

Gradients = dict[str, F32]
Observer = Callable[[int, Gradients], None]
"""Called with the number and the gradient of every micro-batch, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdamW:
    """Hyper-parameters of AdamW (Loshchilov and Hutter, 2019) and the limit of the gradient norm."""

    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float = 1.0


class Learner(Protocol):
    """Forward pass, loss and optimiser of a numerics class. Equal arguments give equal bits within it."""

    def step(
        self, state: Boundary, batches: Sequence[MicroBatch], *, rate: float, t: int, observe: Observer | None = None
    ) -> Boundary:
        """The state after step number t (from 1, for bias correction) at learning rate `rate`."""
        ...


class TorchLearner:
    """Plain fp32, eager attention, one thread, deterministic kernels."""

    def __init__(self, model: CausalModel, objective: Objective, optimiser: AdamW) -> None:
        self.model, self.objective, self.optimiser = model, objective, optimiser

    def step(
        self, state: Boundary, batches: Sequence[MicroBatch], *, rate: float, t: int, observe: Observer | None = None
    ) -> Boundary:
        """See `Learner.step`. A non-finite gradient leaves the state as it is: one bad step must not end a round."""
        total: Gradients = {name: np.zeros_like(value) for name, value in state.weights.items()}
        with deterministic():
            self.model.load(state.weights)
            for b, batch in enumerate(batches):
                gradient = self._gradient(batch)
                if observe is not None:
                    observe(b, gradient)
                for name, value in gradient.items():
                    total[name] += value
        norm = _norm(total)
        if not np.isfinite(norm):
            return state
        if norm > self.optimiser.clip_norm:
            shrink = np.float32(self.optimiser.clip_norm / norm)
            total = {name: value * shrink for name, value in total.items()}
        return adamw(state, total, self.optimiser, rate=rate, t=t)

    def _gradient(self, batch: MicroBatch) -> Gradients:
        model, device = self.model, self.model.device
        hidden = model.hidden(batch.ids.to(device))
        picked = hidden[batch.rows.to(device), batch.columns.to(device)]  # (T, d)
        on_device = MicroBatch(
            batch.ids,
            batch.rows,
            batch.columns,
            batch.tokens.to(device),
            batch.old_logprobs.to(device),
            batch.advantages.to(device),
            batch.scale,
        )
        logprobs = token_logprobs(model, picked, on_device.tokens, temperature=self.objective.temperature)
        loss = self.objective.loss(logprobs, on_device)
        parameters = model.parameters
        # Every parameter gets a gradient; those the batch did not touch get zeros.
        parts = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True, materialize_grads=True)
        return {name: part.cpu().numpy() for name, part in zip(parameters, parts, strict=True)}


def adamw(state: Boundary, gradient: Mapping[str, F32], optimiser: AdamW, *, rate: float, t: int) -> Boundary:
    """One AdamW update in fp32, elementwise. The bias corrections use t, which also counts skipped steps."""
    one = np.float32(1)
    beta1, beta2 = np.float32(optimiser.beta1), np.float32(optimiser.beta2)
    scale = np.float32(rate / (1.0 - _power(optimiser.beta1, t)))
    correction = np.float32(np.sqrt(1.0 - _power(optimiser.beta2, t)))
    eps, decay = np.float32(optimiser.eps), np.float32(rate * optimiser.weight_decay)
    weights: dict[str, F32] = {}
    first: dict[str, F32] = {}
    second: dict[str, F32] = {}
    for name, g in gradient.items():
        m = state.exp_avg[name] * beta1 + g * (one - beta1)
        v = state.exp_avg_sq[name] * beta2 + g * g * (one - beta2)
        w = state.weights[name]
        denominator = np.sqrt(v) / correction + eps
        weights[name] = (w - w * decay - scale * (m / denominator)).astype(np.float32, copy=False)
        first[name], second[name] = m, v
    return Boundary(weights, first, second)


def _norm(gradient: Mapping[str, F32]) -> float:
    total = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for name in sorted(gradient):
            value = gradient[name].astype(np.float64)
            total += float(np.sum(np.ravel(value * value)))
    return float(np.sqrt(np.float64(total)))


def _power(base: float, n: int) -> float:
    result = 1.0  # repeated products: libm's pow differs by an ulp between systems
    for _ in range(n):
        result *= base
    return result
