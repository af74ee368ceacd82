"""A round cut into segments: the boundaries between them, the leaves that commit to those, and the trainer's driver.

The same `run_segment` serves the trainer and whoever re-runs a drawn segment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kizuna.diloco.inner import learner_of, run_step, step_rows
from kizuna.errors import ContentMalformed
from kizuna.rl.config import RoundConfig
from kizuna.rl.environment import Environment
from kizuna.rl.learner import Learner, Observer
from kizuna.rl.model import CausalModel, Weights
from kizuna.rl.rollouts import Group, decode_rollouts, encode_rollouts, generate, prompt_ids, receipts_of
from kizuna.rl.state import FILES, Boundary
from kizuna.rl.tokenizer import Tokenizer
from kizuna.shardcast import update as updates
from kizuna.toploc.receipts import Leaf, Receipt, read_receipts, write_receipts
from kizuna.types import ZERO_DIGEST, Digest

DigestOf = Callable[[bytes], bytes]
"""The 32-byte content digest of a file."""

_ROLLOUTS_FILE, _RECEIPTS_FILE = "rollouts.safetensors", "receipts"


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """A finished segment: what it consumed and the boundary it ended in. Enough, with those before, to resume."""

    segment: int
    groups: tuple[Group, ...]
    receipts: tuple[Receipt, ...]
    end: Boundary

    def files(self) -> dict[str, bytes]:
        """The record as files, for a crash-proof place on the trainer's own disk."""
        return {
            **self.end.files(),
            _ROLLOUTS_FILE: encode_rollouts(self.groups),
            _RECEIPTS_FILE: write_receipts(self.receipts),
        }

    @classmethod
    def from_files(
        cls, files: Mapping[str, bytes], segment: int, config: RoundConfig, model: CausalModel
    ) -> SegmentRecord:
        """The inverse of `files`. Raises ContentMalformed or LimitExceeded."""
        if set(files) != {*FILES, _ROLLOUTS_FILE, _RECEIPTS_FILE}:
            raise ContentMalformed("segment record: files are missing or unknown")
        receipts = read_receipts(files[_RECEIPTS_FILE], config.rollouts_per_segment)
        first = segment * config.groups_per_segment
        groups = decode_rollouts(files[_ROLLOUTS_FILE], receipts, config, vocab=model.vocab_size, first_group=first)
        end = Boundary.from_files({name: files[name] for name in FILES}, model.shapes())
        return cls(segment, tuple(groups), tuple(receipts), end)


@dataclass(frozen=True, slots=True)
class RoundResult:
    """All that a contribution is made of: J + 1 boundaries and leaves, n receipts, and the two files."""

    boundaries: tuple[Boundary, ...]
    leaves: tuple[Leaf, ...]
    receipts: tuple[Receipt, ...]
    groups: tuple[Group, ...]
    rollouts: bytes
    update: bytes


def run_segment(
    learner: Learner,
    boundary: Boundary,
    groups: Sequence[Group],
    config: RoundConfig,
    *,
    segment: int,
    tokenizer: Tokenizer,
    environment: Environment,
    observe_last: Observer | None = None,
) -> Boundary:
    """The boundary after a segment that starts in `boundary` and consumes `groups`, in order.

    `observe_last` sees the micro-batch gradients of the segment's last step. Raises ValueError unless
    the groups are exactly those of the segment.
    """
    size, first = config.prompts_per_step, segment * config.groups_per_segment
    if [group.index for group in groups] != list(range(first, first + config.groups_per_segment)):
        raise ValueError(f"these are not the groups of segment {segment}")
    state = boundary
    for k in range(config.segment_steps):
        rows = step_rows(groups[k * size : (k + 1) * size], config, tokenizer=tokenizer, environment=environment)
        observe = observe_last if k == config.segment_steps - 1 else None
        step = segment * config.segment_steps + k
        state = run_step(learner, state, rows, config, step=step, observe=observe)
    return state


