"""Re-running a drawn segment, and what follows from the comparison with the committed leaf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from kizuna.diloco.inner import learner_of
from kizuna.diloco.segments import DigestOf, displacement, run_segment
from kizuna.rl.config import RoundConfig
from kizuna.rl.environment import Environment
from kizuna.rl.learner import Observer
from kizuna.rl.model import F32, CausalModel, Weights
from kizuna.rl.rollouts import Group
from kizuna.rl.state import FILES, Boundary
from kizuna.rl.tokenizer import Tokenizer
from kizuna.toploc.receipts import Leaf
from kizuna.types import Check, Finding, Reason

GROSS_DIFFERENCE = 1e-3
"""Relative L2 difference above which an end state is no hardware fault."""


def replay_segment(
    model: CausalModel,
    boundary: Boundary,
    groups: Sequence[Group],
    config: RoundConfig,
    *,
    segment: int,
    tokenizer: Tokenizer,
    environment: Environment,
    observe_last: Observer | None = None,
) -> Boundary:
    """The boundary that `segment` really ends in. Prompts and rewards are derived again from the seed.

    `boundary` must be the one its leaf commits to and `groups` those its receipts commit to; the model's
    weights are overwritten.
    """
    return run_segment(
        learner_of(model, config),
        boundary,
        groups,
        config,
        segment=segment,
        tokenizer=tokenizer,
        environment=environment,
        observe_last=observe_last,
    )


def compare_end(
    end: Boundary, leaf: Leaf, base: Weights, *, claimed: Boundary | None, digest_of: DigestOf
) -> tuple[Finding, ...]:
    """Findings where a re-run's end differs from the leaf that follows the segment; empty if the bits are equal.

    `claimed` is the boundary the trainer serves for that leaf, None if it serves none: then only the leaf's
    norm can show a gross difference.
    """
    return tuple(_findings(end, leaf, base, claimed, digest_of))


def _findings(
    end: Boundary, leaf: Leaf, base: Weights, claimed: Boundary | None, digest_of: DigestOf
) -> Iterator[Finding]:
    segment = leaf.j - 1
    files = end.files()
    if tuple(digest_of(files[name]) for name in FILES) != (leaf.weights, leaf.exp_avg, leaf.exp_avg_sq):
        difference = relative_difference(end, claimed, base) if claimed is not None else _of_norm(end, leaf, base)
        gross = not difference <= GROSS_DIFFERENCE  # NaN is gross
        yield Finding(Check.SEGMENT, segment, Reason.WRONG_STATE, f"relative L2 {difference:.3g}", gross)
    elif leaf.norm != displacement(base, end.weights):
        yield Finding(Check.SEGMENT, segment, Reason.WRONG_NORM, f"{leaf.norm!r}")


def relative_difference(end: Boundary, claimed: Boundary, base: Weights) -> float:
    """The largest relative L2 difference of weights or a moment; each is measured by how far it moved in the round."""
    zeros = {name: np.zeros_like(value) for name, value in base.items()}
    return max(
        _relative(claimed.weights, end.weights, base),
        _relative(claimed.exp_avg, end.exp_avg, zeros),
        _relative(claimed.exp_avg_sq, end.exp_avg_sq, zeros),
    )


def _relative(claimed: Mapping[str, F32], true: Mapping[str, F32], start: Weights) -> float:
    try:
        difference, moved = displacement(true, claimed), displacement(start, true)
    except ValueError:  # a claimed value is not finite
        return float("inf")
    if difference == 0.0:
        return 0.0
    return difference / moved if moved > 0.0 else float("inf")


def _of_norm(end: Boundary, leaf: Leaf, base: Weights) -> float:
    try:
        moved = displacement(base, end.weights)
    except ValueError:  # the committed batch makes the true end not finite
        return float("inf")
    if moved == leaf.norm:
        return 0.0
    return abs(moved - leaf.norm) / moved if moved > 0.0 else float("inf")
