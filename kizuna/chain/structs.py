"""The records of contracts/libraries/Types.sol as frozen Python values, and the way between both.

Fields stand in Solidity's order under snake_case names; amounts are wei, windows are blocks, a trainer
or verifier set is an integer whose bit p stands for position p.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from eth_utils.address import is_checksum_formatted_address, is_hex_address, to_checksum_address

from kizuna.types import Address, Check, Digest, DocketPhase, Phase, Role, Ruling

T = TypeVar("T")
_FIELD_TYPES: dict[Any, dict[str, Any]] = {}


class TaskState(IntEnum):
    """Where a task stands."""

    NONE = 0
    LISTED = 1
    RUNNING = 2
    FINISHED = 3
    CANCELLED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Lengths of the windows of a round and of a docket, in blocks."""

    open: int
    attest: int
    seal: int
    vote: int
    reveal: int
    challenge: int
    jcommit: int
    jreveal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """Every amount of a task, in wei of its token."""

    price: int
    trainer_stake: int
    verifier_stake: int
    trainer_slash: int
    verifier_slash: int
    trainer_bounty_cap: int
    verifier_bounty_cap: int
    check_fee: int
    attest_fee: int
    juror_fee: int
    missed_duty: int
    unrevealed: int
    withheld: int
    challenge_bond: int
    cleared: int
    initiator_bond: int
    tip: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskParams:
    """A task's parameters, immutable once it is created."""

    token: Address
    beacon: Address
    spec: Digest
    genesis: Digest
    numerics_id: Digest
    trainer_slots: int
    verifier_seats: int
    min_verifier_seats: int
    max_quota: int
    shard_slots: int
    committee: int
    rounds: int
    start_block: int
    segments: int
    segments_per_checker: int
    groups_per_segment: int
    rollouts_per_checker: int
    audit_rate: int
    windows: Windows
    money: Money


@dataclass(frozen=True, slots=True)
class Slot:
    """One operator's place in a task."""

    owner: Address
    operator: Address
    active_from: int
    active_to: int
    quota: int
    strikes: int
    convicted: bool
    first_strike: int
    secret: Digest
    secrets_opened: int
    numerics_id: Digest


@dataclass(frozen=True, slots=True)
class RoundView:
    """A round as agents read it."""

    phase: Phase
    attempt: int
    open_block: int
    phase_end: int
    seed_target: int
    seal_target: int
    audit_target: int
    seed: Digest
    seal: Digest
    audit: Digest
    trainers: int
    committed: int
    held: int
    challenged: int
    accepted: int
    paid: int
    verifiers: int
    attesters: int
    attested: int
    checkers: int
    voted: int
    revealed: int
    forfeited: int
    version: Digest


@dataclass(frozen=True, slots=True)
class Challenge:
    """A checker's claim that trainer `slot` failed `check` at `item`."""

    slot: int
    check: Check
    item: int
    measured: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """A checker's ballot; `marks` holds two bits per trainer position."""

    marks: int
    secret: Digest
    evidence_root: Digest
    previous_version: Digest
    salt: Digest
    challenges: tuple[Challenge, ...] = ()


@dataclass(frozen=True, slots=True)
class Dispute:
    """One question before a jury."""

    role: Role
    accused: int
    check: Check
    item: int
    challengers: int
    first_challenger: int
    ruling: Ruling
    measured: Digest


@dataclass(frozen=True, slots=True)
class DocketView:
    """A docket as agents read it."""

    phase: DocketPhase
    phase_end: int
    jurors: int
    committed: int
    revealed: int
    disputes: int


def positions(bits: int) -> tuple[int, ...]:
    """The positions of a set, ascending."""
    return tuple(p for p in range(bits.bit_length()) if bits >> p & 1)


def bits(positions: Sequence[int]) -> int:
    """The set that holds these positions."""
    return sum(1 << p for p in set(positions))


def parse_address(text: str) -> Address:
    """An address in checksum form; lower and upper case pass, a wrong checksum does not.

    Raises ValueError with the reason.
    """
    if not isinstance(text, str) or not is_hex_address(text) or not text.startswith("0x"):
        raise ValueError("not an address of 20 bytes in hex, starting with 0x")
    if is_checksum_formatted_address(text) and to_checksum_address(text) != text:
        raise ValueError(f"wrong checksum: a character of {text} is mistyped")
    return Address(to_checksum_address(text))


def snake(name: str) -> str:
    """camelCase to snake_case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def to_abi(value: Any) -> Any:
    """A value as eth_abi encodes it: records become tuples, recursively."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return tuple(to_abi(getattr(value, field.name)) for field in dataclasses.fields(value))
    if isinstance(value, list | tuple):
        return [to_abi(part) for part in value]
    return int(value) if isinstance(value, IntEnum) else value


def from_abi(kind: type[T], value: Any) -> T:
    """A decoded ABI value as `kind`: a record, enumeration, address, digest or plain value."""
    return _convert(kind, value)  # type: ignore[no-any-return]


def field_types(kind: Any) -> dict[str, Any]:
    """Resolved field types of a record, in order."""
    if kind not in _FIELD_TYPES:
        hints = get_type_hints(kind)
        _FIELD_TYPES[kind] = {field.name: hints[field.name] for field in dataclasses.fields(kind)}
    return _FIELD_TYPES[kind]


def _convert(kind: Any, value: Any) -> Any:
    if kind is Address:
        return Address(to_checksum_address(value))
    if kind is Digest or kind is bytes:
        return bytes(value)
    if get_origin(kind) is tuple:
        return tuple(_convert(get_args(kind)[0], part) for part in value)
    if dataclasses.is_dataclass(kind):
        hints = field_types(kind)
        named = {name: _convert(hint, part) for (name, hint), part in zip(hints.items(), value, strict=True)}
        return kind(**named)  # type: ignore[operator]
    return kind(value)
