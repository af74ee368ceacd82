from __future__ import annotations

import numpy as np
import pytest
import torch
from support.models import STOP, gpt2, ints, llama, qwen3

from kizuna.rl.determinism import deterministic
from kizuna.rl.grpo import Grpo
from kizuna.rl.learner import AdamW, TorchLearner, adamw
from kizuna.rl.objectives import Row, Supervised, micro_batches
from kizuna.rl.state import Boundary

ROWS = [Row((1, 5, 6), ints(7 + i, 8, STOP), np.full(3, -4.0, dtype=np.float32), 1.0 - i) for i in range(4)]


def equal(a: Boundary, b: Boundary) -> bool:
    return a.files() == b.files()


def learned(make, *, steps: int = 2, optimiser: AdamW | None = None, rate: float = 1e-3) -> Boundary:
    model = make()
    learner, state = TorchLearner(model, Supervised(), optimiser or AdamW()), Boundary.start(model.weights())
    for t in range(steps):
        state = learner.step(state, micro_batches(ROWS, 2), rate=rate, t=t + 1)
    return state


@pytest.mark.parametrize("make", [llama, gpt2, qwen3])
def test_equal_steps_give_equal_bits(make) -> None:
    end = learned(make)
    assert equal(end, learned(make))
    assert not equal(end, learned(make, rate=1.01e-3))


def test_a_step_is_that_of_torch_adamw() -> None:
    state = learned(llama, steps=5, optimiser=AdamW(weight_decay=0.1, clip_norm=0.5))
    model = llama()
    theirs = torch.optim.AdamW(model.network.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1)
    for _ in range(5):
        theirs.zero_grad()
        for row in ROWS:
            ids = torch.tensor([[*row.prompt, *row.completion.tolist()]])
            logprobs = model.network(ids).logits[0, 2:-1].log_softmax(-1)
            (-logprobs[range(3), row.completion.tolist()].sum() / 12).backward()
        torch.nn.utils.clip_grad_norm_(model.network.parameters(), 0.5)
        theirs.step()
    for name, value in model.weights().items():
        np.testing.assert_allclose(state.weights[name], value, atol=2e-5)


def test_a_step_changes_neither_the_state_it_starts_from_nor_the_settings_of_its_caller() -> None:
    model = llama()
    state = Boundary.start(model.weights())
    before, threads = state.files(), torch.get_num_threads()
    TorchLearner(model, Supervised(), AdamW()).step(state, micro_batches(ROWS, 2), rate=0.1, t=1)
    assert state.files() == before
    assert torch.get_num_threads() == threads and not torch.are_deterministic_algorithms_enabled()


def test_one_thread_and_deterministic_kernels_hold_inside_and_are_undone_even_by_an_error() -> None:
    threads = torch.get_num_threads()
    with pytest.raises(KeyError), deterministic():
        assert torch.get_num_threads() == 1 and torch.are_deterministic_algorithms_enabled()
        raise KeyError
    assert torch.get_num_threads() == threads and not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_leaves_the_state_as_it_is(poison: float) -> None:
    model = llama()
    weights = model.weights()
    weights["lm_head.weight"] = np.full_like(weights["lm_head.weight"], poison)
    state = Boundary.start(weights)
    end = TorchLearner(model, Grpo(), AdamW()).step(state, micro_batches(ROWS, 2), rate=0.1, t=1)
    assert end is state


def test_the_observer_sees_every_micro_batch_once_and_in_order() -> None:
    model, seen = llama(), []
    state = Boundary.start(model.weights())
    batches = micro_batches(ROWS, 4)
    TorchLearner(model, Supervised(), AdamW()).step(
        state, batches, rate=0.1, t=1, observe=lambda b, gradient: seen.append((b, set(gradient)))
    )
    assert seen == [(b, set(model.shapes())) for b in range(4)]


def test_the_first_step_moves_every_weight_by_about_the_rate() -> None:
    zero = {"w": np.zeros(3, dtype=np.float32)}
    gradient = {"w": np.array([5.0, -0.01, 0.0], dtype=np.float32)}
    end = adamw(Boundary.start(zero), gradient, AdamW(), rate=0.125, t=1)
    np.testing.assert_allclose(end.weights["w"], [-0.125, 0.125, 0.0], rtol=1e-4)
