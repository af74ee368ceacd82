from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from support.models import KEY, alone, ints, llama, qwen3, sample, sampling
from transformers import DynamicCache

from kizuna.rl.prefill import completion_rows, prefill_group
from kizuna.rl.sampling import GroupRequest, sample_groups
from kizuna.toploc import judging
from kizuna.toploc.proofs import PROOF_BYTES, chunk_count, prove, verify
from kizuna.types import Reason

PROMPT = (1, 5, 6, 7)
LENGTHS = (1, 31, 32, 33, 64)


def completions() -> list:
    rng = np.random.default_rng(5)
    return [rng.integers(3, 30, n).astype(np.int32) for n in LENGTHS]


def is_exact(proof: bytes, rows: np.ndarray) -> bool:
    return all((r.exponent_mismatches, r.mantissa_mean) == (0, 0.0) for r in verify(proof, rows))


def test_rows_padded_beside_longer_ones_have_the_proofs_they_have_alone() -> None:
    model = llama()
    with model.evaluating():
        rows = completion_rows(model, PROMPT, completions()).numpy()
    starts = np.cumsum([0, *LENGTHS])
    for completion, start, length in zip(completions(), starts, LENGTHS, strict=False):
        lone = alone(model, PROMPT, completion).hidden
        assert lone.shape == (length, 32)
        proof = prove(rows[start : start + length])
        assert len(proof) == chunk_count(length) * PROOF_BYTES == -(-length // 32) * PROOF_BYTES
        assert is_exact(proof, lone)


def test_rows_decoded_beside_longer_prompts_have_the_proofs_they_have_alone() -> None:
    """Padded decoding shifted the rows of others' proofs by one (PrimeIntellect-ai/prime-rl#360)."""
    model = llama()
    prompts = [tuple(3 + (i + k) % 20 for k in range(n)) for i, n in enumerate((2, 9, 4, 12, 7))]
    requests = [GroupRequest(prompt, i, 1) for i, prompt in enumerate(prompts)]
    decoded = [group[0] for group in sample_groups(model, requests, sampling=sampling(max_new_tokens=64, stop_id=-1))]
    for prompt, completion, length in zip(prompts, decoded, LENGTHS, strict=True):
        assert completion.hidden.shape == (64, 32)
        lone = alone(model, prompt, completion.tokens[:length]).hidden
        proof = prove(completion.hidden[:length])
        assert len(proof) == -(-length // 32) * PROOF_BYTES
        assert is_exact(proof, lone) and judging.examine(proof, lone, judging.FP32) is None


@pytest.mark.parametrize("which", range(len(LENGTHS)))
def test_a_prompt_prefilled_in_pieces_has_the_same_proof(which: int) -> None:
    model, completion = llama(), completions()[which]
    ids = torch.tensor([[*PROMPT, *completion.tolist()]])
    ends = sorted({2, 3, min(20, ids.shape[1]), ids.shape[1]})
    with model.evaluating():
        cache, pieces = DynamicCache(), []
        for a, b in pairwise((0, *ends)):
            pieces.append(model.hidden(ids[:, a:b], positions=torch.arange(a, b)[None], cache=cache)[0])
        rows = torch.cat(pieces)[len(PROMPT) - 1 : -1].numpy()
    assert len(rows) == LENGTHS[which]
    lone, proof = alone(model, PROMPT, completion).hidden, prove(rows)
    assert is_exact(proof, lone)
    assert judging.examine(proof + proof[:PROOF_BYTES], lone, judging.FP32) is Reason.WRONG_COUNT
    assert judging.examine(proof[:-PROOF_BYTES], lone, judging.FP32) is Reason.WRONG_COUNT


def test_rows_shifted_by_one_and_proofs_with_fewer_or_more_chunks_are_refused() -> None:
    model, completion = llama(), completions()[3]
    rows = alone(model, PROMPT, completion).hidden
    proof = prove(rows)
    assert judging.examine(proof, rows, judging.FP32) is None
    shifted = alone(model, PROMPT[:-1], np.concatenate([ints(PROMPT[-1]), completion[:-1]])).hidden
    assert judging.examine(proof, shifted, judging.FP32) is Reason.PROOF_MISMATCH
    assert judging.examine(proof[:PROOF_BYTES], rows, judging.FP32) is Reason.WRONG_COUNT
    assert judging.examine(proof + proof[:PROOF_BYTES], rows, judging.FP32) is Reason.WRONG_COUNT


def test_a_proof_of_decoding_fits_the_prefill_of_its_group() -> None:
    model = llama()
    group = sample(model, PROMPT, count=6)
    prefill = prefill_group(model, PROMPT, [c.tokens for c in group], first_rollout=0, key=KEY, temperature=1.0)
    assert is_exact(prove(np.concatenate([c.hidden for c in group])), prefill.hidden)
    assert float(prefill.gaps.max()) == 0.0
    np.testing.assert_allclose(prefill.logprobs, np.concatenate([c.logprobs for c in group]), atol=1e-5)


def test_a_token_that_was_not_sampled_is_below_the_best_score() -> None:
    model = llama()
    completion = sample(model, PROMPT, count=1)[0].tokens.copy()
    completion[2] = (completion[2] + 1) % 64
    assert alone(model, PROMPT, completion).gaps[2] > 1e-3
    assert alone(model, PROMPT, completion, rollout=1).gaps.max() > 1e-3


@pytest.mark.parametrize("length", [1, 2])
def test_a_completion_of_fewer_activations_than_a_proof_holds_has_one_all_the_same(length: int) -> None:
    model = qwen3()
    rows = alone(model, PROMPT, completions()[1][:length]).hidden
    proof = prove(rows)
    assert rows.size == 40 * length and len(proof) == PROOF_BYTES
    assert is_exact(proof, rows)
    assert judging.examine(proof, rows + np.float32(0.5), judging.FP32) is Reason.PROOF_MISMATCH
