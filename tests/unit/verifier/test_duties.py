"""What a seat owes in every phase, from views of the chain alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.tasks import windows

from kizuna.chain.structs import DocketView, RoundView
from kizuna.types import ZERO_DIGEST, Digest, DocketPhase, Phase
from verifier.duties import ANY_TIME, Duty, Kind, RoundState, duties

ME, EVERYBODY, SOMETHING = 2, 0b1111, Digest(b"\x01" * 32)
WINDOWS = windows(attest=10, vote=30, reveal=6, jcommit=20, jreveal=5)


def view(phase: Phase, **changes: Any) -> RoundView:
    usual = RoundView(
        phase=phase,
        attempt=0,
        open_block=1,
        phase_end=100,
        seed_target=2,
        seal_target=50,
        audit_target=92,
        seed=SOMETHING,
        seal=SOMETHING,
        audit=ZERO_DIGEST,
        trainers=1,
        committed=1,
        held=1,
        challenged=0,
        accepted=1,
        paid=0,
        verifiers=EVERYBODY,
        attesters=0b0111,
        attested=0,
        checkers=0b0111,
        voted=0,
        revealed=0,
        forfeited=0,
        version=SOMETHING,
    )
    return replace(usual, **changes)


def docket(phase: DocketPhase = DocketPhase.JCOMMIT, **changes: Any) -> DocketView:
    usual = DocketView(phase=phase, phase_end=110, jurors=EVERYBODY, committed=0, revealed=0, disputes=1)
    return replace(usual, **changes)


NO_DOCKET = docket(DocketPhase.CLOSED)


def owed(state: RoundState, block: int = 95, seat: int = ME) -> list[Duty]:
    return duties([state], seat, block=block, windows=WINDOWS)


def kinds(state: RoundState, block: int = 95, seat: int = ME) -> list[Kind]:
    return [duty.kind for duty in owed(state, block, seat)]


@pytest.mark.parametrize("phase", [Phase.OPEN, Phase.SEAL, Phase.FINAL, Phase.VOID])
def test_nothing_is_owed_while_others_are_at_work(phase: Phase) -> None:
    assert not kinds(RoundState(round=1, view=view(phase)))


def test_an_attester_attests_once() -> None:
    assert owed(RoundState(round=1, view=view(Phase.ATTEST))) == [Duty(Kind.ATTEST, 1, 100)]
    assert not kinds(RoundState(round=1, view=view(Phase.ATTEST, attested=1 << ME)))
    assert not kinds(RoundState(round=1, view=view(Phase.ATTEST)), seat=3)


def test_a_checker_votes_once_and_then_reveals() -> None:
    assert owed(RoundState(round=1, view=view(Phase.VOTE))) == [Duty(Kind.VOTE, 1, 100)]
    assert not kinds(RoundState(round=1, view=view(Phase.VOTE, voted=1 << ME)))
    assert kinds(RoundState(round=1, view=view(Phase.REVEAL, voted=1 << ME))) == [Kind.REVEAL]
    assert not kinds(RoundState(round=1, view=view(Phase.REVEAL, voted=1 << ME, revealed=1 << ME)))
    assert not kinds(RoundState(round=1, view=view(Phase.REVEAL)))


def test_seats_added_for_a_second_vote_owe_it_as_another_duty() -> None:
    second = view(Phase.VOTE, attempt=1, checkers=EVERYBODY)
    assert owed(RoundState(round=1, view=second), seat=3) == [Duty(Kind.VOTE, 1, 100, attempt=1)]


def test_nothing_is_owed_that_no_block_can_hold_in_time() -> None:
    assert kinds(RoundState(round=1, view=view(Phase.ATTEST)), block=99) == [Kind.ATTEST]
    assert not kinds(RoundState(round=1, view=view(Phase.ATTEST)), block=100)


def test_a_docket_that_is_due_needs_nobody_to_advance_it_first() -> None:
    committed = docket(committed=1 << ME)
    state = RoundState(round=1, view=view(Phase.CHALLENGE), dockets=(committed, NO_DOCKET))
    assert owed(state, block=110) == [Duty(Kind.JREVEAL, 1, 115, docket=1)]


def test_a_juror_commits_and_then_reveals_in_each_docket() -> None:
    for number, dockets in ((1, (docket(), NO_DOCKET)), (2, (NO_DOCKET, docket()))):
        state = RoundState(round=1, view=view(Phase.CHALLENGE), dockets=dockets)
        assert owed(state) == [Duty(Kind.JCOMMIT, 1, 110, docket=number)]
    revealing = docket(DocketPhase.JREVEAL, committed=1 << ME)
    assert kinds(RoundState(round=1, view=view(Phase.CHALLENGE), dockets=(revealing, NO_DOCKET))) == [Kind.JREVEAL]
    absent = docket(jurors=0b0011)
    assert not kinds(RoundState(round=1, view=view(Phase.CHALLENGE), dockets=(absent, NO_DOCKET)))


def test_evidence_comes_before_the_jury() -> None:
    asked = RoundState(
        round=1,
        view=view(Phase.CHALLENGE, revealed=1 << ME),
        dockets=(docket(), NO_DOCKET),
        audit=SOMETHING,
        asked=4,
    )
    assert kinds(asked) == [Kind.EVIDENCE, Kind.JCOMMIT]


def test_a_checker_sits_on_no_jury_until_it_knows_whether_it_is_audited() -> None:
    state = RoundState(round=1, view=view(Phase.CHALLENGE, revealed=1 << ME), dockets=(docket(), NO_DOCKET), audit=None)
    assert not kinds(state, block=92)
    assert kinds(state, block=92, seat=3) == [Kind.JCOMMIT]
    assert kinds(state, block=101) == [Kind.JCOMMIT]  # a beacon that does not come must not keep anybody waiting


@pytest.mark.parametrize(
    "phase", [phase for phase in DocketPhase if phase not in (DocketPhase.JCOMMIT, DocketPhase.JREVEAL)]
)
@pytest.mark.parametrize("number", [1, 2])
def test_a_docket_that_is_not_in_session_asks_for_nothing(phase: DocketPhase, number: int) -> None:
    dockets = [NO_DOCKET, NO_DOCKET]
    dockets[number - 1] = docket(phase)
    assert not kinds(RoundState(round=1, view=view(Phase.CHALLENGE), dockets=tuple(dockets)))


def test_a_juror_that_has_said_it_owes_no_more() -> None:
    for one in (docket(committed=1 << ME), docket(DocketPhase.JREVEAL, committed=1 << ME, revealed=1 << ME)):
        assert not kinds(RoundState(round=1, view=view(Phase.CHALLENGE), dockets=(one, NO_DOCKET)))
    silent = docket(DocketPhase.JREVEAL)  # nothing was hidden, so nothing can be opened
    assert not kinds(RoundState(round=1, view=view(Phase.CHALLENGE), dockets=(silent, NO_DOCKET)))


def test_a_jury_sits_on_after_the_challenge_window_and_evidence_does_not() -> None:
    state = RoundState(
        round=1,
        view=view(Phase.CHALLENGE, revealed=1 << ME),
        dockets=(docket(), NO_DOCKET),
        audit=SOMETHING,
        asked=4,
    )
    assert kinds(state, block=99) == [Kind.EVIDENCE, Kind.JCOMMIT]
    assert kinds(state, block=100) == [Kind.JCOMMIT]
    assert kinds(state, block=109) == [Kind.JCOMMIT]
    assert kinds(state, block=114) == []  # what was not hidden by then cannot be opened


def test_both_dockets_of_a_round_are_served_the_nearer_deadline_first() -> None:
    later, sooner = docket(phase_end=120), docket(DocketPhase.JREVEAL, phase_end=105, committed=1 << ME)
    state = RoundState(round=1, view=view(Phase.CHALLENGE), dockets=(later, sooner))
    assert [(duty.kind, duty.docket) for duty in owed(state)] == [(Kind.JREVEAL, 2), (Kind.JCOMMIT, 1)]


def test_what_can_wait_comes_last() -> None:
    last = RoundState(
        round=8, view=view(Phase.CHALLENGE, version=ZERO_DIGEST), dockets=(docket(), NO_DOCKET), is_last=True
    )
    assert kinds(last) == [Kind.JCOMMIT, Kind.REPORT]


def test_a_round_that_is_over_is_still_reported() -> None:
    for phase in (Phase.FINAL, Phase.VOID):
        over = RoundState(round=8, view=view(phase, version=ZERO_DIGEST), is_last=True)
        assert kinds(over, block=10_000) == [Kind.REPORT]
    unfinished = RoundState(round=8, view=view(Phase.REVEAL, version=ZERO_DIGEST), is_last=True)
    assert not kinds(unfinished)


def test_the_nearest_deadline_comes_first_across_rounds() -> None:
    older = RoundState(round=1, view=view(Phase.CHALLENGE), dockets=(docket(), NO_DOCKET))
    newer = RoundState(round=2, view=view(Phase.VOTE, phase_end=120))
    found = duties([newer, older], ME, block=95, windows=WINDOWS)
    assert [(duty.round, duty.kind) for duty in found] == [(1, Kind.JCOMMIT), (2, Kind.VOTE)]


def test_the_head_is_reported_after_the_last_round_until_it_is_recorded() -> None:
    unrecorded = view(Phase.CHALLENGE, version=ZERO_DIGEST)
    state = RoundState(round=8, view=unrecorded, dockets=(NO_DOCKET, NO_DOCKET), is_last=True)
    assert owed(state) == [Duty(Kind.REPORT, 8, ANY_TIME)]
    assert not kinds(replace(state, is_last=False))
    assert not kinds(replace(state, view=replace(unrecorded, version=SOMETHING)))


def test_who_is_not_in_a_round_owes_nothing_in_it() -> None:
    assert not kinds(RoundState(round=1, view=view(Phase.VOTE, verifiers=0b0011)))
