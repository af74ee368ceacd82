"""Every check of a contribution, each a pure function of fetched bytes that returns the fault it finds.

Whoever re-runs a check gets the same answer: checkers run what their secret drew, jurors what was challenged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kizuna.diloco.replay import compare_end, replay_segment
from kizuna.hashing import keccak
from kizuna.node.contribution import Contribution, fetch_boundary, group_receipts
from kizuna.node.task_context import TaskContext, file_digest
from kizuna.node.versions import Version
from kizuna.rl.checks import check_group
from kizuna.rl.config import RoundConfig
from kizuna.rl.learner import Observer
from kizuna.rl.model import read_weights
from kizuna.rl.state import FILES, Boundary
from kizuna.shardcast import update as updates
from kizuna.store import Blocks, Fetcher
from kizuna.toploc.receipts import Leaf
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

    def boundary(self, j: int) -> Boundary | Finding:
        """Boundary j as its leaf commits to it."""
        if j == 0:
            return Boundary.start(read_weights(self.base.files))
        manifest, leaf = self.contribution.manifest, self.contribution.leaves[j]
        return fetch_boundary(self.context, self.blocks, self.fetcher, leaf, manifest.boundaries[j])


def check_update(case: Case) -> Finding | None:
    """What can be said of a whole contribution without re-running anything: identity, order, bounds, norms."""
    config, found = case.config, case.contribution
    for i, receipt in enumerate(found.receipts):
        group = i // config.completions
        step = group // config.prompts_per_step
        told = (receipt.task, receipt.round, receipt.slot, receipt.index, receipt.group, receipt.step, receipt.policy)
        true = (config.task, config.round, config.slot, i, group, step, config.policy(step // config.segment_steps))
        if told != true or receipt.base != config.base:
            return _update(Reason.WRONG_CONTEXT, f"receipt {i}")
    return _check_leaves(case, found.leaves) or _check_size(case)


def check_encode(case: Case) -> Finding | None:
    """The last boundary must encode, block by block, to the committed update."""
    end = case.boundary(case.config.segments)
    if isinstance(end, Finding):
        return end
    delta = updates.difference(end.weights, read_weights(case.base.files))
    block = updates.matches(delta, case.contribution.update)
    if block is None:
        return None
    return Finding(Check.ENCODE, 0, Reason.WRONG_UPDATE, f"{block.name}, block {block.index}")


def check_segment(case: Case, segment: int, observe: Observer | None = None) -> Finding | None:
    """Re-runs a segment from its boundary on its committed batch; its end must be the next leaf to the bit."""
    start, claimed = case.boundary(segment), case.boundary(segment + 1)
    for boundary in (start, claimed):
        if isinstance(boundary, Finding):
            return replace(boundary, item=segment)
    assert isinstance(start, Boundary) and isinstance(claimed, Boundary)
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
    base = read_weights(case.base.files)
    faults = compare_end(end, case.contribution.leaves[segment + 1], base, claimed=claimed, digest_of=file_digest)
    return faults[0] if faults else None


def check_rollout(case: Case, group: int) -> Finding | None:
    """One prefill of a group under its policy's boundary, compared with everything its receipts claim."""
    config, context = case.config, case.context
    segment = group // config.groups_per_segment
    policy = case.boundary(config.policy(segment))
    if isinstance(policy, Finding):
        return replace(policy, item=segment)
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


def _check_leaves(case: Case, leaves: Sequence[Leaf]) -> Finding | None:
    config = case.config
    start = Boundary.start(read_weights(case.base.files)).files()
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
