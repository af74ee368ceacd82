"""The next version of a model, a pure function of its parent and what was accepted (docs/protocol.md, section 7).

Every honest node computes the same bytes and therefore the same content id; nobody has to publish it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kizuna import tensors
from kizuna.errors import ContentMalformed
from kizuna.shardcast import aggregate
from kizuna.shardcast.aggregate import Floats, Part
from kizuna.shardcast.update import Update, block_count
from kizuna.tensors import Array

MODEL_FILE = "model.safetensors"
MANIFEST_FILE = "kizuna.json"
MODEL_METADATA = {"format": "pt"}
MAX_MODEL_BYTES = 1 << 36

RULES: Mapping[str, Callable[[Floats, Sequence[Part]], Floats]] = {"mean": aggregate.mean}


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted contribution: the trainer's slot position, its quota and its update as `update.loads` gives it."""

    position: int
    quota: int
    update: Update


def next_version(
    parent_files: Mapping[str, bytes],
    accepted: Sequence[Accepted],
    *,
    task: int,
    round: int,
    bitmap: int,
    parent_digest: bytes,
    rule: str = "mean",
    max_bytes: int = MAX_MODEL_BYTES,
) -> dict[str, bytes]:
    """The files of the next version's directory; those of the parent when nothing was accepted.

    Raises ValueError when `accepted` is not what `bitmap` says or the rule is not known, LimitExceeded
    when the parent's model is above `max_bytes`, ContentMalformed when it is not a canonical fp32 model,
    when an update is not of its tensors, or when the result is not finite.
    """
    if sorted(one.position for one in accepted) != _positions(bitmap):
        raise ValueError("the contributions are not those of the accepted bitmap")
    if rule not in RULES:
        raise ValueError(f"aggregation rule {rule!r} is not known")
    if not accepted:
        return dict(parent_files)
    base = read_model(parent_files, max_bytes=max_bytes)
    weights = aggregate.weights_q16([one.quota for one in accepted])
    model = {name: _next_tensor(name, base[name], accepted, weights, rule=rule) for name in base}
    _check_names(base, accepted)
    manifest = version_manifest(task=task, round=round, bitmap=bitmap, parent_digest=parent_digest, rule=rule)
    return {
        **parent_files,
        MODEL_FILE: tensors.dump(model, metadata=MODEL_METADATA),
        MANIFEST_FILE: manifest,
    }


def read_model(files: Mapping[str, bytes], *, max_bytes: int = MAX_MODEL_BYTES) -> dict[str, Array]:
    """The fp32 tensors of a version. Raises ContentMalformed or LimitExceeded."""
    if MODEL_FILE not in files:
        raise ContentMalformed(f"a version without {MODEL_FILE}")
    model = tensors.load(files[MODEL_FILE], max_bytes=max_bytes)
    for name, tensor in model.items():
        if tensor.dtype != np.float32:
            raise ContentMalformed(f"{name} is {tensor.dtype}; versions are fp32")
        if not np.isfinite(tensor).all():
            raise ContentMalformed(f"{name} is not finite")
    return model


def version_manifest(*, task: int, round: int, bitmap: int, parent_digest: bytes, rule: str) -> bytes:
    """`kizuna.json`: sorted keys, no spaces, ASCII; digest and bitmap as 0x-prefixed hex, no newline at the end."""
    if len(parent_digest) != 32:
        raise ValueError("a digest is 32 bytes")
    fields = {
        "accepted": hex(bitmap),
        "parent": "0x" + parent_digest.hex(),
        "round": round,
        "rule": rule,
        "task": task,
        "v": 1,
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode("ascii")


def _next_tensor(name: str, base: Array, accepted: Sequence[Accepted], weights: Sequence[int], *, rule: str) -> Array:
    flat = base.reshape(-1)
    parts: list[Part] = []
    for one, weight in zip(accepted, weights, strict=True):
        q, e = one.update.get(f"{name}.q"), one.update.get(f"{name}.e")
        if q is None or e is None or q.shape != flat.shape or e.shape != (block_count(flat.size),):
            raise ContentMalformed(f"the update of position {one.position} does not cover {name}")
        parts.append(Part(weight, q, e))
    new = RULES[rule](flat, parts)
    if not np.isfinite(new).all():
        raise ContentMalformed(f"{name} of the next version is not finite")
    return new.reshape(base.shape)


def _check_names(base: Mapping[str, Array], accepted: Sequence[Accepted]) -> None:
    names = {f"{name}.{part}" for name in base for part in "qe"}
    for one in accepted:
        if set(one.update) != names:
            raise ContentMalformed(f"the update of position {one.position} has tensors that the model lacks")


def _positions(bitmap: int) -> list[int]:
    if bitmap < 0:
        raise ValueError("a bitmap is not negative")
    return [position for position in range(bitmap.bit_length()) if bitmap >> position & 1]
