"""The rules that the contracts apply, as pure functions: who is drawn, what may be said, what is owed.

Mirrors the libraries of contracts/ and the arithmetic of Slots, Rounds and Court; `kizuna.chain.model` puts
them together. All amounts are wei of the task's token, a set is an integer whose bit p stands for position p.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import dropwhile

from eth_abi.abi import encode as abi_encode

from kizuna import draws, payouts
from kizuna.chain.structs import Challenge, Money, RoundView, TaskParams, bits, positions
from kizuna.draws import DrawKind
from kizuna.hashing import keccak
from kizuna.types import Check, Digest, Mark, Role, Ruling

TIPS = 24
"""Tips reserved for each round."""

STRIKES = 3
STRIKE_ROUNDS = 100
"""So many strikes within so many rounds slash."""

MAX_DISPUTES = 64
"""Of a docket."""

EVIDENCE_HEAD = 256
MAX_EVIDENCE = 1024
"""Bytes of an evidence leaf: its eight fixed words, and all of it."""

BURNED = Digest(keccak(b"burned"))
"""The vault account of what was burned."""


# --- money ---


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


def stake_of(money: Money, role: Role) -> int:
    return money.trainer_stake if role is Role.TRAINER else money.verifier_stake


def slash_limit(money: Money, role: Role) -> int:
    """What a conviction takes of a stake that is large enough; whoever has less is out of the next round."""
    return money.trainer_slash if role is Role.TRAINER else money.verifier_slash


def slash_of(money: Money, role: Role, stake: int) -> tuple[int, int, int]:
    """(taken, bounty, burned) of a conviction."""
    taken = payouts.slash(stake, slash_limit(money, role))
    bounty = payouts.bounty(taken, money.trainer_bounty_cap if role is Role.TRAINER else money.verifier_bounty_cap)
    return taken, bounty, payouts.burned(taken, bounty)


def bond_sources(amount: int, *, free: int, stake: int, slash: int) -> tuple[int, int] | None:
    """(from the free balance, from the stake) of a bond; None where the stake above a slash does not cover the rest."""
    from_free = min(free, amount)
    rest = amount - from_free
    return None if rest and stake < rest + slash else (from_free, rest)


def verifier_pay(money: Money, *, committed: int, attested: bool, marks: int) -> int:
    """What a verifier that is not forfeited earns in a round: `committed` and `marks` as on chain."""
    attests = money.attest_fee * committed.bit_count() if attested else 0
    return attests + money.check_fee * len(marked(marks))


def paid(*, accepted: int, cleared: int, guilty: int, convicted: int) -> int:
    """The trainers that a final round pays."""
    return (accepted | cleared) & ~guilty & ~convicted


def forfeited_work(money: Money, *, accepted: int, cleared: int, guilty: int, convicted: int, spent: int) -> int:
    """What of the guilty and convicted trainers' prices burns: all but the `spent` that paid their juries."""
    return (guilty | (accepted | cleared) & convicted).bit_count() * money.price - spent


# --- committees, ballots, evidence ---


def committee(
    kind: DrawKind, params: TaskParams, verifiers: int, *, task: int, round: int, beacon: bytes
) -> tuple[int, ...]:
    """The attesters (seed) or checkers (seal) among a round's frozen `verifiers`, in draw order."""
    return draws.committee(kind, positions(verifiers), params.committee, task=task, round=round, beacon=beacon, shard=0)


def attesters(params: TaskParams, view: RoundView, *, task: int, round: int, seed: bytes) -> tuple[int, ...]:
    """The attesters of a round, in draw order."""
    return committee(DrawKind.ATTEST, params, view.verifiers, task=task, round=round, beacon=seed)


def checkers(params: TaskParams, view: RoundView, *, task: int, round: int, seal: bytes) -> tuple[int, ...]:
    """The checkers of a round's first attempt, in draw order."""
    return committee(DrawKind.CHECK, params, view.verifiers, task=task, round=round, beacon=seal)


def marked(marks: int, *kinds: Mark) -> tuple[int, ...]:
    """The trainer positions that a ballot's `marks` give one of `kinds` (default: PASS or CHALLENGE), ascending."""
    wanted = kinds or (Mark.PASS, Mark.CHALLENGE)
    return tuple(p for p in range(64) if marks >> 2 * p & 3 in wanted)


def marks_of(marks: dict[int, Mark]) -> int:
    """Marks by position as the ballot's integer: two bits each."""
    return sum(int(mark) << 2 * position for position, mark in marks.items())


def marks_allowed(marks: int, *, held: int, own: int) -> bool:
    """Whether a ballot marks each contribution once, and none that is its owner's own or not held."""
    known = all(marks >> 2 * p & 3 in tuple(Mark) for p in range(64))
    return known and bits(marked(marks)) & ~(held & ~own) == 0


