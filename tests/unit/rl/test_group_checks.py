from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from support.models import REVERSE, STOP, config, gpt2, llama, qwen3, tokenizer

from kizuna.hashing import keccak
from kizuna.rl.checks import check_group
from kizuna.rl.config import RoundConfig
from kizuna.rl.model import CausalModel
from kizuna.rl.rollouts import Group, generate, prompt_ids, receipts_of
from kizuna.toploc.receipts import Receipt
from kizuna.types import Check, Finish, Reason

CONFIG = config(max_new_tokens=12)
Tamper = Callable[[Group], Group]


def group_of(model: CausalModel, rules: RoundConfig = CONFIG, number: int = 1) -> Group:
    return generate(model, rules, 0, tokenizer=tokenizer(), environment=REVERSE)[number]


def committed(group: Group, rules: RoundConfig = CONFIG) -> list[Receipt]:
    prompt = prompt_ids(rules, group.index, tokenizer=tokenizer(), environment=REVERSE)
    return receipts_of(group, prompt, rules)


def reasons(
    group: Group, receipts: Sequence[Receipt] | None = None, *, model: CausalModel | None = None,
    rules: RoundConfig = CONFIG,
) -> set[Reason]:  # fmt: skip
    findings = check_group(
        model or llama(),
        group,
        committed(group, rules) if receipts is None else receipts,
        rules,
        tokenizer=tokenizer(),
        environment=REVERSE,
    )
    assert all(
        (finding.check, finding.item, finding.gross) == (Check.ROLLOUT, group.index, True) for finding in findings
    )
    assert len({finding.reason for finding in findings}) == len(findings)
    return {finding.reason for finding in findings}


def with_first(group: Group, **changes: object) -> Group:
    return replace(group, rollouts=(replace(group.rollouts[0], **changes), *group.rollouts[1:]))  # type: ignore[arg-type]


HONEST = group_of(llama())
FIRST = HONEST.rollouts[0]


@pytest.mark.parametrize("make", [llama, lambda: gpt2(positions=32), qwen3])
@pytest.mark.parametrize("temperature", [1.0, 0.6, 0.0])
def test_honest_work_passes(make, temperature: float) -> None:
    rules, model = config(max_new_tokens=12, temperature=temperature), make()
    for group in generate(model, rules, 0, tokenizer=tokenizer(), environment=REVERSE):
        assert reasons(group, model=model, rules=rules) == set()


def test_a_model_that_differs_a_little_is_found() -> None:
    other = llama()
    other.load({name: value * np.float32(1.01) for name, value in other.weights().items()})
    assert {Reason.WRONG_LOGPROB, Reason.PROOF_MISMATCH} <= reasons(group_of(other))


def test_a_token_that_was_chosen_and_not_sampled_is_found() -> None:
    tokens = FIRST.tokens.copy()
    tokens[0] = next(t for t in range(3, 64) if t != tokens[0])
    assert Reason.TOKEN_NOT_SAMPLED in reasons(with_first(HONEST, tokens=tokens))


def test_completions_in_another_order_are_found() -> None:
    swapped = replace(HONEST, rollouts=(HONEST.rollouts[1], HONEST.rollouts[0], *HONEST.rollouts[2:]))
    assert Reason.TOKEN_NOT_SAMPLED in reasons(swapped)


def test_log_probabilities_off_by_little_are_found() -> None:
    assert reasons(with_first(HONEST, logprobs=FIRST.logprobs + np.float32(1e-3))) == {Reason.WRONG_LOGPROB}


def test_log_probabilities_of_another_temperature_are_found() -> None:
    tempered = config(max_new_tokens=12, temperature=0.6)
    assert Reason.WRONG_LOGPROB in reasons(group_of(llama(), tempered), rules=CONFIG)


def test_a_reward_that_the_answer_did_not_earn_is_found() -> None:
    assert reasons(with_first(HONEST, reward=FIRST.reward + 1)) == {Reason.WRONG_REWARD}


@pytest.mark.parametrize(
    "cut",
    [
        lambda tokens: tokens[:-1],
        lambda tokens: np.append(tokens[:-1], np.int32(STOP))[:0],
        lambda tokens: np.concatenate([tokens[:1], np.array([STOP], dtype=np.int32), tokens[1:]]),
    ],
    ids=["ends early", "is empty", "runs on past its stop token"],
)
def test_a_completion_that_ends_where_none_can_is_found(cut) -> None:
    long = next(i for i, r in enumerate(HONEST.rollouts) if r.finish == Finish.LENGTH)
    rollout = HONEST.rollouts[long]
    tokens = cut(rollout.tokens)
    bad = replace(rollout, tokens=tokens, logprobs=np.zeros(len(tokens), dtype=np.float32))
    rollouts = tuple(bad if i == long else r for i, r in enumerate(HONEST.rollouts))
    assert Reason.WRONG_FINISH in reasons(replace(HONEST, rollouts=rollouts))


def test_a_proof_of_other_activations_or_of_none_is_found() -> None:
    other = group_of(llama(), number=0)
    assert reasons(replace(HONEST, proof=bytes(len(HONEST.proof)))) == {Reason.MALFORMED}
    assert reasons(replace(HONEST, proof=b"")) == {Reason.WRONG_COUNT}
    assert reasons(replace(HONEST, proof=(other.proof * 2)[: len(HONEST.proof)])) == {Reason.PROOF_MISMATCH}


def changed(**changes: object) -> list[Receipt]:
    receipts = committed(HONEST)
    return [replace(receipts[0], **changes), *receipts[1:]]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("receipts", "reason"),
    [
        (committed(HONEST)[:-1], Reason.WRONG_COUNT),
        ([committed(HONEST)[0]] * 4, Reason.DUPLICATE),
        (changed(index=99), Reason.WRONG_COUNT),
        (changed(task=2), Reason.WRONG_CONTEXT),
        (changed(round=2), Reason.WRONG_CONTEXT),
        (changed(slot=2), Reason.WRONG_CONTEXT),
        (changed(step=1), Reason.WRONG_CONTEXT),
        (changed(group=2), Reason.WRONG_CONTEXT),
        (changed(policy=1), Reason.WRONG_CONTEXT),
        (changed(base=keccak(b"stale")), Reason.WRONG_BASE),
        (changed(prompt_hash=keccak(b"easy")), Reason.WRONG_PROMPT),
        (changed(token_hash=keccak(b"")), Reason.WRONG_HASH),
        (changed(token_count=1), Reason.WRONG_HASH),
        (changed(logprob_hash=keccak(b"")), Reason.WRONG_HASH),
        (changed(proof_hash=keccak(b"")), Reason.WRONG_HASH),
        (changed(reward=1_000_001), Reason.WRONG_CONTEXT),
    ],
)
def test_a_receipt_that_does_not_say_what_was_done_is_found(receipts: list[Receipt], reason: Reason) -> None:
    assert reason in reasons(HONEST, receipts)


def test_work_for_another_slot_cannot_be_handed_in_again() -> None:
    assert Reason.WRONG_CONTEXT in reasons(HONEST, rules=CONFIG, receipts=committed(HONEST, config(slot=3)))
    stolen = group_of(llama(), config(slot=3, max_new_tokens=12))
    assert Reason.TOKEN_NOT_SAMPLED in reasons(stolen)


def test_weights_that_make_nothing_finite_are_a_finding_and_no_crash() -> None:
    model = llama()
    model.load({name: np.full_like(value, 3e38) for name, value in model.weights().items()})
    assert Reason.TOKEN_NOT_SAMPLED in reasons(HONEST, model=model)
