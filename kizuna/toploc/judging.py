"""From distances to a verdict. The thresholds belong to the task; the defaults of both precisions were measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kizuna.errors import ContentMalformed
from kizuna.toploc.proofs import PROOF_BYTES, TOP_K, Activations, ChunkResult, chunk_count, verify
from kizuna.types import Reason


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The most that honest work differs by. `window_mean` bounds the average of `window` chunks' mantissa means."""

    exponent_mismatches: int
    mantissa_mean: float
    mantissa_median: float
    window_mean: float
    window: int = 16


FP32 = Thresholds(exponent_mismatches=2, mantissa_mean=0.05, mantissa_median=0.0, window_mean=0.004)
BF16 = Thresholds(exponent_mismatches=16, mantissa_mean=2.5, mantissa_median=2.0, window_mean=1.75)


def judge(results: Sequence[ChunkResult], thresholds: Thresholds) -> Reason | None:
    """PROOF_MISMATCH if a chunk, or a run of `window` chunks on average, is too far from its proof.

    Fewer chunks than a window count as a window whose other chunks are exact: one rounding that fell
    the other way in a short completion is no evidence.
    """
    if any(_too_far(result, thresholds) for result in results):
        return Reason.PROOF_MISMATCH
    means = [result.mantissa_mean for result in results]
    # A sum of at most `window` small multiples of 1/128; the margin is for chunks of other sizes.
    limit = thresholds.window_mean * thresholds.window * (1 + 1e-9)
    for start in range(max(1, len(means) - thresholds.window + 1)):
        if sum(means[start : start + thresholds.window]) > limit:
            return Reason.PROOF_MISMATCH
    return None


def examine(proof: bytes, activations: Activations, thresholds: Thresholds) -> Reason | None:
    """The verdict on a foreign proof: what is wrong with it, or None. Never raises because of the proof."""
    if len(proof) % PROOF_BYTES == 0 and len(proof) // PROOF_BYTES != chunk_count(activations.shape[0]):
        return Reason.WRONG_COUNT
    try:
        results = verify(proof, activations)
    except ContentMalformed:
        return Reason.MALFORMED
    return judge(results, thresholds)


def _too_far(result: ChunkResult, thresholds: Thresholds) -> bool:
    # A chunk of few activations may differ in proportionally few, or tiny ones would always pass.
    allowed = thresholds.exponent_mismatches * result.points // TOP_K
    return (
        result.exponent_mismatches > allowed
        or result.mantissa_mean > thresholds.mantissa_mean
        or result.mantissa_median > thresholds.mantissa_median
    )
