"""Rollouts of a round: how a trainer makes them, and the bytes in which they travel (docs/protocol.md, 5 and 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kizuna import tensors
from kizuna.errors import ConfigError, ContentMalformed
from kizuna.hashing import keccak
from kizuna.rl.architecture import admit
from kizuna.rl.config import RoundConfig
from kizuna.rl.environment import Environment, exam
from kizuna.rl.model import F32, CausalModel
from kizuna.rl.sampling import I32, GroupRequest, Sampling, sample_groups
from kizuna.rl.tokenizer import Tokenizer
from kizuna.toploc.proofs import PROOF_BYTES, chunk_count, prove
from kizuna.toploc.receipts import Receipt, logprobs_hash, tokens_hash
from kizuna.types import Digest

_FILE_OVERHEAD = 4096


@dataclass(frozen=True, slots=True)
class Rollout:
    """What is kept of one completion of n tokens. `finish` and `reward` are what the trainer claims."""

    tokens: I32  # (n,)
    logprobs: F32  # (n,)
    finish: int
    reward: int


@dataclass(frozen=True, slots=True)
class Group:
    """All completions of one prompt; `index` counts the round's groups, `proof` is their TOPLOC proof."""

    index: int
    rollouts: tuple[Rollout, ...]
    proof: bytes


def prompt_ids(config: RoundConfig, group: int, *, tokenizer: Tokenizer, environment: Environment) -> tuple[int, ...]:
    """The prompt of a group, which follows from the seed beacon alone."""
    return tuple(tokenizer.encode_prompt(environment.prompt(config.prompt_seed(group))))


def check_prompts(model: CausalModel, environment: Environment, tokenizer: Tokenizer, max_new_tokens: int) -> None:
    """Raises ConfigError unless the model can be asked whatever the environment asks, and has room to answer."""
    admit(environment.longest_prompt + 1, max_new_tokens, model.context)  # no token is less than a letter
    for text in (environment.alphabet, *(environment.prompt(exam(i)) for i in range(16))):
        if not 0 <= min(ids := tokenizer.encode_prompt(text)) <= max(ids) < model.vocab_size:
            raise ConfigError(f"model: its vocabulary of {model.vocab_size} lacks tokens of its tokenizer")


def true_reward(config: RoundConfig, group: int, tokens: I32, *, tokenizer: Tokenizer, environment: Environment) -> int:
    """The reward of a completion, which follows from seed and tokens alone."""
    return environment.reward(config.prompt_seed(group), tokenizer.decode(tokens.tolist()))


def generate(
    model: CausalModel, config: RoundConfig, segment: int, *, tokenizer: Tokenizer, environment: Environment
) -> list[Group]:
    """All groups that a segment consumes. The model must hold the weights of boundary `config.policy(segment)`."""
    first = segment * config.groups_per_segment
    indices = range(first, first + config.groups_per_segment)
    requests = [
        GroupRequest(
            prompt_ids(config, g, tokenizer=tokenizer, environment=environment),
            g * config.completions,
            config.completions,
        )
        for g in indices
    ]
    sampled = sample_groups(model, requests, sampling=sampling_of(config, tokenizer))
    groups = []
    for g, completions in zip(indices, sampled, strict=True):
        rollouts = tuple(
            Rollout(
                c.tokens,
                c.logprobs,
                c.finish,
                true_reward(config, g, c.tokens, tokenizer=tokenizer, environment=environment),
            )
            for c in completions
        )
        groups.append(Group(g, rollouts, prove(np.concatenate([c.hidden for c in completions]))))
    return groups


def sampling_of(config: RoundConfig, tokenizer: Tokenizer) -> Sampling:
    return Sampling(
        key=config.noise_key,
        temperature=config.temperature,
        max_new_tokens=config.max_new_tokens,
        stop_id=tokenizer.stop_id,
    )


