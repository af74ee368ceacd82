"""The inner loop: which rows a step trains on, and how a step moves the state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kizuna.rl.config import RoundConfig
from kizuna.rl.environment import Environment
from kizuna.rl.grpo import Grpo, advantages
from kizuna.rl.learner import AdamW, Learner, Observer, TorchLearner
from kizuna.rl.model import CausalModel
from kizuna.rl.objectives import Row, micro_batches
from kizuna.rl.rollouts import Group, prompt_ids, true_reward
from kizuna.rl.state import Boundary
from kizuna.rl.tokenizer import Tokenizer


def learner_of(model: CausalModel, config: RoundConfig) -> Learner:
    """The learner of the fp32 class with the round's objective and optimiser."""
    optimiser = AdamW(
        beta1=config.beta1,
        beta2=config.beta2,
        eps=config.eps,
        weight_decay=config.weight_decay,
        clip_norm=config.clip_norm,
    )
    return TorchLearner(model, Grpo(config.temperature, config.clip_ratio), optimiser)


def step_rows(
    groups: Sequence[Group], config: RoundConfig, *, tokenizer: Tokenizer, environment: Environment
) -> list[Row]:
    """The rows of one step in receipt order. Prompts and rewards follow from the seed, whatever a receipt claims."""
    rows: list[Row] = []
    for group in groups:
        prompt = prompt_ids(config, group.index, tokenizer=tokenizer, environment=environment)
        rewards = [
            true_reward(config, group.index, rollout.tokens, tokenizer=tokenizer, environment=environment)
            for rollout in group.rollouts
        ]
        for rollout, advantage in zip(group.rollouts, advantages(rewards), strict=True):
            rows.append(Row(prompt, rollout.tokens, rollout.logprobs, advantage))
    return rows


def run_step(
    learner: Learner,
    state: Boundary,
    rows: Sequence[Row],
    config: RoundConfig,
    *,
    step: int,
    observe: Observer | None = None,
) -> Boundary:
    """The state after inner step `step`, counted from 0 within the round.

    A step in which no group has a signal changes nothing, not even by momentum; the schedule goes on.
    """
    if not np.any([row.advantage for row in rows]):
        return state
    batches = micro_batches(rows, config.micro_batches)
    return learner.step(state, batches, rate=config.rate(step), t=step + 1, observe=observe)
