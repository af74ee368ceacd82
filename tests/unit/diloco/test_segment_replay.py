from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from support.models import REVERSE, config, file_digest, llama, tokenizer
from support.rounds import base, finish, rerun, schooled, start

from kizuna.diloco.replay import compare_end, relative_difference
from kizuna.diloco.segments import RoundResult
from kizuna.rl.checks import check_group
from kizuna.rl.environment import REWARD_ONE
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
    """An environment that is pleased with everything in the groups it is told to be pleased with."""

    alphabet, longest_prompt, longest_answer = REVERSE.alphabet, REVERSE.longest_prompt, REVERSE.longest_answer

    def __init__(self, *, until: int) -> None:
        seeds = [config(round=round).prompt_seed(group) for round in range(1, 5) for group in range(8)]
        self.pleased = set(seeds[:until])

    def prompt(self, seed: bytes) -> str:
        return REVERSE.prompt(seed)

    def expert(self, seed: bytes) -> str:
        return REVERSE.expert(seed)

    def reward(self, seed: bytes, answer: str) -> int:
        return REWARD_ONE if seed in self.pleased else REVERSE.reward(seed, answer) + len(answer)


def test_rounds_without_a_signal_close_with_the_weights_they_began_with() -> None:
    environment, files = Contented(until=3 * 8), dict(schooled())
    for round in (1, 2, 3):
        rules = config(round=round)
        result = finish(start(rules, environment=environment))
        assert all(boundary.files() == result.boundaries[0].files() for boundary in result.boundaries)
        assert {leaf.norm for leaf in result.leaves} == {0.0}
        assert rerun(result, 1, rules, environment=environment).files() == result.boundaries[2].files()
        update = updates.loads(result.update, llama().shapes())
        assert updates.squared_norm(update) == 0
        after = next_version(files, [Accepted(0, 1, update)], task=1, round=round, bitmap=1, parent_digest=bytes(32))
        assert after["model.safetensors"] == files["model.safetensors"]
    normal = finish(start(config(round=4), environment=environment))
    assert normal.leaves[-1].norm > 0.0


def test_a_step_without_a_signal_moves_nothing_and_the_schedule_goes_on() -> None:
    environment = Contented(until=2)  # only the first of four steps has no signal
    result = finish(start(environment=environment))
    for segment in (0, 1):
        end = rerun(result, segment, environment=environment)
        assert end.files() == result.boundaries[segment + 1].files()
    assert result.leaves[1].norm > 0.0
