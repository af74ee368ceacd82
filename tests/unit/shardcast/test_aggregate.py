from __future__ import annotations

import ctypes
import itertools
import platform
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kizuna.errors import NumericsMismatch
from kizuna.shardcast import aggregate
from kizuna.shardcast.aggregate import Part, add_exactly, mean, weights_q16
from kizuna.shardcast.update import BLOCK

UNIT = Fraction(2) ** -56
LARGEST = Fraction(float(np.finfo(np.float32).max))


def fp32_of(exact: Fraction) -> float:
    """Round to nearest even, from the definition: the nearest multiple of the ulp of the exact value's binade."""
    if exact == 0:
        return 0.0
    magnitude = abs(exact)
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    exponent -= magnitude < Fraction(2) ** exponent
    ulp = Fraction(2) ** max(exponent - 23, -149)
    rounded = round(magnitude / ulp) * ulp
    value = float("inf") if rounded > LARGEST else float(rounded)
    return value if exact > 0 else -value


def check(bases: list[float], sums: list[int]) -> None:
    base = np.array(bases, dtype=np.float32)
    result = add_exactly(base, np.array(sums, dtype=np.int64))
    expected = [fp32_of(Fraction(float(b)) + s * UNIT) for b, s in zip(base, sums, strict=True)]
    assert result.dtype == np.float32
    assert result.view(np.uint32).tolist() == np.array(expected, dtype=np.float32).view(np.uint32).tolist()


BITS = st.integers(0, 2**32 - 1).map(lambda bits: float(np.array([bits], dtype=np.uint32).view(np.float32)[0]))
BASES = BITS.filter(np.isfinite) | st.floats(-2.0, 2.0, width=32) | st.floats(-(2.0**-30), 2.0**-30, width=32)
SUM_LIMIT = 127 * 2**48
SUMS = st.integers(-SUM_LIMIT, SUM_LIMIT) | st.integers(-100, 100) | st.integers(0, 54).map(lambda k: 2**k)


@settings(max_examples=1000, deadline=None)
@given(BASES, SUMS)
@example(-0.0, 0)
@example(0.0, 1)
@example(2.0**-149, -1)
@example(-(2.0**-149), 2**54 + 1)
@example(float(np.finfo(np.float32).max), SUM_LIMIT)
def test_any_base_and_sum_are_added_with_one_rounding(base: float, total: int) -> None:
    check([base], [total])


@settings(max_examples=500, deadline=None)
@given(SUMS, st.integers(-3, 3), st.sampled_from([-1, 1]))
def test_cancellation_leaves_every_low_bit(total: int, nudge: int, sign: int) -> None:
    near = float(np.float32(-sign * total * 2.0**-56))
    check([near], [sign * total + nudge])


@settings(max_examples=500, deadline=None)
@given(st.integers(2**23, 2**24 - 1), st.integers(-80, 20), st.integers(-2, 2), st.sampled_from([-1, 1]))
def test_ties_go_to_even_and_the_smallest_excess_decides(mantissa: int, exponent: int, nudge: int, sign: int) -> None:
    half_ulp = Fraction(2) ** (exponent - 1) / UNIT
    if half_ulp >= 1 and half_ulp < SUM_LIMIT:
        base = sign * float(mantissa) * 2.0**exponent
        check([base, base], [int(half_ulp) + nudge, -int(half_ulp) + nudge])


def test_a_grid_of_magnitudes_and_signs() -> None:
    exponents = [-149, -140, -127, -126, -100, -60, -57, -56, -55, -40, -34, -33, -32, -10, -1, 0, 5, 6, 7, 24, 104]
    bases = [sign * m * 2.0**e for e in exponents for m in (1, 3, 2**22 + 1, 2**23 + 1, 2**24 - 1) for sign in (1, -1)]
    bases = [b for b in bases if abs(b) <= float(LARGEST)]
    sums = [0, 1, 2, 3, 2**25 + 1, 2**52 + 1, 2**53 - 1, 2**53, 2**53 + 1, 2**54 + 1, 2**54 + 2**30, SUM_LIMIT]
    pairs = list(itertools.product(bases, sums + [-s for s in sums]))
    check([b for b, _ in pairs], [s for _, s in pairs])


