"""A task as a node works with it: the chain's parameters, the specification and genesis they name, and what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256

import numpy as np

from kizuna.chain import TaskParams
from kizuna.chain.reads import Reads
from kizuna.diloco.numerics import numerics_id
from kizuna.errors import ContentMissing, NumericsMismatch, TaskInvalid
from kizuna.rl.architecture import MAX_CONFIG_BYTES, parse_config
from kizuna.rl.checks import GroupThresholds
from kizuna.rl.config import RoundConfig
from kizuna.rl.environment import ENVIRONMENTS, Environment
from kizuna.rl.model import CausalModel, load_model
from kizuna.rl.tokenizer import Tokenizer, read_tokenizer
from kizuna.store import DAG_CBOR, DAG_PB, Blocks, Cid, Fetcher, Limits, dag, dagcbor, unixfs
from kizuna.task import TaskSpec
from kizuna.toploc import judging
from kizuna.types import ZERO_DIGEST, Digest

MAX_GENESIS = Limits(max_bytes=1 << 36)
MAX_FILES = 64


@dataclass(frozen=True)
class TaskContext:
    """Everything about a task that does not change while it runs."""

    task: int
    params: TaskParams
    spec: TaskSpec
    genesis: Mapping[str, bytes]

    @cached_property
    def environment(self) -> Environment:
        return environment_of(self.spec)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return read_tokenizer(self.genesis)

    @cached_property
    def model(self) -> CausalModel:
        """One model object, whose weights every use overwrites."""
        return load_model(self.genesis)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return self.model.shapes()

    @cached_property
    def parameter_bytes(self) -> int:
        """Bytes of the model's fp32 weights."""
        return 4 * sum(int(np.prod(shape)) for shape in self.shapes.values())

    @cached_property
    def thresholds(self) -> GroupThresholds:
        t = self.spec.verification.thresholds
        proof = replace(
            judging.FP32,
            exponent_mismatches=t.exponent_mismatches,
            mantissa_mean=t.mantissa_mean,
            window_mean=t.mantissa_mean_16,
        )
        return GroupThresholds(logprob=t.logprob, score_gap=t.score_gap, proof=proof)

    def config(self, *, round: int, slot: int, base: bytes, seed: bytes) -> RoundConfig:
        """The rules of one slot's round."""
        return round_config(self.spec, task=self.task, round=round, slot=slot, base=base, seed=seed)

    def check_numerics(self) -> None:
        """Raises NumericsMismatch unless this machine reproduces the task's calibration run bit for bit."""
        mine = numerics_of(self.spec, self.genesis)
        if mine != self.params.numerics_id:
            raise NumericsMismatch(
                f"task {self.task} needs numerics class {self.params.numerics_id.hex()[:16]}, this machine computes "
                f"{mine.hex()[:16]}: use a processor and torch build of that class, or join another task"
            )


def load_context(chain: Reads, task: int, blocks: Blocks, fetcher: Fetcher) -> TaskContext:
    """Reads a task from the chain and fetches what it names. Raises ConfigError, StoreError, ChainError."""
    chain.require_task(task)
    params = chain.params(task)
    if params.beacon not in chain.deployment.beacons.values():
        raise TaskInvalid("beacon", f"{params.beacon} is none of this deployment's: it could draw whom it likes")
    try:
        record = fetcher.fetch_block(Cid(params.spec, DAG_CBOR))
        spec = TaskSpec.from_record(dagcbor.decode(record))
        return TaskContext(task, params, spec, _fetch_genesis(blocks, fetcher, params.genesis))
    except ContentMissing as error:
        raise ContentMissing(f"no mirror serves task {task}: {error}: name one that does with --mirror") from None


def _fetch_genesis(blocks: Blocks, fetcher: Fetcher, digest: bytes) -> dict[str, bytes]:
    """The files of a genesis. A model that cannot be trained is refused before its weights are fetched."""
    root = Cid(Digest(digest), DAG_PB)
    fetcher.fetch_block(root)
    entries = {entry.name: entry.cid for entry in unixfs.ls(blocks, root)}
    if len(entries) > MAX_FILES:
        raise TaskInvalid("genesis", f"{len(entries)} files, at most {MAX_FILES} are allowed")
    if "config.json" not in entries:
        raise TaskInvalid("genesis", "there is no config.json")
    parse_config(fetcher.fetch_file(entries["config.json"], MAX_CONFIG_BYTES))
    _fetch_all(blocks, fetcher, root)
    return {name: unixfs.read(blocks, cid, max_bytes=MAX_GENESIS.max_bytes) for name, cid in entries.items()}


def _fetch_all(blocks: Blocks, fetcher: Fetcher, root: Cid) -> None:
    """Fetches for as long as something arrives: a fetcher's patience is not made for a whole model."""
    held = sum(len(block or b"") for _, block in dag.walk(blocks, root))
    while True:
        before = fetcher.spent.total_bytes
        try:
            fetcher.fetch_dag(root, MAX_GENESIS)
            return
        except ContentMissing:
            earlier, held = held, fetcher.spent.total_bytes - before
            if held <= earlier:
                raise


def environment_of(spec: TaskSpec) -> Environment:
    """The environment a task names. Raises TaskInvalid if there is none of this name."""
    name = spec.environment.name
    if name not in ENVIRONMENTS:
        raise TaskInvalid("environment.name", f"{name} is not known; there are: {', '.join(ENVIRONMENTS)}")
    return ENVIRONMENTS[name]


def round_config(spec: TaskSpec, *, task: int, round: int, slot: int, base: bytes, seed: bytes) -> RoundConfig:
    """A task specification's inner loop as the configuration of one slot's round."""
    i, e = spec.inner, spec.environment
    return RoundConfig(
        task=task,
        round=round,
        slot=slot,
        base=base,
        seed=seed,
        prompts_per_step=i.prompts,
        completions=i.completions,
        steps=i.steps,
        segment_steps=i.segment_steps,
        max_new_tokens=e.max_new_tokens,
        learning_rate=i.lr,
        policy_lag=i.policy_lag,
        temperature=e.temperature,
        micro_batches=i.micro_batches,
        beta1=i.beta1,
        beta2=i.beta2,
        eps=i.eps,
        weight_decay=i.weight_decay,
        clip_norm=i.clip_norm,
        clip_ratio=i.clip_ratio,
    )


def numerics_of(spec: TaskSpec, genesis: Mapping[str, bytes]) -> Digest:
    """This machine's numerics class for a task."""
    config = round_config(spec, task=0, round=0, slot=0, base=ZERO_DIGEST, seed=ZERO_DIGEST)
    return Digest(numerics_id(genesis, config, environment_of(spec)))


def file_digest(data: bytes) -> Digest:
    """The content digest of a file: that of its UnixFS root."""
    if len(data) <= unixfs.CHUNK_BYTES:
        return Digest(sha256(data).digest())
    return Digest(unixfs.cid_of_bytes(data).digest)
