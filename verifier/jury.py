"""A juror's work: re-run exactly what is disputed, from public bytes, and say what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kizuna.chain import rules
from kizuna.chain.structs import Ballot, Dispute, TaskParams
from kizuna.hashing import keccak
from kizuna.types import ZERO_DIGEST, Check, Digest, Finding, Mark, Reason, Role, Ruling
from verifier.checks import Case, check, result_digest
from verifier.evidence import Item, Seat, all_items, leaf, show_rollout, show_segment
from verifier.records import Records, unhex


@dataclass(frozen=True, slots=True)
class Opinion:
    """A ruling and the digest of what the juror computed. `waiting`: it rests on bytes that may still arrive."""

    ruling: Ruling
    result: Digest = ZERO_DIGEST
    waiting: bool = False


NO_OPINION = Opinion(Ruling.NONE)


def may_sit(dispute: Dispute, position: int) -> bool:
    """Not on one's own case, and not on a challenge that one was the first to raise."""
    if dispute.role is Role.VERIFIER and dispute.accused == position:
        return False
    return not (dispute.challengers and dispute.first_challenger == position)


def judge(dispute: Dispute, case: Case | Finding) -> Opinion:
    """The ruling on a trainer's work. A drawn item that is not served counts as wrong work."""
    fault = case if isinstance(case, Finding) else check(case, dispute.check, dispute.item)
    if fault is None:
        return Opinion(Ruling.CLEAN, result_digest(None))
    gross = fault.gross or dispute.check is not Check.SEGMENT
    ruling = Ruling.GUILTY_GROSS if gross else Ruling.GUILTY_LONE
    return Opinion(ruling, result_digest(fault), waiting=fault.reason is Reason.UNAVAILABLE)


def shown_item(seat: Seat, params: TaskParams, ballot: Ballot, index: int) -> Item:
    """Which item the evidence leaf of this index is about, by the accused's own secret."""
    return list(all_items(seat, params, rules.marked(ballot.marks, Mark.PASS)))[index]


def judge_evidence(dispute: Dispute, seat: Seat, params: TaskParams, item: Item, case: Case | Finding) -> Opinion:
    """Whether a posted leaf is, byte for byte, what the accused would have computed had it done its work.

    Where the trainer no longer serves the bytes nobody can tell, and that is not the verifier's fault.
    """
    show = show_segment if item.check is Check.SEGMENT else show_rollout
    shown = case if isinstance(case, Finding) else show(seat, params, case, item)
    if isinstance(shown, Finding):
        return Opinion(Ruling.INDETERMINATE, result_digest(shown), waiting=shown.reason is Reason.UNAVAILABLE)
    expected = Digest(keccak(leaf(seat, item, shown)))
    return Opinion(Ruling.CLEAN if dispute.measured == expected else Ruling.GUILTY_GROSS, expected)


def concluded(opinion: Opinion, *, mirrors_answer: bool) -> Opinion:
    """An opinion when there is no more time: with no mirror in reach what was not served is nobody's fault."""
    if opinion.waiting and not mirrors_answer:
        return Opinion(Ruling.INDETERMINATE, opinion.result)
    return opinion


class Rulings:
    """Rulings on disk, written before their hash is sent."""

    def __init__(self, folder: Path) -> None:
        self._records = Records(folder)

    def save(self, round: int, docket: int, opinions: Sequence[Opinion]) -> None:
        """Keeps what was saved first."""
        record = {"rulings": [int(o.ruling) for o in opinions], "results": [o.result for o in opinions]}
        self._records.save(f"{round}-{docket}", record)

    def load(self, round: int, docket: int) -> tuple[Opinion, ...] | None:
        """The rulings on a docket in the order of its disputes, None if there are none."""
        record = self._records.load(f"{round}-{docket}")
        if record is None:
            return None
        pairs = zip(record["rulings"], record["results"], strict=True)
        return tuple(Opinion(Ruling(ruling), Digest(unhex(result))) for ruling, result in pairs)
