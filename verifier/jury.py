"""A juror's work: re-run exactly what is disputed, from public bytes, and say what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kizuna.chain import rules
from kizuna.chain.client import Pinned
from kizuna.chain.structs import Dispute, TaskParams
from kizuna.hashing import keccak
from kizuna.types import Check, Digest, Finding, Mark, Reason, Role, Ruling
from verifier.checks import Case, check_encode, check_rollout, check_segment, check_update, result_digest
from verifier.evidence import Seat, all_items, leaf, show_rollout, show_segment

CaseOf = Callable[[int], Case | Finding]
"""The contribution of a slot as the mirrors serve it."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """A ruling and the digest of what the juror computed. `waiting`: bytes may still arrive."""

    ruling: Ruling
    result: Digest
    waiting: bool = False


def may_sit(dispute: Dispute, position: int) -> bool:
    """Not on one's own case, and not on a challenge that one was the first to raise."""
    if dispute.role is Role.VERIFIER and dispute.accused == position:
        return False
    return not (dispute.challengers and dispute.first_challenger == position)


def judge(dispute: Dispute, case_of: CaseOf, *, audit: Callable[[Dispute], Opinion]) -> Opinion:
    """The ruling on one dispute."""
    if dispute.check is Check.EVIDENCE:
        return audit(dispute)
    case = case_of(dispute.accused)
    fault = case if isinstance(case, Finding) else _rerun(case, dispute)
    if fault is None:
        return Opinion(Ruling.CLEAN, result_digest(None))
    gross = fault.gross or dispute.check is not Check.SEGMENT
    ruling = Ruling.GUILTY_GROSS if gross else Ruling.GUILTY_LONE
    return Opinion(ruling, result_digest(fault), waiting=fault.reason is Reason.UNAVAILABLE)


def _rerun(case: Case, dispute: Dispute) -> Finding | None:
    """The disputed check alone. A drawn item that is not served counts as wrong work."""
    if dispute.check is Check.UPDATE:
        return check_update(case)
    if dispute.check is Check.ENCODE:
        return check_encode(case)
    if dispute.check is Check.ROLLOUT:
        return check_rollout(case, dispute.item)
    if dispute.check is Check.SEGMENT:
        return check_segment(case, dispute.item)
    segments = case.config.segments
    needed = (segments,) if dispute.item == segments else (dispute.item, dispute.item + 1)
    for j in needed:
        boundary = case.boundary(j)
        if isinstance(boundary, Finding):
            return boundary
    return None


def audit_opinion(
    dispute: Dispute, chain: Pinned, params: TaskParams, case_of: CaseOf, *, task: int, round: int
) -> Opinion:
    """Whether a posted evidence leaf is what the accused's own secret asks for, byte for byte."""
    ballot = chain.ballots(task, round).get(dispute.accused)
    posted = chain.evidence(task, round).get(dispute.accused)
    if ballot is None or posted is None:
        return Opinion(Ruling.INDETERMINATE, result_digest(None))
    operator = chain.slot(task, Role.VERIFIER, dispute.accused).operator
    seal = chain.round(task, round).seal
    seat = Seat(task=task, round=round, position=dispute.accused, operator=operator, seal=seal, secret=ballot.secret)
    passed = rules.marked(ballot.marks, Mark.PASS)
    item = list(all_items(seat, params, passed))[dispute.item]
    case = case_of(item.slot)
    if isinstance(case, Finding):
        return Opinion(Ruling.INDETERMINATE, result_digest(case), waiting=True)
    show = show_segment if item.check is Check.SEGMENT else show_rollout
    shown = show(seat, params, case, item)
    if isinstance(shown, Finding):
        return Opinion(Ruling.INDETERMINATE, result_digest(shown), waiting=True)
    expected = leaf(seat, item, shown)
    ruling = Ruling.CLEAN if posted == expected else Ruling.GUILTY_GROSS
    return Opinion(ruling, Digest(keccak(expected)))
