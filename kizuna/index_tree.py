"""Merkle trees that bind a leaf's index and the leaf count (docs/protocol.md, "Trees").

Leaf node keccak(0x00 || leaf), inner node keccak(0x01 || left || right), a missing right child is 32
zero bytes, root = keccak(0x02 || uint64 count || top). Sorted-pair trees bind neither index nor
count, so a leaf could be shown at a place it was not committed to.
"""

from __future__ import annotations

from collections.abc import Sequence

from kizuna.hashing import keccak

MAX_COUNT = (1 << 64) - 1
_MISSING = bytes(32)


def depth(count: int) -> int:
    """Levels above the leaves: ceil(log2(count)), 0 for at most one leaf."""
    return max(count - 1, 0).bit_length()


def root(leaves: Sequence[bytes]) -> bytes:
    """The 32-byte root over leaves of any length."""
    level = [_leaf_node(leaf) for leaf in leaves]
    while len(level) > 1:
        level = _parents(level)
    return _seal(len(leaves), level[0] if level else _MISSING)


def prove(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The siblings from leaf `index` upwards, `depth(len(leaves))` of them. Raises IndexError outside 0..n-1."""
    if not 0 <= index < len(leaves):
        raise IndexError("no leaf has this index")
    level = [_leaf_node(leaf) for leaf in leaves]
    siblings: list[bytes] = []
    while len(level) > 1:
        sibling = index ^ 1
        siblings.append(level[sibling] if sibling < len(level) else _MISSING)
        level = _parents(level)
        index >>= 1
    return tuple(siblings)


def verify(root: bytes, count: int, index: int, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `leaf` is number `index` of exactly `count` leaves under `root`. Never raises."""
    if not 0 <= index < count <= MAX_COUNT or len(proof) != depth(count):
        return False
    if any(len(sibling) != 32 for sibling in proof):
        return False
    node = _leaf_node(leaf)
    for sibling in proof:
        pair = sibling + node if index & 1 else node + sibling
        node = keccak(b"\x01" + pair)
        index >>= 1
    return _seal(count, node) == root


def _leaf_node(leaf: bytes) -> bytes:
    return keccak(b"\x00" + leaf)


def _parents(level: list[bytes]) -> list[bytes]:
    padded = [*level, _MISSING] if len(level) & 1 else level
    return [keccak(b"\x01" + padded[i] + padded[i + 1]) for i in range(0, len(padded), 2)]


def _seal(count: int, top: bytes) -> bytes:
    return keccak(b"\x02" + count.to_bytes(8, "big") + top)
