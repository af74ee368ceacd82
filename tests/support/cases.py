"""Contributions as a verifier gets to see them, honest and spoilt, without chain or network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from kizuna.diloco.segments import RoundResult, leaves_of
from kizuna.hashing import keccak
from kizuna.node.contribution import Contribution, Manifest, fetch, publish
from kizuna.node.task_context import MAX_GENESIS, file_digest
from kizuna.node.versions import Version
from kizuna.rl.state import Boundary
from kizuna.shardcast import update as updates
from kizuna.store import DAG_PB, Blocks, Cid, Fetcher, MemoryBlocks, dag
from kizuna.toploc.receipts import Leaf
from kizuna.types import Digest, Finding
from support.training import config, context, genesis, numerics, train
from verifier.checks import Case
from verifier.evidence import Seat

RULES = config(3)
"""A round in which every segment moves the weights."""

ROUNDS = bytes(20)
CHAIN = 31337

SEAT = Seat(
    task=1,
    round=3,
    position=2,
    operator="0x" + "ab" * 20,
    seal=Digest(keccak(b"seal")),
    secret=Digest(keccak(b"secret")),
)


@cache
def honest() -> RoundResult:
    """What slot 0 ends the round with when it does its work."""
    return train(RULES).result(numerics_id=numerics(), digest_of=file_digest)


def published(result: RoundResult, blocks: Blocks) -> tuple[Digest, Manifest]:
    """Stores a result as slot 0's contribution."""
    return publish(blocks, result, RULES, chain=CHAIN, rounds=ROUNDS, numerics_id=numerics())


def found_of(result: RoundResult, blocks: Blocks | None = None) -> Contribution | Finding:
    """What a verifier finds behind the commitment to a result."""
    held = blocks if blocks is not None else MemoryBlocks()
    digest, manifest = published(result, held)
    roots = (digest, manifest.receipt_root, manifest.leaf_root)
    return fetch(context(), held, _nowhere(held), roots, RULES, chain=CHAIN, rounds=ROUNDS)


def case_of(result: RoundResult, blocks: Blocks | None = None) -> Case:
    """The case of a result whose form is right. Nothing is served beside what `blocks` hold."""
    held = blocks if blocks is not None else MemoryBlocks()
    found = found_of(result, held)
    assert isinstance(found, Contribution), found
    base = Version(0, context().params.genesis, genesis())
    return Case(context(), RULES, found, base, held, _nowhere(held))


def hide(case: Case, j: int) -> Callable[[], None]:
    """Takes boundary j away from everybody; the returned call brings it back."""
    root = Cid(case.contribution.manifest.boundaries[j], DAG_PB)
    taken = [(cid, block) for cid, block in dag.walk(case.blocks, root) if block is not None]
    for cid, _ in taken:
        case.blocks.delete(cid)

    def bring_back() -> None:
        for cid, block in taken:
            case.blocks.put(cid, block)

    return bring_back


def with_boundaries(result: RoundResult, boundaries: Sequence[Boundary]) -> RoundResult:
    """The result with other states, and leaves and update that are consistent with them wherever that is possible."""
    finite = [boundary if _is_finite(boundary) else boundaries[0] for boundary in boundaries]
    leaves = leaves_of(finite, RULES, numerics_id=numerics(), digest_of=file_digest)
    digests = [tuple(Digest(file_digest(data)) for data in boundary.files().values()) for boundary in boundaries]
    linked: list[Leaf] = []
    for leaf, (weights, first, second) in zip(leaves, digests, strict=True):
        previous = linked[-1].hash() if linked else leaf.previous
        linked.append(replace(leaf, weights=weights, exp_avg=first, exp_avg_sq=second, previous=previous))
    update = updates.encode(updates.difference(finite[-1].weights, boundaries[0].weights))
    return replace(result, boundaries=tuple(boundaries), leaves=tuple(linked), update=updates.dumps(update))


def nudged(boundary: Boundary, by: float) -> Boundary:
    """The boundary with one weight moved."""
    weights = {name: array.copy() for name, array in boundary.weights.items()}
    first = sorted(weights)[0]
    weights[first].reshape(-1)[0] += np.float32(by)
    return Boundary(weights, boundary.exp_avg, boundary.exp_avg_sq)


def poisoned(boundary: Boundary) -> Boundary:
    """The boundary with every weight NaN, from which every step leads back to itself."""
    weights = {name: np.full_like(array, np.nan) for name, array in boundary.weights.items()}
    return Boundary(weights, boundary.exp_avg, boundary.exp_avg_sq)


def _is_finite(boundary: Boundary) -> bool:
    return all(bool(np.isfinite(array).all()) for array in boundary.weights.values())


def _nowhere(blocks: Blocks) -> Fetcher:
    return Fetcher(blocks, (), MAX_GENESIS)
