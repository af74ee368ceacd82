"""Evidence leaves: order, layout, and that whoever recomputes one gets the same bytes."""

from __future__ import annotations

from dataclasses import replace

from support.cases import SEAT, case_of, honest
from support.training import context

from kizuna import draws
from kizuna.hashing import abi_words, keccak
from kizuna.types import Check, Digest
from verifier.checks import check_segment
from verifier.evidence import (
    MAX_LEAF_BYTES,
    Item,
    all_items,
    items,
    key_of,
    leaf,
    show_rollout,
    show_segment,
    sketch_of,
)

PARAMS = replace(context().params, segments=3, segments_per_checker=2, groups_per_segment=4, rollouts_per_checker=2)
WHERE = {"task": SEAT.task, "round": SEAT.round, "seal": SEAT.seal, "secret": SEAT.secret, "seat": SEAT.position}


def test_items_are_segments_in_draw_order_then_groups_of_the_first() -> None:
    segments = draws.segments(3, 2, slot=5, **WHERE)  # type: ignore[arg-type]
    groups = draws.groups(segments[0], 4, 2, slot=5, **WHERE)  # type: ignore[arg-type]
    assert items(SEAT, PARAMS, 5) == (
        *(Item(5, Check.SEGMENT, i, number) for i, number in enumerate(segments)),
        *(Item(5, Check.ROLLOUT, i, number) for i, number in enumerate(groups)),
    )


def test_leaves_go_by_slot_first() -> None:
    listed = list(all_items(SEAT, PARAMS, [9, 2, 4]))
    assert [item.slot for item in listed] == [2] * 4 + [4] * 4 + [9] * 4


def test_leaf_begins_with_the_fields_that_the_contract_compares() -> None:
    item = items(SEAT, PARAMS, 5)[3]
    head = (SEAT.task, SEAT.round, SEAT.position, 5, Check.ROLLOUT, 1, item.number, int(SEAT.operator, 16))
    assert leaf(SEAT, item, b"shown") == abi_words(*map(int, head)) + b"shown"


def test_leaf_never_exceeds_what_the_contract_takes() -> None:
    assert len(leaf(SEAT, items(SEAT, PARAMS, 0)[0], bytes(3 * 258))) == MAX_LEAF_BYTES


def test_a_checkers_sketch_is_what_a_juror_recomputes() -> None:
    case, params = case_of(honest()), context().params
    for item in items(SEAT, params, 0)[:1]:
        sketch = sketch_of(SEAT, params, case, item)
        assert check_segment(case, item.number, sketch) is None
        shown = show_segment(SEAT, params, case_of(honest()), item)
        assert sketch.evidence() == shown
        assert any(sketch.evidence())


def test_evidence_of_another_secret_is_other_evidence() -> None:
    case, params = case_of(honest()), context().params
    other = replace(SEAT, secret=Digest(keccak(b"another")))
    for item in items(SEAT, params, 0):
        show = show_segment if item.check is Check.SEGMENT else show_rollout
        assert show(SEAT, params, case, item) == show(SEAT, params, case, item)
        assert show(SEAT, params, case, item) != show(other, params, case, item)


def test_segments_and_groups_never_share_a_key() -> None:
    params = context().params
    segment, group = Item(0, Check.SEGMENT, 0, 1), Item(0, Check.ROLLOUT, 0, 1)
    assert key_of(SEAT, params, segment) != key_of(SEAT, params, group)
