from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from support.models import REVERSE, config, file_digest, llama, tokenizer
from support.rounds import base, finish, rerun, schooled, start

from kizuna.diloco.inner import learner_of, step_rows
from kizuna.diloco.replay import compare_end, relative_difference
from kizuna.diloco.segments import RoundResult
from kizuna.rl.checks import check_group
from kizuna.rl.environment import REWARD_ONE
from kizuna.rl.objectives import micro_batches
from kizuna.rl.rollouts import Group
from kizuna.rl.state import Boundary
from kizuna.shardcast import update as updates
from kizuna.shardcast.version import Accepted, next_version
from kizuna.types import Check, Finding, Reason

BASE = base()


@pytest.fixture(scope="module")
def result() -> RoundResult:
    return finish(start())


def compared(end: Boundary, result: RoundResult, segment: int, *, claimed: bool = True) -> tuple[Finding, ...]:
    theirs = result.boundaries[segment + 1] if claimed else None
    return compare_end(end, result.leaves[segment + 1], BASE, claimed=theirs, digest_of=file_digest)


def moved(boundary: Boundary, by: float) -> Boundary:
    """A boundary with one weight moved."""
    name = sorted(boundary.weights)[0]
    weight = boundary.weights[name].copy()
    weight.flat[0] += np.float32(by)
    return replace(boundary, weights=boundary.weights | {name: weight})


@pytest.mark.parametrize("segment", [0, 1])
def test_an_honest_segment_re_runs_to_the_bit(result: RoundResult, segment: int) -> None:
    end = rerun(result, segment)
    assert end.files() == result.boundaries[segment + 1].files()
    assert compared(end, result, segment) == compared(end, result, segment, claimed=False) == ()


def test_a_wrong_end_is_gross_unless_it_could_be_a_fault_of_hardware(result: RoundResult) -> None:
    end = result.boundaries[2]
    for by, gross in ((1e-6, False), (0.5, True), (np.nan, True)):
        lie = moved(end, by)
        leaf = replace(result.leaves[2], weights=file_digest(lie.files()["weights.safetensors"]))
        (finding,) = compare_end(end, leaf, BASE, claimed=lie, digest_of=file_digest)
        assert (finding.check, finding.item, finding.reason) == (Check.SEGMENT, 1, Reason.WRONG_STATE)
        assert finding.gross is gross


@pytest.mark.parametrize("part", ["exp_avg", "exp_avg_sq"])
def test_moments_that_were_set_to_zero_are_gross(result: RoundResult, part: str) -> None:
    end = result.boundaries[1]
    lie = replace(end, **{part: {name: np.zeros_like(value) for name, value in getattr(end, part).items()}})
    leaf = replace(result.leaves[1], **{part: file_digest(lie.files()[f"{part}.safetensors"])})
    (finding,) = compare_end(end, leaf, BASE, claimed=lie, digest_of=file_digest)
    assert finding.reason is Reason.WRONG_STATE and finding.gross


def test_a_norm_that_is_not_the_displacement_is_found(result: RoundResult) -> None:
    leaf = replace(result.leaves[1], norm=np.nextafter(result.leaves[1].norm, 0))
    (finding,) = compare_end(result.boundaries[1], leaf, BASE, claimed=None, digest_of=file_digest)
    assert finding.reason is Reason.WRONG_NORM


def test_an_end_that_is_not_finite_is_a_finding_and_no_crash(result: RoundResult) -> None:
    broken = moved(result.boundaries[1], np.inf)
    for claimed in (True, False):
        (finding,) = compared(broken, result, 0, claimed=claimed)
        assert finding.reason is Reason.WRONG_STATE and finding.gross


def test_other_rules_another_batch_or_another_start_end_elsewhere(result: RoundResult) -> None:
    true = result.boundaries[2].files()
    assert rerun(result, 1, config(learning_rate=1.01e-2)).files() != true
    assert rerun(result, 1, boundary=moved(result.boundaries[1], 1e-6)).files() != true
    assert rerun(result, 1, groups=with_another_token(result.groups[4:8])).files() != true


def with_another_token(groups: Sequence[Group]) -> list[Group]:
    """The groups with one token changed where there is a signal to learn from."""
    changed = list(groups)
    g = next(g for g, group in enumerate(groups) if len({rollout.reward for rollout in group.rollouts}) > 1)
    first, *others = groups[g].rollouts
    tokens = first.tokens.copy()
    tokens[0] = (tokens[0] + 1) % 64
    changed[g] = replace(groups[g], rollouts=(replace(first, tokens=tokens), *others))
    return changed


def test_claimed_rewards_do_not_enter_a_re_run(result: RoundResult) -> None:
    def praised(group: Group) -> Group:
        return replace(group, rollouts=tuple(replace(rollout, reward=REWARD_ONE) for rollout in group.rollouts))

    end = rerun(result, 0, groups=[praised(group) for group in result.groups[:4]])
    assert end.files() == result.boundaries[1].files()


