"""Integer-exact aggregation: new = fp32(base + exact sum), rounded once, equal bits on every machine.

The weighted sum of a contribution's q * 2^e is kept as an int64 in units of 2^-56, where no order of
addition matters. The base is added without error: in fp64 with the rounding error of the sum folded into
the last bit (rounding to odd; S. Boldo and G. Melquiond, "Emulation of FMA and correctly rounded sums",
2008), so that the one rounding to fp32, to nearest even, sees all that it needs. A zero result is +0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kizuna.errors import NumericsMismatch
from kizuna.shardcast.update import BLOCK, MIN_EXPONENT, Int8s, block_count

WEIGHT_BITS = 16
UNIT_LOG2 = MIN_EXPONENT - WEIGHT_BITS
"""Sums count in units of 2^-56. |sum| <= 127 * 2^16 * 2^32 < 2^55, whatever the number of contributions."""

Floats = np.ndarray[Any, np.dtype[np.float32]]
Doubles = np.ndarray[Any, np.dtype[np.float64]]
Sums = np.ndarray[Any, np.dtype[np.int64]]
_BLOCKS_AT_A_TIME = 8  # 32,768 elements: the temporaries stay in the processor's cache
_EXACT_IN_FP64 = 1 << 53


@dataclass(frozen=True, slots=True)
class Part:
    """One contribution to one tensor: its Q16 weight, q (P,) and e (blocks,)."""

    weight: int
    q: Int8s
    e: Int8s


def weights_q16(quotas: Sequence[int]) -> tuple[int, ...]:
    """floor(2^16 * n_i / sum n). Raises ValueError unless every quota is positive."""
    if any(quota < 1 for quota in quotas):
        raise ValueError("quotas are positive")
    total = sum(quotas)
    return tuple((quota << WEIGHT_BITS) // total for quota in quotas)


def mean(base: Floats, parts: Sequence[Part]) -> Floats:
    """Rule `mean` for a flat fp32 tensor (P,), or for any piece of it that starts at a block.

    The result may be infinite where the base is next to the largest fp32; the caller refuses that.
    Raises ValueError if a part does not cover the base, NumericsMismatch on a thread whose floating-point
    unit flushes subnormals to zero.
    """
    _check(base, parts)
    new = np.empty_like(base)
    for first in range(0, block_count(base.size), _BLOCKS_AT_A_TIME):
        last = first + _BLOCKS_AT_A_TIME
        piece = slice(first * BLOCK, last * BLOCK)
        sums = _weighted_sum(base[piece].size, [Part(p.weight, p.q[piece], p.e[first:last]) for p in parts])
        new[piece] = add_exactly(base[piece], sums)
    return new


def add_exactly(base: Floats, sums: Sums) -> Floats:
    """fp32(base + sums * 2^-56) with one rounding, for finite base and |sums| < 2^55."""
    wide = base.astype(np.float64)
    total = _add_to_odd(wide, _as_doubles(sums))
    large = np.abs(sums) >= _EXACT_IN_FP64
    if large.any():
        # Above 2^53 the sum's low bits are folded, which cancellation with the base could bring to light.
        # A base in this range is a multiple of 2^-56, so both fit one int64 and the sum is exact. A base
        # outside cannot cancel: it is 64 or more against less than 1/2, or tiny against 1/8 or more.
        magnitude = np.abs(wide)
        cancels = large & (magnitude >= 2.0**-33) & (magnitude < 64.0)
        exact = np.ldexp(wide[cancels], -UNIT_LOG2).astype(np.int64) + sums[cancels]
        total[cancels] = _as_doubles(exact)
    with np.errstate(over="ignore"):
        return total.astype(np.float32)


def _weighted_sum(size: int, parts: Sequence[Part]) -> Sums:
    sums = np.zeros(size, dtype=np.int64)
    whole = size - size % BLOCK
    for part in parts:
        factors = np.int64(part.weight) << (part.e.astype(np.int64) - MIN_EXPONENT)  # (blocks,)
        rows = part.q[:whole].reshape(-1, BLOCK)
        sums[:whole].reshape(-1, BLOCK)[...] += rows * factors[: len(rows), None]
        if whole < size:
            sums[whole:] += part.q[whole:] * factors[-1]
    return sums


def _as_doubles(sums: Sums) -> Doubles:
    """sums * 2^-56 as fp64: exact below 2^53, above with ten low bits folded into one sticky bit (odd)."""
    folded = (sums & ~np.int64(1023)) | (((sums & 1023) != 0).astype(np.int64) << 10)
    fits = np.where(np.abs(sums) < _EXACT_IN_FP64, sums, folded)
    return np.multiply(fits.astype(np.float64), 2.0**UNIT_LOG2)


def _add_to_odd(a: Doubles, b: Doubles) -> Doubles:
    """a + b rounded to odd: exact, or the neighbour whose last bit is set."""
    total = a + b
    back = total - a
    error = (a - (total - back)) + (b - back)  # exact (Knuth's TwoSum)
    bits = total.view(np.int64)
    inexact_even = (error != 0) & ((bits & 1) == 0)
    step = np.where((error > 0) == (total > 0), np.int64(1), np.int64(-1))
    odd: Doubles = (bits + np.where(inexact_even, step, np.int64(0))).view(np.float64)
    return odd


def _check(base: Floats, parts: Sequence[Part]) -> None:
    if base.ndim != 1 or base.dtype != np.float32:
        raise ValueError("the base is a flat fp32 tensor")
    blocks = block_count(base.size)
    if any(part.q.shape != base.shape or part.e.shape != (blocks,) for part in parts):
        raise ValueError("a contribution does not cover the base")
    if any(part.weight < 0 for part in parts) or sum(part.weight for part in parts) > 1 << WEIGHT_BITS:
        raise ValueError("weights sum to at most 2^16")
    smallest = np.array([1], dtype=np.int32).view(np.float32)
    if smallest.astype(np.float64)[0] == 0.0 or np.array([2.0**-149]).astype(np.float32)[0] == 0.0:
        raise NumericsMismatch("this thread flushes subnormal numbers to zero; versions computed here would differ")
