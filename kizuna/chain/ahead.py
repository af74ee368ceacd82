"""What the next call will find: calls perform the transitions that are due before their own work."""

from __future__ import annotations

from dataclasses import replace

from kizuna.chain import rules
from kizuna.chain.structs import RoundView, TaskParams, bits
from kizuna.types import Digest, Phase


def ahead(
    view: RoundView, params: TaskParams, *, task: int, round: int, block: int, seal: Digest | None = None
) -> RoundView:
    """The round as a transaction in the block after `block` meets it, as far as that decides who can do what.

    `seal` is the seal beacon if it is known already: with it the checkers are drawn before any call reads it.
    """
    windows, late = params.windows, block >= view.phase_end
    if view.phase is Phase.SEAL and seal is not None:
        drawn = rules.checkers(params, view, task=task, round=round, seal=seal)
        end = view.phase_end + windows.vote
        return replace(view, phase=Phase.VOTE, phase_end=end, seal=seal, checkers=bits(drawn))
    if view.phase is Phase.OPEN and view.committed and late:
        return replace(view, phase=Phase.ATTEST, phase_end=view.phase_end + windows.attest)
    if view.phase is Phase.VOTE and late:
        return replace(view, phase=Phase.REVEAL, phase_end=view.phase_end + windows.reveal)
    return view