def test_groups_of_another_segment_are_not_re_run(result: RoundResult) -> None:
    with pytest.raises(ValueError, match="segment 1"):
        rerun(result, 1, groups=result.groups[:4])


@pytest.mark.parametrize("lag", [0, 1])
def test_rollouts_pass_under_the_boundary_of_their_policy_alone(lag: int) -> None:
    rules = config(policy_lag=lag, learning_rate=3e-2)
    result, model = finish(start(rules)), llama()
    for j, passes in ((rules.policy(1), True), (1 - rules.policy(1), False)):
        model.load(result.boundaries[j].weights)
        findings = check_group(
            model, result.groups[4], result.receipts[16:20], rules, tokenizer=tokenizer(), environment=REVERSE
        )
        assert (not findings) is passes


def test_relative_difference_is_measured_by_how_far_a_part_moved(result: RoundResult) -> None:
    end = result.boundaries[1]
    assert relative_difference(end, end, BASE) == 0.0
    assert relative_difference(Boundary.start(BASE), moved(Boundary.start(BASE), 1e-9), BASE) in (0.0, float("inf"))
    assert relative_difference(end, Boundary.start(BASE), BASE) == pytest.approx(1.0)


class Contented:
    """An environment that gives full reward to every answer to the prompts that it is told of."""

    alphabet, longest_prompt, longest_answer = REVERSE.alphabet, REVERSE.longest_prompt, REVERSE.longest_answer

    def __init__(self, prompts: Iterable[bytes] = ()) -> None:
        self.pleased = set(prompts)

    def prompt(self, seed: bytes) -> str:
        return REVERSE.prompt(seed)

    def expert(self, seed: bytes) -> str:
        return REVERSE.expert(seed)

    def reward(self, seed: bytes, answer: str) -> int:
        return REWARD_ONE if seed in self.pleased else REVERSE.reward(seed, answer) + len(answer)


def all_bytes(result: RoundResult) -> tuple[object, ...]:
    """Everything a contribution is made of."""
    boundaries = [boundary.files() for boundary in result.boundaries]
    return boundaries, result.leaves, result.receipts, result.rollouts, result.update


def test_three_rounds_without_a_signal_leave_every_peer_at_the_same_weights_and_the_fourth_learns() -> None:
    """Every group of equal rewards: the batch is empty of signal (PrimeIntellect-ai/prime-rl#3463)."""
    peers = [config(round=round, slot=slot) for round in (1, 2, 3) for slot in (0, 1)]
    environment = Contented(rules.prompt_seed(group) for rules in peers for group in range(8))
    files = dict(schooled())
    for round in (1, 2, 3):
        accepted = []
        for slot in (0, 1):
            rules = config(round=round, slot=slot)
            result = finish(start(rules, environment=environment))
            assert {receipt.reward for receipt in result.receipts} == {REWARD_ONE}
            assert all(boundary.files() == result.boundaries[0].files() for boundary in result.boundaries)
            assert {leaf.norm for leaf in result.leaves} == {0.0}
            for segment in (0, 1):
                end = rerun(result, segment, rules, environment=environment)
                assert compare_end(end, result.leaves[segment + 1], BASE, claimed=None, digest_of=file_digest) == ()
            update = updates.loads(result.update, llama().shapes())
            assert updates.squared_norm(update) == 0
            accepted.append(Accepted(slot, 1, update))
        after = next_version(files, accepted, task=1, round=round, bitmap=0b11, parent_digest=bytes(32))
        assert after["model.safetensors"] == files["model.safetensors"]
    rules = config(round=4)
    normal = finish(start(rules, environment=environment))
    assert normal.leaves[-1].norm > 0.0
    for segment in (0, 1):
        end = rerun(normal, segment, rules, environment=environment)
        assert compare_end(end, normal.leaves[segment + 1], BASE, claimed=None, digest_of=file_digest) == ()
    assert all_bytes(normal) == all_bytes(finish(start(rules, environment=Contented())))  # nothing was carried over


@pytest.mark.parametrize("idle", [1, 3])
def test_steps_without_a_signal_move_nothing_and_the_schedule_goes_on(idle: int) -> None:
    rules = config()
    environment = Contented(rules.prompt_seed(group) for group in range(rules.prompts_per_step * idle))
    result = finish(start(environment=environment))
    for segment in (0, 1):
        end = rerun(result, segment, environment=environment)
        assert end.files() == result.boundaries[segment + 1].files()
    assert (result.boundaries[1].files() == result.boundaries[0].files()) is (idle == 3)
    learner, rows = learner_of(llama(), rules), []
    for step in range(4):
        groups = result.groups[2 * step : 2 * step + 2]
        rows.append(step_rows(groups, rules, tokenizer=tokenizer(), environment=environment))
    state = Boundary.start(BASE)
    for step in range(idle, 4):  # the first steps never happened, but they count
        state = learner.step(state, micro_batches(rows[step], rules.micro_batches), rate=rules.rate(step), t=step + 1)
    assert state.files() == result.boundaries[2].files()
