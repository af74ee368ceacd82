"""The check of one drawn group: one prefill under its policy's weights, compared with all its receipts claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field

import numpy as np

from kizuna.hashing import keccak
from kizuna.rl.config import RoundConfig
from kizuna.rl.environment import Environment
from kizuna.rl.model import CausalModel
from kizuna.rl.prefill import Prefill, prefill_group
from kizuna.rl.rollouts import Group, Rollout, prompt_ids, true_reward
from kizuna.rl.tokenizer import Tokenizer
from kizuna.toploc import judging
from kizuna.toploc.receipts import Receipt, logprobs_hash, tokens_hash
from kizuna.types import Check, Finding, Finish, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupThresholds:
    """The most by which an honest prefill differs from an honest decode (fp32 defaults, measured)."""

    logprob: float = 1e-4
    score_gap: float = 1e-4
    proof: judging.Thresholds = dataclass_field(default=judging.FP32)


def check_group(
    model: CausalModel,
    group: Group,
    receipts: Sequence[Receipt],
    config: RoundConfig,
    *,
    tokenizer: Tokenizer,
    environment: Environment,
    thresholds: GroupThresholds | None = None,
) -> tuple[Finding, ...]:
    """Everything wrong with a group, each fault once; empty for honest work.

    The model must hold the weights of boundary `config.policy(segment)`. `receipts` are the group's, in
    order; `group` comes from `decode_rollouts`. Findings carry the group's number as item.
    """
    prompt = prompt_ids(config, group.index, tokenizer=tokenizer, environment=environment)
    faults = list(_structure(group, receipts, config, prompt))
    if not faults:
        faults += _rollout_faults(group, config, tokenizer, environment)
        faults += _computed_faults(model, group, config, prompt, thresholds or GroupThresholds())
    seen: dict[Reason, str] = {}
    for reason, detail in faults:
        seen.setdefault(reason, detail)
    return tuple(Finding(Check.ROLLOUT, group.index, reason, detail) for reason, detail in seen.items())


Fault = tuple[Reason, str]


def _structure(
    group: Group, receipts: Sequence[Receipt], config: RoundConfig, prompt: tuple[int, ...]
) -> Iterator[Fault]:
    """What can be said without a model: identity, order and hashes of the receipts."""
    if len(receipts) != config.completions or len(group.rollouts) != config.completions:
        yield Reason.WRONG_COUNT, f"{len(receipts)} receipts for {config.completions} completions"
        return
    if len({receipt.index for receipt in receipts}) < len(receipts):
        yield Reason.DUPLICATE, "a rollout is counted more than once"
    step = group.index // config.prompts_per_step
    place = (step, group.index, config.policy(step // config.segment_steps))
    for g, (receipt, rollout) in enumerate(zip(receipts, group.rollouts, strict=True)):
        where = f"rollout {group.index * config.completions + g}"
        if (receipt.task, receipt.round, receipt.slot) != (config.task, config.round, config.slot):
            yield Reason.WRONG_CONTEXT, where
        if receipt.base != config.base:
            yield Reason.WRONG_BASE, where
        if receipt.index != group.index * config.completions + g:
            yield Reason.WRONG_COUNT, where
        if (receipt.step, receipt.group, receipt.policy) != place:
            yield Reason.WRONG_CONTEXT, f"{where}: step, group or policy"
        if receipt.prompt_hash != tokens_hash(prompt):
            yield Reason.WRONG_PROMPT, where
        yield from _hashes(receipt, rollout, group.proof, where)


def _hashes(receipt: Receipt, rollout: Rollout, proof: bytes, where: str) -> Iterator[Fault]:
    if receipt.token_count != len(rollout.tokens) or receipt.token_hash != tokens_hash(rollout.tokens):
        yield Reason.WRONG_HASH, f"{where}: tokens"
    if receipt.logprob_hash != logprobs_hash(rollout.logprobs):
        yield Reason.WRONG_HASH, f"{where}: log-probabilities"
    if receipt.proof_hash != keccak(proof):
        yield Reason.WRONG_HASH, f"{where}: proof"
    if (receipt.finish, receipt.reward) != (rollout.finish, rollout.reward):
        yield Reason.WRONG_CONTEXT, f"{where}: finish or reward"


def _rollout_faults(
    group: Group, config: RoundConfig, tokenizer: Tokenizer, environment: Environment
) -> Iterator[Fault]:
    for g, rollout in enumerate(group.rollouts):
        where = f"rollout {group.index * config.completions + g}"
        if rollout.finish != true_finish(rollout, config, tokenizer.stop_id):
            yield Reason.WRONG_FINISH, where
        reward = true_reward(config, group.index, rollout.tokens, tokenizer=tokenizer, environment=environment)
        if rollout.reward != reward:
            yield Reason.WRONG_REWARD, f"{where}: {rollout.reward} instead of {reward}"


def true_finish(rollout: Rollout, config: RoundConfig, stop_id: int) -> Finish | None:
    """The finish reason the tokens imply; None if no honest completion ends there or runs on past its stop token."""
    tokens = rollout.tokens
    if not 1 <= len(tokens) <= config.max_new_tokens or (tokens[:-1] == stop_id).any():
        return None
    if tokens[-1] == stop_id:
        return Finish.STOP
    return Finish.LENGTH if len(tokens) == config.max_new_tokens else None


def _computed_faults(
    model: CausalModel, group: Group, config: RoundConfig, prompt: tuple[int, ...], thresholds: GroupThresholds
) -> Iterator[Fault]:
    """What one prefill shows: tokens, log-probabilities, activation proof."""
    prefill = prefill_group(
        model,
        prompt,
        [rollout.tokens for rollout in group.rollouts],
        first_rollout=group.index * config.completions,
        key=config.noise_key,
        temperature=config.temperature,
    )
    # Below temperature 1 the same rounding of a logit is a larger difference of scores.
    amplified = max(1.0, 1.0 / config.temperature) if config.temperature > 0 else 1.0
    yield from judge_prefill(prefill, group, thresholds, amplified=amplified)


def judge_prefill(
    prefill: Prefill, group: Group, thresholds: GroupThresholds, *, amplified: float = 1.0
) -> Iterator[Fault]:
    """Compare a prefill with what the trainer recorded. Comparisons are written so that NaN fails them."""
    gap = float(prefill.gaps.max())
    if not gap <= thresholds.score_gap * amplified:
        yield Reason.TOKEN_NOT_SAMPLED, f"score {gap:.3g} below the best"
    recorded = np.concatenate([rollout.logprobs for rollout in group.rollouts])
    difference = float(np.abs(prefill.logprobs.astype(np.float64) - recorded).max())
    if not difference <= thresholds.logprob * amplified:
        yield Reason.WRONG_LOGPROB, f"off by {difference:.3g}"
    if not np.isfinite(prefill.hidden).all():
        yield Reason.NON_FINITE, "hidden states"
        return
    reason = judging.examine(group.proof, prefill.hidden, thresholds.proof)
    if reason is not None:
        yield reason, "activation proof"
