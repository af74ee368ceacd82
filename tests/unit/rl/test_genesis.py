from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.models import PLAN, REVERSE, genesis, llama, sampling, tokenizer
from transformers import AutoModelForCausalLM

from kizuna.rl.genesis import evaluate, genesis_files
from kizuna.rl.model import load_model


def test_a_genesis_is_a_hugging_face_model_directory(tmp_path) -> None:
    for name, data in genesis().items():
        (tmp_path / name).write_bytes(data)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    ids = torch.tensor([[1, 5, 6, 7]])
    with torch.no_grad():
        mine = llama().network(ids).logits
        torch.testing.assert_close(theirs(ids).logits, mine, atol=1e-5, rtol=0)
    assert theirs.generation_config.eos_token_id == tokenizer().stop_id == sampling().stop_id


def test_the_same_plan_gives_the_same_bytes_and_another_seed_others() -> None:
    plan = replace(PLAN, steps=2, rows=8)
    assert genesis_files(REVERSE, plan) == genesis_files(REVERSE, plan)
    assert (
        genesis_files(REVERSE, replace(plan, seed=2))["model.safetensors"]
        != genesis_files(REVERSE, plan)["model.safetensors"]
    )


def test_warming_up_teaches_the_model_to_answer_and_to_stop() -> None:
    reported: list[int] = []
    files = genesis_files(REVERSE, replace(PLAN, steps=30, rows=32, learning_rate=1e-2), report=reported.append)
    assert reported == list(range(1, 31))
    probability = []
    for model in (llama(), load_model(files)):
        prompt, answer = tokenizer().encode_prompt("abc="), tokenizer().encode_answer("cba")
        with torch.no_grad():
            logits = model.network(torch.tensor([[*prompt, *answer]])).logits[0, len(prompt) - 1 : -1]
        probability.append(logits.log_softmax(-1)[range(4), answer].mean().item())
    assert probability[1] > probability[0] + 1.0


def test_the_exam_counts_answers_that_are_exactly_the_experts() -> None:
    class Agreeable:
        """An environment whose right answer is whatever the untrained model says."""

        alphabet, longest_prompt, longest_answer = REVERSE.alphabet, 6, 5
        prompt = staticmethod(REVERSE.prompt)

        def expert(self, seed: bytes) -> str:
            return said if seed[0] % 2 else "something else"

    model = llama()
    weights = model.weights()
    weights["lm_head.weight"] = np.zeros_like(weights["lm_head.weight"])  # all equal: the first token, which is no text
    model.load(weights)
    said = ""
    score = evaluate(model, tokenizer(), Agreeable(), exercises=100, max_new_tokens=3)  # type: ignore[arg-type]
    assert score == pytest.approx(0.5, abs=0.2)
    assert score == evaluate(model, tokenizer(), Agreeable(), exercises=100, max_new_tokens=3)  # type: ignore[arg-type]
