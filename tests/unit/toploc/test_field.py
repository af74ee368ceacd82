from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kizuna.toploc.field import PRIME, evaluate, interpolate

POINTS = st.dictionaries(st.integers(0, PRIME - 1), st.integers(0, 0xFF80), min_size=1, max_size=128)


def horner(coefficients: list[int], x: int) -> int:
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * x + coefficient) % PRIME
    return value


@settings(max_examples=50, deadline=None)
@given(POINTS)
def test_the_polynomial_of_least_degree_goes_through_every_point(points: dict[int, int]) -> None:
    x, y = list(points), list(points.values())
    coefficients = interpolate(np.array([x], dtype=np.int64), np.array([y], dtype=np.int64))
    assert coefficients.shape == (1, len(points)) and 0 <= coefficients.min() <= coefficients.max() < PRIME
    assert [horner(coefficients[0].tolist(), point) for point in x] == [value % PRIME for value in y]
    at = np.arange(0, PRIME, 4001, dtype=np.int64)
    assert evaluate(coefficients, at[None, :])[0].tolist() == [horner(coefficients[0].tolist(), int(p)) for p in at]


@settings(max_examples=20, deadline=None)
@given(st.lists(POINTS.filter(lambda points: len(points) >= 5), min_size=1, max_size=4), st.randoms())
def test_rows_are_independent_and_the_order_of_points_is_irrelevant(rows: list[dict[int, int]], random: object) -> None:
    x = np.array([list(row)[:5] for row in rows], dtype=np.int64)
    y = np.array([list(row.values())[:5] for row in rows], dtype=np.int64)
    together = interpolate(x, y)
    assert np.array_equal(evaluate(together, x), y % PRIME)
    order = list(range(5))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert np.array_equal(interpolate(x[:, order], y[:, order]), together)
