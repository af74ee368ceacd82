from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.models import REVERSE, config, tokenizer

from kizuna.hashing import keccak
from kizuna.rl.environment import ENVIRONMENTS, REWARD_ONE, exam
from kizuna.rl.rollouts import true_reward

SEEDS = st.binary(min_size=32, max_size=32)


@given(SEEDS, st.text(max_size=20))
def test_a_reward_is_a_share_of_one_and_full_only_for_the_right_answer(seed: bytes, answer: str) -> None:
    reward = REVERSE.reward(seed, answer)
    assert type(reward) is int and 0 <= reward <= REWARD_ONE
    assert (reward == REWARD_ONE) is (answer == REVERSE.expert(seed))
    assert REVERSE.reward(seed, answer) == reward


@given(SEEDS)
def test_prompt_and_answer_stay_within_what_the_environment_declares(seed: bytes) -> None:
    prompt, answer = REVERSE.prompt(seed), REVERSE.expert(seed)
    assert prompt == answer[::-1] + "=" and 3 <= len(answer) <= REVERSE.longest_answer
    assert len(prompt) <= REVERSE.longest_prompt and set(prompt + answer) <= set(REVERSE.alphabet)


def test_a_half_right_answer_earns_less_than_half_and_padding_never_pays() -> None:
    seed = next(keccak(bytes([i])) for i in range(99) if len(REVERSE.expert(keccak(bytes([i])))) == 4)
    right = REVERSE.expert(seed)
    half = right[:2] + "=="
    assert REVERSE.reward(seed, half) == REWARD_ONE // 4
    assert REVERSE.reward(seed, right + "=") < REWARD_ONE // 2
    assert REVERSE.reward(seed, half + "=" * 90) < REVERSE.reward(seed, half)
    assert REVERSE.reward(seed, "") == 0


@pytest.mark.parametrize(
    "answer",
    [
        "9**9**9**9",
        "__import__('pathlib').Path('{marker}').touch()",
        "().__class__.__bases__[0].__subclasses__()",
        "[" * 10_000_000,
        {"answer": "abc"},
        None,
        b"abc",
        "\ud800",
    ],
    ids=["power", "import", "dunder", "brackets", "dict", "none", "bytes", "surrogate"],
)
def test_a_hostile_answer_is_compared_and_never_run(answer: object, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    if isinstance(answer, str):
        answer = answer.replace("{marker}", str(marker))
    for environment in ENVIRONMENTS.values():
        started = time.process_time()
        assert environment.reward(exam(0), answer) < REWARD_ONE  # type: ignore[arg-type]
        assert time.process_time() - started < 0.1
    assert not marker.exists()


def test_tokens_of_an_enemy_are_scored_alike_by_trainer_and_verifier_and_spoil_no_others() -> None:
    hostile = np.array([63, 2, 1, 0, 40, 2**31 - 1], dtype=np.int32)
    honest = np.array(tokenizer().encode_answer(REVERSE.expert(config().prompt_seed(1))), dtype=np.int32)
    for tokens, expected in ((hostile, 0), (honest, REWARD_ONE)):
        scores = {true_reward(config(), 1, tokens, tokenizer=tokenizer(), environment=REVERSE) for _ in range(2)}
        assert scores == {expected}


def test_no_round_can_draw_a_held_out_exercise() -> None:
    exams = {exam(i) for i in range(200)}
    drawn = {config(round=r, slot=s).prompt_seed(g) for r in range(3) for s in range(3) for g in range(50)}
    assert len(exams) == 200 and len(drawn) == 450 and not exams & drawn
