from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kizuna.toploc.judging import BF16, FP32, examine, judge
from kizuna.toploc.proofs import PROOF_BYTES, ChunkResult, prove
from kizuna.types import Reason

EXACT = ChunkResult(0, 0.0, 0.0)
ONE_FLIP = ChunkResult(0, 1 / 128, 0.0)


def activations(rows: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, 64)).astype(np.float32)


def test_exact_work_passes_and_so_does_no_work_at_all() -> None:
    assert judge([EXACT] * 40, FP32) is None
    assert judge([], FP32) is None


@pytest.mark.parametrize(
    "chunk",
    [
        ChunkResult(3, 0.0, 0.0),
        ChunkResult(0, 0.06, 0.0),
        ChunkResult(0, 0.04, 1.0),
        ChunkResult(1, 0.0, 0.0, points=40),
    ],
)
def test_one_chunk_over_a_threshold_is_enough(chunk: ChunkResult) -> None:
    assert judge([EXACT] * 20 + [chunk], FP32) is Reason.PROOF_MISMATCH


def test_honest_roundings_pass_and_many_of_them_do_not() -> None:
    assert judge([ChunkResult(2, 0.05, 0.0)], FP32) is None
    assert judge([ONE_FLIP] * 8, FP32) is None
    assert judge([ONE_FLIP] * 9, FP32) is Reason.PROOF_MISMATCH


def test_every_window_counts_and_not_only_aligned_ones() -> None:
    burst = [EXACT] * 11 + [ONE_FLIP] * 9 + [EXACT] * 20
    assert judge(burst, FP32) is Reason.PROOF_MISMATCH
    spread = [ONE_FLIP, EXACT] * 30
    assert judge(spread, FP32) is None


def test_bf16_separates_honest_from_int8_by_the_window() -> None:
    assert judge([ChunkResult(5, 1.6, 1.0)] * 16, BF16) is None
    assert judge([ChunkResult(5, 2.4, 2.0)] * 16, BF16) is Reason.PROOF_MISMATCH


def test_a_constant_proof_is_not_accepted() -> None:
    values = activations(64)
    for bits in range(0x3F00, 0x4100, 0x10):
        constant = ((65497).to_bytes(2, "big") + bits.to_bytes(2, "big") + bytes(254)) * 2
        assert examine(constant, values, FP32) is Reason.PROOF_MISMATCH


def test_a_verdict_says_what_is_wrong_with_a_proof() -> None:
    values = activations(40)
    proof = prove(values)
    assert examine(proof, values, FP32) is None
    assert examine(proof[:PROOF_BYTES], values, FP32) is Reason.WRONG_COUNT
    assert examine(proof + proof[:PROOF_BYTES], values, FP32) is Reason.WRONG_COUNT
    assert examine(proof + b"\0", values, FP32) is Reason.MALFORMED
    assert examine(bytes(len(proof)), values, FP32) is Reason.MALFORMED
    assert examine(proof, activations(40, seed=1), FP32) is Reason.PROOF_MISMATCH
    assert examine(proof, values * np.float32(np.nan), FP32) is Reason.PROOF_MISMATCH


@settings(max_examples=50)
@given(st.binary(max_size=3 * PROOF_BYTES))
def test_foreign_bytes_get_a_verdict_and_never_raise(proof: bytes) -> None:
    assert examine(proof, activations(33), FP32) is not None
