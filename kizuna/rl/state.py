"""The state of an inner optimisation between two steps: weights and both Adam moments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kizuna import tensors
from kizuna.errors import ContentMalformed
from kizuna.rl.model import F32, Weights, check_weights

FILES = ("weights.safetensors", "exp_avg.safetensors", "exp_avg_sq.safetensors")
_HEADER_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Boundary:
    """Three dictionaries of fp32 arrays with the same names and shapes. The arrays are never changed in place."""

    weights: dict[str, F32]
    exp_avg: dict[str, F32]
    exp_avg_sq: dict[str, F32]

    @classmethod
    def start(cls, weights: Weights) -> Boundary:
        """Boundary 0 of every round: the base with zero moments."""
        first = {name: np.zeros_like(value) for name, value in weights.items()}
        second = {name: np.zeros_like(value) for name, value in weights.items()}
        return cls(dict(weights), first, second)

    def files(self) -> dict[str, bytes]:
        """The canonical safetensors files of the boundary's directory, by name."""
        return {
            name: tensors.dump(part)
            for name, part in zip(FILES, (self.weights, self.exp_avg, self.exp_avg_sq), strict=True)
        }

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], shapes: Mapping[str, tuple[int, ...]]) -> Boundary:
        """A boundary that fits a model of these parameter shapes.

        Raises ContentMalformed (or LimitExceeded for a file too large) if anything is missing, unknown or misshapen.
        """
        if set(files) != set(FILES):
            raise ContentMalformed(f"boundary: exactly the files {', '.join(FILES)} are expected")
        limit = _HEADER_BYTES + sum(4 * int(np.prod(shape)) + 256 for shape in shapes.values())
        parts = []
        for name in FILES:
            part = tensors.load(files[name], max_bytes=limit)
            check_weights(part, shapes)
            parts.append(part)
        return cls(*parts)
