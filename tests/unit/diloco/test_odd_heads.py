"""A model whose heads are not hidden / heads wide goes through a whole round: sampled, trained, proved, verified.

Code that derived the width refused or silently shrank such models (huggingface/transformers#46211).
"""

from __future__ import annotations

import pytest
from support.models import REVERSE, config, file_digest, qwen3, tokenizer
from support.rounds import NUMERICS

from kizuna.diloco.replay import compare_end, replay_segment
from kizuna.diloco.segments import TrainRound
from kizuna.rl.checks import check_group
from kizuna.shardcast import update as updates
from kizuna.toploc.proofs import PROOF_BYTES, TOP_K


@pytest.mark.parametrize("max_new_tokens", [6, 1])
def test_a_round_of_a_model_with_wide_heads_is_verified(max_new_tokens: int) -> None:
    """With one token a completion and two completions a group, a chunk has fewer activations than a proof holds."""
    rules = config(max_new_tokens=max_new_tokens, completions=2, prompts_per_step=4)
    how = {"tokenizer": tokenizer(), "environment": Graded()}
    model = qwen3()
    base = model.weights()
    training = TrainRound(model, base, config=rules, **how)
    assert len(list(training)) == rules.segments
    result = training.result(numerics_id=NUMERICS, digest_of=file_digest)
    assert result.leaves[-1].norm > 0.0
    checker = qwen3()
    delta = updates.difference(result.boundaries[-1].weights, base)
    assert updates.matches(delta, updates.loads(result.update, checker.shapes())) is None
    for segment in range(rules.segments):
        first = segment * rules.groups_per_segment
        groups = result.groups[first : first + rules.groups_per_segment]
        end = replay_segment(checker, result.boundaries[segment], groups, rules, segment=segment, **how)
        assert compare_end(end, result.leaves[segment + 1], base, claimed=None, digest_of=file_digest) == ()
        checker.load(result.boundaries[rules.policy(segment)].weights)
        for group in groups:
            receipts = result.receipts[2 * group.index : 2 * group.index + 2]
            assert check_group(checker, group, receipts, rules, **how) == ()
            if max_new_tokens == 1:
                assert 2 * checker.hidden_size < TOP_K and len(group.proof) == PROOF_BYTES


class Graded:
    """An environment in which hardly two answers are worth the same."""

    alphabet, longest_prompt, longest_answer = REVERSE.alphabet, REVERSE.longest_prompt, REVERSE.longest_answer
    prompt, expert = staticmethod(REVERSE.prompt), staticmethod(REVERSE.expert)

    def reward(self, seed: bytes, answer: str) -> int:
        return sum(ord(c) for c in answer)
