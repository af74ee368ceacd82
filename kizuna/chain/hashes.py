"""What votes and jurors' rulings hide behind, computed here as the contracts compute it."""

from __future__ import annotations

from collections.abc import Sequence

from eth_abi.abi import encode as abi_encode

from kizuna.chain.structs import Ballot, to_abi
from kizuna.hashing import keccak
from kizuna.types import Digest, Ruling

_CONTEXT = ["uint256", "address", "uint256", "uint32", "uint256", "address"]
_BALLOT = ["uint128", "(uint8,uint8,uint32,bytes32)[]", "bytes32", "bytes32", "bytes32", "bytes32"]
_RULINGS = ["uint8[]", "bytes32[]", "bytes32"]
_SHARD = 0


def ballot_hash(ballot: Ballot, *, chain_id: int, rounds: str, task: int, round: int, voter: str) -> Digest:
    """keccak of chain, contract, task, round, shard, voter (operator) and everything in the ballot."""
    challenges = to_abi(ballot.challenges)
    roots = (ballot.evidence_root, ballot.previous_version)
    fields = (ballot.marks, challenges, *roots, ballot.secret, ballot.salt)
    context = (chain_id, rounds, task, round, _SHARD, voter)
    return Digest(keccak(abi_encode([*_CONTEXT, *_BALLOT], [*context, *fields])))


def juror_hash(
    rulings: Sequence[Ruling],
    results: Sequence[bytes],
    salt: bytes,
    *,
    chain_id: int,
    court: str,
    task: int,
    round: int,
    docket: int,
    juror: str,
) -> Digest:
    """keccak of chain, contract, task, round, docket, juror (operator), rulings, own results, salt."""
    context = (chain_id, court, task, round, docket, juror)
    return Digest(keccak(abi_encode([*_CONTEXT, *_RULINGS], [*context, to_abi(list(rulings)), list(results), salt])))
