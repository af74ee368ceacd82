"""Reading UnixFS content from a block source, under limits that hold before anything is followed."""

from __future__ import annotations

from collections.abc import Iterator

from kizuna.errors import ContentMalformed, LimitExceeded
from kizuna.store import _dagpb
from kizuna.store._dagpb import DirectoryNode, FileNode, Link, Node
from kizuna.store._names import check_names
from kizuna.store.blocks import MAX_BLOCK_BYTES, BlocksMissing, BlockSource, Limits
from kizuna.store.cid import DAG_PB, RAW, Cid


class Budget:
    """What is left of the limits. A block that is met twice counts twice: shared blocks can unfold to any size."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._bytes, self._blocks = limits, 0, 0

    def block(self, depth: int) -> None:
        self._blocks += 1
        if self._blocks > self._limits.max_blocks:
            raise LimitExceeded(f"more than {self._limits.max_blocks} blocks")
        if depth > self._limits.max_depth:
            raise LimitExceeded(f"nested deeper than {self._limits.max_depth}")

    def content(self, size: int) -> None:
        self._bytes += size
        if self._bytes > self._limits.max_bytes:
            raise LimitExceeded(f"more than {self._limits.max_bytes} bytes")


def read_block(source: BlockSource, cid: Cid) -> bytes:
    """The block, or BlocksMissing."""
    block = source.get(cid)
    if block is None:
        raise BlocksMissing([cid])
    if len(block) > MAX_BLOCK_BYTES:
        raise LimitExceeded(f"block {cid} has {len(block)} bytes, the limit is {MAX_BLOCK_BYTES}")
    return block


def read_node(source: BlockSource, cid: Cid) -> bytes | Node:
    """What a UnixFS id names: the bytes of a one-chunk file, or a node; raises ContentMalformed."""
    if cid.codec not in (RAW, DAG_PB):
        raise ContentMalformed(f"{cid} is not a file or directory")
    block = read_block(source, cid)
    return block if cid.codec == RAW else _dagpb.parse(block)


def file_size(source: BlockSource, cid: Cid) -> int:
    """Content bytes that a file claims to have; `cat` enforces it."""
    node = read_node(source, cid)
    if isinstance(node, DirectoryNode):
        raise ContentMalformed(f"{cid} is a directory")
    return len(node) if isinstance(node, bytes) else node.size


def cat(source: BlockSource, cid: Cid, limits: Limits) -> Iterator[bytes]:
    """The content of a file, a chunk at a time.

    Raises LimitExceeded before the first chunk if the file says that it is too large, ContentMalformed,
    BlocksMissing.
    """
    budget = Budget(limits)
    budget.content(file_size(source, cid))
    return file_chunks(source, cid, budget)


def file_chunks(source: BlockSource, cid: Cid, budget: Budget) -> Iterator[bytes]:
    """The chunks of a file whose total size the budget has already been charged for."""
    pending: list[tuple[Cid, int | None, int]] = [(cid, None, 0)]  # id, content bytes its parent claims, depth
    while pending:
        cid, claimed, depth = pending.pop()
        budget.block(depth)
        node = read_node(source, cid)
        if isinstance(node, DirectoryNode):
            raise ContentMalformed(f"{cid} is a directory where a part of a file should be")
        size = len(node) if isinstance(node, bytes) else node.size
        if claimed is not None and size != claimed:
            raise ContentMalformed(f"{cid} has {size} bytes of content where its parent says {claimed}")
        if isinstance(node, FileNode):
            parts = zip(reversed(node.links), reversed(node.sizes), strict=True)
            pending += [(link.cid, part, depth + 1) for link, part in parts]
        else:
            yield node


def read(source: BlockSource, cid: Cid, *, max_bytes: int) -> bytes:
    """The whole content of a file; raises LimitExceeded above max_bytes, ContentMalformed, BlocksMissing."""
    return b"".join(cat(source, cid, Limits(max_bytes=max_bytes)))


def ls(source: BlockSource, cid: Cid) -> tuple[Link, ...]:
    """The entries of a directory, by name; raises ContentMalformed for doubtful names, BlocksMissing."""
    node = read_node(source, cid)
    if not isinstance(node, DirectoryNode):
        raise ContentMalformed(f"{cid} is a file, not a directory")
    check_names(link.name for link in node.links)
    return node.links


def resolve(source: BlockSource, cid: Cid, path: str) -> Cid:
    """The id at a path of names joined by slashes; raises BlocksMissing, ContentMalformed if there is no such entry."""
    for name in filter(None, path.split("/")):
        found = {link.name: link.cid for link in ls(source, cid)}.get(name)
        if found is None:
            raise ContentMalformed(f"{cid} has no entry {name[:64]!a}")
        cid = found
    return cid
