"""Which machines compute the same bits: a fixed calibration run, hashed."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import numpy as np

from kizuna.diloco.inner import learner_of
from kizuna.hashing import tagged
from kizuna.rl.config import RoundConfig
from kizuna.rl.determinism import deterministic
from kizuna.rl.environment import Environment
from kizuna.rl.model import CausalModel, load_model
from kizuna.rl.noise import philox
from kizuna.rl.objectives import Row, micro_batches
from kizuna.rl.prefill import prefill_group
from kizuna.rl.rollouts import check_prompts
from kizuna.rl.state import FILES, Boundary
from kizuna.rl.tokenizer import read_tokenizer

NUMERICS_TAG = "kizuna.numerics.v1"
CALIBRATION_STEPS = 4
_CALIBRATION_KEY = (0x6B697A75, 0x6E61)


def numerics_id(genesis: Mapping[str, bytes], config: RoundConfig, environment: Environment) -> bytes:
    """The 32-byte id of this machine's numerics for a task: the hash of four steps from the genesis.

    Batches are synthetic, with the task's micro-batch shape at full length. Of `config` only what the task
    fixes enters, nothing of round, slot or seed. Raises like `load_model` and `check_prompts`.
    """
    model = load_model(genesis)
    check_prompts(model, environment, read_tokenizer(genesis), config.max_new_tokens)
    learner = learner_of(model, config)
    state = Boundary.start(model.weights())
    rows = _synthetic_rows(model, config, environment)
    for step in range(CALIBRATION_STEPS):
        batches = micro_batches(rows, config.micro_batches)
        state = learner.step(state, batches, rate=config.learning_rate, t=step + 1)
    files = state.files()
    return tagged(NUMERICS_TAG, *(sha256(files[name]).digest() for name in FILES))


def _synthetic_rows(model: CausalModel, config: RoundConfig, environment: Environment) -> list[Row]:
    """Random tokens of full length, half of them praised and half blamed, with log-probabilities of the genesis."""
    prompt_length = environment.longest_prompt + 1
    words = philox(
        (
            np.arange(prompt_length + config.max_new_tokens)[None, :],
            np.arange(config.rollouts_per_step)[:, None],
            0,
            0,
        ),
        _CALIBRATION_KEY,
    )[0]
    tokens = (words % np.uint32(model.vocab_size)).astype(np.int32)  # (rows, length); a bias is of no consequence
    rows: list[Row] = []
    for i, row in enumerate(tokens):
        prompt, completion = tuple(row[:prompt_length].tolist()), row[prompt_length:]
        with deterministic():
            old = prefill_group(
                model, prompt, [completion], first_rollout=i, key=(0, 0), temperature=config.temperature
            ).logprobs
        rows.append(Row(prompt, completion, old, 1.0 if i % 2 else -1.0))
    return rows
