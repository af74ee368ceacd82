from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.models import STOP, ints, llama, sample

from kizuna.rl.grpo import Grpo, advantages
from kizuna.rl.learner import AdamW, TorchLearner
from kizuna.rl.model import CausalModel
from kizuna.rl.objectives import MicroBatch, Objective, Row, Supervised, collate, micro_batches
from kizuna.rl.scores import token_logprobs
from kizuna.rl.state import Boundary

PROMPT = (1, 5, 6)


def supervised(*completions: tuple[int, ...]) -> list[Row]:
    return [Row(PROMPT, ints(*c), np.zeros(len(c), dtype=np.float32), 1.0) for c in completions]


def loss_of(model: CausalModel, objective: Objective, batch: MicroBatch) -> torch.Tensor:
    hidden = model.hidden(batch.ids)[batch.rows, batch.columns]
    return objective.loss(token_logprobs(model, hidden, batch.tokens, temperature=objective.temperature), batch)


def gradients_of(model: CausalModel, objective: Objective, batch: MicroBatch) -> dict[str, np.ndarray]:
    loss = loss_of(model, objective, batch)
    parts = torch.autograd.grad(loss, list(model.parameters.values()), materialize_grads=True, allow_unused=True)
    return {name: part.numpy() for name, part in zip(model.parameters, parts, strict=True)}


@pytest.mark.parametrize("padding", [0, STOP, 63])
@pytest.mark.parametrize("objective", [Supervised(), Grpo()])
def test_the_stop_token_is_trained_whatever_id_pads_the_rows(objective: Objective, padding: int) -> None:
    """Padding is known by place: with pad = stop token nothing is lost, and no pad token is needed at all."""
    model = llama()
    batch = collate(supervised((7, 8, 9, STOP), (7, STOP)), scale=1 / 6)
    assert batch.tokens.tolist() == [7, 8, 9, STOP, 7, STOP]
    filled = batch.ids.clone()
    filled[1, len(PROMPT) + 2 :] = padding
    usual = gradients_of(model, objective, batch)
    other = gradients_of(model, objective, replace(batch, ids=filled))
    for name in usual:
        np.testing.assert_allclose(other[name], usual[name], atol=1e-6)
    assert np.abs(usual["lm_head.weight"][STOP]).max() > 1e-3


def test_the_loss_is_the_mean_over_the_completion_tokens_of_the_step() -> None:
    model, rows = llama(), supervised((7, 8, 9, STOP), (7, STOP), (4, 4, STOP), (STOP,))
    whole = sum(float(loss_of(model, Supervised(), batch).detach()) for batch in micro_batches(rows, 2))
    picked = []
    for row in rows:
        ids = torch.tensor([[*row.prompt, *row.completion.tolist()]])
        logprobs = model.network(ids).logits[0, len(PROMPT) - 1 : -1].detach().log_softmax(-1)
        picked += logprobs[range(len(row.completion)), row.completion.tolist()].tolist()
    assert len(picked) == 10
    assert whole == pytest.approx(-sum(picked) / 10, rel=1e-5)


def test_rows_with_empty_completions_add_nothing_and_divide_by_nothing() -> None:
    model = llama()
    full, mixed = supervised((7, STOP)), [*supervised((7, STOP)), *supervised((), ())]
    (alone,), (beside,) = micro_batches(full, 1), micro_batches(mixed, 1)
    assert beside.scale == alone.scale and len(beside.tokens) == 2
    for name, value in gradients_of(model, Supervised(), beside).items():
        np.testing.assert_allclose(value, gradients_of(model, Supervised(), alone)[name], atol=1e-6)


@pytest.mark.parametrize("objective", [Supervised(), Grpo()])
def test_a_step_whose_completions_are_all_empty_leaves_finite_weights_as_they_are(objective: Objective) -> None:
    model = llama()
    state = Boundary.start(model.weights())
    end = TorchLearner(model, objective, AdamW()).step(state, micro_batches(supervised((), ()), 2), rate=0.1, t=1)
    for name, value in end.weights.items():
        assert np.isfinite(value).all() and (value == state.weights[name]).all()


def test_micro_batches_must_share_the_rows_evenly() -> None:
    with pytest.raises(ValueError, match="cannot share"):
        micro_batches(supervised((STOP,), (STOP,), (STOP,)), 2)


def test_advantages_are_the_standardised_rewards() -> None:
    rewards = [0, 250_000, 1_000_000, 1_000_000]
    expected = (np.array(rewards) - np.mean(rewards)) / np.std(rewards)
    np.testing.assert_allclose(advantages(rewards), expected, rtol=1e-12)
    assert advantages([r - 10**15 for r in rewards]) == advantages(rewards)


def test_a_group_of_equal_rewards_has_no_signal_and_no_division_by_zero() -> None:
    assert advantages([1_000_000] * 4) == [0.0] * 4
    assert advantages([0]) == [0.0] and advantages([]) == []


@pytest.mark.parametrize("temperature", [1.0, 0.6, 1e-6, 0.0])
def test_the_first_ratio_is_one_so_the_first_loss_is_the_mean_advantage(temperature: float) -> None:
    model = llama()
    completions = sample(model, PROMPT, temperature=temperature)
    values = advantages([0, 0, 500_000, 1_000_000])
    rows = [Row(PROMPT, c.tokens, c.logprobs, a) for c, a in zip(completions, values, strict=True)]
    (batch,) = micro_batches(rows, 1)
    expected = -sum(a * len(c.tokens) for c, a in zip(completions, values, strict=True)) * batch.scale
    assert float(loss_of(model, Grpo(temperature), batch).detach()) == pytest.approx(expected, abs=1e-4)


def test_a_ratio_outside_the_clip_has_no_gradient_where_moving_on_would_gain() -> None:
    (batch,) = micro_batches([Row(PROMPT, ints(7, 8), np.zeros(2, dtype=np.float32), 1.0)], 1)
    for shift, praised, gains in ((0.5, 1.0, False), (0.5, -1.0, True), (-0.5, 1.0, True), (-0.5, -1.0, False)):
        logprobs = torch.full((2,), shift, requires_grad=True)
        Grpo().loss(logprobs, replace(batch, advantages=torch.full((2,), praised))).backward()
        assert bool(logprobs.grad.any()) is gains


def test_an_absurd_recorded_log_probability_leaves_the_loss_finite() -> None:
    (batch,) = micro_batches([Row(PROMPT, ints(7), np.array([-3e38], dtype=np.float32), -1.0)], 1)
    logprobs = torch.zeros(1, requires_grad=True)
    loss = Grpo().loss(logprobs, batch)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(logprobs.grad).all()
