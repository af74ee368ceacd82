"""Block-int8 updates (docs/protocol.md, "Updates and versions"): stateless, verified by equality.

Each tensor of a delta is flattened and cut into blocks of 4,096; block b holds q in -127..127 and an
exponent e in -40..-8 and stands for q * 2^e. An update maps `<name>.q` and `<name>.e` to int8 arrays.
Every number in it is finite by construction and every quantity measured on it is an exact integer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from kizuna import tensors
from kizuna.errors import ContentMalformed
from kizuna.tensors import Array

BLOCK = 4096
MIN_EXPONENT, MAX_EXPONENT = -40, -8
MAX_Q = 127
NORM_UNIT_LOG2 = 2 * MIN_EXPONENT
"""`squared_norm` counts in units of 2^-80."""
BOUND_FACTOR = 1.1

Int8s = np.ndarray[Any, np.dtype[np.int8]]
Update = Mapping[str, Array]
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Block:
    """One block of one tensor."""

    name: str
    index: int


def difference(weights: Mapping[str, Array], base: Mapping[str, Array]) -> dict[str, Array]:
    """weights - base in fp32, per tensor. Raises ValueError unless names, shapes and dtypes agree."""
    if shapes_of(weights) != shapes_of(base):
        raise ValueError("weights and base are not the same tensors")
    with np.errstate(over="ignore", invalid="ignore"):
        return {name: np.subtract(_fp32(name, weights[name]), _fp32(name, base[name])) for name in sorted(base)}


def distance(weights: Mapping[str, Array], base: Mapping[str, Array]) -> float:
    """The L2 distance of fp32 tensors as a leaf states it: differences and squares in fp64, their sum exact.

    `math.fsum` rounds once, so neither the order nor the processor shows. Raises ValueError like
    `difference`, and when the distance is not finite.
    """
    if shapes_of(weights) != shapes_of(base):
        raise ValueError("weights and base are not the same tensors")
    squares = (
        np.square(_fp32(name, weights[name]).astype(np.float64) - _fp32(name, base[name]).astype(np.float64))
        for name in sorted(base)
    )
    try:
        norm = math.sqrt(math.fsum(chain.from_iterable(array.reshape(-1).tolist() for array in squares)))
    except OverflowError as error:
        raise ValueError("the distance is not finite") from error
    if not math.isfinite(norm):
        raise ValueError("the distance is not finite")
    return norm


def encode(delta: Mapping[str, Array]) -> dict[str, Array]:
    """The update of a delta of fp32 tensors. Raises ValueError for values that are not finite."""
    update: dict[str, Array] = {}
    for name in sorted(delta):
        q, e = _encode_flat(_fp32(name, delta[name]).reshape(-1))
        update[f"{name}.q"], update[f"{name}.e"] = q, e
    return update


def decode(update: Update, shapes: Shapes) -> dict[str, Array]:
    """The fp32 tensors that an update stands for, exactly."""
    decoded: dict[str, Array] = {}
    for name in sorted(shapes):
        q, e = update[f"{name}.q"], update[f"{name}.e"]
        scales = np.ldexp(np.float32(1), e.astype(np.int32))
        decoded[name] = (q.astype(np.float32) * np.repeat(scales, BLOCK)[: q.size]).reshape(shapes[name])
    return decoded


def dumps(update: Update) -> bytes:
    """The `update` file."""
    return tensors.dump(update)


def loads(data: bytes, shapes: Shapes) -> dict[str, Array]:
    """The update in a file for tensors of these shapes.

    Raises LimitExceeded for a file larger than such an update can be, ContentMalformed unless it is
    the one file of an update that `encode` can give (so that equal updates are equal bytes).
    """
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    expect = {f"{name}.q": (np.int8, (size,)) for name, size in sizes.items()}
    expect |= {f"{name}.e": (np.int8, (block_count(size),)) for name, size in sizes.items()}
    values = sum(size + block_count(size) for size in sizes.values())
    update = tensors.load(data, max_bytes=values + 8 + tensors.MAX_HEADER_BYTES, expect=expect)
    if tensors.load_metadata(data) is not None:
        raise ContentMalformed("update: metadata is not allowed")
    for name in sizes:
        _check_blocks(name, update[f"{name}.q"], update[f"{name}.e"])
    return update


def block_count(size: int) -> int:
    """Blocks of a flattened tensor, the last one possibly shorter."""
    return -(-size // BLOCK)


def shapes_of(weights: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    """Name -> shape, in name order."""
    return {name: weights[name].shape for name in sorted(weights)}


def elementwise_bound(sum_lr: float, update: Update) -> Block | None:
    """The first block with an element above 1.1 * sum_lr + scale / 2, or None.

    AdamW moves a weight by little more than the learning rate a step. Twice the excess is an exact fp64
    number, so every machine decides alike.
    """
    limit = 2 * (BOUND_FACTOR * sum_lr)
    for name, q, e in _blocked(update):
        largest = np.abs(q.astype(np.int16)).max(axis=1)
        over = np.ldexp((2 * largest - 1).astype(np.float64), e.astype(np.int32)) > limit
        if over.any():
            return Block(name, int(over.argmax()))
    return None


def squared_norm(update: Update) -> int:
    """The squared L2 norm of the decoded update, exactly, in units of 2^-80."""
    total = 0
    for _, q, e in _blocked(update):
        wide = q.astype(np.int32)
        squares = np.einsum("bi,bi->b", wide, wide)  # at most 4096 * 127^2 < 2^27
        for exponent in np.unique(e):
            total += int(squares[e == exponent].sum(dtype=np.int64)) << 2 * (int(exponent) - MIN_EXPONENT)
    return total


def matches(boundary_delta: Mapping[str, Array], update: Update) -> Block | None:
    """The first block in which a committed update is not the encoding of the last boundary's delta, or None.

    Raises ValueError like `encode`, and when the two are not of the same tensors.
    """
    encoded = encode(boundary_delta)
    if {name: array.shape for name, array in encoded.items()} != {name: array.shape for name, array in update.items()}:
        raise ValueError("delta and update are not of the same tensors")
    for name in sorted(boundary_delta):
        differs = encoded[f"{name}.e"] != update[f"{name}.e"]
        starts = np.arange(differs.size) * BLOCK
        if differs.size:
            differs |= np.logical_or.reduceat(encoded[f"{name}.q"] != update[f"{name}.q"], starts)
        if differs.any():
            return Block(name, int(differs.argmax()))
    return None


def _encode_flat(flat: Array) -> tuple[Int8s, Int8s]:
    """(P,) fp32 -> q (P,) and e (blocks,). Every operation is exact or correctly rounded."""
    blocks = _pad(flat)
    largest = np.abs(blocks).max(axis=1, initial=0)  # (blocks,)
    if not np.isfinite(largest).all():
        raise ValueError("delta is not finite")
    mantissa, exponent = np.frexp(largest)  # largest = mantissa * 2^exponent, mantissa in [1/2, 1)
    exponent = exponent - 7 + (mantissa > np.float32(MAX_Q / 128))
    exponent = np.where(largest == 0, MIN_EXPONENT, np.clip(exponent, MIN_EXPONENT, MAX_EXPONENT))
    # In fp64 no power of two overflows or rounds; rint rounds half to even.
    q = np.rint(blocks * np.ldexp(1.0, -exponent)[:, None])
    q = np.clip(q, -MAX_Q, MAX_Q).astype(np.int8).reshape(-1)[: flat.size]
    return q, exponent.astype(np.int8)


def _check_blocks(name: str, q: Int8s, e: Int8s) -> None:
    """Refuses blocks that `encode` never gives: out of range, or with an exponent that is not the smallest."""
    if (e < MIN_EXPONENT).any() or (e > MAX_EXPONENT).any() or (q == -128).any():
        raise ContentMalformed(f"update: {name} leaves the range of the encoding")
    largest = np.abs(_pad(q).astype(np.int16)).max(axis=1, initial=0)
    if (largest[e > MIN_EXPONENT] <= MAX_Q // 2).any():
        raise ContentMalformed(f"update: {name} has an exponent larger than its block needs")


def _blocked(update: Update) -> Iterator[tuple[str, Int8s, Int8s]]:
    """(name, q as (blocks, 4096) padded with zeros, e) of each tensor that has elements, in name order."""
    for name in sorted(key[:-2] for key in update if key.endswith(".q")):
        if update[f"{name}.q"].size:
            yield name, _pad(update[f"{name}.q"]), update[f"{name}.e"]


def _pad(flat: Array) -> Array:
    blocks = block_count(flat.size)
    if flat.size == blocks * BLOCK:
        return flat.reshape(blocks, BLOCK)
    padded = np.zeros(blocks * BLOCK, dtype=flat.dtype)
    padded[: flat.size] = flat
    return padded.reshape(blocks, BLOCK)


def _fp32(name: str, array: Array) -> Array:
    if array.dtype != np.float32:
        raise ValueError(f"{name} is {array.dtype}, not float32")
    return array
