"""The contracts' rules as pure functions; vectors and the state machine pin them to the contracts."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tasks import money, task_params

from kizuna import draws
from kizuna.chain import Challenge, Deployment, TaskParams, rules
from kizuna.hashing import abi_words, keccak
from kizuna.types import ZERO_DIGEST, Check, Digest, Mark, Ruling

CLEAN, LONE, GROSS = Ruling.CLEAN, Ruling.GUILTY_LONE, Ruling.GUILTY_GROSS
UNSURE, HUNG, NONE = Ruling.INDETERMINATE, Ruling.HUNG, Ruling.NONE
SEAL, SECRET, AUDIT = (Digest(keccak(name)) for name in (b"seal", b"secret", b"audit"))
OPERATOR = "0x" + "ab" * 20


@pytest.fixture(scope="module")
def params(deployment: Deployment) -> TaskParams:
    """Three segments of four groups, of which a checker draws one and two."""
    return task_params(deployment)


# --- bonds ---


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_a_bond_comes_out_of_the_free_balance_and_then_of_the_stake_above_a_slash(
    amount: int, free: int, stake: int, slash: int
) -> None:
    sources = rules.bond_sources(amount, free=free, stake=stake, slash=slash)
    if sources is None:
        assert free < amount and stake - slash < amount - free
    else:
        assert sum(sources) == amount and sources[0] == min(free, amount)
        assert not sources[1] or stake - sources[1] >= slash


# --- ballots ---


def test_marks_are_refused_on_what_is_not_held_or_ones_own() -> None:
    marks = rules.marks_of({0: Mark.PASS, 5: Mark.CHALLENGE})
    assert rules.marks_allowed(marks, held=0b100011, own=0b10)
    assert not rules.marks_allowed(marks, held=0b100010, own=0)
    assert not rules.marks_allowed(marks, held=0b100001, own=0b100000)
    assert not rules.marks_allowed(0b11, held=0b1, own=0)  # PASS and CHALLENGE at once
    assert rules.marks_allowed(0, held=0, own=0)


def test_only_what_was_drawn_can_be_challenged(params: TaskParams) -> None:
    source = {"task": 1, "round": 2, "seal": SEAL, "secret": SECRET, "seat": 3}
    (segment,) = draws.segments(3, 1, slot=4, **source)
    groups = draws.groups(segment, 4, 2, slot=4, **source)
    allowed = {
        (check, item)
        for check, item in product(Check, range(13))
        if rules.challenge_fault(params, Challenge(4, check, item, ZERO_DIGEST), **source) is None
    }
    whole = {(Check.UPDATE, 0), (Check.ENCODE, 0), (Check.AVAILABLE, 3)}
    drawn = {(Check.SEGMENT, segment), (Check.AVAILABLE, segment), *((Check.ROLLOUT, group) for group in groups)}
    assert allowed == whole | drawn


def test_a_challenge_that_is_no_checkers_business_says_why(params: TaskParams) -> None:
    source = {"task": 1, "round": 2, "seal": SEAL, "secret": SECRET, "seat": 3}
    faults = [
        rules.challenge_fault(params, Challenge(slot, check, item, ZERO_DIGEST), **source)
        for slot, check, item in [(64, Check.UPDATE, 0), (0, Check.EVIDENCE, 0), (0, Check.UPDATE, 1)]
    ]
    assert faults == ["slot", "check", "item"]


# --- audits ---


def test_an_audit_asks_for_one_leaf_of_what_was_passed(params: TaskParams) -> None:
    where = {"task": 1, "round": 2, "audit": AUDIT}
    marks = rules.marks_of({0: Mark.PASS, 3: Mark.CHALLENGE, 7: Mark.PASS})
    asked = [rules.audit_of(params, marks, seat=seat, **where) for seat in range(40)]
    assert {leaves for _, _, leaves in asked} == {6} and {index for _, index, _ in asked} == set(range(6))
    assert rules.audit_of(params, rules.marks_of({3: Mark.CHALLENGE}), seat=0, **where) == (False, 0, 0)


@pytest.mark.parametrize("index", range(6))
def test_evidence_names_its_place_and_its_owner(params: TaskParams, index: int) -> None:
    marks = rules.marks_of({2: Mark.PASS, 3: Mark.CHALLENGE, 7: Mark.PASS})
    check, order = [(Check.SEGMENT, 0), (Check.ROLLOUT, 0), (Check.ROLLOUT, 1)][index % 3]
    fields = [1, 2, 3, (2, 7)[index // 3], int(check), order, 99, int(OPERATOR, 16)]
    where = {"task": 1, "round": 2, "seat": 3, "marks": marks, "index": index, "operator": OPERATOR}

    def fault(*words: int, extra: bytes = b"e") -> str | None:
        return rules.evidence_fault(params, abi_words(*words) + extra, **where)

    assert fault(*fields) is None
    names = ["task", "round", "seat", "slot", "kind", "draw", None, "operator"]
    for at, name in enumerate(names):
        assert fault(*fields[:at], fields[at] + 1, *fields[at + 1 :]) == name
    assert fault(*fields, extra=b"") == fault(*fields, extra=bytes(769)) == "size"
    assert fault(*fields, extra=bytes(768)) is None


# --- juries ---


@pytest.mark.parametrize(
    ("given", "jury", "decided"),
    [
        ([], 4, HUNG),
        ([CLEAN] * 4, 4, CLEAN),
        ([CLEAN] * 2, 4, CLEAN),  # half of the jury
        ([CLEAN] * 2, 5, HUNG),  # less
        ([CLEAN] * 2 + [UNSURE], 4, CLEAN),  # two thirds of those given
        ([CLEAN] * 3 + [UNSURE] * 2, 5, HUNG),
        ([UNSURE] * 3 + [NONE], 4, UNSURE),
        ([NONE] * 4, 4, HUNG),
        ([GROSS, LONE, CLEAN], 3, GROSS),  # guilty is guilty, and only a segment can be LONE
    ],
)
def test_two_thirds_of_the_rulings_and_half_of_the_jury_decide(given: list[Ruling], jury: int, decided: Ruling) -> None:
    assert rules.ruling_of(Check.UPDATE, given, jury) is decided


@pytest.mark.parametrize(
    ("given", "decided"),
    [([LONE] * 3, LONE), ([GROSS, LONE, LONE], LONE), ([GROSS, GROSS, LONE], GROSS), ([GROSS, LONE, CLEAN], LONE)],
)
def test_a_segment_is_gross_by_two_thirds_of_those_who_say_guilty(given: list[Ruling], decided: Ruling) -> None:
    assert rules.ruling_of(Check.SEGMENT, given, 3) is decided


@given(st.lists(st.sampled_from([NONE, CLEAN, LONE, GROSS, UNSURE]), max_size=9), st.integers(0, 3))
def test_a_ruling_does_not_depend_on_the_order_of_jurors_and_more_of_the_same_never_turns_it(
    given: list[Ruling], absent: int
) -> None:
    jury = len(given) + absent
    decided = rules.ruling_of(Check.SEGMENT, given, jury)
    assert rules.ruling_of(Check.SEGMENT, sorted(given), jury) is decided
    if decided is not HUNG:
        assert rules.ruling_of(Check.SEGMENT, [*given, decided], jury + 1) is decided


def test_jurors_agree_with_what_was_decided_and_guilty_is_guilty() -> None:
    agreeing = {(own, decided) for own, decided in product(Ruling, Ruling) if rules.agrees(own, decided)}
    same = {(ruling, ruling) for ruling in (CLEAN, LONE, GROSS, UNSURE)}
    assert agreeing == same | {(LONE, GROSS), (GROSS, LONE)}


def test_neither_the_accused_nor_the_first_challenger_sits() -> None:
    assert rules.eligible(0b11111, accused=0, challenger=3) == 0b10110
    assert rules.eligible(0b11111) == 0b11111


# --- strikes ---


@pytest.mark.parametrize(
    ("rounds", "counted"),
    [
        ([5], (5,)),
        ([5, 6, 7], (5, 6, 7)),
        ([5, 104], (5, 104)),  # within a hundred rounds
        ([5, 105], (105,)),
        ([5, 60, 110], (60, 110)),
        ([5, 60, 300], (300,)),
        ([5, 60, 110, 120], (60, 110, 120)),
    ],
)
def test_strikes_count_for_a_hundred_rounds(rounds: list[int], counted: tuple[int, ...]) -> None:
    counting: tuple[int, ...] = ()
    for round in rounds:
        counting = rules.strike(counting, round)
    assert counting == counted


# --- settlement ---


SETS = st.integers(0, 255)


@given(SETS, SETS, SETS, SETS)
def test_nobody_is_paid_and_forfeited_at_once(accepted: int, cleared: int, guilty: int, convicted: int) -> None:
    paid = rules.paid(accepted=accepted, cleared=cleared, guilty=guilty, convicted=convicted)
    assert paid & (guilty | convicted) == 0 and paid & ~(accepted | cleared) == 0
    lost = rules.forfeited_work(
        money(), accepted=accepted, cleared=cleared, guilty=guilty, convicted=convicted, spent=0
    )
    assert lost == (accepted | cleared | guilty).bit_count() * money().price - paid.bit_count() * money().price
