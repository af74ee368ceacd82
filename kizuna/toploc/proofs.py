"""TOPLOC proofs: the 128 largest activations of 32 tokens as a polynomial congruence of 258 bytes.

A proof is a big-endian uint16 modulus and 128 big-endian uint16 coefficients of the polynomial that maps
an activation's place in the chunk, modulo that modulus, to its bf16 bit pattern. The bytes are those of
the package `toploc` 0.1.6. What the package leaves to chance is fixed here: among equal magnitudes the
lower place wins, fp32 activations are ranked before they are rounded to bf16 (to nearest even), and a
chunk of fewer than 128 activations has a polynomial of as many coefficients, the rest being zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kizuna.errors import ContentMalformed
from kizuna.toploc.field import PRIME, Ints, evaluate, interpolate

TOP_K = 128
CHUNK_ROWS = 32
PROOF_BYTES = 2 * (1 + TOP_K)
MIN_MODULUS = 1 << 15  # exclusive
INCOMPARABLE = 2.0**64
"""Mantissa error of a chunk in which no exponent matches, as the published package reports it."""

Activations = np.ndarray[Any, np.dtype[np.float32]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
_BATCH_VALUES = 1 << 21  # activations ranked at a time, to bound memory


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """How far one chunk is from its proof, over `points` compared activations; zero means equal."""

    exponent_mismatches: int
    mantissa_mean: float
    mantissa_median: float
    points: int = TOP_K


def chunk_count(rows: int) -> int:
    """Chunks of 32 rows, the last one possibly shorter."""
    return -(-rows // CHUNK_ROWS)


def prove(activations: Activations) -> bytes:
    """The proofs of (T, hidden) activations, 258 bytes for each 32 rows. Raises ValueError if not finite."""
    values = _checked(activations)
    if not np.isfinite(values).all():
        raise ValueError("activations are not finite")
    return b"".join(_prove_batch(batch) for batch in _batches(values))


def parse(proof: bytes, *, rows: int, hidden: int) -> Ints:
    """The proofs of `rows` x `hidden` activations as (chunks, 129) integers: modulus, then coefficients.

    Raises ContentMalformed unless a prover could have made them: the length is exact, the modulus is
    65497 where all places of the chunk are below it and otherwise above 2^15, coefficients are field
    elements, and those past the number of activations are zero.
    """
    chunks = chunk_count(rows)
    if len(proof) != chunks * PROOF_BYTES:
        raise ContentMalformed(f"{len(proof)} bytes of activation proof; {chunks} chunks need {chunks * PROOF_BYTES}")
    words = np.frombuffer(proof, dtype=">u2").astype(np.int64).reshape(chunks, 1 + TOP_K)
    starts = np.arange(chunks, dtype=np.int64) * CHUNK_ROWS
    sizes = np.minimum(rows - starts, CHUNK_ROWS) * hidden  # (chunks,) activations
    least = np.where(sizes <= PRIME, PRIME, MIN_MODULUS + 1)
    if ((words[:, 0] < least) | (words[:, 0] > PRIME)).any():
        raise ContentMalformed("activation proof has a modulus that no prover uses")
    past = np.arange(TOP_K)[None, :] >= sizes[:, None]
    if (words[:, 1:] >= PRIME).any() or (words[:, 1:] != 0)[past].any():
        raise ContentMalformed("activation proof has a coefficient outside its polynomial")
    return words


def verify(proof: bytes, activations: Activations) -> list[ChunkResult]:
    """Compares proofs with (T, hidden) activations of one's own. Raises ContentMalformed like `parse`.

    Activations that are not finite (a foreign model can give them) match nothing.
    """
    values = _checked(activations)
    words = parse(proof, rows=values.shape[0], hidden=values.shape[1])
    results: list[ChunkResult] = []
    for batch in _batches(values):
        some = words[len(results) : len(results) + batch.shape[0]]
        results.extend(_verify_batch(some, batch))
    return results


def bf16_bits(values: Activations) -> Ints:
    """The bit patterns of fp32 values rounded to bf16, to nearest even. NaNs are not preserved."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32).astype(np.int64)
    rounded: Ints = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return rounded


