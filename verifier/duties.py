"""What a seat owes, as a pure function of the chain: which calls, until which block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from kizuna.chain.structs import DocketView, RoundView, Windows
from kizuna.types import ZERO_DIGEST, Digest, DocketPhase, Phase

ANY_TIME = 1 << 62
"""A deadline that never comes."""


class Kind(StrEnum):
    """The calls of a verifier."""

    ATTEST = "attest"
    VOTE = "vote"
    REVEAL = "reveal"
    EVIDENCE = "show evidence"
    JCOMMIT = "judge"
    JREVEAL = "reveal rulings"
    REPORT = "report the head"


@dataclass(frozen=True, slots=True)
class Duty:
    """One call that is owed. `deadline` is the last block that may hold it."""

    kind: Kind
    round: int
    deadline: int
    docket: int = 0
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundState:
    """A round with all that decides what a seat owes in it.

    `view` is the round as the next block's calls will find it (`Reads.round_ahead`), `audit` the audit beacon as soon
    as its block exists, `asked` the evidence leaf that it asks this seat for.
    """

    round: int
    view: RoundView
    dockets: tuple[DocketView, ...] = ()
    audit: Digest | None = None
    asked: int | None = None
    is_last: bool = False


def duties(states: Iterable[RoundState], position: int, *, block: int, windows: Windows) -> list[Duty]:
    """What the seat at `position` can and must do after `block`, the nearest deadline first."""
    found = (duty for state in states for duty in _of_round(state, position, block, windows))
    return sorted((duty for duty in found if block < duty.deadline), key=lambda duty: duty.deadline)


def _of_round(state: RoundState, position: int, block: int, windows: Windows) -> Iterator[Duty]:
    view, seat = state.view, 1 << position
    if not view.verifiers & seat:
        return
    phase, end = view.phase, view.phase_end
    if phase is Phase.ATTEST and view.attesters & ~view.attested & seat:
        yield Duty(Kind.ATTEST, state.round, end)
    if phase is Phase.VOTE and view.checkers & ~view.voted & seat:
        yield Duty(Kind.VOTE, state.round, end, attempt=view.attempt)
    if phase is Phase.REVEAL and view.voted & ~view.revealed & seat:
        yield Duty(Kind.REVEAL, state.round, end, attempt=view.attempt)
    if phase is Phase.CHALLENGE:
        if state.asked is not None:
            yield Duty(Kind.EVIDENCE, state.round, end)
        for number, docket in enumerate(state.dockets, 1):
            if not _awaits_audit(state, position, block):
                yield from _of_docket(state.round, number, docket, position, block, windows)
    soft = phase in (Phase.CHALLENGE, Phase.FINAL, Phase.VOID)
    if state.is_last and soft and view.version == ZERO_DIGEST:
        yield Duty(Kind.REPORT, state.round, ANY_TIME)


def _awaits_audit(state: RoundState, position: int, block: int) -> bool:
    """Whether this checker may be asked for evidence any moment: whoever is busy judging then could lose its stake."""
    checked = bool(state.view.revealed >> position & 1)
    return checked and state.audit is None and block <= state.view.phase_end


def _of_docket(
    round: int, number: int, docket: DocketView, position: int, block: int, windows: Windows
) -> Iterator[Duty]:
    seat, phase, end = 1 << position, docket.phase, docket.phase_end
    if phase is DocketPhase.JCOMMIT and block >= end:
        phase, end = DocketPhase.JREVEAL, end + windows.jreveal
    if phase is DocketPhase.JCOMMIT and docket.jurors & ~docket.committed & seat:
        yield Duty(Kind.JCOMMIT, round, end, docket=number)
    if phase is DocketPhase.JREVEAL and docket.committed & ~docket.revealed & seat:
        yield Duty(Kind.JREVEAL, round, end, docket=number)
