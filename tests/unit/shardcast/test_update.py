from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kizuna import tensors
from kizuna.errors import ContentMalformed, LimitExceeded
from kizuna.shardcast import update
from kizuna.shardcast.update import BLOCK, Block

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
SMALL = st.floats(-1.0, 1.0, width=32)
SHAPES = {"a": (3, BLOCK), "b": (BLOCK + 5,), "c": (), "d": (0, 4)}


def delta(*, seed: int = 0, scale: float = 1e-3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: np.asarray(scale * rng.standard_normal(shape), dtype=np.float32) for name, shape in SHAPES.items()}


def encode_by_definition(values: list[float]) -> tuple[list[int], int]:
    exact = [Fraction(value) for value in values]
    largest = max(abs(value) for value in exact)
    e = -40
    while e < -8 and largest > 127 * Fraction(2) ** e:
        e += 1
    return [max(-127, min(127, round(value / Fraction(2) ** e))) for value in exact], e


@settings(max_examples=300)
@given(st.lists(FINITE | SMALL, min_size=1, max_size=20))
def test_a_block_is_encoded_as_the_protocol_words_it(values: list[float]) -> None:
    encoded = update.encode({"w": np.array(values, dtype=np.float32)})
    q, e = encode_by_definition(values)
    assert encoded["w.q"].tolist() == q and encoded["w.e"].tolist() == [e]


@pytest.mark.parametrize("e", [-40, -39, -20, -9, -8])
@pytest.mark.parametrize("q", [1, 63, 63.5, 64, 126.5, 127, 127.5, 128, 0.5, 1.5, 2.5])
def test_exponents_and_ties_at_their_edges(q: float, e: int) -> None:
    for value in (q * 2.0**e, np.nextafter(np.float32(q * 2.0**e), np.float32(1))):
        encoded = update.encode({"w": np.array([value, -value / 2], dtype=np.float32)})
        expected = encode_by_definition([float(np.float32(value)), float(np.float32(-value / 2))])
        assert (encoded["w.q"].tolist(), int(encoded["w.e"][0])) == expected


def test_blocks_are_independent_and_the_last_one_is_shorter() -> None:
    whole = delta()["b"]
    encoded = update.encode({"b": whole})
    first, last = update.encode({"b": whole[:BLOCK]}), update.encode({"b": whole[BLOCK:]})
    assert encoded["b.q"].tolist() == first["b.q"].tolist() + last["b.q"].tolist()
    assert encoded["b.e"].tolist() == first["b.e"].tolist() + last["b.e"].tolist()


