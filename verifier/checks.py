"""Every check of a contribution, each a pure function of fetched bytes that returns the fault it finds.

Whoever re-runs a check gets the same answer: checkers run what their secret drew, jurors what was challenged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from kizuna.diloco.replay import compare_end, replay_segment
from kizuna.hashing import keccak
from kizuna.node.contribution import Contribution, fetch_boundary, group_receipts
from kizuna.node.task_context import TaskContext, file_digest
from kizuna.node.versions import Version
from kizuna.rl.checks import check_group
from kizuna.rl.config import RoundConfig
from kizuna.rl.learner import Observer
from kizuna.rl.model import F32, read_weights
from kizuna.rl.rollouts import Group
from kizuna.rl.state import FILES, Boundary
from kizuna.shardcast import update as updates
from kizuna.store import DAG_PB, Blocks, Cid, Fetcher
from kizuna.toploc.receipts import Leaf, Receipt, logprobs_hash, tokens_hash
from kizuna.types import ZERO_DIGEST, Check, Digest, Finding, Reason

BOUND = 1.1
"""AdamW moves a weight by at most this times the learning rate in a step (docs/protocol.md, section 7)."""


@dataclass(frozen=True)
class Case:
    """One contribution under examination, and where its boundaries can be had."""

    context: TaskContext
    config: RoundConfig
    contribution: Contribution
    base: Version
    blocks: Blocks
    fetcher: Fetcher
    _read: dict[int, Boundary] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def base_weights(self) -> dict[str, F32]:
        return read_weights(self.base.files)

    def boundary(self, j: int) -> Boundary | Finding:
        """Boundary j as its leaf commits to it. What could not be had is asked for again by the next call."""
        if j in self._read:
            return self._read[j]
        if j == 0:
            found: Boundary | Finding = Boundary.start(self.base_weights)
        else:
            manifest, leaf = self.contribution.manifest, self.contribution.leaves[j]
            found = fetch_boundary(self.context, self.blocks, self.fetcher, leaf, manifest.boundaries[j])
        if isinstance(found, Boundary):
            self._read[j] = found
        return found

    def contents(self) -> tuple[Cid, ...]:
        """The boundary directories that were read so far."""
        return tuple(Cid(self.contribution.manifest.boundaries[j], DAG_PB) for j in sorted(self._read) if j)


def check(case: Case, kind: Check, item: int) -> Finding | None:
    """One check of a trainer's work by its number. Raises KeyError for one that is not about a contribution."""
    return {
        Check.UPDATE: lambda: check_update(case),
        Check.ENCODE: lambda: check_encode(case),
        Check.ROLLOUT: lambda: check_rollout(case, item),
        Check.SEGMENT: lambda: check_segment(case, item),
        Check.AVAILABLE: lambda: check_available(case, item),
    }[kind]()


