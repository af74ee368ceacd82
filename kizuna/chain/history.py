"""What the contracts said only in events: commitments, ballots, endpoints. Read from logs, never from old state."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from kizuna.chain.abi import artifact
from kizuna.chain.events import Committed, Endpoint, Event, EvidencePosted, Revealed, decode
from kizuna.chain.reads import Reads
from kizuna.chain.rpc import Log, Rpc, RpcRefused
from kizuna.chain.structs import Ballot, positions
from kizuna.errors import RpcStale
from kizuna.types import Digest, Role

E = TypeVar("E", bound=Event)

Roots = tuple[Digest, Digest, Digest]
"""Manifest digest, receipt root and leaf root of a contribution."""


def commitments(reads: Reads, task: int, round: int) -> dict[int, Roots]:
    """The committed contributions of a round by trainer position.

    Raises RpcStale if the node's events do not agree with what the contract holds.
    """
    found = _of_round(reads, Committed, task, round, lambda view: view.committed)
    return {p: (event.manifest, event.receipt_root, event.leaf_root) for p, event in found.items()}


def ballots(reads: Reads, task: int, round: int) -> dict[int, Ballot]:
    """The revealed ballots of a round by verifier position. Raises as `commitments`."""
    return {p: event.ballot for p, event in _of_round(reads, Revealed, task, round, lambda view: view.revealed).items()}


def evidence(reads: Reads, task: int, round: int) -> dict[int, bytes]:
    """The evidence leaves that audited checkers posted in a round, by verifier position."""
    view = reads.at(reads.block).round(task, round)
    topics = [_topic("Rounds", "EvidencePosted"), _word(task), _word(round)]
    logs = scan(reads.rpc, reads.deployment.rounds, view.open_block, reads.block.number, topics)
    return {event.position: event.leaf for event in map(decode, logs) if isinstance(event, EvidencePosted)}


def endpoints(reads: Reads, task: int) -> dict[tuple[Role, int], str]:
    """The last URL that each slot announced, by role and position. The text is the slot's own and not checked."""
    first, last = reads.deployment.block, reads.block.number
    topics = [_topic("Slots", "Endpoint"), _word(task)]
    logs = scan(reads.rpc, reads.deployment.slots, first, last, topics)
    events = [event for event in map(decode, logs) if isinstance(event, Endpoint)]
    return {(event.role, event.position): event.url for event in events}


def scan(rpc: Rpc, address: str, first: int, last: int, topics: list[str]) -> list[Log]:
    """Logs of first..last; where the node refuses a range, for whatever reason, in halves."""
    try:
        return rpc.logs([address], first=first, last=last, topics=topics)
    except RpcRefused:
        if first >= last:
            raise
        middle = (first + last) // 2
        return scan(rpc, address, first, middle, topics) + scan(rpc, address, middle + 1, last, topics)


def _of_round(reads: Reads, kind: type[E], task: int, round: int, members: Callable[..., int]) -> dict[int, E]:
    block = reads.block
    view = reads.at(block).round(task, round)
    expected = positions(members(view))
    if not expected:
        return {}
    topics = [_topic("Rounds", kind.__name__), _word(task), _word(round)]
    logs = scan(reads.rpc, reads.deployment.rounds, view.open_block, block.number, topics)
    found = {event.position: event for event in map(decode, logs) if isinstance(event, kind)}  # type: ignore[attr-defined]
    if tuple(sorted(found)) != expected:
        raise RpcStale(
            f"{reads.rpc.url} shows {kind.__name__} events of {sorted(found)}, the contract holds {list(expected)}"
        )
    return found


def _topic(contract: str, event: str) -> str:
    return "0x" + artifact(contract).topic(event).hex()


def _word(number: int) -> str:
    return f"0x{number:064x}"
