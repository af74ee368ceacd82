"""Every event of the contracts as a frozen value, decoded from raw logs.

The fields are the event's parameters in Solidity's order under snake_case names, after `at`, the place
of the event on the chain. Comparing two events compares that place too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.exceptions import DecodingError

from kizuna.chain.abi import CORE, EventType, artifact
from kizuna.chain.rpc import Log
from kizuna.chain.structs import Ballot, field_types, from_abi, snake
from kizuna.types import Address, Check, Digest, Phase, Role, Ruling


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where on the chain an event stands; places sort in chain order."""

    block: int
    index: int
    block_hash: Digest
    transaction: Digest


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""

    at: Place


@dataclass(frozen=True, slots=True)
class Rewound(Event):
    """Not from a contract: the chain was reorganised. Every event above block `at.block` never happened."""


# --- Vault ---


@dataclass(frozen=True, slots=True)
class Deposited(Event):
    token: Address
    owner: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Withdrawn(Event):
    token: Address
    owner: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Moved(Event):
    token: Address
    from_: Digest
    to: Digest
    amount: int


@dataclass(frozen=True, slots=True)
class Burned(Event):
    token: Address
    from_: Digest
    amount: int


@dataclass(frozen=True, slots=True)
class Flushed(Event):
    token: Address
    amount: int


# --- Tasks ---


@dataclass(frozen=True, slots=True)
class TaskCreated(Event):
    task: int
    initiator: Address
    spec: Digest
    genesis: Digest
    budget: int


@dataclass(frozen=True, slots=True)
class TaskFunded(Event):
    task: int
    from_: Address
    amount: int


@dataclass(frozen=True, slots=True)
class TaskStarted(Event):
    task: int


@dataclass(frozen=True, slots=True)
class TaskCancelled(Event):
    task: int
    refunded: int


@dataclass(frozen=True, slots=True)
class TaskFinished(Event):
    task: int
    rounds: int
    refunded: int


# --- Slots ---


@dataclass(frozen=True, slots=True)
class Joined(Event):
    task: int
    role: Role
    position: int
    owner: Address
    operator: Address
    quota: int
    active_from: int


@dataclass(frozen=True, slots=True)
class Endpoint(Event):
    task: int
    role: Role
    position: int
    url: str


@dataclass(frozen=True, slots=True)
class ExitRequested(Event):
    task: int
    role: Role
    position: int
    active_to: int


@dataclass(frozen=True, slots=True)
class StakeReturned(Event):
    task: int
    role: Role
    position: int
    owner: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Fined(Event):
    task: int
    role: Role
    position: int
    round: int
    taken: int
    duty: str


@dataclass(frozen=True, slots=True)
class Slashed(Event):
    task: int
    role: Role
    position: int
    round: int
    taken: int
    bounty: int


@dataclass(frozen=True, slots=True)
class Struck(Event):
    task: int
    role: Role
    position: int
    round: int
    strikes: int


@dataclass(frozen=True, slots=True)
class Ejected(Event):
    task: int
    role: Role
    position: int
    active_to: int


# --- Rounds ---


@dataclass(frozen=True, slots=True)
class RoundOpened(Event):
    task: int
    round: int
    trainers: int
    verifiers: int
    seed_target: int


@dataclass(frozen=True, slots=True)
class PhaseChanged(Event):
    task: int
    round: int
    phase: Phase
    phase_end: int


@dataclass(frozen=True, slots=True)
class BeaconRead(Event):
    task: int
    round: int
    which: int
    value: Digest


@dataclass(frozen=True, slots=True)
class Committed(Event):
    task: int
    round: int
    position: int
    manifest: Digest
    receipt_root: Digest
    leaf_root: Digest


@dataclass(frozen=True, slots=True)
class Attested(Event):
    task: int
    round: int
    position: int
    held: int


@dataclass(frozen=True, slots=True)
class CommitteeDrawn(Event):
    task: int
    round: int
    kind: int
    members: int


@dataclass(frozen=True, slots=True)
class Voted(Event):
    task: int
    round: int
    position: int
    ballot_hash: Digest


@dataclass(frozen=True, slots=True)
class Revealed(Event):
    task: int
    round: int
    position: int
    ballot: Ballot


@dataclass(frozen=True, slots=True)
class Soft(Event):
    task: int
    round: int
    accepted: int
    challenged: int
    quorum: bool


@dataclass(frozen=True, slots=True)
class EvidencePosted(Event):
    task: int
    round: int
    position: int
    index: int
    leaf: bytes


@dataclass(frozen=True, slots=True)
class VersionReported(Event):
    task: int
    round: int
    position: int
    version: Digest


@dataclass(frozen=True, slots=True)
class VersionRecorded(Event):
    task: int
    round: int
    version: Digest


@dataclass(frozen=True, slots=True)
class Finalised(Event):
    task: int
    round: int
    phase: Phase
    paid: int
    returned: int


@dataclass(frozen=True, slots=True)
class Claimed(Event):
    task: int
    role: Role
    position: int
    amount: int


# --- Court ---


@dataclass(frozen=True, slots=True)
class Disputed(Event):
    task: int
    round: int
    docket: int
    dispute: int
    role: Role
    accused: int
    check: Check
    item: int
    challenger: int


@dataclass(frozen=True, slots=True)
class DocketOpened(Event):
    task: int
    round: int
    docket: int
    jurors: int
    disputes: int
    phase_end: int


@dataclass(frozen=True, slots=True)
class JurorCommitted(Event):
    task: int
    round: int
    docket: int
    position: int


@dataclass(frozen=True, slots=True)
class JurorRevealed(Event):
    task: int
    round: int
    docket: int
    position: int
    rulings: tuple[int, ...]
    results: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Ruled(Event):
    task: int
    round: int
    docket: int
    dispute: int
    role: Role
    accused: int
    check: Check
    item: int
    ruling: Ruling


@dataclass(frozen=True, slots=True)
class DocketClosed(Event):
    task: int
    round: int
    docket: int


@dataclass(frozen=True, slots=True)
class BountyPaid(Event):
    task: int
    round: int
    position: int
    amount: int


@dataclass(frozen=True, slots=True)
class BondLost(Event):
    task: int
    round: int
    challenger: int
    accused: int
    amount: int


@cache
def known() -> dict[bytes, tuple[EventType, type[Event]]]:
    """Decoder and value type of every event of the core contracts, by topic 0."""
    kinds = {kind.__name__: kind for kind in Event.__subclasses__()}
    table: dict[bytes, tuple[EventType, type[Event]]] = {}
    for name in CORE:
        for topic, event in artifact(name).events.items():
            if event.name in kinds:
                table[topic] = event, kinds[event.name]
    return table


def decode(log: Log) -> Event | None:
    """The event a log of a core contract stands for, None for one this version does not know."""
    entry = known().get(log.topics[0]) if log.topics else None
    if entry is None:
        return None
    event, kind = entry
    try:
        raw = event.decode(log.topics, log.data)
    except (DecodingError, ValueError):
        return None
    at = Place(log.block, log.index, log.block_hash, log.transaction)
    hints = field_types(kind)
    values: dict[str, Any] = {_field(name): value for name, value in raw.items()}
    return kind(at=at, **{name: from_abi(hints[name], value) for name, value in values.items()})


def _field(name: str) -> str:
    return "from_" if name == "from" else snake(name)