def check_update(case: Case) -> Finding | None:
    """What can be said of a whole contribution without re-running anything: identity, order, hashes, bounds, norms."""
    config, found = case.config, case.contribution
    for i, receipt in enumerate(found.receipts):
        group = i // config.completions
        step = group // config.prompts_per_step
        told = (receipt.task, receipt.round, receipt.slot, receipt.index, receipt.group, receipt.step, receipt.policy)
        true = (config.task, config.round, config.slot, i, group, step, config.policy(step // config.segment_steps))
        if told != true or receipt.base != config.base:
            return _update(Reason.WRONG_CONTEXT, f"receipt {i}")
        if not _is_of(receipt, found.groups[group], i % config.completions):
            return _update(Reason.WRONG_HASH, f"receipt {i}")
    return _check_leaves(case, found.leaves) or _check_size(case)


def check_encode(case: Case) -> Finding | None:
    """The last boundary must encode, block by block, to the committed update."""
    end = case.boundary(case.config.segments)
    if isinstance(end, Finding):
        return end
    delta = updates.difference(end.weights, case.base_weights)
    if not _finite(delta):
        return Finding(Check.ENCODE, 0, Reason.NON_FINITE, "the last boundary")
    block = updates.matches(delta, case.contribution.update)
    if block is None:
        return None
    return Finding(Check.ENCODE, 0, Reason.WRONG_UPDATE, f"{block.name}, block {block.index}")


def check_segment(case: Case, segment: int, observe: Observer | None = None) -> Finding | None:
    """Re-runs a segment from its boundary on its committed batch; its end must be the next leaf to the bit."""
    start, claimed = case.boundary(segment), case.boundary(segment + 1)
    if isinstance(start, Finding):
        return replace(start, item=segment)
    if isinstance(claimed, Finding):
        return replace(claimed, item=segment)
    # A step with non-finite gradients changes nothing, so poisoned states would reproduce themselves.
    for j, boundary in ((segment, start), (segment + 1, claimed)):
        if not _is_sound(boundary):
            return Finding(Check.SEGMENT, segment, Reason.NON_FINITE, f"boundary {j}")
    config, context = case.config, case.context
    first = segment * config.groups_per_segment
    end = replay_segment(
        context.model,
        start,
        case.contribution.groups[first : first + config.groups_per_segment],
        config,
        segment=segment,
        tokenizer=context.tokenizer,
        environment=context.environment,
        observe_last=observe,
    )
    leaf = case.contribution.leaves[segment + 1]
    faults = compare_end(end, leaf, case.base_weights, claimed=claimed, digest_of=file_digest)
    return faults[0] if faults else None


def check_rollout(case: Case, group: int) -> Finding | None:
    """One prefill of a group under its policy's boundary, compared with everything its receipts claim."""
    config, context = case.config, case.context
    segment = group // config.groups_per_segment
    policy = case.boundary(config.policy(segment))
    if isinstance(policy, Finding):
        return replace(policy, item=segment)
    if not _finite(policy.weights):
        return Finding(Check.ROLLOUT, group, Reason.NON_FINITE, "the policy's weights")
    context.model.load(policy.weights)
    faults = check_group(
        context.model,
        case.contribution.groups[group],
        group_receipts(case.contribution, group, config),
        config,
        tokenizer=context.tokenizer,
        environment=context.environment,
        thresholds=context.thresholds,
    )
    return faults[0] if faults else None


def check_available(case: Case, item: int) -> Finding | None:
    """Whether every boundary that a drawn segment needs is served, or for item J what goes with the update."""
    config = case.config
    whole = item >= config.segments
    needed = (config.segments,) if whole else (config.policy(item), item, item + 1)
    for j in needed:
        found = case.boundary(j)
        if isinstance(found, Finding):
            return replace(found, item=item)
    return None


def _is_of(receipt: Receipt, group: Group, g: int) -> bool:
    """Whether a receipt commits to the g-th rollout of the group that stands in the rollouts file."""
    rollout = group.rollouts[g]
    told = (receipt.token_hash, receipt.logprob_hash, receipt.proof_hash)
    return told == (tokens_hash(rollout.tokens), logprobs_hash(rollout.logprobs), keccak(group.proof))


def _finite(arrays: Mapping[str, F32]) -> bool:
    return all(bool(np.isfinite(array).all()) for array in arrays.values())


def _is_sound(boundary: Boundary) -> bool:
    """Finite, with second moments that a sum of squares can be."""
    parts = (boundary.weights, boundary.exp_avg, boundary.exp_avg_sq)
    return all(map(_finite, parts)) and all(bool((array >= 0).all()) for array in boundary.exp_avg_sq.values())


def _check_leaves(case: Case, leaves: Sequence[Leaf]) -> Finding | None:
    config = case.config
    start = Boundary.start(case.base_weights).files()
    previous, per_segment = ZERO_DIGEST, config.rollouts_per_segment
    for j, leaf in enumerate(leaves):
        consumed = per_segment if j < config.segments else 0
        told = (leaf.task, leaf.round, leaf.slot, leaf.j, leaf.first_step, leaf.first_receipt, leaf.receipt_count)
        true = (config.task, config.round, config.slot, j, j * config.segment_steps, j * per_segment, consumed)
        if told != true or leaf.numerics_id != case.context.params.numerics_id:
            return _update(Reason.WRONG_CONTEXT, f"leaf {j}")
        if leaf.previous != previous:
            return _update(Reason.BROKEN_CHAIN, f"leaf {j}")
        previous = leaf.hash()
    digests = (leaves[0].weights, leaves[0].exp_avg, leaves[0].exp_avg_sq)
    if digests != tuple(file_digest(start[name]) for name in FILES) or leaves[0].norm != 0.0:
        return _update(Reason.WRONG_BASE, "leaf 0 is not the base with zero moments")
    return None


def _check_size(case: Case) -> Finding | None:
    """Elementwise bound of the update, and displacement claims that the steps between them allow."""
    config, found = case.config, case.contribution
    rates = [config.rate(step) for step in range(config.steps)]
    if block := updates.elementwise_bound(sum(rates), found.update):
        return _update(Reason.OUT_OF_BOUND, f"{block.name}, block {block.index}")
    parameters = sum(math.prod(shape) for shape in case.context.shapes.values())
    for j in range(config.segments):
        steps = rates[j * config.segment_steps : (j + 1) * config.segment_steps]
        reach = BOUND * sum(steps) * math.sqrt(parameters)
        if not abs(found.leaves[j + 1].norm - found.leaves[j].norm) <= reach:
            return _update(Reason.WRONG_NORM, f"leaf {j + 1} is further than segment {j} can reach")
    # The update is the last displacement, rounded by at most half a unit in every element.
    exact = math.sqrt(updates.squared_norm(found.update)) * 2.0**-40
    slack = math.sqrt(sum(_rounding(found.update, name) for name in found.update if name.endswith(".e")))
    if not abs(found.leaves[-1].norm - exact) <= slack * (1 + 1e-6) + 1e-9:
        return _update(Reason.WRONG_NORM, f"update {exact:.6g}, last leaf {found.leaves[-1].norm:.6g}")
    return None


def _rounding(update: updates.Update, name: str) -> float:
    """The most that encoding can have changed the squared norm of one tensor by."""
    size = update[f"{name.removesuffix('.e')}.q"].size
    total = 0.0
    for i, e in enumerate(update[name].tolist()):
        total += min(updates.BLOCK, size - i * updates.BLOCK) * 4.0 ** (int(e) - 1)
    return total


def _update(reason: Reason, detail: str) -> Finding:
    return Finding(Check.UPDATE, 0, reason, detail)


def result_digest(finding: Finding | None) -> Digest:
    """What a checker or juror commits to as its own measurement."""
    return Digest(keccak(b"clean" if finding is None else f"{finding.reason}: {finding.detail}".encode()))
