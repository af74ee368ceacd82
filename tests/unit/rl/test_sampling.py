from __future__ import annotations

import numpy as np
import pytest
import torch
from support.models import STOP, alone, gpt2, llama, qwen3, sample, sampling, spread_out

from kizuna.errors import TaskInvalid
from kizuna.rl.model import CausalModel
from kizuna.rl.sampling import Completion, GroupRequest, sample_groups
from kizuna.types import Finish

PROMPTS = [tuple(range(3, 3 + n)) for n in (2, 6, 3, 9, 4, 5, 7, 8)]
REQUESTS = [GroupRequest(prompt, i, 1) for i, prompt in enumerate(PROMPTS)]


def sharp_llama(spread: float = 0.3) -> CausalModel:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    return spread_out({"model_type": "llama", **sizes}, spread)


def tokens_of(groups: list[list[Completion]]) -> list[list[int]]:
    return [completion.tokens.tolist() for group in groups for completion in group]


def arrangements(model: CausalModel) -> list[list[list[int]]]:
    """The tokens of the eight requests: together, one by one, backwards, in threes, and beside one that ends early."""
    # A row that ends early stays in the batch as dead weight, which must not matter either.
    candidates = [GroupRequest((5, 6), i, 1) for i in range(100, 400)]
    found = tokens_of(sample_groups(model, candidates, sampling=sampling()))
    ending = next(request for request, tokens in zip(candidates, found, strict=True) if tokens == [STOP])
    backwards = sample_groups(model, REQUESTS[::-1], sampling=sampling())
    return [
        tokens_of(sample_groups(model, REQUESTS, sampling=sampling())),
        tokens_of([group for r in REQUESTS for group in sample_groups(model, [r], sampling=sampling())]),
        tokens_of(backwards[::-1]),
        tokens_of(sample_groups(model, REQUESTS, sampling=sampling(), max_rows=3)),
        tokens_of(sample_groups(model, [*REQUESTS, ending], sampling=sampling()))[:8],
    ]


def test_a_seeded_rollout_is_the_same_whatever_stands_beside_it_on_one_thread_and_on_two() -> None:
    """In others' servers a seed was ignored beside an unseeded request (vllm-project/vllm#51226)."""
    model, threads = sharp_llama(), torch.get_num_threads()
    try:
        seen = []
        for count in (1, 2):
            torch.set_num_threads(count)
            seen += arrangements(model)
    finally:
        torch.set_num_threads(threads)
    assert len(seen) == 10 and all(tokens == seen[0] for tokens in seen)


def test_sampling_neither_reads_nor_moves_the_global_generators() -> None:
    model = sharp_llama()
    torch.manual_seed(1)
    before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1].tolist()
    first = tokens_of([sample(model, (3, 4))])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.random.get_state()[1].tolist() == numpy_before
    torch.manual_seed(2)
    assert tokens_of([sample(model, (3, 4))]) == first


def test_completions_of_a_group_and_of_equal_prompts_differ_by_their_index() -> None:
    requests = [GroupRequest((3, 4), 0, 4), GroupRequest((3, 4), 4, 4)]
    assert (
        len({tuple(tokens) for tokens in tokens_of(sample_groups(sharp_llama(0.1), requests, sampling=sampling()))})
        == 8
    )


@pytest.mark.parametrize("make", [sharp_llama, gpt2, qwen3])
def test_left_padding_changes_no_log_probability(make) -> None:
    """A prompt of 6 tokens alone, and padded by 5 beside one of 11: learned positions shift if they are left out."""
    model, short, long = make(), (3, 4, 5, 6, 7, 8), tuple(range(10, 21))
    padded = sample_groups(
        model, [GroupRequest(long, 9, 1), GroupRequest(short, 0, 4)], sampling=sampling(max_new_tokens=5)
    )[1]
    for g, (mine, lone) in enumerate(zip(padded, sample(model, short, max_new_tokens=5), strict=True)):
        assert mine.tokens.tolist() == lone.tokens.tolist()
        np.testing.assert_allclose(mine.logprobs, lone.logprobs, atol=2e-5)
        np.testing.assert_allclose(mine.logprobs, alone(model, short, mine.tokens, rollout=g).logprobs, atol=2e-5)


