"""The money that the contracts compute, before they do: mirrors `Payout` and `Accounts` of contracts/libraries.

All amounts are wei of the task's token.
"""

from __future__ import annotations

from eth_abi.abi import encode as abi_encode

from kizuna import draws, payouts
from kizuna.chain.structs import Money, RoundView, TaskParams, positions
from kizuna.draws import DrawKind
from kizuna.hashing import keccak
from kizuna.types import Digest, Mark, Role

TIPS = 24
"""Tips reserved for each round."""

BURNED = Digest(keccak(b"burned"))
"""The vault account of what was burned."""


def reserve(money: Money, *, trainers: int, verifiers: int, committee: int) -> int:
    """What a round moves from escrow to its pot when it opens: everything it can owe."""
    work = trainers * money.price
    checks = verifiers * trainers * money.check_fee
    attests = committee * trainers * money.attest_fee
    jurors = verifiers * money.juror_fee * (trainers + verifiers)
    return work + checks + attests + jurors + TIPS * money.tip


def full_reserve(params: TaskParams) -> int:
    """The reserve of a round with all announced slots: the least budget a task may have."""
    return reserve(
        params.money, trainers=params.trainer_slots, verifiers=params.verifier_seats, committee=params.committee
    )


def bond(money: Money, *, verifiers: int) -> int:
    """What a challenger covers per accused seat: its bond and the fees of a whole jury."""
    return money.challenge_bond + money.juror_fee * verifiers


def slash_of(money: Money, role: Role, stake: int) -> tuple[int, int, int]:
    """(taken, bounty, burned) of a conviction."""
    trainer = role is Role.TRAINER
    taken = payouts.slash(stake, money.trainer_slash if trainer else money.verifier_slash)
    bounty = payouts.bounty(taken, money.trainer_bounty_cap if trainer else money.verifier_bounty_cap)
    return taken, bounty, payouts.burned(taken, bounty)


def verifier_pay(money: Money, *, committed: int, attested: bool, marks: int) -> int:
    """What a verifier that is not forfeited earns in a round: `committed` and `marks` as on chain."""
    attests = money.attest_fee * committed.bit_count() if attested else 0
    return attests + money.check_fee * len(marked(marks))


def marked(marks: int, *kinds: Mark) -> tuple[int, ...]:
    """The trainer positions that a ballot's `marks` give one of `kinds` (default: PASS or CHALLENGE), ascending."""
    wanted = kinds or (Mark.PASS, Mark.CHALLENGE)
    return tuple(p for p in range(64) if marks >> 2 * p & 3 in wanted)


def marks_of(marks: dict[int, Mark]) -> int:
    """Marks by position as the ballot's integer: two bits each."""
    return sum(int(mark) << 2 * position for position, mark in marks.items())


def attesters(params: TaskParams, view: RoundView, *, task: int, round: int, seed: bytes) -> tuple[int, ...]:
    """The attesters of a round, in draw order."""
    active = positions(view.verifiers)
    return draws.committee(DrawKind.ATTEST, active, params.committee, task=task, round=round, beacon=seed, shard=0)


def checkers(params: TaskParams, view: RoundView, *, task: int, round: int, seal: bytes) -> tuple[int, ...]:
    """The checkers of a round's first attempt, in draw order."""
    active = positions(view.verifiers)
    return draws.committee(DrawKind.CHECK, active, params.committee, task=task, round=round, beacon=seal, shard=0)


# --- names of the vault's accounts ---


def free_account(owner: str) -> Digest:
    return Digest(bytes.fromhex(owner[2:]).rjust(32, b"\0"))


def escrow_account(task: int) -> Digest:
    return _account("escrow", task)


def bond_account(task: int) -> Digest:
    return _account("bond", task)


def pot_account(task: int, round: int) -> Digest:
    return _account("pot", task, round)


def claims_account(task: int) -> Digest:
    return _account("claims", task)


def stake_account(task: int, role: Role, position: int) -> Digest:
    return _account("stake", task, int(role), position)


def docket_account(task: int, round: int, docket: int) -> Digest:
    return _account("docket", task, round, docket)


def _account(name: str, *numbers: int) -> Digest:
    return Digest(keccak(abi_encode(["string", *["uint256"] * len(numbers)], [name, *numbers])))
