"""Following links through a DAG of raw, dag-pb and dag-cbor blocks, each block once."""

from __future__ import annotations

from collections.abc import Iterator

from kizuna.errors import LimitExceeded
from kizuna.store import _dagpb, dagcbor
from kizuna.store.blocks import BlocksMissing, BlockSource, Limits
from kizuna.store.cid import DAG_CBOR, DAG_PB, Cid


def links_of(cid: Cid, block: bytes) -> list[Cid]:
    """The ids that a block links to, in order; raises ContentMalformed if it is not canonical."""
    if cid.codec == DAG_PB:
        return [link.cid for link in _dagpb.parse(block).links]
    if cid.codec == DAG_CBOR:
        return list(dagcbor.links(dagcbor.decode(block)))
    return []


def walk(source: BlockSource, root: Cid, limits: Limits | None = None) -> Iterator[tuple[Cid, bytes | None]]:
    """Every block of a DAG once, depth first, parents before children; None stands for an absent one.

    Without limits only where the content was fetched under some. Raises ContentMalformed, LimitExceeded.
    """
    pending, seen, total = [(root, 0)], set[Cid](), 0
    while pending:
        cid, depth = pending.pop()
        if cid in seen:
            continue
        seen.add(cid)
        block = source.get(cid)
        total += len(block or b"")
        if limits is not None:
            check_limits(limits, total_bytes=total, blocks=len(seen), depth=depth)
        yield cid, block
        if block is not None:
            pending += [(child, depth + 1) for child in reversed(links_of(cid, block))]


def check_limits(limits: Limits, *, total_bytes: int, blocks: int, depth: int) -> None:
    """Raise LimitExceeded if a DAG has become too large, too numerous or too deep."""
    if total_bytes > limits.max_bytes:
        raise LimitExceeded(f"more than {limits.max_bytes} bytes")
    if blocks > limits.max_blocks:
        raise LimitExceeded(f"more than {limits.max_blocks} blocks")
    if depth > limits.max_depth:
        raise LimitExceeded(f"nested deeper than {limits.max_depth}")


def missing(source: BlockSource, root: Cid, limits: Limits | None = None) -> list[Cid]:
    """The absent blocks that are known of; those below an absent node cannot be."""
    return [cid for cid, block in walk(source, root, limits) if block is None]


def require(source: BlockSource, root: Cid, limits: Limits | None = None) -> None:
    """Raise BlocksMissing unless every block of the DAG is there."""
    if absent := missing(source, root, limits):
        raise BlocksMissing(absent)
