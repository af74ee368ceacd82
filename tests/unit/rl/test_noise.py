from __future__ import annotations

import math

import numpy as np
import pytest
from support.models import config

from kizuna.hashing import keccak
from kizuna.rl.noise import gumbel, philox, signs, unit

# Random123 1.14, kat_vectors, "philox4x32 10": counter, key, result.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text: str) -> tuple[int, ...]:
    return tuple(int(word, 16) for word in text.split())


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_philox_gives_the_published_vectors(counter: str, key: str, result: str) -> None:
    assert philox(words(counter), words(key)).tolist() == list(words(result))  # type: ignore[arg-type]


def test_counters_broadcast_and_each_entry_is_its_own_block() -> None:
    many = philox((np.arange(5)[None, :], np.arange(3)[:, None], 9, 0), (1, 2))
    assert many.shape == (4, 3, 5)
    assert (many[:, 2, 4] == philox((4, 2, 9, 0), (1, 2))).all()


def test_noise_is_the_formula_of_the_protocol() -> None:
    noise = gumbel((5, 6), np.array([70_000]), np.array([3]), 4)[0]
    for token in range(4):
        first, second, *_ = philox((token, 3, 70_000, 0), (5, 6)).tolist()
        u = (first * 2**21 + (second >> 11) + 0.5) / 2**53
        assert noise[token] == pytest.approx(-math.log(-math.log(u)), rel=1e-14)


def test_noise_of_a_rollout_does_not_depend_on_the_rows_beside_it() -> None:
    rollouts, positions = np.array([3, 0, 9]), np.array([1, 5, 0])
    together = gumbel((1, 2), rollouts, positions, 50)
    for i in range(3):
        assert (together[i] == gumbel((1, 2), rollouts[i : i + 1], positions[i : i + 1], 50)[0]).all()
    assert (together[:, :20] == gumbel((1, 2), rollouts, positions, 20)).all()


def test_uniforms_stay_inside_the_unit_interval_so_that_noise_is_finite() -> None:
    ends = np.array([0, 2**32 - 1], dtype=np.uint32)
    low, high = unit(ends, ends)
    assert low == 2.0**-54 and high < 1.0
    assert np.isfinite(-np.log(-np.log(unit(ends, ends)))).all()


def test_noise_has_the_mean_and_variance_of_a_gumbel_distribution() -> None:
    noise = gumbel((1, 1), np.arange(100), np.zeros(100, dtype=np.int64), 1000)
    assert noise.mean() == pytest.approx(0.5772, abs=0.02)
    assert noise.var() == pytest.approx(math.pi**2 / 6, rel=0.03)


def test_noise_is_bound_to_task_round_slot_and_seed() -> None:
    keys = [config().noise_key]
    keys += [config(**{field: 2}).noise_key for field in ("task", "round", "slot")]
    keys += [config(seed=keccak(b"other")).noise_key]
    assert len(set(keys)) == 5
    assert config(base=keccak(b"another base")).noise_key == keys[0]


def test_signs_are_balanced_and_can_be_computed_from_any_block() -> None:
    matrix = signs((3, 4), 16, 1000)
    assert set(np.unique(matrix)) == {-1.0, 1.0} and abs(matrix.mean()) < 0.05
    assert (signs((3, 4), 16, 300, start=256) == matrix[:, 256:556]).all()
    with pytest.raises(ValueError, match="128"):
        signs((3, 4), 1, 10, start=100)
