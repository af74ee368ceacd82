"""Values that every part of Kizuna shares: identifiers, enumerations mirrored from Solidity, verdicts.

The integer values of the enumerations are part of the protocol: they stand in hashes and in
contract storage (docs/protocol.md, "Constants").
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NewType

Digest = NewType("Digest", bytes)
"""A 32-byte hash: sha2-256 where it names content, keccak-256 where the EVM computes it."""

Address = NewType("Address", str)
"""An EIP-55 checksummed account or contract address."""

ZERO_DIGEST = Digest(bytes(32))


class Role(IntEnum):
    """What a slot does in a task."""

    TRAINER = 0
    VERIFIER = 1


class Phase(IntEnum):
    """Where a round stands (docs/protocol.md, "Phases")."""

    NONE = 0
    OPEN = 1
    ATTEST = 2
    SEAL = 3
    VOTE = 4
    REVEAL = 5
    CHALLENGE = 6  # the round is SOFT from here on
    FINAL = 7
    VOID = 8


class DocketPhase(IntEnum):
    """Where a docket of a round stands."""

    NONE = 0
    JCOMMIT = 1
    JREVEAL = 2
    CLOSED = 3


class Mark(IntEnum):
    """What a checker says of one contribution in its ballot."""

    SKIP = 0
    PASS = 1
    CHALLENGE = 2


class Check(IntEnum):
    """What a dispute is about; numbers 0-4 accuse a trainer, 5 and 6 a verifier."""

    UPDATE = 0
    ENCODE = 1
    ROLLOUT = 2
    SEGMENT = 3
    AVAILABLE = 4
    EVIDENCE = 5
    HEAD = 6


class Finish(IntEnum):
    """Why a completion ended, as it stands in receipts."""

    LENGTH = 0
    STOP = 1


class Ruling(IntEnum):
    """What a juror says of one dispute, and what a docket decides on it."""

    NONE = 0
    CLEAN = 1
    GUILTY_LONE = 2
    GUILTY_GROSS = 3
    INDETERMINATE = 4
    HUNG = 5


class Reason(StrEnum):
    """Why something a peer sent was rejected. Misbehaviour is a value, not an exception."""

    UNAVAILABLE = "unavailable"
    MALFORMED = "malformed"
    TOO_LARGE = "too large"
    WRONG_HASH = "wrong hash"
    WRONG_CONTEXT = "wrong task, round or slot"
    WRONG_BASE = "wrong base"
    WRONG_ROOT = "wrong root"
    WRONG_COUNT = "wrong count"
    WRONG_PROMPT = "wrong prompt"
    WRONG_FINISH = "wrong finish"
    WRONG_REWARD = "wrong reward"
    WRONG_LOGPROB = "wrong log-probability"
    TOKEN_NOT_SAMPLED = "token not sampled"
    PROOF_MISMATCH = "activation proof mismatch"
    NON_FINITE = "non-finite"
    OUT_OF_BOUND = "out of bound"
    BROKEN_CHAIN = "broken leaf chain"
    WRONG_STATE = "wrong end state"
    WRONG_UPDATE = "update does not encode the last boundary"
    WRONG_NORM = "wrong displacement norm"
    DUPLICATE = "duplicate"
    WRONG_EVIDENCE = "wrong evidence"
    WRONG_DRAW = "item was not drawn"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: the check and item it falls under, its reason, and what was measured."""

    check: Check
    item: int
    reason: Reason
    detail: str = ""
    gross: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of checking something foreign: no finding means it passed."""

    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.findings

    @classmethod
    def reject(cls, check: Check, item: int, reason: Reason, detail: str = "", *, gross: bool = True) -> Verdict:
        return cls((Finding(check, item, reason, detail, gross),))
