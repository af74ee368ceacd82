from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import safetensors.numpy

from kizuna import tensors
from kizuna.errors import ContentMalformed, LimitExceeded
from kizuna.shardcast import update
from kizuna.shardcast.version import Accepted, next_version, read_model

PARENT = bytes(range(32))
BITMAP = 0b1010010
SHAPES = {"model.embed": (50, 100), "lm_head": (7,), "model.scale": ()}


def model(*, scale: float = 0.02) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: np.asarray(scale * rng.standard_normal(shape), dtype=np.float32) for name, shape in SHAPES.items()}


def files(weights: dict[str, np.ndarray] | None = None) -> dict[str, bytes]:
    saved = safetensors.numpy.save(model() if weights is None else weights, metadata={"format": "pt"})
    return {"config.json": b"{}", "model.safetensors": saved, "tokenizer.json": b"[]"}


def contribution(position: int, quota: int) -> Accepted:
    rng = np.random.default_rng(position)
    delta = {name: np.asarray(1e-3 * rng.standard_normal(s), dtype=np.float32) for name, s in SHAPES.items()}
    return Accepted(position, quota, update.encode(delta))


ACCEPTED = [contribution(1, 1), contribution(4, 2), contribution(6, 5)]


def build(
    parent: dict[str, bytes], accepted: list[Accepted], *, bitmap: int = BITMAP, **more: object
) -> dict[str, bytes]:
    return next_version(parent, accepted, task=3, round=9, bitmap=bitmap, parent_digest=PARENT, **more)  # type: ignore[arg-type]


def test_only_the_model_and_the_manifest_change() -> None:
    new = build(files(), ACCEPTED)
    assert set(new) == {*files(), "kizuna.json"}
    assert new["config.json"] == b"{}" and new["tokenizer.json"] == b"[]"
    assert new["kizuna.json"] == (
        b'{"accepted":"0x52","parent":"0x' + PARENT.hex().encode() + b'","round":9,"rule":"mean","task":3,"v":1}'
    )
    assert json.loads(new["kizuna.json"])["task"] == 3


def test_the_new_weights_are_the_weighted_mean_and_open_with_the_safetensors_package() -> None:
    new = safetensors.numpy.load(build(files(), ACCEPTED)["model.safetensors"])
    for name, base in model().items():
        shares = {one.position: one.quota / 8 for one in ACCEPTED}
        moved = sum(shares[one.position] * update.decode(one.update, SHAPES)[name] for one in ACCEPTED)
        assert new[name].shape == base.shape
        np.testing.assert_allclose(new[name], base + moved, rtol=1e-4, atol=1e-6)


def test_any_order_of_contributions_gives_the_same_bytes() -> None:
    versions = [build(files(), list(order)) for order in itertools.permutations(ACCEPTED)]
    assert all(version == versions[0] for version in versions)


def test_versions_build_on_versions() -> None:
    first = build(files(), ACCEPTED)
    second = build(first, ACCEPTED[:1], bitmap=0b10)
    assert second["kizuna.json"] != first["kizuna.json"] and second["model.safetensors"] != first["model.safetensors"]
    assert tensors.load_metadata(second["model.safetensors"]) == {"format": "pt"}


def test_nothing_accepted_keeps_the_parent() -> None:
    assert build(files(), [], bitmap=0) == files()


@pytest.mark.parametrize("bitmap", [0, 0b1010011, 0b1010000, -1])
def test_contributions_have_to_be_those_of_the_bitmap(bitmap: int) -> None:
    with pytest.raises(ValueError):
        build(files(), ACCEPTED, bitmap=bitmap)


def test_a_contribution_counts_once() -> None:
    with pytest.raises(ValueError):
        build(files(), [ACCEPTED[0], ACCEPTED[0]], bitmap=0b10)


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(ValueError):
        build(files(), ACCEPTED, rule="median")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_models_that_are_not_finite_are_refused(bad: float) -> None:
    weights = model()
    weights["lm_head"][3] = bad
    with pytest.raises(ContentMalformed):
        build(files(weights), ACCEPTED)


def test_models_in_another_precision_are_refused() -> None:
    with pytest.raises(ContentMalformed):
        read_model({"model.safetensors": tensors.dump({"w": np.zeros(3)})})
    with pytest.raises(ContentMalformed):
        read_model({"config.json": b"{}"})


def test_updates_have_to_cover_exactly_the_tensors_of_the_model() -> None:
    extra = Accepted(1, 1, {**ACCEPTED[0].update, "x.q": np.zeros(1, np.int8), "x.e": np.zeros(1, np.int8)})
    short = Accepted(1, 1, {**ACCEPTED[0].update, "lm_head.q": np.zeros(6, np.int8)})
    missing = Accepted(1, 1, {name: array for name, array in ACCEPTED[0].update.items() if name != "lm_head.e"})
    for wrong in (extra, short, missing):
        with pytest.raises(ContentMalformed):
            build(files(), [wrong], bitmap=0b10)


def test_a_model_above_the_limit_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        build(files(), ACCEPTED, max_bytes=100)
