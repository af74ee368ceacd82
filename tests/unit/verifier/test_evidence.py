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
    asked_leaf,
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


def test_evidence_depends_on_the_secret_and_on_nothing_that_changes() -> None:
    case, params = case_of(honest()), context().params
    other = replace(SEAT, secret=Digest(keccak(b"another")))
    segment, group, _ = items(SEAT, params, 0)
    shown = show_segment(SEAT, params, case, segment)
    assert shown == show_segment(SEAT, params, case, segment)
    assert shown != show_segment(other, params, case, segment)
    # With two layers there is one interior one, whatever the secret says.
    assert show_rollout(SEAT, params, case, group) == show_rollout(other, params, case, group)


def test_the_audit_asks_for_one_leaf_of_what_was_passed() -> None:
    params, audit = replace(PARAMS, audit_rate=1 << 32), keccak(b"audit")
    asked = asked_leaf(SEAT, params, passes=2, audit=audit)
    assert asked == draws.audit_sample(2, 4, task=SEAT.task, round=SEAT.round, audit=audit, seat=SEAT.position)
    assert asked_leaf(SEAT, params, passes=0, audit=audit) is None
    assert asked_leaf(SEAT, replace(params, audit_rate=0), passes=2, audit=audit) is None


def test_segments_and_groups_never_share_a_key() -> None:
    params = context().params
    segment, group = Item(0, Check.SEGMENT, 0, 1), Item(0, Check.ROLLOUT, 0, 1)
    assert key_of(SEAT, params, segment) != key_of(SEAT, params, group)
