"""What the contracts remember of one task, as plain records that the model changes in place."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from kizuna.chain.structs import Ballot, Challenge, TaskState
from kizuna.types import ZERO_DIGEST, Digest, DocketPhase, Phase, Role, Ruling

FOREVER = (1 << 32) - 1
"""`active_to` of a slot that stays."""


@dataclass(slots=True)
class SlotState:
    """One operator's place."""

    owner: str
    operator: str
    active_from: int
    secret: Digest
    active_to: int = FOREVER
    strikes: tuple[int, ...] = ()
    convicted: bool = False
    opened: int = 0


@dataclass(slots=True)
class RoundState:
    """One round. Sets are integers whose bit p stands for position p."""

    trainers: int
    verifiers: int
    open_block: int
    seed_target: int
    phase: Phase = Phase.OPEN
    phase_end: int = 0
    seal_target: int = 0
    audit_target: int = 0
    seed: Digest | None = None
    seal: Digest | None = None
    audit: Digest | None = None
    commitments: dict[int, Digest] = field(default_factory=dict)
    attesters: int = 0
    attested: int = 0
    attestations: Counter[int] = field(default_factory=Counter)  # by trainer
    held: int = 0
    attempt: int = 0
    checkers: int = 0
    voted: int = 0
    votes: dict[int, Digest] = field(default_factory=dict)
    revealed: int = 0
    ballots: dict[int, Ballot] = field(default_factory=dict)
    lapsed: int = 0  # voted in the first attempt and did not reveal: out of the second
    passed: int = 0
    challenged: int = 0
    quorum: bool = False
    accepted: int = 0
    posted: int = 0
    audits_filed: bool = False
    reports: Counter[Digest] = field(default_factory=Counter)  # of the version that this round made
    version: Digest = ZERO_DIGEST
    paid: int = 0
    forfeited: int = 0
    tips: int = 0
    claimed: dict[Role, int] = field(default_factory=lambda: {Role.TRAINER: 0, Role.VERIFIER: 0})

    @property
    def committed(self) -> int:
        return sum(1 << position for position in self.commitments)

    @property
    def to_vote(self) -> int:
        return self.checkers & ~self.voted

    @property
    def unrevealed(self) -> int:
        """Those whose reveal is still awaited."""
        return self.checkers & self.voted & ~self.revealed & ~self.lapsed

    @property
    def settled(self) -> bool:
        return self.phase in (Phase.FINAL, Phase.VOID)


@dataclass(slots=True)
class DisputeState:
    """One question before a jury. `challengers` are in the order in which they came; none for an audit."""

    role: Role
    item: Challenge
    challengers: list[int] = field(default_factory=list)
    ruling: Ruling = Ruling.NONE


@dataclass(slots=True)
class DocketState:
    """The disputes that one jury decides."""

    phase: DocketPhase = DocketPhase.NONE
    phase_end: int = 0
    jurors: int = 0
    disputes: list[DisputeState] = field(default_factory=list)
    hashes: dict[int, Digest] = field(default_factory=dict)
    rulings: dict[int, tuple[Ruling, ...]] = field(default_factory=dict)

    @property
    def committed(self) -> int:
        return sum(1 << position for position in self.hashes)

    @property
    def revealed(self) -> int:
        return sum(1 << position for position in self.rulings)


@dataclass(slots=True)
class Outcome:
    """What both dockets of a round decided, and the juror fees that its guilty trainers' prices paid."""

    guilty: dict[Role, int] = field(default_factory=lambda: {Role.TRAINER: 0, Role.VERIFIER: 0})
    cleared: int = 0
    spent: int = 0


@dataclass(slots=True)
class State:
    """The task and the vault."""

    accounts: Counter[Digest] = field(default_factory=Counter)
    wallets: Counter[str] = field(default_factory=Counter)  # tokens outside the vault
    task: TaskState = TaskState.NONE
    slots: dict[Role, list[SlotState]] = field(default_factory=lambda: {Role.TRAINER: [], Role.VERIFIER: []})
    rounds: list[RoundState] = field(default_factory=list)
    dockets: dict[tuple[int, int], DocketState] = field(default_factory=dict)  # by round and number
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    bonds: dict[tuple[int, int, int], int] = field(default_factory=dict)  # by round, challenger, accused
    head_reported: int = 0