def test_decoding_is_exact_and_encoding_it_again_changes_nothing() -> None:
    encoded = update.encode(delta())
    decoded = update.decode(encoded, SHAPES)
    assert {name: array.shape for name, array in decoded.items()} == SHAPES
    flat = decoded["b"].reshape(-1)
    exact = [int(encoded["b.q"][i]) * Fraction(2) ** int(encoded["b.e"][i // BLOCK]) for i in range(flat.size)]
    assert [Fraction(float(value)) for value in flat] == exact
    assert update.dumps(update.encode(decoded)) == update.dumps(encoded)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_deltas_that_are_not_finite_are_refused(bad: float) -> None:
    broken = delta()
    broken["b"][7] = bad
    with pytest.raises(ValueError):
        update.encode(broken)
    with pytest.raises(ValueError):
        update.encode({"w": np.zeros(3)})


def test_a_difference_is_of_equal_tensors_and_its_overflow_is_refused() -> None:
    one = {"w": np.array([3e38], dtype=np.float32)}
    assert update.difference(one, one)["w"].tolist() == [0.0]
    with pytest.raises(ValueError):
        update.encode(update.difference(one, {"w": -one["w"]}))
    with pytest.raises(ValueError):
        update.difference(one, {"v": one["w"]})


def test_distances_are_rounded_once_from_the_exact_sum() -> None:
    weights, base = delta(seed=1, scale=1.0), delta(seed=2)
    squares = [
        Fraction(float((np.float64(a) - np.float64(b)) ** 2))
        for name in SHAPES
        for a, b in zip(weights[name].reshape(-1), base[name].reshape(-1), strict=True)
    ]
    assert update.distance(weights, base) == float(sum(squares)) ** 0.5
    assert update.distance(base, base) == 0.0
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError):
            update.distance({**weights, "c": np.array(bad, dtype=np.float32)}, base)


def test_files_come_back() -> None:
    encoded = update.encode(delta())
    loaded = update.loads(update.dumps(encoded), SHAPES)
    assert all(np.array_equal(loaded[name], encoded[name]) for name in encoded) and len(loaded) == len(encoded)


def damaged(name: str, at: int, value: int) -> bytes:
    encoded = {key: array.copy() for key, array in update.encode(delta()).items()}
    encoded[name][at] = value
    return update.dumps(encoded)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        update.dumps(update.encode(delta()))[:-1],
        update.dumps(update.encode({"a": delta()["a"]})),
        update.dumps({**update.encode(delta()), "x.q": np.zeros(1, np.int8)}),
        update.dumps({**update.encode(delta()), "c.q": np.zeros(2, np.int8)}),
        update.dumps({**update.encode(delta()), "c.q": np.zeros(1, np.uint8)}),
        tensors.dump(update.encode(delta()), metadata={"note": "two files for one update"}),
        damaged("b.q", 3, -128),
        damaged("b.e", 0, -41),
        damaged("b.e", 0, -7),
        damaged("a.e", 0, 127),
        update.dumps({**update.encode(delta()), "c.q": np.zeros(1, np.int8), "c.e": np.full(1, -39, np.int8)}),
        update.dumps({**update.encode(delta()), "c.q": np.full(1, 63, np.int8), "c.e": np.full(1, -20, np.int8)}),
    ],
)
def test_files_that_no_encoder_writes_are_refused(data: bytes) -> None:
    with pytest.raises(ContentMalformed):
        update.loads(data, SHAPES)


def test_files_larger_than_an_update_can_be_are_refused() -> None:
    with pytest.raises(LimitExceeded):
        update.loads(bytes(3 << 20), SHAPES)


def test_the_elementwise_bound_allows_half_a_step_of_the_scale() -> None:
    one = update.encode({"a": np.zeros(2 * BLOCK, np.float32), "w": np.array([100 * 2.0**-20], dtype=np.float32)})
    at_the_edge = float(Fraction(199, 2) * Fraction(2) ** -20 / Fraction(update.BOUND_FACTOR))
    assert update.elementwise_bound(at_the_edge * (1 + 1e-12), one) is None
    assert update.elementwise_bound(at_the_edge * (1 - 1e-12), one) == Block("w", 0)
    assert update.elementwise_bound(0.0, update.encode({"a": np.zeros(5, np.float32)})) is None


def test_the_bound_names_the_first_block_that_breaks_it() -> None:
    large = delta()
    large["b"][BLOCK + 1] = 0.5
    assert update.elementwise_bound(0.1, update.encode(large)) == Block("b", 1)


def test_norms_are_exact() -> None:
    encoded = update.encode(delta())
    exact = sum(
        Fraction(float(value)) ** 2 for array in update.decode(encoded, SHAPES).values() for value in array.reshape(-1)
    )
    assert Fraction(update.squared_norm(encoded)) * Fraction(2) ** update.NORM_UNIT_LOG2 == exact


def test_the_committed_update_has_to_be_the_encoding_of_the_last_boundary() -> None:
    committed = update.encode(delta())
    assert update.matches(delta(), committed) is None
    for name, at in (("a", 0), ("a", 2 * BLOCK + 1), ("b", BLOCK - 1), ("b", BLOCK), ("c", 0)):
        altered = {key: array.copy() for key, array in committed.items()}
        altered[f"{name}.q"][at] ^= 1
        assert update.matches(delta(), altered) == Block(name, at // BLOCK)
    altered = {key: array.copy() for key, array in committed.items()}
    altered["b.e"][1] += 1
    assert update.matches(delta(), altered) == Block("b", 1)
    with pytest.raises(ValueError):
        update.matches({"a": delta()["a"]}, committed)