def _checked(activations: Activations) -> Activations:
    if activations.ndim != 2 or activations.dtype != np.float32 or activations.shape[1] < 1:
        raise ValueError("activations are (T, hidden) of float32")
    return np.ascontiguousarray(activations)


def _batches(values: Activations) -> Iterator[Activations]:
    """Chunks of one length as (C, places): whole chunks in batches, then the short one."""
    rows, hidden = values.shape
    whole = rows // CHUNK_ROWS
    flat = values[: whole * CHUNK_ROWS].reshape(whole, CHUNK_ROWS * hidden)
    step = max(1, _BATCH_VALUES // (CHUNK_ROWS * hidden))
    for at in range(0, whole, step):
        yield flat[at : at + step]
    if rows % CHUNK_ROWS:
        yield values[whole * CHUNK_ROWS :].reshape(1, -1)


def _top_places(chunks: Activations) -> Ints:
    """(C, places) -> (C, k): places of the k largest magnitudes, ascending; among equals the lowest places."""
    places = chunks.shape[1]
    k = min(TOP_K, places)
    if k == places:
        return np.broadcast_to(np.arange(places, dtype=np.int64), chunks.shape).copy()
    # Bit patterns order like magnitudes. The k-th largest value is unique, its place is not, and which
    # one a partition returns differs between processors.
    magnitudes = (chunks.view(np.uint32) & np.uint32(0x7FFFFFFF)).view(np.int32)
    least = np.partition(magnitudes, places - k, axis=1)[:, places - k, None]
    above, equal = magnitudes > least, magnitudes == least
    room = k - np.count_nonzero(above, axis=1)[:, None]
    taken = above | (equal & (np.cumsum(equal, axis=1, dtype=np.int32) <= room))
    return np.nonzero(taken)[1].reshape(chunks.shape[0], k)


def _prove_batch(chunks: Activations) -> bytes:
    places = _top_places(chunks)
    bits = bf16_bits(np.take_along_axis(chunks, places, axis=1))
    fits = chunks.shape[1] <= PRIME
    moduli = np.array([PRIME if fits else _injective_modulus(row) for row in places], dtype=np.int64)
    words = np.zeros((chunks.shape[0], 1 + TOP_K), dtype=">u2")
    words[:, 0] = moduli
    words[:, 1 : 1 + places.shape[1]] = interpolate(places % moduli[:, None], bits)
    return words.tobytes()


def _injective_modulus(places: Ints) -> int:
    """The largest modulus up to 65497 under which all places differ."""
    for modulus in range(PRIME, MIN_MODULUS, -1):
        if np.unique(places % modulus).size == places.size:
            return modulus
    raise ValueError("no modulus above 2^15 keeps these places apart")


def _verify_batch(words: Ints, chunks: Activations) -> list[ChunkResult]:
    places = _top_places(chunks)
    values = np.take_along_axis(chunks, places, axis=1)
    claimed = evaluate(words[:, 1 : 1 + places.shape[1]], places % words[:, :1])
    mine = bf16_bits(values)
    same: Flags = ((claimed ^ mine) & 0x7F80) == 0
    same = same & np.isfinite(chunks).all(axis=1, keepdims=True)
    # As published, the sign is not compared: it is the exponent and mantissa that measure distance.
    errors = np.abs((claimed & 0x7F) - (mine & 0x7F))
    return [_chunk_result(errors[i][same[i]], places.shape[1]) for i in range(len(chunks))]


def _chunk_result(errors: Ints, points: int) -> ChunkResult:
    mismatches = points - errors.size
    if not errors.size:
        return ChunkResult(mismatches, INCOMPARABLE, INCOMPARABLE, points)
    ordered = np.sort(errors)
    return ChunkResult(mismatches, int(errors.sum()) / errors.size, float(ordered[errors.size // 2]), points)
