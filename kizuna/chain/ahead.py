"""What the next call will find: calls perform the transitions that are due before their own work."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kizuna.chain import rules
from kizuna.chain.structs import RoundView, TaskParams, bits
from kizuna.types import ZERO_DIGEST, Digest, Phase


@dataclass(frozen=True, slots=True)
class Published:
    """The value of a beacon's target, and the block with which it became public."""

    value: Digest
    since: int


def awaited(view: RoundView) -> int:
    """The beacon target that a round waits for; 0 if it waits for none."""
    if view.phase is Phase.OPEN and view.seed == ZERO_DIGEST:
        return view.seed_target
    if view.phase is Phase.SEAL:
        return view.seal_target
    return view.audit_target if view.phase is Phase.CHALLENGE and view.audit == ZERO_DIGEST else 0


def ahead(
    view: RoundView, params: TaskParams, *, task: int, round: int, block: int, published: Published | None = None
) -> RoundView:
    """The round as a transaction in the block after `block` meets it, as far as that decides who can do what.

    `published` is what the round waits for (`awaited`), if it is public already, though no call has read it.
    """
    if published is not None:
        view = _read(view, params, published, task=task, round=round)
    windows, late = params.windows, block >= view.phase_end
    if view.phase is Phase.OPEN and view.committed and late:
        return replace(view, phase=Phase.ATTEST, phase_end=view.phase_end + windows.attest)
    if view.phase is Phase.VOTE and late:
        return replace(view, phase=Phase.REVEAL, phase_end=view.phase_end + windows.reveal)
    return view


def _read(view: RoundView, params: TaskParams, published: Published, *, task: int, round: int) -> RoundView:
    """The round after its beacon has been read. Windows count from the block with which the value became public."""
    value, since, windows = published.value, published.since, params.windows
    if view.phase is Phase.OPEN:
        end = max(view.phase_end, since - 1 + windows.open)
        drawn = rules.attesters(params, view, task=task, round=round, seed=value)
        return replace(view, phase_end=end, seed=value, attesters=bits(drawn))
    if view.phase is Phase.SEAL:
        end = max(view.phase_end, since) + windows.vote
        drawn = rules.checkers(params, view, task=task, round=round, seal=value)
        return replace(view, phase=Phase.VOTE, phase_end=end, seal=value, checkers=bits(drawn))
    return replace(view, phase_end=max(view.phase_end, since - 2 + windows.challenge), audit=value)
