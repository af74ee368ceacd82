"""Polynomials over the prime field of 65497, vectorised over chunks.

65497 is the largest prime below 2^16 that TOPLOC proofs are made of: two bytes hold a coefficient, and
every finite bf16 bit pattern (at most 0xFF80) is a field element.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

PRIME = 65497

Ints = np.ndarray[Any, np.dtype[np.int64]]


def interpolate(x: Ints, y: Ints) -> Ints:
    """Coefficients, lowest degree first, of the polynomials of degree < k through k points each.

    x, y: (C, k) with the x of a row distinct modulo PRIME. Returns (C, k) in 0..PRIME-1. Newton's
    divided differences, then expansion; no order of the points changes the result.
    """
    x, differences = x % PRIME, y % PRIME
    k = x.shape[1]
    inverses = _inverses()
    for order in range(1, k):
        rise = differences[:, order:] - differences[:, order - 1 : -1]
        run = x[:, order:] - x[:, :-order]
        differences[:, order:] = rise * inverses[run % PRIME] % PRIME
    coefficients = np.zeros_like(x)
    coefficients[:, 0] = differences[:, -1]
    for i in range(k - 2, -1, -1):  # p <- p * (X - x_i) + d_i
        shifted = np.zeros_like(coefficients)
        shifted[:, 1:] = coefficients[:, :-1]
        coefficients = (shifted - coefficients * x[:, i : i + 1]) % PRIME
        coefficients[:, 0] += differences[:, i]
    return coefficients % PRIME


def evaluate(coefficients: Ints, x: Ints) -> Ints:
    """Values at x (C, k) of polynomials (C, n), lowest degree first. Returns (C, k) in 0..PRIME-1."""
    points = x % PRIME
    values = np.zeros_like(points)
    for j in range(coefficients.shape[1] - 1, -1, -1):
        values = (values * points + coefficients[:, j : j + 1]) % PRIME
    return values


@cache
def _inverses() -> Ints:
    """Inverse of every field element by Fermat; 0 for 0."""
    base = np.arange(PRIME, dtype=np.int64)
    result = np.ones_like(base)
    exponent = PRIME - 2
    while exponent:
        if exponent & 1:
            result = result * base % PRIME
        base = base * base % PRIME
        exponent >>= 1
    return result
