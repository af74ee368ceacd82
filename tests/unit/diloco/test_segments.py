from __future__ import annotations

import pytest
from support.models import config, file_digest, llama
from support.rounds import NUMERICS, finish, start

from kizuna.diloco.segments import RoundResult, SegmentRecord
from kizuna.errors import ContentMalformed
from kizuna.rl.rollouts import decode_rollouts
from kizuna.shardcast import update as updates
from kizuna.types import ZERO_DIGEST

RULES = config(steps=6)  # three segments


@pytest.fixture(scope="module")
def result() -> RoundResult:
    return finish(start(RULES))


def contents(result: RoundResult) -> tuple[object, ...]:
    """All bytes that a contribution is made of."""
    boundaries = [boundary.files() for boundary in result.boundaries]
    return boundaries, result.leaves, result.receipts, result.rollouts, result.update


def test_a_round_learns_and_leaves_name_each_boundary_and_the_leaf_before(result: RoundResult) -> None:
    assert len(result.boundaries) == len(result.leaves) == 4
    previous = ZERO_DIGEST
    for j, (leaf, boundary) in enumerate(zip(result.leaves, result.boundaries, strict=True)):
        files = boundary.files()
        assert (leaf.j, leaf.previous, leaf.first_step, leaf.numerics_id) == (j, previous, 2 * j, NUMERICS)
        assert leaf.weights == file_digest(files["weights.safetensors"])
        assert leaf.exp_avg == file_digest(files["exp_avg.safetensors"])
        assert leaf.exp_avg_sq == file_digest(files["exp_avg_sq.safetensors"])
        assert (leaf.first_receipt, leaf.receipt_count) == (16 * j, 16 if j < 3 else 0)
        previous = leaf.hash()
    assert result.leaves[0].norm == 0.0 and result.leaves[3].norm > 0.0


def test_the_update_encodes_the_last_boundary(result: RoundResult) -> None:
    delta = updates.difference(result.boundaries[-1].weights, result.boundaries[0].weights)
    update = updates.loads(result.update, llama().shapes())
    assert updates.matches(delta, update) is None
    assert updates.elementwise_bound(sum(RULES.rate(step) for step in range(6)), update) is None
    middle = updates.difference(result.boundaries[-2].weights, result.boundaries[0].weights)
    assert updates.matches(middle, update) is not None


def test_the_rollouts_file_holds_the_groups_that_were_learned_from(result: RoundResult) -> None:
    groups = decode_rollouts(result.rollouts, result.receipts, RULES, vocab=64)
    assert [group.proof for group in groups] == [group.proof for group in result.groups]
    assert [group.index for group in groups] == list(range(12))


@pytest.mark.parametrize("lag", [0, 1])
def test_rollouts_come_from_the_boundary_that_the_policy_lag_names(lag: int) -> None:
    lagged = finish(start(config(steps=6, policy_lag=lag)))
    expected = [0, 1, 2] if lag == 0 else [0, 0, 1]
    assert [lagged.receipts[16 * j].policy for j in range(3)] == expected


def test_a_round_is_a_function_of_its_rules_alone(result: RoundResult) -> None:
    assert contents(finish(start(RULES))) == contents(result)
    assert contents(finish(start(config(steps=6, slot=1)))) != contents(result)


@pytest.mark.parametrize("survived", [0, 1, 2, 3])
def test_a_round_resumed_from_disk_after_a_crash_is_equal_to_the_unbroken_one(
    result: RoundResult, survived: int
) -> None:
    """Schedule, data position, noise and moments all follow from the number of the segment and its boundary."""
    broken = start(RULES)
    kept = [record.files() for record, _ in zip(broken, range(survived), strict=False)]
    model = llama()
    records = [SegmentRecord.from_files(files, j, RULES, model) for j, files in enumerate(kept)]
    assert contents(finish(start(RULES, resume=records))) == contents(result)


def test_a_round_does_not_resume_with_a_gap(result: RoundResult) -> None:
    first, second = (record for record, _ in zip(start(RULES), range(2), strict=False))
    for records in ([second], [second, first]):
        with pytest.raises(ValueError, match="in order"):
            start(RULES, resume=records)


def test_an_unfinished_round_has_no_result() -> None:
    training = start(RULES)
    next(iter(training))
    with pytest.raises(ValueError, match="not finished"):
        training.result(numerics_id=NUMERICS, digest_of=file_digest)


def test_a_record_damaged_on_disk_is_refused() -> None:
    files = next(iter(start(RULES))).files()
    for wrong in (
        {name: data for name, data in files.items() if name != "receipts"},
        files | {"rollouts.safetensors": files["rollouts.safetensors"][:-1]},
        files | {"receipts": files["receipts"][:-480]},
        files | {"exp_avg.safetensors": b""},
    ):
        with pytest.raises(ContentMalformed):
            SegmentRecord.from_files(wrong, 0, RULES, llama())


def test_the_schedule_warms_up_over_a_third_of_the_round_and_then_holds() -> None:
    rules = config(steps=12, segment_steps=4, learning_rate=0.4)
    assert [rules.rate(step) for step in range(12)] == pytest.approx([0.1, 0.2, 0.3] + [0.4] * 9)