def challenge_fault(
    params: TaskParams, challenge: Challenge, *, task: int, round: int, seal: bytes, secret: bytes, seat: int
) -> str | None:
    """Why a checker may not challenge this: "slot", "check" or "item"; None if it may."""
    if challenge.slot >= 64:
        return "slot"
    if challenge.check > Check.AVAILABLE:
        return "check"
    if challenge.check <= Check.ENCODE:
        return None if challenge.item == 0 else "item"
    if challenge.check is Check.AVAILABLE and challenge.item == params.segments:
        return None  # the contribution as a whole
    source = {"task": task, "round": round, "seal": seal, "secret": secret, "seat": seat, "slot": challenge.slot}
    items = draws.segments(params.segments, params.segments_per_checker, **source)  # type: ignore[arg-type]
    if challenge.check is Check.ROLLOUT:
        per, size = params.groups_per_segment, params.rollouts_per_checker
        items = draws.groups(items[0], per, size, **source)  # type: ignore[arg-type]
    return None if challenge.item in items else "item"


def per_pass(params: TaskParams) -> int:
    """Evidence leaves of one passed contribution."""
    return params.segments_per_checker + params.rollouts_per_checker


def audit_of(
    params: TaskParams, marks: int, *, task: int, round: int, audit: bytes, seat: int
) -> tuple[bool, int, int]:
    """(audited, index of the leaf to show, number of leaves) of a seat that revealed `marks`."""
    passes = len(marked(marks, Mark.PASS))
    if not passes * per_pass(params):
        return False, 0, 0
    source = {"task": task, "round": round, "seat": seat}
    hit = draws.audited(params.audit_rate, audit=audit, **source)
    index = draws.audit_sample(passes, per_pass(params), audit=audit, **source) if hit else 0
    return hit, index, passes * per_pass(params)


def evidence_fault(
    params: TaskParams, leaf: bytes, *, task: int, round: int, seat: int, marks: int, index: int, operator: str
) -> str | None:
    """The first field of an evidence leaf that is not what leaf `index` of this seat must say; None if all are."""
    if not EVIDENCE_HEAD < len(leaf) <= MAX_EVIDENCE:
        return "size"
    slot, draw = divmod(index, per_pass(params))
    segment = draw < params.segments_per_checker
    expected = {
        "task": task,
        "round": round,
        "seat": seat,
        "slot": marked(marks, Mark.PASS)[slot],
        "kind": Check.SEGMENT if segment else Check.ROLLOUT,
        "draw": draw if segment else draw - params.segments_per_checker,
        "item": None,  # what the draw gave is for the jury
        "operator": int(operator, 16),
    }
    words = (int.from_bytes(leaf[at : at + 32], "big") for at in range(0, EVIDENCE_HEAD, 32))
    wrong = (name for (name, value), word in zip(expected.items(), words, strict=True) if value not in (None, word))
    return next(wrong, None)


# --- juries ---


def eligible(jurors: int, *, accused: int | None = None, challenger: int | None = None) -> int:
    """Who of `jurors` may sit on a dispute: not the accused verifier, not whoever challenged first."""
    return jurors & ~bits([p for p in (accused, challenger) if p is not None])


def ruling_of(check: Check, given: Iterable[Ruling], jury: int) -> Ruling:
    """What the rulings of a jury of `jury` seats decide: two thirds of those given and half of the jury, else HUNG."""
    votes = Counter(given)
    del votes[Ruling.NONE]
    lone, gross = votes[Ruling.GUILTY_LONE], votes[Ruling.GUILTY_GROSS]

    def carries(count: int) -> bool:
        return count > 0 and 3 * count >= 2 * votes.total() and 2 * count >= jury

    if carries(lone + gross):
        # Only a segment can differ a little by accident of hardware.
        heavy = check is not Check.SEGMENT or 3 * gross >= 2 * (lone + gross)
        return Ruling.GUILTY_GROSS if heavy else Ruling.GUILTY_LONE
    decided = (ruling for ruling in (Ruling.CLEAN, Ruling.INDETERMINATE) if carries(votes[ruling]))
    return next(decided, Ruling.HUNG)


def guilty(ruling: Ruling) -> bool:
    return ruling in (Ruling.GUILTY_LONE, Ruling.GUILTY_GROSS)


def agrees(own: Ruling, decided: Ruling) -> bool:
    """Whether a juror ruled as its docket did: GROSS and LONE agree that the accused is guilty."""
    if own is Ruling.NONE or decided is Ruling.HUNG:
        return False
    return own is decided or (guilty(own) and guilty(decided))


def strike(rounds: Sequence[int], round: int) -> tuple[int, ...]:
    """The rounds of the strikes that count once there is one more, oldest first. The third slashes."""
    return (*dropwhile(lambda oldest: round >= oldest + STRIKE_ROUNDS, rounds), round)


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
