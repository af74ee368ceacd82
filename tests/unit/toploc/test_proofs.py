from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kizuna.errors import ContentMalformed
from kizuna.toploc import proofs
from kizuna.toploc.proofs import CHUNK_ROWS, INCOMPARABLE, PROOF_BYTES, TOP_K, ChunkResult, bf16_bits, prove, verify

VECTORS = Path(__file__).parents[2] / "vectors"
PUBLISHED = json.loads((VECTORS / "toploc_published.json").read_text())
INPUTS = runpy.run_path(str(VECTORS / "published_toploc.py"))


def activations(rows: int, hidden: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, rows, hidden]).standard_normal((rows, hidden)).astype(np.float32)


@pytest.mark.parametrize(
    "case", PUBLISHED["proofs"], ids=lambda case: f"{case['kind']}-{case['rows']}x{case['hidden']}"
)
def test_proofs_are_the_bytes_of_the_published_package(case: dict[str, Any]) -> None:
    rows, hidden = case["rows"], case["hidden"]
    values = INPUTS[f"{case['kind']}_activations"](rows, hidden, case["seed"])
    published = bytes.fromhex(case["proof"])
    whole = len(published) // PROOF_BYTES * CHUNK_ROWS  # it has no proof for a last chunk of under 128 activations
    assert prove(values[:whole]) == published
    assert (rows - whole) * hidden < TOP_K
    assert prove(values)[: len(published)] == published


@pytest.mark.parametrize(
    "case", PUBLISHED["distances"], ids=lambda case: f"{case['rows']}x{case['hidden']}+{case['noise']}"
)
def test_distances_are_those_of_the_published_package(case: dict[str, Any]) -> None:
    values = INPUTS["bf16_activations"](case["rows"], case["hidden"], case["seed"])
    noisy = INPUTS["noisy_bf16"](values, case["noise_seed"], case["noise"])
    assert verify(prove(values), noisy) == [ChunkResult(*result) for result in case["results"]]


@given(st.integers(0, 0x7F7F), st.integers(0, 0xFFFF), st.booleans())
def test_rounding_to_bf16_is_to_the_nearest_and_to_even_from_the_middle(upper: int, lower: int, negative: bool) -> None:
    bits = np.array([negative << 31 | upper << 16 | lower], dtype=np.uint32)
    up = lower > 0x8000 or (lower == 0x8000 and upper & 1)
    assert bf16_bits(bits.view(np.float32)).tolist() == [negative << 15 | (upper + up)]


@pytest.mark.parametrize(("rows", "chunks"), [(0, 0), (1, 1), (31, 1), (32, 1), (33, 2), (64, 2)])
def test_a_proof_has_one_chunk_for_each_32_rows(rows: int, chunks: int) -> None:
    values = activations(rows, 48)
    proof = prove(values)
    assert len(proof) == chunks * PROOF_BYTES
    assert verify(proof, values) == [ChunkResult(0, 0.0, 0.0)] * (chunks - (rows in (1, 33))) + (
        [ChunkResult(0, 0.0, 0.0, points=48)] if rows in (1, 33) else []
    )
    for wrong in (proof + bytes(PROOF_BYTES), proof[PROOF_BYTES:], proof + proof[-PROOF_BYTES:]):
        if wrong != proof:
            with pytest.raises(ContentMalformed):
                verify(wrong, values)


def test_proofs_of_padded_batches_and_of_pieces_are_those_of_the_rows_alone() -> None:
    for rows in (1, 31, 32, 33, 64):
        padded = np.zeros((80, 64), dtype=np.float32)
        padded[:rows] = activations(rows, 64)
        assert prove(padded[:rows]) == prove(activations(rows, 64))
        pieces = np.concatenate([padded[:7][:rows], padded[7:rows]])
        assert prove(pieces) == prove(activations(rows, 64))


def test_many_chunks_prove_like_each_chunk_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    values = activations(32 * 7 + 5, 64)
    together = prove(values)
    monkeypatch.setattr(proofs, "_BATCH_VALUES", 2 * 32 * 64)
    assert prove(values) == together
    assert verify(together, values) == [ChunkResult(0, 0.0, 0.0)] * 8
    assert together == b"".join(prove(values[at : at + 32]) for at in range(0, len(values), 32))


