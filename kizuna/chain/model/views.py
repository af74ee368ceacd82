"""The model's state as the contracts' views answer it."""

from __future__ import annotations

from kizuna.chain.model.task import TaskModel
from kizuna.chain.structs import Dispute, DocketView, RoundView, Slot, bits
from kizuna.types import ZERO_DIGEST, Address, Digest, Role


def slot(model: TaskModel, role: Role, position: int) -> Slot:
    """`Slots.slot`."""
    state = model.state.slots[role][position]
    return Slot(
        owner=Address(state.owner),
        operator=Address(state.operator),
        active_from=state.active_from,
        active_to=state.active_to,
        quota=1,
        strikes=len(state.strikes),
        convicted=state.convicted,
        first_strike=state.strikes[0] if state.strikes else 0,
        secret=state.secret,
        secrets_opened=state.opened,
        numerics_id=model.params.numerics_id,
    )


def round(model: TaskModel, number: int) -> RoundView:
    """`Rounds.round`."""
    state = model.state.rounds[number - 1]
    return RoundView(
        phase=state.phase,
        attempt=state.attempt,
        open_block=state.open_block,
        phase_end=state.phase_end,
        seed_target=state.seed_target,
        seal_target=state.seal_target,
        audit_target=state.audit_target,
        seed=state.seed or ZERO_DIGEST,
        seal=state.seal or ZERO_DIGEST,
        audit=state.audit or ZERO_DIGEST,
        trainers=state.trainers,
        committed=state.committed,
        held=state.held,
        challenged=state.challenged,
        accepted=state.accepted,
        paid=state.paid,
        verifiers=state.verifiers,
        attesters=state.attesters,
        attested=state.attested,
        checkers=state.checkers,
        voted=state.voted,
        revealed=state.revealed,
        forfeited=state.forfeited,
        version=state.version,
    )


def docket(model: TaskModel, number: int, which: int) -> DocketView:
    """`Court.docket`."""
    state = model.docket(number, which)
    return DocketView(state.phase, state.phase_end, state.jurors, state.committed, state.revealed, len(state.disputes))


def disputes(model: TaskModel, number: int, which: int) -> tuple[Dispute, ...]:
    """`Court.dispute` of all of a docket's."""
    return tuple(
        Dispute(
            role=state.role,
            accused=state.item.slot,
            check=state.item.check,
            item=state.item.item,
            challengers=bits(state.challengers),
            first_challenger=state.challengers[0] if state.challengers else 0,
            ruling=state.ruling,
            measured=state.item.measured,
        )
        for state in model.docket(number, which).disputes
    )


def commitment(model: TaskModel, number: int, position: int) -> Digest:
    """`Rounds.commitment`: a later one of the same position overwrites it."""
    made = {n: r.commitments[position] for n, r in enumerate(model.state.rounds, 1) if position in r.commitments}
    return made[number] if made and max(made) == number else ZERO_DIGEST
