"""Each check lets honest work pass and names the fault of work that is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.cases import RULES, case_of, found_of, hide, honest, nudged, poisoned, with_boundaries
from support.training import numerics, train

from kizuna.diloco.segments import RoundResult
from kizuna.node.task_context import file_digest
from kizuna.rl.rollouts import Rollout, encode_rollouts
from kizuna.shardcast import update as updates
from kizuna.types import Check, Digest, Finding, Reason
from trainer.cheats import CHEATS
from verifier.checks import check, check_available, check_encode, check_rollout, check_segment, check_update

SEGMENTS, GROUPS = 2, 8


def cheated(kind: str) -> RoundResult:
    training = train(RULES, CHEATS[kind].round_type)
    return training.result(numerics_id=numerics(), digest_of=file_digest)


def reason(finding: Finding | None) -> tuple[Check, Reason]:
    assert finding is not None
    return finding.check, finding.reason


def test_honest_work_passes_every_check() -> None:
    case = case_of(honest())
    assert check(case, Check.UPDATE, 0) is None
    assert check(case, Check.ENCODE, 0) is None
    assert [check(case, Check.SEGMENT, j) for j in range(SEGMENTS)] == [None] * SEGMENTS
    assert [check(case, Check.ROLLOUT, g) for g in range(GROUPS)] == [None] * GROUPS
    assert [check(case, Check.AVAILABLE, j) for j in range(SEGMENTS + 1)] == [None] * (SEGMENTS + 1)


def test_invented_states_pass_all_but_the_replay_which_finds_them_gross() -> None:
    case = case_of(cheated("fabricate"))
    assert check_update(case) is None
    assert check_encode(case) is None
    for segment in range(SEGMENTS):
        finding = check_segment(case, segment)
        assert reason(finding) == (Check.SEGMENT, Reason.WRONG_STATE)
        assert finding is not None and finding.gross and finding.item == segment


def test_rollouts_picked_from_several_tries_are_not_what_the_noise_samples() -> None:
    case = case_of(cheated("cherry-pick"))
    found = [finding for group in range(GROUPS) if (finding := check_rollout(case, group))]
    assert found and {finding.reason for finding in found} == {Reason.TOKEN_NOT_SAMPLED}


def test_a_lone_bit_is_no_gross_fault() -> None:
    result = honest()
    start, middle, end = result.boundaries
    case = case_of(with_boundaries(result, (start, nudged(middle, 1e-7), end)))
    finding = check_segment(case, 0)
    assert reason(finding) == (Check.SEGMENT, Reason.WRONG_STATE)
    assert finding is not None and not finding.gross


def test_states_that_are_no_numbers_are_faults_and_no_crash() -> None:
    result = honest()
    start, middle, end = result.boundaries
    case = case_of(with_boundaries(result, (start, poisoned(middle), poisoned(end))))
    assert reason(check_segment(case, 0)) == (Check.SEGMENT, Reason.NON_FINITE)
    assert reason(check_segment(case, 1)) == (Check.SEGMENT, Reason.NON_FINITE)
    assert reason(check_rollout(case, GROUPS - 1)) == (Check.ROLLOUT, Reason.NON_FINITE)
    assert reason(check_encode(case)) == (Check.ENCODE, Reason.NON_FINITE)


def test_negative_second_moments_are_faults() -> None:
    result = honest()
    start, middle, end = result.boundaries
    spoilt = replace(middle, exp_avg_sq={name: array - 1 for name, array in middle.exp_avg_sq.items()})
    case = case_of(with_boundaries(result, (start, spoilt, end)))
    assert reason(check_segment(case, 1)) == (Check.SEGMENT, Reason.NON_FINITE)


def test_an_update_that_is_not_the_last_boundary_is_named_by_block() -> None:
    result = honest()
    delta = updates.difference(result.boundaries[-1].weights, result.boundaries[0].weights)
    name = sorted(delta)[0]
    delta[name] = -delta[name]
    finding = check_encode(case_of(replace(result, update=updates.dumps(updates.encode(delta)))))
    assert reason(finding) == (Check.ENCODE, Reason.WRONG_UPDATE)
    assert finding is not None and finding.item == 0 and name in finding.detail


def test_an_update_larger_than_any_step_allows_is_out_of_bound() -> None:
    result = honest()
    delta = updates.difference(result.boundaries[-1].weights, result.boundaries[0].weights)
    large = {name: array * np.float32(1e3) for name, array in delta.items()}
    case = case_of(replace(result, update=updates.dumps(updates.encode(large))))
    assert reason(check_update(case)) == (Check.UPDATE, Reason.OUT_OF_BOUND)


def test_tokens_that_the_receipts_do_not_commit_to_are_found_without_a_draw() -> None:
    result = honest()
    first, *others = result.groups
    rollout = first.rollouts[0]
    tokens = rollout.tokens.copy()
    tokens[0] = (tokens[0] + 1) % 20
    changed = Rollout(tokens, rollout.logprobs, rollout.finish, rollout.reward)
    groups = (replace(first, rollouts=(changed, *first.rollouts[1:])), *others)
    case = case_of(replace(result, groups=groups, rollouts=encode_rollouts(groups)))
    assert reason(check_update(case)) == (Check.UPDATE, Reason.WRONG_HASH)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"index": 7}, Reason.WRONG_CONTEXT),
        ({"group": 3}, Reason.WRONG_CONTEXT),
        ({"slot": 1}, Reason.WRONG_CONTEXT),
        ({"policy": 1}, Reason.WRONG_CONTEXT),
        ({"base": Digest(bytes(32))}, Reason.WRONG_CONTEXT),
        ({"logprob_hash": Digest(bytes(32))}, Reason.WRONG_HASH),
        ({"proof_hash": Digest(bytes(32))}, Reason.WRONG_HASH),
    ],
)
def test_a_receipt_out_of_place_is_found(change: dict[str, object], expected: Reason) -> None:
    result = honest()
    receipts = (replace(result.receipts[0], **change), *result.receipts[1:])  # type: ignore[arg-type]
    case = case_of(replace(result, receipts=receipts))
    assert reason(check_update(case)) == (Check.UPDATE, expected)


@pytest.mark.parametrize(
    ("j", "change", "expected"),
    [
        (1, {"previous": Digest(bytes(32))}, Reason.BROKEN_CHAIN),
        (1, {"first_step": 3}, Reason.WRONG_CONTEXT),
        (2, {"receipt_count": 8}, Reason.WRONG_CONTEXT),
        (2, {"numerics_id": Digest(bytes(32))}, Reason.WRONG_CONTEXT),
        (2, {"norm": 0.0}, Reason.WRONG_NORM),
        (2, {"norm": 1e9}, Reason.WRONG_NORM),
    ],
)
def test_a_leaf_out_of_place_is_found(j: int, change: dict[str, object], expected: Reason) -> None:
    leaves = list(honest().leaves)
    leaves[j] = replace(leaves[j], **change)  # type: ignore[arg-type]
    case = case_of(replace(honest(), leaves=tuple(leaves)))
    assert reason(check_update(case)) == (Check.UPDATE, expected)


def test_a_round_that_starts_elsewhere_than_at_the_base_is_found() -> None:
    result = honest()
    start, *later = result.boundaries
    case = case_of(with_boundaries(result, (nudged(start, 0.5), *later)))
    assert reason(check_update(case)) == (Check.UPDATE, Reason.WRONG_BASE)


def test_too_few_receipts_are_found_before_any_check() -> None:
    result = honest()
    found = found_of(replace(result, receipts=result.receipts[:-4]))
    assert isinstance(found, Finding) and found.reason is Reason.WRONG_COUNT


def test_a_boundary_that_nobody_serves_is_charged_to_the_drawn_segment() -> None:
    case = case_of(honest())
    bring_back = hide(case, 1)
    for finding in (check_segment(case, 0), check_segment(case, 1), check_available(case, 0)):
        assert reason(finding) == (Check.AVAILABLE, Reason.UNAVAILABLE)
    first, second, group = check_segment(case, 0), check_segment(case, 1), check_rollout(case, GROUPS - 1)
    assert first is not None and second is not None and group is not None
    assert (first.item, second.item, group.item) == (0, 1, 1)
    assert check_available(case, SEGMENTS) is None
    bring_back()
    assert check_segment(case, 0) is None


def test_a_missing_last_boundary_is_charged_to_the_whole_contribution() -> None:
    case = case_of(honest())
    hide(case, SEGMENTS)
    for finding in (check_encode(case), check_available(case, SEGMENTS)):
        assert reason(finding) == (Check.AVAILABLE, Reason.UNAVAILABLE)
        assert finding is not None and finding.item == SEGMENTS
