"""What a checker shows for a sample it passed: values the trainer never published, from places its own secret picks.

They cannot be copied from the trainer or from another checker and cost about what the check costs. Within a
numerics class the bytes are equal, so an audit recomputes and compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kizuna.diloco.replay import replay_segment
from kizuna.draws import Draw, DrawKind, below, word
from kizuna.rl.config import NoiseKey, RoundConfig
from kizuna.rl.determinism import deterministic
from kizuna.rl.environment import Environment
from kizuna.rl.learner import Gradients
from kizuna.rl.model import CausalModel
from kizuna.rl.noise import philox, signs
from kizuna.rl.prefill import completion_rows
from kizuna.rl.rollouts import Group, prompt_ids
from kizuna.rl.state import Boundary
from kizuna.rl.tokenizer import Tokenizer
from kizuna.toploc.proofs import CHUNK_ROWS, prove

SHOWN_CHUNKS = 3
PROJECTIONS = 16
_CHUNK = 2**14
_SIGN_ROW = 2  # third counter word of the micro-batches' signs


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceKey:
    """What the places depend on: the seal beacon, the checker's secret of the round, its seat, and the item checked."""

    seal: bytes
    secret: bytes
    seat: int
    item: int

    def seed(self, config: RoundConfig) -> bytes:
        """32 bytes: word `item` of the draw of kind EVIDENCE."""
        draw = Draw(config.task, config.round, self.seal, DrawKind.EVIDENCE, self.secret, self.seat, config.slot)
        return word(draw, self.item).to_bytes(32, "big")


def interior_layer(config: RoundConfig, key: EvidenceKey, layers: int) -> int:
    """The block, counted from 1, whose output is shown: uniform among all but the last. Needs two layers or more."""
    seeded = Draw(config.task, config.round, key.seed(config), DrawKind.EVIDENCE, key.secret, key.seat, config.slot)
    return 1 + below(seeded, layers - 1)


def rollout_evidence(
    model: CausalModel,
    group: Group,
    config: RoundConfig,
    key: EvidenceKey,
    *,
    tokenizer: Tokenizer,
    environment: Environment,
) -> bytes:
    """TOPLOC proof (258 bytes for each of at most three chunks) of an interior layer over the group's first tokens.

    The model must hold the weights of the group's policy. The group is computed as one batch of all its completions.
    """
    prompt = prompt_ids(config, group.index, tokenizer=tokenizer, environment=environment)
    layer = interior_layer(config, key, model.layers)
    with deterministic(), model.evaluating():
        rows = completion_rows(model, prompt, [rollout.tokens for rollout in group.rollouts], layer=layer)
    return prove(rows[: SHOWN_CHUNKS * CHUNK_ROWS].float().cpu().numpy())


@dataclass(slots=True)
class SegmentSketch:
    """An observer for a segment's last step that sums the micro-batch gradients with secret signs."""

    philox_key: NoiseKey
    _sum: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def of(cls, config: RoundConfig, key: EvidenceKey) -> SegmentSketch:
        seed = key.seed(config)
        return cls((int.from_bytes(seed[:4], "little"), int.from_bytes(seed[4:8], "little")))

    def __call__(self, b: int, gradient: Gradients) -> None:
        sign = 1.0 if philox((b, 0, 0, _SIGN_ROW), self.philox_key)[0] & 1 else -1.0
        for name, value in gradient.items():
            signed = value.astype(np.float64) * sign
            self._sum[name] = self._sum[name] + signed if name in self._sum else signed

    def evidence(self) -> bytes:
        """PROJECTIONS little-endian fp64 values: secret +-1 projections of the signed sum, names sorted, flattened.

        All zero if the step was skipped for lack of a signal.
        """
        totals = np.zeros(PROJECTIONS)
        if self._sum:
            flat = np.concatenate([self._sum[name].reshape(-1) for name in sorted(self._sum)])
            for start in range(0, flat.size, _CHUNK):
                part = flat[start : start + _CHUNK]
                totals += (signs(self.philox_key, PROJECTIONS, part.size, start=start) * part).sum(axis=1)
        return totals.astype("<f8").tobytes()


def segment_evidence(
    model: CausalModel,
    boundary: Boundary,
    groups: Sequence[Group],
    config: RoundConfig,
    key: EvidenceKey,
    *,
    segment: int,
    tokenizer: Tokenizer,
    environment: Environment,
) -> bytes:
    """The evidence of one segment, by re-running it. A checker passes a `SegmentSketch` to its own replay instead."""
    sketch = SegmentSketch.of(config, key)
    replay_segment(
        model,
        boundary,
        groups,
        config,
        segment=segment,
        tokenizer=tokenizer,
        environment=environment,
        observe_last=sketch,
    )
    return sketch.evidence()