def receipts_of(group: Group, prompt: Sequence[int], config: RoundConfig) -> list[Receipt]:
    """One receipt per rollout of a group, in order."""
    step = group.index // config.prompts_per_step
    return [
        Receipt(
            task=config.task,
            round=config.round,
            slot=config.slot,
            step=step,
            index=group.index * config.completions + g,
            group=group.index,
            policy=config.policy(step // config.segment_steps),
            base=Digest(config.base),
            prompt_hash=tokens_hash(prompt),
            token_hash=tokens_hash(rollout.tokens),
            token_count=len(rollout.tokens),
            logprob_hash=logprobs_hash(rollout.logprobs),
            reward=rollout.reward,
            finish=rollout.finish,
            proof_hash=Digest(keccak(group.proof)),
        )
        for g, rollout in enumerate(group.rollouts)
    ]


def encode_rollouts(groups: Sequence[Group]) -> bytes:
    """The `rollouts` file: tokens and log-probabilities in receipt order, proofs in group order."""
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    proofs = b"".join(group.proof for group in groups)
    return tensors.dump(
        {
            "tokens": np.concatenate([r.tokens for r in rollouts]).astype(np.int32),
            "logprobs": np.concatenate([r.logprobs for r in rollouts]).astype(np.float32),
            "proofs": np.frombuffer(proofs, dtype=np.uint8),
        }
    )


def decode_rollouts(
    data: bytes, receipts: Sequence[Receipt], config: RoundConfig, *, vocab: int, first_group: int = 0
) -> list[Group]:
    """The groups in a `rollouts` file, cut as the receipts' counts say and numbered from `first_group`.

    `receipts` are all those that the file was written for, whole groups in order. Raises LimitExceeded
    for a file too large, ContentMalformed if counts, sizes, token ids or log-probabilities cannot be right;
    whether receipts and contents agree is for `check_group` to say.
    """
    counts = [receipt.token_count for receipt in receipts]
    if len(counts) % config.completions or any(not 1 <= n <= config.max_new_tokens for n in counts):
        raise ContentMalformed("rollouts: receipts are not whole groups of completions within the limit")
    rows = [sum(counts[i : i + config.completions]) for i in range(0, len(counts), config.completions)]
    total, proof_bytes = sum(counts), sum(chunk_count(n) * PROOF_BYTES for n in rows)
    limit = _FILE_OVERHEAD + 8 * total + proof_bytes
    expect: tensors.Expected = {
        "tokens": (np.int32, (total,)),
        "logprobs": (np.float32, (total,)),
        "proofs": (np.uint8, (proof_bytes,)),
    }
    parts = tensors.load(data, max_bytes=limit, expect=expect)
    tokens, logprobs = parts["tokens"], parts["logprobs"]
    if total and not (int(tokens.min()) >= 0 and int(tokens.max()) < vocab and np.isfinite(logprobs).all()):
        raise ContentMalformed("rollouts: a token is outside the vocabulary or a log-probability is not finite")
    return _cut(tokens, logprobs, parts["proofs"].tobytes(), receipts, config, first_group)


def _cut(
    tokens: npt.NDArray[np.int32],
    logprobs: F32,
    proofs: bytes,
    receipts: Sequence[Receipt],
    config: RoundConfig,
    first: int,
) -> list[Group]:
    # Numbered by place: a number that a receipt claims could make a re-run refuse the groups instead of judging them.
    groups: list[Group] = []
    at = proof_at = 0
    for start in range(0, len(receipts), config.completions):
        rollouts = []
        begin = at
        for receipt in receipts[start : start + config.completions]:
            end = at + receipt.token_count
            rollouts.append(Rollout(tokens[at:end], logprobs[at:end], receipt.finish, receipt.reward))
            at = end
        size = chunk_count(at - begin) * PROOF_BYTES
        groups.append(Group(first + len(groups), tuple(rollouts), proofs[proof_at : proof_at + size]))
        proof_at += size
    return groups
