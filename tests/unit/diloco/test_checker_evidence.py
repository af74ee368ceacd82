from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.models import REVERSE, config, llama, tokenizer
from support.rounds import finish, rerun, start

from kizuna.diloco.evidence import (
    PROJECTIONS,
    EvidenceKey,
    SegmentSketch,
    interior_layer,
    rollout_evidence,
    segment_evidence,
)
from kizuna.diloco.segments import RoundResult
from kizuna.hashing import keccak
from kizuna.rl.noise import philox, signs
from kizuna.rl.rollouts import prompt_ids
from kizuna.toploc.proofs import PROOF_BYTES, verify

KEY = EvidenceKey(seal=keccak(b"seal"), secret=keccak(b"secret"), seat=2, item=1)
OTHERS = [
    replace(KEY, seal=keccak(b"another seal")),
    replace(KEY, secret=keccak(b"another secret")),
    replace(KEY, seat=3),
    replace(KEY, item=0),
]


@pytest.fixture(scope="module")
def result() -> RoundResult:
    return finish(start())


def of_segment(result: RoundResult, key: EvidenceKey = KEY, *, boundary: int = 1) -> bytes:
    return segment_evidence(
        llama(),
        result.boundaries[boundary],
        result.groups[4:8],
        config(),
        key,
        segment=1,
        tokenizer=tokenizer(),
        environment=REVERSE,
    )


def of_rollouts(result: RoundResult, key: EvidenceKey = KEY, *, group: int = 5) -> bytes:
    model = llama()
    model.load(result.boundaries[config().policy(1)].weights)
    return rollout_evidence(model, result.groups[group], config(), key, tokenizer=tokenizer(), environment=REVERSE)


def test_an_audit_recomputes_the_same_bytes(result: RoundResult) -> None:
    sketch = SegmentSketch.of(config(), KEY)
    rerun(result, 1, observe=sketch)
    assert sketch.evidence() == of_segment(result) == of_segment(result)
    assert of_rollouts(result) == of_rollouts(result)


def test_evidence_of_a_segment_is_sixteen_numbers_that_no_other_place_gives(result: RoundResult) -> None:
    mine = of_segment(result)
    numbers = np.frombuffer(mine, dtype="<f8")
    assert numbers.shape == (PROJECTIONS,) and np.isfinite(numbers).all() and numbers.all()
    assert len({mine, *(of_segment(result, key) for key in OTHERS)}) == 5
    assert of_segment(result, boundary=0) != mine


def test_a_sketch_is_the_secret_projection_of_the_signed_micro_batch_gradients() -> None:
    rng = np.random.default_rng(1)
    gradients = [{name: rng.standard_normal((3, 50)).astype(np.float32) for name in ("b", "a")} for _ in range(4)]
    sketch = SegmentSketch.of(config(), KEY)
    for b, gradient in enumerate(gradients):
        sketch(b, gradient)
    key = sketch.philox_key
    total = np.zeros(300)
    for b, gradient in enumerate(gradients):
        sign = 1 if philox((b, 0, 0, 2), key)[0] & 1 else -1
        total += sign * np.concatenate([gradient["a"].reshape(-1), gradient["b"].reshape(-1)])
    expected = (signs(key, PROJECTIONS, 300) * total).sum(axis=1)
    np.testing.assert_allclose(np.frombuffer(sketch.evidence()), expected, rtol=1e-12)


def test_a_step_without_a_signal_shows_zeros() -> None:
    assert SegmentSketch.of(config(), KEY).evidence() == bytes(8 * PROJECTIONS)


def test_evidence_of_a_group_proves_an_interior_layer_and_not_what_the_trainer_published(result: RoundResult) -> None:
    proof, group = of_rollouts(result), result.groups[5]
    assert len(proof) == PROOF_BYTES and proof != group.proof
    model = llama()
    model.load(result.boundaries[1].weights)
    ids = prompt_ids(config(), 5, tokenizer=tokenizer(), environment=REVERSE)
    rows = []
    for rollout in group.rollouts:
        whole = torch.tensor([[*ids, *rollout.tokens.tolist()]])
        with model.evaluating():
            rows.append(model.hidden(whole, layer=1)[0, len(ids) - 1 : -1].numpy())
    (chunk,) = verify(proof, np.concatenate(rows))
    assert (chunk.exponent_mismatches, chunk.mantissa_mean) == (0, 0.0)
    assert of_rollouts(result, group=4) != proof


def test_the_layer_shown_is_any_but_the_last_and_follows_from_the_secret() -> None:
    keys = [replace(KEY, item=i) for i in range(200)]
    assert {interior_layer(config(), key, 5) for key in keys} == {1, 2, 3, 4}
    assert {interior_layer(config(), key, 2) for key in keys} == {1}
    mine, theirs = ([interior_layer(config(), k, 5) for k in ks] for ks in (keys, [replace(k, seat=9) for k in keys]))
    assert mine != theirs