def test_a_single_token_of_a_narrow_model_has_a_defined_proof() -> None:
    values = activations(1, 40)
    proof = prove(values)
    assert proof[:2] == (65497).to_bytes(2, "big") and not any(proof[2 + 2 * 40 :])
    assert verify(proof, values) == [ChunkResult(0, 0.0, 0.0, points=40)]
    assert verify(proof, activations(1, 40, seed=1))[0].exponent_mismatches > 10
    smallest = np.array([[1.5]], dtype=np.float32)
    assert verify(prove(smallest), smallest) == [ChunkResult(0, 0.0, 0.0, points=1)]


def test_among_equal_magnitudes_the_lower_places_are_proved() -> None:
    values = np.ones((32, 8), dtype=np.float32)
    values[16:] = -1
    altered = values.copy()
    altered[16:] = 0.5  # places 128..255 are not in the proof
    assert prove(values) == prove(altered)


def test_the_modulus_keeps_places_apart_when_a_chunk_has_more_than_65497() -> None:
    values = np.zeros((32, 4096), dtype=np.float32)
    values.reshape(-1)[:127] = 1.0
    values.reshape(-1)[65497] = 1.0  # modulo 65497 - k it is place k, and places 0..126 are taken
    proof = prove(values)
    assert int.from_bytes(proof[:2], "big") == 65497 - 127
    assert verify(proof, values) == [ChunkResult(0, 0.0, 0.0)]


def test_other_activations_are_far_from_a_proof() -> None:
    for result in verify(prove(activations(64, 128)), activations(64, 128, seed=1)):
        assert result.exponent_mismatches > 30


def with_word(proof: bytes, at: int, value: int) -> bytes:
    return proof[: 2 * at] + value.to_bytes(2, "big") + proof[2 * at + 2 :]


SMALL, LARGE, SHORT = activations(64, 128), activations(32, 4096), activations(33, 40)


@pytest.mark.parametrize(
    ("values", "damage"),
    [
        (SMALL, lambda proof: b""),
        (SMALL, lambda proof: proof[:-1]),
        (SMALL, lambda proof: proof + b"\0"),
        (SMALL, lambda proof: bytes(len(proof))),
        (SMALL, lambda proof: b"\xff" * len(proof)),
        (SMALL, lambda proof: with_word(proof, 0, 0)),
        (SMALL, lambda proof: with_word(proof, 0, 1)),
        (SMALL, lambda proof: with_word(proof, 0, 65496)),
        (SMALL, lambda proof: with_word(proof, 0, 65498)),
        (SMALL, lambda proof: with_word(proof, 129, 32768)),
        (SMALL, lambda proof: with_word(proof, 5, 65497)),
        (LARGE, lambda proof: with_word(proof, 0, 0)),
        (LARGE, lambda proof: with_word(proof, 0, 32768)),
        (LARGE, lambda proof: with_word(proof, 0, 65535)),
        (SHORT, lambda proof: with_word(proof, 129 + 128, 1)),
    ],
)
def test_what_no_prover_makes_is_refused(values: np.ndarray, damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ContentMalformed):
        verify(damage(prove(values)), values)


@settings(max_examples=60)
@given(st.binary(max_size=600), st.integers(0, 70), st.sampled_from([1, 4, 40, 2047, 2048]), st.integers(0, 2**16 - 1))
def test_hostile_proofs_never_crash(noise: bytes, rows: int, hidden: int, modulus: int) -> None:
    values = activations(rows, hidden)
    framed = (modulus.to_bytes(2, "big") + noise.ljust(256, b"\1")[:256]) * proofs.chunk_count(rows)
    for proof in (noise, framed):
        try:
            results = verify(proof, values)
        except ContentMalformed:
            continue
        assert all(0 <= result.exponent_mismatches <= result.points for result in results)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_activations_that_are_not_finite_prove_nothing_and_match_nothing(bad: float) -> None:
    values = activations(33, 128)
    proof = prove(values)
    values[3, 7] = bad
    with pytest.raises(ValueError):
        prove(values)
    assert verify(proof, values) == [ChunkResult(128, INCOMPARABLE, INCOMPARABLE), ChunkResult(0, 0.0, 0.0)]


@pytest.mark.parametrize("values", [np.zeros((2, 3)), np.zeros(4, np.float32), np.zeros((4, 0), np.float32)])
def test_only_fp32_rows_are_activations(values: np.ndarray) -> None:
    with pytest.raises(ValueError):
        prove(values)
