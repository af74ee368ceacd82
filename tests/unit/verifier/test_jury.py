"""Rulings on disputes over real contributions, and on evidence."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.cases import RULES, SEAT, case_of, hide, honest, nudged, with_boundaries
from support.training import context, numerics, train

from kizuna.chain import rules
from kizuna.chain.structs import Ballot, Dispute
from kizuna.hashing import keccak
from kizuna.node.task_context import file_digest
from kizuna.types import ZERO_DIGEST, Check, Digest, Finding, Mark, Reason, Role, Ruling
from trainer.cheats import CHEATS
from verifier.checks import Case
from verifier.evidence import Item, items, leaf, show_rollout, show_segment
from verifier.jury import Opinion, Rulings, concluded, judge, judge_evidence, may_sit, shown_item

PARAMS = context().params


def dispute(check: Check, item: int = 0, **changes: object) -> Dispute:
    fields: dict[str, object] = {
        "role": Role.TRAINER,
        "accused": 0,
        "check": check,
        "item": item,
        "challengers": 0b10,
        "first_challenger": 1,
        "ruling": Ruling.NONE,
        "measured": ZERO_DIGEST,
    }
    return Dispute(**(fields | changes))  # type: ignore[arg-type]


def shown(item: Item, case: Case) -> bytes:
    show = show_segment if item.check is Check.SEGMENT else show_rollout
    found = show(SEAT, PARAMS, case, item)
    assert isinstance(found, bytes)
    return found


def audit(index: int, leaf_hash: bytes) -> Dispute:
    return dispute(
        Check.EVIDENCE,
        index,
        role=Role.VERIFIER,
        accused=SEAT.position,
        challengers=0,
        first_challenger=0,
        measured=Digest(leaf_hash),
    )


@pytest.mark.parametrize(
    ("check", "item"),
    [(Check.UPDATE, 0), (Check.ENCODE, 0), (Check.ROLLOUT, 5), (Check.SEGMENT, 1), (Check.AVAILABLE, 2)],
)
def test_honest_work_is_clean(check: Check, item: int) -> None:
    assert judge(dispute(check, item), case_of(honest())).ruling is Ruling.CLEAN


def test_invented_states_are_gross_and_jurors_measure_the_same() -> None:
    made_up = train(RULES, CHEATS["fabricate"].round_type)
    case = case_of(made_up.result(numerics_id=numerics(), digest_of=file_digest))
    opinion = judge(dispute(Check.SEGMENT, 1), case)
    assert opinion.ruling is Ruling.GUILTY_GROSS and not opinion.waiting
    assert opinion == judge(dispute(Check.SEGMENT, 1), case)
    assert judge(dispute(Check.UPDATE), case).ruling is Ruling.CLEAN


def test_a_lone_bit_is_ruled_lone() -> None:
    start, middle, end = honest().boundaries
    case = case_of(with_boundaries(honest(), (start, nudged(middle, 1e-7), end)))
    assert judge(dispute(Check.SEGMENT, 0), case).ruling is Ruling.GUILTY_LONE


def test_a_fault_of_the_whole_condemns_whatever_is_disputed() -> None:
    fault = Finding(Check.UPDATE, 0, Reason.WRONG_BASE)
    opinion = judge(dispute(Check.SEGMENT, 1), fault)
    assert opinion.ruling is Ruling.GUILTY_GROSS and not opinion.waiting


def test_what_is_not_served_is_waited_for_and_then_wrong() -> None:
    case = case_of(honest())
    hide(case, 1)
    opinion = judge(dispute(Check.AVAILABLE, 0), case)
    assert opinion.waiting
    assert concluded(opinion, mirrors_answer=True).ruling is Ruling.GUILTY_GROSS


def test_with_no_mirror_in_reach_nobody_is_condemned_for_what_is_not_served() -> None:
    waiting = Opinion(Ruling.GUILTY_GROSS, ZERO_DIGEST, waiting=True)
    assert concluded(waiting, mirrors_answer=False).ruling is Ruling.INDETERMINATE
    settled = Opinion(Ruling.GUILTY_GROSS)
    assert concluded(settled, mirrors_answer=False) == settled


def test_nobody_sits_on_its_own_case_or_on_its_own_first_challenge() -> None:
    assert not may_sit(dispute(Check.UPDATE), 1)
    assert may_sit(dispute(Check.UPDATE), 0)  # a trainer's position is no verifier's
    assert may_sit(dispute(Check.UPDATE, challengers=0b110), 2)  # a co-challenger sits
    assert not may_sit(audit(0, ZERO_DIGEST), SEAT.position)
    assert may_sit(audit(0, ZERO_DIGEST), 0)  # an audit has no challenger, whatever its field says


def test_evidence_of_work_done_is_clean_and_any_other_is_not() -> None:
    case = case_of(honest())
    for index, item in enumerate(items(SEAT, PARAMS, 0)):
        real = leaf(SEAT, item, shown(item, case))
        for bytes_, ruling in ((real, Ruling.CLEAN), (real[:-1] + bytes([real[-1] ^ 1]), Ruling.GUILTY_GROSS)):
            opinion = judge_evidence(audit(index, keccak(bytes_)), SEAT, PARAMS, item, case_of(honest()))
            assert opinion.ruling is ruling and opinion.result == keccak(real)


def test_evidence_that_shows_an_item_that_was_not_drawn_is_wrong() -> None:
    item = items(SEAT, PARAMS, 0)[0]
    elsewhere = Item(item.slot, item.check, item.order, 1 - item.number)
    case = case_of(honest())
    opinion = judge_evidence(audit(0, keccak(leaf(SEAT, elsewhere, shown(elsewhere, case)))), SEAT, PARAMS, item, case)
    assert opinion.ruling is Ruling.GUILTY_GROSS


def test_a_verifier_does_not_answer_for_a_trainer_that_has_gone() -> None:
    case, item = case_of(honest()), Item(0, Check.SEGMENT, 0, 1)
    hide(case, 1)
    nowhere = Finding(Check.AVAILABLE, RULES.segments, Reason.UNAVAILABLE)
    for found in (case, nowhere):
        opinion = judge_evidence(audit(0, ZERO_DIGEST), SEAT, PARAMS, item, found)
        assert opinion.ruling is Ruling.INDETERMINATE and opinion.waiting


def test_the_index_of_a_leaf_counts_passed_slots_only() -> None:
    marks = rules.marks_of({0: Mark.CHALLENGE, 1: Mark.PASS, 4: Mark.PASS})
    ballot = Ballot(
        marks=marks, secret=SEAT.secret, evidence_root=ZERO_DIGEST, previous_version=ZERO_DIGEST, salt=ZERO_DIGEST
    )
    assert shown_item(SEAT, PARAMS, ballot, 0) == items(SEAT, PARAMS, 1)[0]
    assert shown_item(SEAT, PARAMS, ballot, 5) == items(SEAT, PARAMS, 4)[2]


def test_rulings_are_read_back_after_a_restart_and_never_replaced(tmp_path: Path) -> None:
    first = (Opinion(Ruling.CLEAN, Digest(keccak(b"one"))), Opinion(Ruling.NONE))
    Rulings(tmp_path).save(3, 1, first)
    Rulings(tmp_path).save(3, 1, (Opinion(Ruling.GUILTY_GROSS), Opinion(Ruling.NONE)))
    assert Rulings(tmp_path).load(3, 1) == first
    assert Rulings(tmp_path).load(3, 2) is None
