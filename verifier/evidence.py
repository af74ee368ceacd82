"""Evidence leaves: which items a seat must show for the contributions it passed, in which order, and their bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kizuna import draws
from kizuna.chain.structs import TaskParams
from kizuna.diloco.evidence import EvidenceKey, SegmentSketch, rollout_evidence, segment_evidence
from kizuna.hashing import abi_words
from kizuna.rl.state import Boundary
from kizuna.types import Check, Digest, Finding
from verifier.checks import Case

MAX_LEAF_BYTES = 1024
"""The contract takes no larger leaf, and whoever is audited and shows none is slashed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A checker in one round: what its draws depend on, and who it is."""

    task: int
    round: int
    position: int
    operator: str
    seal: Digest
    secret: Digest


@dataclass(frozen=True, slots=True)
class Item:
    """One drawn item of a slot: its check, its place in the draw, and its number in the round."""

    slot: int
    check: Check
    order: int
    number: int


def items(seat: Seat, params: TaskParams, slot: int) -> tuple[Item, ...]:
    """What a seat examines of a slot: segments in draw order, then groups of the first of them in draw order."""
    where = {"task": seat.task, "round": seat.round, "seal": seat.seal, "secret": seat.secret}
    segments = draws.segments(params.segments, params.segments_per_checker, seat=seat.position, slot=slot, **where)  # type: ignore[arg-type]
    groups = draws.groups(
        segments[0],
        params.groups_per_segment,
        params.rollouts_per_checker,
        seat=seat.position,
        slot=slot,
        **where,  # type: ignore[arg-type]
    )
    return (
        *(Item(slot, Check.SEGMENT, i, number) for i, number in enumerate(segments)),
        *(Item(slot, Check.ROLLOUT, i, number) for i, number in enumerate(groups)),
    )


def all_items(seat: Seat, params: TaskParams, passed: Sequence[int]) -> Iterator[Item]:
    """The items of all passed slots in the order of the evidence leaves."""
    for slot in sorted(passed):
        yield from items(seat, params, slot)


def asked_leaf(seat: Seat, params: TaskParams, *, passes: int, audit: bytes) -> int | None:
    """The index of the leaf that the audit beacon asks a seat for, None if it is not audited."""
    where = {"task": seat.task, "round": seat.round, "audit": audit, "seat": seat.position}
    if not passes or not draws.audited(params.audit_rate, **where):  # type: ignore[arg-type]
        return None
    per_pass = params.segments_per_checker + params.rollouts_per_checker
    return draws.audit_sample(passes, per_pass, **where)  # type: ignore[arg-type]


def leaf(seat: Seat, item: Item, shown: bytes) -> bytes:
    """An evidence leaf: eight words of context, then as much of the evidence as the contract takes."""
    head = abi_words(
        seat.task,
        seat.round,
        seat.position,
        item.slot,
        int(item.check),
        item.order,
        item.number,
        int(seat.operator, 16),
    )
    return (head + shown)[:MAX_LEAF_BYTES]


def key_of(seat: Seat, params: TaskParams, item: Item) -> EvidenceKey:
    """Segments and groups are numbered apart, so that no two items share their places."""
    number = item.number if item.check is Check.SEGMENT else params.segments + item.number
    return EvidenceKey(seal=seat.seal, secret=seat.secret, seat=seat.position, item=number)


def sketch_of(seat: Seat, params: TaskParams, case: Case, item: Item) -> SegmentSketch:
    """The observer that a checker passes to its re-run of a segment."""
    return SegmentSketch.of(case.config, key_of(seat, params, item))


def show_rollout(seat: Seat, params: TaskParams, case: Case, item: Item) -> bytes | Finding:
    """The evidence of a drawn group; a Finding where its boundary cannot be had."""
    config, context = case.config, case.context
    boundary = case.boundary(config.policy(item.number // config.groups_per_segment))
    if isinstance(boundary, Finding):
        return boundary
    context.model.load(boundary.weights)
    return rollout_evidence(
        context.model,
        case.contribution.groups[item.number],
        config,
        key_of(seat, params, item),
        tokenizer=context.tokenizer,
        environment=context.environment,
    )


def show_segment(seat: Seat, params: TaskParams, case: Case, item: Item) -> bytes | Finding:
    """The evidence of a drawn segment, by re-running it: for whoever judges an audit."""
    config, context = case.config, case.context
    boundary = case.boundary(item.number)
    if not isinstance(boundary, Boundary):
        return boundary
    first = item.number * config.groups_per_segment
    return segment_evidence(
        context.model,
        boundary,
        case.contribution.groups[first : first + config.groups_per_segment],
        config,
        key_of(seat, params, item),
        segment=item.number,
        tokenizer=context.tokenizer,
        environment=context.environment,
    )
