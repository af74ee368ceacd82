"""CARv1 archives, as the gateway streams them. Source: https://ipld.io/specs/transport/car/carv1/."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kizuna.store import _varint, dagcbor
from kizuna.store.cid import Cid


def write(root: Cid, blocks: Iterable[tuple[Cid, bytes]]) -> Iterator[bytes]:
    """The archive with one root, a piece per block."""
    yield _section(dagcbor.encode({"version": 1, "roots": [root]}))
    for cid, block in blocks:
        yield _section(cid.binary + block)


def _section(data: bytes) -> bytes:
    return _varint.encode(len(data)) + data
