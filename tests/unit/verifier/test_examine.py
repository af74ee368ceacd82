"""A checker's work on several slots: passes, faults, what is not served, and what cannot be examined."""

from __future__ import annotations

import pytest
from support.cases import SEAT, case_of, hide, honest
from support.training import context

from kizuna import index_tree
from kizuna.types import Check, Finding, Mark, Reason
from verifier import examine
from verifier.checks import Case
from verifier.evidence import all_items, items, leaf, show_rollout, show_segment
from verifier.examine import Examiner, lazy

PER_SLOT = 3  # one segment and two groups


def examiner(*slots: int) -> tuple[Examiner, list[str]]:
    said: list[str] = []
    return Examiner(SEAT, context().params, slots, said.append), said


def finish(at_work: Examiner, slot: int, case: Case | Finding) -> None:
    """Looks at a slot until nothing is left to do on it."""
    at_work.look(slot, case)
    while slot in at_work.todo():
        at_work.look(slot, case)


def test_sound_work_is_passed_with_a_leaf_for_every_drawn_item() -> None:
    at_work, said = examiner(0)
    case = case_of(honest())
    finish(at_work, 0, case)
    result = at_work.result()
    assert result.marks == {0: Mark.PASS}
    assert not result.findings and not said
    expected = []
    for item in items(SEAT, context().params, 0):
        show = show_segment if item.check is Check.SEGMENT else show_rollout
        shown = show(SEAT, context().params, case, item)
        assert isinstance(shown, bytes)
        expected.append(leaf(SEAT, item, shown))
    assert list(result.leaves) == expected


def test_a_fault_is_challenged_and_leaves_no_evidence() -> None:
    at_work, said = examiner(0, 1)
    fault = Finding(Check.UPDATE, 0, Reason.WRONG_BASE, "elsewhere")
    finish(at_work, 0, fault)
    finish(at_work, 1, case_of(honest()))
    result = at_work.result()
    assert result.marks == {0: Mark.CHALLENGE, 1: Mark.PASS}
    assert result.findings == {0: fault}
    assert len(result.leaves) == PER_SLOT
    assert len(said) == 1 and "wrong base" in said[0]


def test_what_was_not_served_is_looked_at_again_and_passes_when_it_comes() -> None:
    at_work, said = examiner(0)
    case = case_of(honest())
    bring_back = hide(case, items(SEAT, context().params, 0)[0].number + 1)
    at_work.look(0, case)
    at_work.look(0, case)
    assert at_work.unserved() == (0,) and not at_work.todo() and not said
    assert at_work.result().marks == {0: Mark.CHALLENGE}
    assert at_work.result(blame_unserved=False).marks == {}
    bring_back()
    finish(at_work, 0, case)
    assert not at_work.unserved()
    assert at_work.result().marks == {0: Mark.PASS}


def test_what_there_was_no_time_for_is_not_marked() -> None:
    at_work, _ = examiner(0, 1)
    finish(at_work, 1, case_of(honest()))
    assert at_work.todo() == (0,)
    assert at_work.result().marks == {1: Mark.PASS}


def test_a_crash_over_one_slot_costs_its_mark_only(monkeypatch: pytest.MonkeyPatch) -> None:
    at_work, said = examiner(0, 1)
    with monkeypatch.context() as patch:
        patch.setattr(examine, "check_update", lambda case: 1 // 0)
        finish(at_work, 0, case_of(honest()))
    finish(at_work, 1, case_of(honest()))
    assert at_work.result().marks == {1: Mark.PASS}
    assert not at_work.todo() and "ZeroDivisionError" in said[0]


def test_work_put_aside_between_stages_goes_on_where_it_was() -> None:
    at_work, _ = examiner(0)
    looks = 0
    while at_work.todo():
        at_work.look(0, case_of(honest()))
        looks += 1
    assert looks == 1 + PER_SLOT
    assert len(at_work.result().leaves) == PER_SLOT


def test_seats_begin_with_different_slots() -> None:
    at_work, _ = examiner(0, 1, 2, 3)
    assert at_work.todo() == (2, 3, 0, 1)  # position 2


def test_leaves_stand_in_slot_order_whatever_was_looked_at_first() -> None:
    at_work, _ = examiner(0, 1)
    for slot in (1, 0):
        finish(at_work, slot, case_of(honest()))
    slots = [int.from_bytes(one[96:128], "big") for one in at_work.result().leaves]
    assert slots == [0] * PER_SLOT + [1] * PER_SLOT


def test_a_lazy_verifier_passes_everything_with_evidence_of_the_right_shape() -> None:
    found = lazy(SEAT, context().params, (0, 3))
    assert found.marks == {0: Mark.PASS, 3: Mark.PASS}
    heads = [leaf(SEAT, item, b"") for item in all_items(SEAT, context().params, (0, 3))]
    assert [one[:256] for one in found.leaves] == heads
    assert all(len(one) > 256 for one in found.leaves)
    assert index_tree.root(found.leaves) != index_tree.root(heads)


def test_made_up_evidence_is_not_the_real_one() -> None:
    params = context().params
    at_work, _ = examiner(0)
    finish(at_work, 0, case_of(honest()))
    assert not set(at_work.result().leaves) & set(lazy(SEAT, params, (0,)).leaves)
