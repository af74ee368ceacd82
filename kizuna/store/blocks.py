"""What a block store is, the one in memory, and the limits under which foreign content is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from kizuna.errors import ContentMissing, LimitExceeded
from kizuna.store.cid import Cid

MAX_BLOCK_BYTES = 2 * 1024 * 1024
"""No block may be larger: the limit that Bitswap and the trustless gateways keep."""


class Blocks(Protocol):
    """Blocks by content id. Codecs do not matter to it: the key is the digest.

    An implementation never returns bytes that do not hash to their id: a damaged block is absent.
    All methods may be called from several threads.
    """

    def get(self, cid: Cid) -> bytes | None:
        """The verified block, or None."""
        ...

    def put(self, cid: Cid, block: bytes) -> None:
        """Hold a block; raises BlockCorrupt, LimitExceeded above 2 MiB, StoreFull."""
        ...

    def has(self, cid: Cid) -> bool:
        """Whether `get` would return the block."""
        ...

    def delete(self, cid: Cid) -> None:
        """Let go of a block; absent is no error."""
        ...

    def digests(self) -> Iterator[bytes]:
        """The digests of the blocks that are stored, in ascending order of their keys, unverified."""
        ...


class BlockSource(Protocol):
    """Where a reader takes blocks from: the reading half of `Blocks`."""

    def get(self, cid: Cid) -> bytes | None:
        """The verified block, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How much foreign content may be, in bytes, blocks and levels; set before a byte is fetched."""

    max_bytes: int
    max_blocks: int = 65_536
    max_depth: int = 32


class BlocksMissing(ContentMissing):
    """Blocks that nobody served; `missing` lists them."""

    def __init__(self, missing: Sequence[Cid], why: str = "") -> None:
        shown = ", ".join(map(str, missing[:8])) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
        super().__init__(f"missing {len(missing)} block(s): {shown}" + (f" ({why})" if why else ""))
        self.missing = tuple(missing)


def check_block(cid: Cid, block: bytes) -> None:
    """Raise LimitExceeded or BlockCorrupt unless the block may be held under this id."""
    if len(block) > MAX_BLOCK_BYTES:
        raise LimitExceeded(f"block {cid} has {len(block)} bytes, the limit is {MAX_BLOCK_BYTES}")
    cid.check(block)


class MemoryBlocks:
    """Blocks in memory, for tests and for content that is read once."""

    def __init__(self) -> None:
        self._held: dict[bytes, bytes] = {}

    def get(self, cid: Cid) -> bytes | None:
        return self._held.get(cid.digest)

    def put(self, cid: Cid, block: bytes) -> None:
        check_block(cid, block)
        self._held[cid.digest] = bytes(block)

    def has(self, cid: Cid) -> bool:
        return cid.digest in self._held

    def delete(self, cid: Cid) -> None:
        self._held.pop(cid.digest, None)

    def digests(self) -> Iterator[bytes]:
        return iter(sorted(self._held))
