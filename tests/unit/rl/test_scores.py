from __future__ import annotations

import numpy as np
import pytest
import torch
from support.models import KEY, llama, spread_out

from kizuna.rl import scores
from kizuna.rl.model import CausalModel
from kizuna.rl.scores import SeededNoise, score_gaps, token_logprobs

VOCAB, ROWS = 200_000, 4 * 64


class Watched(CausalModel):
    """Remembers how many logits existed at a time."""

    largest = 0

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        logits = super().logits(hidden)
        self.largest = max(self.largest, logits.numel())
        return logits


@pytest.fixture(scope="module")
def wide() -> Watched:
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    model = spread_out({"model_type": "llama", **sizes, "tie_word_embeddings": False}, 0.3)
    model.network.resize_token_embeddings(VOCAB, mean_resizing=False)
    return Watched(model.network, model.config)


def inputs(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    hidden = torch.from_numpy(rng.standard_normal((ROWS, 8)).astype(np.float32))
    return hidden, torch.from_numpy(rng.integers(0, VOCAB, ROWS))


def test_a_large_vocabulary_is_scored_in_chunks_with_the_values_and_gradients_of_the_whole(wide: Watched) -> None:
    hidden, tokens = inputs()
    chunked, whole = hidden.clone().requires_grad_(), hidden.clone().requires_grad_()
    logprobs = token_logprobs(wide, chunked, tokens, temperature=0.7)
    logprobs.sum().backward()
    assert wide.largest <= scores.CHUNK_VALUES < ROWS * VOCAB / 10
    logits = wide._head(whole) / 0.7
    expected = logits.log_softmax(-1).gather(-1, tokens[:, None])[:, 0]
    expected.sum().backward()
    torch.testing.assert_close(logprobs, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(chunked.grad, whole.grad, atol=1e-5, rtol=1e-4)


def test_what_learning_keeps_for_the_backward_pass_is_far_less_than_the_logits(wide: Watched) -> None:
    hidden, tokens = inputs()
    weight, kept = wide._head.weight, 0

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += 0 if tensor.data_ptr() == weight.data_ptr() else tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        token_logprobs(wide, hidden.requires_grad_(), tokens, temperature=1.0)
    assert kept < 4 * ROWS * VOCAB / 100


def test_score_gaps_of_a_large_vocabulary_are_those_of_its_rows(wide: Watched) -> None:
    hidden, tokens = inputs()
    rows = np.arange(24)
    noise = SeededNoise(KEY, rows, rows % 5)
    with torch.no_grad():
        logprobs, gaps = score_gaps(wide, hidden[:24], tokens[:24], temperature=1.0, noise=noise)
        one, gap = score_gaps(
            wide, hidden[23:24], tokens[23:24], temperature=1.0, noise=SeededNoise(KEY, rows[23:], rows[23:] % 5)
        )
    assert logprobs[23] == pytest.approx(float(one[0]), abs=1e-5)
    assert gaps[23] == pytest.approx(float(gap[0]), abs=1e-5) and (gaps >= 0).all()


def test_no_tokens_have_no_log_probabilities() -> None:
    model = llama()
    assert token_logprobs(model, torch.zeros(0, 32), torch.zeros(0, dtype=torch.int64), temperature=1.0).shape == (0,)