def test_left_out_positions_would_show_in_a_model_that_learned_them() -> None:
    model = gpt2()
    ids = torch.tensor([[0] * 5 + [3, 4, 5, 6, 7, 8]])
    mask = (torch.arange(11) >= 5).long()[None]
    with model.evaluating():
        lone = model.logits(model.hidden(ids[:, 5:]))[:, -1]
        right = model.logits(model.hidden(ids, mask=mask, positions=(mask.cumsum(1) - 1).clamp(min=0)))[:, -1]
        shifted = model.logits(model.hidden(ids, mask=mask, positions=torch.arange(11)[None]))[:, -1]
    torch.testing.assert_close(right, lone, atol=2e-5, rtol=0)
    assert float((shifted - lone).abs().max()) > 0.1


@pytest.mark.parametrize("make", [llama, sharp_llama])
@pytest.mark.parametrize("temperature", [1.0, 0.6, 1e-6, 0.0])
def test_recorded_log_probabilities_are_those_a_fresh_forward_pass_gives(make, temperature: float) -> None:
    """So the first ratio of learning is 1; it is not where one side forgets the temperature (huggingface/trl#4159)."""
    model = make()
    for g, completion in enumerate(sample(model, (3, 4, 5), temperature=temperature)):
        assert np.isfinite(completion.logprobs).all()
        again = alone(model, (3, 4, 5), completion.tokens, rollout=g, temperature=temperature)
        np.testing.assert_allclose(np.exp(again.logprobs - completion.logprobs), 1.0, atol=1e-4)
        assert float(again.gaps.max()) <= 1e-4


def test_recorded_log_probabilities_are_tempered_by_definition() -> None:
    model = sharp_llama(0.1)
    completion = sample(model, (3, 4), count=1, temperature=0.6)[0]
    logits = model.network(torch.tensor([[3, 4, *completion.tokens.tolist()]])).logits[0, 1:-1].detach()
    expected = (logits / 0.6).log_softmax(-1)[range(len(completion.tokens)), completion.tokens.tolist()]
    np.testing.assert_allclose(completion.logprobs, expected.numpy(), atol=1e-5)


def test_temperature_zero_is_greedy_and_records_the_untempered_distribution() -> None:
    model = sharp_llama(0.1)
    greedy = sample(model, (3, 4), temperature=0.0)
    assert len({tuple(completion.tokens.tolist()) for completion in greedy}) == 1
    logits = model.network(torch.tensor([[3, 4]])).logits[0, -1].detach()
    assert greedy[0].tokens[0] == int(logits.argmax())
    assert greedy[0].logprobs[0] == pytest.approx(float(logits.log_softmax(-1).max()), abs=1e-5)


def test_a_completion_ends_with_the_stop_token_or_at_the_limit() -> None:
    completions = sample(sharp_llama(), (3, 4), count=64)
    stopped = [c for c in completions if c.finish is Finish.STOP]
    assert stopped and len(stopped) < 64
    for completion in completions:
        inside, last = completion.tokens[:-1].tolist(), int(completion.tokens[-1])
        assert STOP not in inside and len(completion.hidden) == len(completion.tokens) == len(completion.logprobs)
        assert last == STOP if completion.finish is Finish.STOP else len(completion.tokens) == 6


@pytest.mark.parametrize("make", [lambda: gpt2(positions=16), llama])
@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_a_prompt_whose_completion_could_pass_the_context_is_refused_before_anything_is_computed(make, beyond) -> None:
    model = make()
    prompt = tuple(3 + i % 20 for i in range(model.context + beyond))
    fine, called = GroupRequest((3, 4), 0, 1), []
    model.network.base_model.register_forward_pre_hook(lambda *_: called.append(1))
    if beyond == -1:
        assert len(sample_groups(model, [GroupRequest(prompt, 0, 1)], sampling=sampling(max_new_tokens=1))[0]) == 1
        called.clear()
    with pytest.raises(TaskInvalid, match=f"context of {model.context}"):
        sample_groups(model, [fine, GroupRequest(prompt, 0, 1)], sampling=sampling(max_new_tokens=2))
    assert not called


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(TaskInvalid, match="empty"):
        sample(llama(), ())
