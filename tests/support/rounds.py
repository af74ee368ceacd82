"""Whole rounds of a tiny model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from kizuna.diloco.replay import replay_segment
from kizuna.diloco.segments import RoundResult, SegmentRecord, TrainRound
from kizuna.rl.config import RoundConfig
from kizuna.rl.environment import Environment
from kizuna.rl.genesis import genesis_files
from kizuna.rl.learner import Observer
from kizuna.rl.model import F32, read_weights
from kizuna.rl.state import Boundary
from support.models import PLAN, REVERSE, config, file_digest, llama, tokenizer

NUMERICS = bytes(range(32))


@cache
def schooled() -> dict[str, bytes]:
    """A genesis that gets some letters right, so that every segment has a signal to learn from."""
    return genesis_files(REVERSE, replace(PLAN, steps=30, rows=32, learning_rate=1e-2))


def base() -> dict[str, F32]:
    return read_weights(schooled())


def start(
    rules: RoundConfig | None = None, *, resume: Sequence[SegmentRecord] = (), environment: Environment = REVERSE
) -> TrainRound:
    """A round on the schooled genesis, not yet trained."""
    return TrainRound(
        llama(),
        base(),
        config=rules or config(),
        tokenizer=tokenizer(),
        environment=environment,
        resume=resume,
    )


def finish(training: TrainRound) -> RoundResult:
    """Trains what is left."""
    for _ in training:
        pass
    return training.result(numerics_id=NUMERICS, digest_of=file_digest)


def rerun(
    result: RoundResult, segment: int, rules: RoundConfig | None = None, *, observe: Observer | None = None, **how: Any
) -> Boundary:
    """The true end of a segment, by a checker's own model."""
    rules = rules or config()
    first = segment * rules.groups_per_segment
    groups = how.get("groups", result.groups[first : first + rules.groups_per_segment])
    return replay_segment(
        llama(),
        how.get("boundary", result.boundaries[segment]),
        groups,
        rules,
        segment=segment,
        tokenizer=tokenizer(),
        environment=how.get("environment", REVERSE),
        observe_last=observe,
    )