class TrainRound:
    """One slot's round. Iterating trains it segment by segment; `result` is there afterwards.

    A round stopped anywhere goes on, bit for bit, from the records it has yielded: nothing outside config,
    base and records enters the computation.
    """

    def __init__(
        self,
        model: CausalModel,
        base: Weights,
        *,
        config: RoundConfig,
        tokenizer: Tokenizer,
        environment: Environment,
        resume: Sequence[SegmentRecord] = (),
    ) -> None:
        if [record.segment for record in resume] != list(range(len(resume))):
            raise ValueError("a round resumes from all its segments so far, in order")
        self.model, self.config = model, config
        self.tokenizer, self.environment = tokenizer, environment
        self.records = list(resume)
        self.boundaries = [Boundary.start(base), *(record.end for record in resume)]
        self._learner = learner_of(model, config)

    def __iter__(self) -> Iterator[SegmentRecord]:
        for segment in range(len(self.records), self.config.segments):
            record = self._run(segment)
            self.records.append(record)
            self.boundaries.append(record.end)
            yield record

    def result(self, *, numerics_id: bytes, digest_of: DigestOf) -> RoundResult:
        """The finished round. Raises ValueError before the last segment has ended."""
        if len(self.records) < self.config.segments:
            raise ValueError("the round is not finished")
        groups = [group for record in self.records for group in record.groups]
        delta = updates.difference(self.boundaries[-1].weights, self.boundaries[0].weights)
        return RoundResult(
            boundaries=tuple(self.boundaries),
            leaves=tuple(leaves_of(self.boundaries, self.config, numerics_id=numerics_id, digest_of=digest_of)),
            receipts=tuple(receipt for record in self.records for receipt in record.receipts),
            groups=tuple(groups),
            rollouts=encode_rollouts(groups),
            update=updates.dumps(updates.encode(delta)),
        )

    def _run(self, segment: int) -> SegmentRecord:
        self.model.load(self.boundaries[self.config.policy(segment)].weights)
        groups = self._generate(segment)
        receipts = [receipt for group in groups for receipt in receipts_of(group, self._prompt(group), self.config)]
        return SegmentRecord(segment, tuple(groups), tuple(receipts), self._learn(segment, groups))

    def _generate(self, segment: int) -> list[Group]:
        return generate(self.model, self.config, segment, tokenizer=self.tokenizer, environment=self.environment)

    def _learn(self, segment: int, groups: Sequence[Group]) -> Boundary:
        return run_segment(
            self._learner,
            self.boundaries[segment],
            groups,
            self.config,
            segment=segment,
            tokenizer=self.tokenizer,
            environment=self.environment,
        )

    def _prompt(self, group: Group) -> tuple[int, ...]:
        return prompt_ids(self.config, group.index, tokenizer=self.tokenizer, environment=self.environment)


def displacement(base: Weights, weights: Weights) -> float:
    """The `norm` of a leaf: the L2 distance of the weights from the base. Raises ValueError if it is not finite."""
    return updates.distance(weights, base)


def leaves_of(
    boundaries: Sequence[Boundary], config: RoundConfig, *, numerics_id: bytes, digest_of: DigestOf
) -> list[Leaf]:
    """The J + 1 leaves of a round, each naming the one before."""
    leaves: list[Leaf] = []
    per_segment = config.rollouts_per_segment
    for j, boundary in enumerate(boundaries):
        files = boundary.files()
        weights, first, second = (Digest(digest_of(files[name])) for name in FILES)
        leaves.append(
            Leaf(
                task=config.task,
                round=config.round,
                slot=config.slot,
                j=j,
                previous=leaves[-1].hash() if leaves else ZERO_DIGEST,
                first_step=j * config.segment_steps,
                weights=weights,
                exp_avg=first,
                exp_avg_sq=second,
                first_receipt=j * per_segment,
                receipt_count=per_segment if j < config.segments else 0,
                norm=displacement(boundaries[0].weights, boundary.weights),
                numerics_id=Digest(numerics_id),
            )
        )
    return leaves