def parts_of(seed: int, size: int, quotas: list[int]) -> list[Part]:
    rng = np.random.default_rng(seed)
    blocks = -(-size // BLOCK)
    return [
        Part(
            weight,
            rng.integers(-127, 128, size=size, dtype=np.int8),
            rng.integers(-40, -7, size=blocks, dtype=np.int8),
        )
        for weight in weights_q16(quotas)
    ]


def base_of(seed: int, size: int) -> np.ndarray:
    return (np.random.default_rng([9, seed]).standard_normal(size) * 0.05).astype(np.float32)


def test_the_mean_is_the_rounded_exact_sum() -> None:
    size = BLOCK + 37
    base, parts = base_of(0, size), parts_of(0, size, [1, 2, 4, 7])
    new = mean(base, parts)
    for i in itertools.chain(range(0, BLOCK, 101), range(BLOCK, size)):
        exact = Fraction(float(base[i]))
        for part in parts:
            exact += Fraction(part.weight, 2**16) * int(part.q[i]) * Fraction(2) ** int(part.e[i // BLOCK])
        assert float(new[i]) == fp32_of(exact)


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 9 * BLOCK + 5, 17 * BLOCK])
def test_the_order_of_contributions_is_irrelevant_and_every_chunk_can_be_recomputed_alone(size: int) -> None:
    base, parts = base_of(1, size), parts_of(1, size, [3, 1, 2])
    new = mean(base, parts).tobytes()
    for order in itertools.permutations(parts):
        assert mean(base, order).tobytes() == new
    for block in range(-(-size // BLOCK)):
        piece = slice(block * BLOCK, (block + 1) * BLOCK)
        alone = mean(base[piece], [Part(p.weight, p.q[piece], p.e[block : block + 1]) for p in parts])
        assert alone.tobytes() == new[4 * block * BLOCK : 4 * (block + 1) * BLOCK]


def test_hundreds_of_extreme_contributions_do_not_overflow() -> None:
    count, size = 500, 8
    extreme = [Part(w, np.full(size, 127, np.int8), np.full(1, -8, np.int8)) for w in weights_q16([1] * count)]
    exact = Fraction(131 * count, 2**16) * 127 * Fraction(2) ** -8  # floor(2^16 / 500) = 131
    assert mean(np.zeros(size, np.float32), extreme).tolist() == [fp32_of(exact)] * size


def test_nothing_to_add_returns_the_base() -> None:
    base = base_of(2, BLOCK + 1)
    assert mean(base, []).tobytes() == base.tobytes()


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=200))
def test_weights_are_shares_rounded_down(quotas: list[int]) -> None:
    weights = weights_q16(quotas)
    assert 2**16 - len(quotas) < sum(weights) <= 2**16
    assert all(w == Fraction(2**16 * n, sum(quotas)).__floor__() for w, n in zip(weights, quotas, strict=True))


def test_contributions_that_do_not_fit_are_refused() -> None:
    base, parts = base_of(3, 10), parts_of(3, 10, [1])
    with pytest.raises(ValueError):
        mean(base, parts * 2)  # weights above one
    with pytest.raises(ValueError):
        mean(base[:9], parts)
    with pytest.raises(ValueError):
        mean(base.astype(np.float64), parts)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        weights_q16([1, 0])


def test_a_thread_that_flushes_subnormals_refuses_to_compute_versions() -> None:
    if platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc":
        return  # The switch below is of this processor and this C library.
    libm = ctypes.CDLL("libm.so.6")
    saved, flushing = ctypes.create_string_buffer(32), ctypes.create_string_buffer(32)
    assert libm.fegetenv(saved) == 0 and libm.fegetenv(flushing) == 0
    (control,) = struct.unpack_from("<I", saved, 28)  # fenv_t ends with MXCSR
    struct.pack_into("<I", flushing, 28, control | 0x8040)  # flush to zero, denormals are zero
    assert libm.fesetenv(flushing) == 0
    try:
        with pytest.raises(NumericsMismatch):
            mean(base_of(4, 3), [])
    finally:
        libm.fesetenv(saved)


def test_sums_are_counted_in_the_unit_of_the_smallest_exponent_and_weight() -> None:
    assert aggregate.UNIT_LOG2 == -56
