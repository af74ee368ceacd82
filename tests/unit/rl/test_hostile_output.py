"""What a model writes is an enemy's text: it goes through tokenizer, reward, receipts and files and is never run.

Rewards of others evaluated or executed it (google/tunix#1196, mudler/LocalAI#11068) or hung on it (open-r1#420).
"""

from __future__ import annotations

import json
import os
import pickle
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.models import REVERSE, config
from tokenizers import Tokenizer as Native
from tokenizers import decoders, models, pre_tokenizers

from kizuna.diloco.inner import step_rows
from kizuna.errors import ContentMalformed
from kizuna.rl.checks import check_group
from kizuna.rl.model import CausalModel, build_model, initial_weights, llama_config
from kizuna.rl.rollouts import (
    Group,
    Rollout,
    decode_rollouts,
    encode_rollouts,
    generate,
    prompt_ids,
    receipts_of,
    true_reward,
)
from kizuna.rl.tokenizer import Tokenizer, read_tokenizer
from kizuna.types import Finish, Reason

RULES = config(max_new_tokens=256)
STOP, VOCAB = 257, 260


@cache
def by_bytes() -> Tokenizer:
    """A tokenizer that can write any text at all: one token a byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    native = Native(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    native.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    native.decoder = decoders.ByteLevel()
    native.add_special_tokens(["<s>", "</s>"])
    special = json.dumps({"bos_token_id": 256, "eos_token_id": STOP}).encode()
    return read_tokenizer({"tokenizer.json": native.to_str().encode(), "generation_config.json": special})


def model() -> CausalModel:
    sizes = {"hidden": 32, "layers": 2, "heads": 4, "intermediate": 48, "context": 320}
    made = build_model(llama_config(vocab=VOCAB, **sizes))
    made.load(initial_weights(made.shapes(), seed=3, spread=0.1))
    return made


class Bomb:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch {marker}",)


HOSTILE = {
    "power": "9**9**9**9",
    "import": "__import__('pathlib').Path('{marker}').touch()",
    "dunder": "().__class__.__bases__[0].__subclasses__()",
    "shell": "$(touch {marker}); `touch {marker}` | touch {marker}",
    "template": "{{ ''.__class__.__mro__[1].__subclasses__() }}{% for x in range(10**9) %}x{% endfor %}",
    "format": "{0.__class__}%s%n%999999999d",
    "pickle": pickle.dumps(Bomb(), protocol=0).decode(),
    "yaml": "!!python/object/apply:os.system ['touch {marker}']",
    "markup": "<script>alert(1)</script>[red]x[/red]\\u202e",
    "control": "\x00\x1b[2J\x1b]0;owned\x07\r\n\x08\x7f\u2028\u202e",
    "special tokens": "<s></s><pad></s>",
    "brackets": "[" * 250,
    "not utf-8": b"\xff\xfe\xc0\x80\xed\xa0\x80".decode("latin-1"),
}


def ids_of(text: str) -> np.ndarray:
    """The answer's ids, as a model would sample them: cut at the limit, special tokens written out letter by letter."""
    letters = [i for c in text for i in by_bytes().encode_answer(c)[:-1]]
    return np.array([*letters[: RULES.max_new_tokens - 1], STOP], dtype=np.int32)


def answered(text: str, *, reward: int | None = None) -> Group:
    """A group whose first completion is that text, and whose others are right, half right and empty-handed."""
    how: dict[str, Any] = {"tokenizer": by_bytes(), "environment": REVERSE}
    expert = REVERSE.expert(RULES.prompt_seed(0))
    rollouts = []
    for answer in (text, expert, expert[:2], "?"):
        tokens = ids_of(answer)
        value = true_reward(RULES, 0, tokens, **how)
        rollouts.append(Rollout(tokens, np.full(len(tokens), -5.5, dtype=np.float32), Finish.STOP, value))
    chunks = -(-sum(len(rollout.tokens) for rollout in rollouts) // 32)
    return Group(0, tuple(rollouts), ((65497).to_bytes(2, "big") + bytes(256)) * chunks)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_worth_nothing_to_trainer_and_verifier_and_spoils_no_other_answer(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = HOSTILE[name].replace("{marker}", str(tmp_path / "marker"))
    how: dict[str, Any] = {"tokenizer": by_bytes(), "environment": REVERSE}
    started = time.process_time()
    group = answered(text)
    assert time.process_time() - started < 1.0
    receipts = receipts_of(group, prompt_ids(RULES, 0, **how), RULES)
    (again,) = decode_rollouts(encode_rollouts([group]), receipts, RULES, vocab=VOCAB)
    assert [rollout.tokens.tolist() for rollout in again.rollouts] == [r.tokens.tolist() for r in group.rollouts]

    found = {finding.reason for finding in check_group(model(), again, receipts, RULES, **how)}
    assert Reason.WRONG_REWARD not in found and Reason.WRONG_HASH not in found  # one verdict on both sides
    assert Reason.TOKEN_NOT_SAMPLED in found
    praised = replace(again, rollouts=(replace(again.rollouts[0], reward=10**6), *again.rollouts[1:]))
    lying = receipts_of(praised, prompt_ids(RULES, 0, **how), RULES)
    assert Reason.WRONG_REWARD in {finding.reason for finding in check_group(model(), praised, lying, RULES, **how)}

    rewards = [rollout.reward for rollout in group.rollouts]
    assert rewards[1] == 10**6 and rewards[0] < 10**6 // 2
    harmless = step_rows([answered("?" * len(by_bytes().decode(group.rollouts[0].tokens.tolist())))], RULES, **how)
    rows = step_rows([again], RULES, **how)
    if rewards[0] == 0:
        assert [row.advantage for row in rows] == [row.advantage for row in harmless]
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_writes_bytes_at_random_is_sampled_scored_and_verified_like_any_other() -> None:
    rules = config(max_new_tokens=24)
    how: dict[str, Any] = {"tokenizer": by_bytes(), "environment": REVERSE}
    written, writer = "", model()
    for group in generate(writer, rules, 0, **how):
        receipts = receipts_of(group, prompt_ids(rules, group.index, **how), rules)
        assert check_group(writer, group, receipts, rules, **how) == ()
        written += "".join(by_bytes().decode(rollout.tokens.tolist()) for rollout in group.rollouts)
    assert not written.isprintable() and "\ufffd" in written  # control characters, and bytes that are no text


def test_an_answer_of_ten_megabytes_is_refused_before_it_is_read() -> None:
    group = answered("?")
    receipts = receipts_of(group, prompt_ids(RULES, 0, tokenizer=by_bytes(), environment=REVERSE), RULES)
    giant = [replace(receipts[0], token_count=10_000_000), *receipts[1:]]
    with pytest.raises(ContentMalformed, match="within the limit"):
        decode_rollouts(encode_rollouts([group]), giant, RULES, vocab=VOCAB)


def test_ids_outside_the_vocabulary_are_refused_and_decode_to_nothing() -> None:
    group = answered("?")
    receipts = receipts_of(group, prompt_ids(RULES, 0, tokenizer=by_bytes(), environment=REVERSE), RULES)
    with pytest.raises(ContentMalformed, match="outside the vocabulary"):
        decode_rollouts(encode_rollouts([group]), receipts, RULES, vocab=STOP)
    assert by_bytes().decode([2**31 - 1, -1, VOCAB]) == ""
