"""Ways to cheat, for demonstrations and tests: each must cost its author the stake.

A cheat replaces how a round is made or what is served of it; everything else stays the honest
trainer's code, so that what is caught is the cheat and not a clumsy node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from kizuna.diloco.segments import TrainRound
from kizuna.hashing import tagged
from kizuna.rl.config import NoiseKey, RoundConfig
from kizuna.rl.model import F32
from kizuna.rl.rollouts import Group, generate
from kizuna.rl.state import Boundary

PICKS = 3


@dataclass(frozen=True, slots=True)
class Cheat:
    """`round_type` makes the round; `stale` starts it from the genesis; `hides` serves no boundary."""

    round_type: type[TrainRound] = TrainRound
    stale: bool = False
    hides: bool = False


class FabricatedRound(TrainRound):
    """Samples honestly but invents the states: small random steps within the elementwise bound, leaves consistent."""

    def _learn(self, segment: int, groups: Sequence[Group]) -> Boundary:
        return _invent(self.boundaries[segment], self.config, segment)


@dataclass(frozen=True, slots=True, kw_only=True)
class PickyConfig(RoundConfig):
    """The round's rules with noise that nobody drew."""

    attempt: int

    @property
    def noise_key(self) -> NoiseKey:
        digest = tagged("cherry-pick", self.seed, self.attempt)
        return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")


class CherryPickedRound(TrainRound):
    """Samples every group several times and keeps the best."""

    def _generate(self, segment: int) -> list[Group]:
        rules = {field.name: getattr(self.config, field.name) for field in fields(self.config)}
        tries = [
            generate(
                self.model,
                PickyConfig(**rules, attempt=attempt),
                segment,
                tokenizer=self.tokenizer,
                environment=self.environment,
            )
            for attempt in range(PICKS)
        ]
        return [max(options, key=_total_reward) for options in zip(*tries, strict=True)]


CHEATS: dict[str, Cheat] = {
    "none": Cheat(),
    "fabricate": Cheat(round_type=FabricatedRound),
    "stale-base": Cheat(stale=True),
    "cherry-pick": Cheat(round_type=CherryPickedRound),
    "withhold": Cheat(hides=True),
}


def _total_reward(group: Group) -> int:
    return sum(rollout.reward for rollout in group.rollouts)


def _invent(start: Boundary, config: RoundConfig, segment: int) -> Boundary:
    """A made-up boundary: every weight moves as far as an honest step might, in a direction nothing asked for."""
    reach = sum(config.rate(segment * config.segment_steps + k) for k in range(config.segment_steps)) / 4

    def drift(values: dict[str, F32], scale: float, positive: bool = False) -> dict[str, F32]:
        moved = {}
        for i, (name, value) in enumerate(sorted(values.items())):
            key = [config.round, config.slot * 1000 + segment * 100 + i]
            noise = np.random.Generator(np.random.Philox(key=key)).uniform(-scale, scale, value.shape)
            moved[name] = (value + (np.abs(noise) if positive else noise)).astype(np.float32)
        return moved

    return Boundary(
        drift(start.weights, reach), drift(start.exp_avg, 1e-5), drift(start.exp_avg_sq, 1e-9, positive=True)
    )
