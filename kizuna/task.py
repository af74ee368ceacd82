"""The task file: what an initiator pays for, and every rule of it.

A task file is YAML. It is validated here, once; everything else works on `TaskSpec`. The specification that
goes to content storage is `TaskSpec.record()`, plain values for canonical DAG-CBOR, and `TaskSpec.from_record`
reads it back, so trainers and verifiers learn the rules from the content the chain names and not from a file.
"""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from yaml.constructor import ConstructorError

from kizuna.errors import TaskInvalid

MAX_FILE_BYTES = 64 * 1024
TOKEN = 10**18
"""Wei of one whole token."""

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
MirrorUrl = Annotated[str, Field(pattern=r"^https?://[^\s/?#@]{1,200}/?$")]
Prices = Annotated[Decimal, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Model(_Section):
    """The genesis: a small Llama made on the spot, or a Hugging Face model directory."""

    directory: str | None = None
    hidden: Annotated[int, Field(ge=8, le=16_384)] = 128
    layers: Annotated[int, Field(ge=2, le=256)] = 4
    heads: Annotated[int, Field(ge=1, le=256)] = 4
    warmup_steps: Annotated[int, Field(ge=0, le=100_000)] = 100
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1


class Environment(_Section):
    """What prompts are drawn and how completions are scored."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
    max_new_tokens: Annotated[int, Field(ge=1, le=65_536)] = 8
    temperature: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 1.0


class Inner(_Section):
    """The inner loop: H steps in segments of s; a step trains `prompts` groups of `completions` each."""

    objective: Literal["grpo"] = "grpo"
    prompts: Count = 16
    completions: Annotated[int, Field(ge=2, le=1024)] = 8
    steps: Count = 12
    segment_steps: Count = 4
    policy_lag: Literal[0, 1] = 0
    lr: Positive = 3e-4
    beta1: Share = 0.9
    beta2: Share = 0.95
    eps: Positive = 1e-8
    weight_decay: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    clip_norm: Positive = 1.0
    clip_ratio: Positive = 0.2
    micro_batches: Annotated[int, Field(ge=8, le=1024)] = 8

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.steps % self.segment_steps:
            raise ValueError("steps must be a multiple of segment_steps")
        if self.prompts * self.completions % self.micro_batches:
            raise ValueError("prompts * completions must be a multiple of micro_batches")
        return self

    @property
    def segments(self) -> int:
        return self.steps // self.segment_steps

    @property
    def groups_per_segment(self) -> int:
        return self.prompts * self.segment_steps


class Thresholds(_Section):
    """What an honest re-run may differ by (fp32)."""

    exponent_mismatches: Annotated[int, Field(ge=0, le=128)] = 2
    mantissa_mean: Positive = 0.05
    mantissa_mean_16: Positive = 0.004
    logprob: Positive = 1e-4
    score_gap: Positive = 1e-4


class Verification(_Section):
    """How much each checker examines of a contribution."""

    segments: Count = 1
    rollouts: Count = 2
    audit_rate: Share = 1.0
    thresholds: Thresholds = Thresholds()


class Seats(_Section):
    """Who may take part. Round 1 opens when the announced slots are full, or `start_after` blocks on."""

    trainers: Annotated[int, Field(ge=1, le=64)] = 4
    verifiers: Annotated[int, Field(ge=3, le=256)] = 5
    min_verifiers: Annotated[int, Field(ge=3, le=256)] = 3
    committee: Annotated[int, Field(ge=1, le=15)] = 3
    start_after: Annotated[int, Field(ge=1, le=10_000_000)] = 300

    @model_validator(mode="after")
    def _order(self) -> Self:
        if not self.committee <= self.min_verifiers <= self.verifiers:
            raise ValueError("committee <= min_verifiers <= verifiers must hold")
        return self


class Windows(_Section):
    """Lengths in blocks."""

    open: Count = 40
    attest: Count = 10
    seal: Annotated[int, Field(ge=2, le=100)] = 2
    vote: Count = 30
    reveal: Count = 6
    challenge: Annotated[int, Field(ge=4, le=1_000_000)] = 10
    jcommit: Count = 20
    jreveal: Count = 5


class Money(_Section):
    """`price` in whole tokens for one quota of work; everything else in units of that price."""

    price: Prices = Decimal(1)
    trainer_stake: Prices = Decimal(10)
    verifier_stake: Prices = Decimal(10)
    verifier_balance: Prices = Decimal(20)
    trainer_slash: Prices = Decimal(5)
    verifier_slash: Prices = Decimal(5)
    trainer_bounty_cap: Prices = Decimal("0.5")
    verifier_bounty_cap: Prices = Decimal("0.5")
    check_fee: Prices = Decimal("0.30")
    attest_fee: Prices = Decimal("0.01")
    juror_fee: Prices = Decimal("0.30")
    missed_duty: Prices = Decimal("0.1")
    unrevealed: Prices = Decimal(1)
    withheld: Prices = Decimal("0.25")
    challenge_bond: Prices = Decimal(3)
    cleared: Prices = Decimal(2)
    initiator_bond: Prices = Decimal(8)
    tip: Prices = Decimal("0.001")
    budget: Prices = Decimal(160)

    def wei(self, field: str) -> int:
        """An amount in wei; exact, or TaskInvalid. The price itself is in tokens, the rest in prices."""
        value: Decimal = getattr(self, field)
        amount = value * TOKEN if field == "price" else value * self.price * TOKEN
        if amount != int(amount):
            raise TaskInvalid(f"money.{field}", f"{value} is not a whole number of wei")
        if value > 0 and int(amount) == 0:
            raise TaskInvalid(f"money.{field}", "rounds to 0 wei")
        return int(amount)


class Assumptions(_Section):
    """What the initiator supposes about the world when it computes whether cheating pays."""

    honest_verifiers: Share = 0.8
    availability: Share = 0.95
    training_cost: Share = 0.7
    checking_cost: Share = 0.3
    entry_cost: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class TaskSpec(_Section):
    """A whole task. Defaults are those of the demo."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9 ._-]{1,64}$")]
    rounds: Annotated[int, Field(ge=1, le=1_000_000)] = 8
    model: Model = Model()
    environment: Environment
    inner: Inner = Inner()
    aggregation: Literal["mean"] = "mean"
    beacon: Literal["blockhash", "drand"] = "blockhash"
    mirrors: Annotated[tuple[MirrorUrl, ...], Field(max_length=16)] = ()
    verification: Verification = Verification()
    seats: Seats = Seats()
    windows: Windows = Windows()
    money: Money = Money()
    assumptions: Assumptions = Assumptions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        v, m, w = self.verification, self.money, self.windows
        # The beacons are read inside these windows, and a block hash can be for 250 blocks.
        if self.beacon == "blockhash" and max(w.open, w.vote, w.challenge) > 240:
            raise ValueError(
                "windows: open, vote and challenge may not exceed 240 blocks: a block hash is gone after 250"
            )
        if v.segments > self.inner.segments:
            raise ValueError(f"verification.segments: a round has only {self.inner.segments} segments")
        if v.rollouts > self.inner.groups_per_segment:
            raise ValueError(f"verification.rollouts: a segment has only {self.inner.groups_per_segment} groups")
        if m.price * TOKEN < 10**6:
            raise ValueError("money.price: below 1e6 wei, fees would round away")
        if m.trainer_slash > m.trainer_stake or m.verifier_slash > m.verifier_stake:
            raise ValueError("money: a slash cannot exceed the stake")
        if m.challenge_bond <= m.cleared:
            raise ValueError("money.challenge_bond: must exceed money.cleared")
        return self

    def record(self) -> dict[str, Any]:
        """Plain values for canonical DAG-CBOR: decimals as strings, everything else as it is."""
        return {"v": 1, "kind": "task", **_plain(self.model_dump(mode="python"))}

    @classmethod
    def from_record(cls, record: object) -> TaskSpec:
        """The inverse of `record`. Raises TaskInvalid on anything else."""
        if not isinstance(record, dict) or record.get("v") != 1 or record.get("kind") != "task":
            raise TaskInvalid("kind", "not a task specification of version 1")
        return _validate({k: v for k, v in record.items() if k not in ("v", "kind")})

    @property
    def audit_rate_word(self) -> int:
        """The audit probability out of 2^32."""
        return math.floor(self.verification.audit_rate * 2**32)


def load(path: Path) -> TaskSpec:
    """Reads a task file. Raises TaskInvalid naming the field and the reason."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise TaskInvalid(str(path), f"cannot be read: {error.strerror}") from error
    if len(raw) > MAX_FILE_BYTES:
        raise TaskInvalid(str(path), f"larger than {MAX_FILE_BYTES} bytes")
    try:
        data = yaml.load(raw, _Strict)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise TaskInvalid(str(path), f"not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise TaskInvalid(str(path), "must be a mapping of fields")
    return _validate(data)


class _Strict(yaml.SafeLoader):
    """Plain YAML: no aliases, by which a small file grows without end, and no key twice: the last would win."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise ConstructorError(None, None, "aliases are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise ConstructorError(None, None, f"{key.value} stands twice", key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else key)
        return super().construct_mapping(node, deep)


def _validate(data: dict[Any, Any]) -> TaskSpec:
    try:
        return TaskSpec.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"])) or "task"
        raise TaskInvalid(field, first["msg"].removeprefix("Value error, ")) from error


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, Decimal) else value
