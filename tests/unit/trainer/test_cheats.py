"""Every cheat is what it says, and the check that is meant for it finds it."""

from __future__ import annotations

import pytest
from support.training import config, context, genesis, numerics, train, trained

from kizuna.diloco.replay import compare_end, replay_segment
from kizuna.diloco.segments import RoundResult
from kizuna.node.task_context import file_digest
from kizuna.rl.checks import check_group
from kizuna.rl.model import read_weights
from kizuna.shardcast import update as updates
from kizuna.types import Check, Finding, Reason
from trainer.cheats import CHEATS


@pytest.fixture(scope="module")
def fabricated() -> RoundResult:
    return cheated("fabricate")


@pytest.fixture(scope="module")
def picked() -> RoundResult:
    return cheated("cherry-pick")


def cheated(kind: str) -> RoundResult:
    return train(config(), CHEATS[kind].round_type).result(numerics_id=numerics(), digest_of=file_digest)


def replayed(result: RoundResult, segment: int) -> list[Finding]:
    """What a checker finds that re-runs a segment."""
    here, rules, size = context(), config(), config().groups_per_segment
    end = replay_segment(
        here.model,
        result.boundaries[segment],
        result.groups[segment * size : (segment + 1) * size],
        rules,
        segment=segment,
        tokenizer=here.tokenizer,
        environment=here.environment,
    )
    claimed, base = result.boundaries[segment + 1], read_weights(genesis())
    return list(compare_end(end, result.leaves[segment + 1], base, claimed=claimed, digest_of=file_digest))


def prefilled(result: RoundResult, group: int) -> list[Finding]:
    """What a checker finds that scores a group."""
    here, rules = context(), config()
    policy = rules.policy(group // rules.groups_per_segment)
    here.model.load(result.boundaries[policy].weights)
    return list(
        check_group(
            here.model,
            result.groups[group],
            result.receipts[group * rules.completions : (group + 1) * rules.completions],
            rules,
            tokenizer=here.tokenizer,
            environment=here.environment,
            thresholds=here.thresholds,
        )
    )


def test_honest_round_passes_what_the_cheats_fail() -> None:
    assert [replayed(trained(), segment) for segment in range(config().segments)] == [[], []]
    assert [prefilled(trained(), group) for group in range(4)] == [[], [], [], []]


def test_fabricated_leaves_are_consistent_and_every_segment_is_grossly_wrong(fabricated: RoundResult) -> None:
    previous = bytes(32)
    for leaf, boundary in zip(fabricated.leaves, fabricated.boundaries, strict=True):
        assert leaf.previous == previous
        assert leaf.weights == file_digest(boundary.files()["weights.safetensors"])
        previous = leaf.hash()
    for segment in range(config().segments):
        (fault,) = replayed(fabricated, segment)[:1]
        assert (fault.check, fault.item, fault.gross) == (Check.SEGMENT, segment, True)


def test_fabricated_update_hides_from_the_checks_without_replay(fabricated: RoundResult) -> None:
    rates = [config().rate(step) for step in range(config().steps)]
    update = updates.loads(fabricated.update, context().shapes)
    assert updates.elementwise_bound(sum(rates), update) is None
    delta = updates.difference(fabricated.boundaries[-1].weights, fabricated.boundaries[0].weights)
    assert updates.matches(delta, update) is None
    assert all(not prefilled(fabricated, group) for group in range(config().groups_per_segment))


def test_cherry_picked_tokens_do_not_follow_the_seeded_noise(picked: RoundResult) -> None:
    faults = [fault for group in range(8) for fault in prefilled(picked, group)]
    assert {fault.check for fault in faults} == {Check.ROLLOUT}
    assert Reason.TOKEN_NOT_SAMPLED in {fault.reason for fault in faults}


def test_cherry_picked_rollouts_are_trained_on_honestly(picked: RoundResult) -> None:
    assert [replayed(picked, segment) for segment in range(config().segments)] == [[], []]


def test_none_is_the_honest_trainer() -> None:
    assert cheated("none").update == trained().update
    assert not CHEATS["none"].stale
    assert not CHEATS["none"].hides
