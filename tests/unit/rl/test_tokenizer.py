from __future__ import annotations

import json
from typing import Any

import pytest
from support.models import REVERSE, config, genesis, llama, tokenizer
from tokenizers import Tokenizer as Native
from tokenizers import models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from kizuna.diloco.inner import step_rows
from kizuna.errors import ConfigError
from kizuna.rl.checks import check_group
from kizuna.rl.model import CausalModel
from kizuna.rl.objectives import micro_batches
from kizuna.rl.rollouts import check_prompts, generate, prompt_ids, receipts_of
from kizuna.rl.tokenizer import CharTokenizer, JsonTokenizer, Tokenizer, char_vocabulary, read_tokenizer
from kizuna.toploc.receipts import tokens_hash


def doubling() -> dict[str, bytes]:
    """A tokenizer whose post-processor adds a BOS, for prompts whose template also prints one."""
    vocabulary = {"<s>": 0, "</s>": 1, "ab": 2, "c": 3, "=": 4, "<unk>": 5}
    native = Native(models.WordPiece(vocab=vocabulary, unk_token="<unk>", continuing_subword_prefix=""))
    native.pre_tokenizer = pre_tokenizers.Split("=", "isolated")
    native.add_special_tokens(["<s>", "</s>"])
    native.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    special = {"bos_token_id": 0, "eos_token_id": 1}
    return {"tokenizer.json": native.to_str().encode(), "generation_config.json": json.dumps(special).encode()}


@pytest.mark.parametrize(("text", "expected"), [("abc=", [0, 2, 3, 4]), ("<s>abc=", [0, 2, 3, 4])])
def test_a_prompt_has_exactly_one_bos_whoever_prints_it(text: str, expected: list[int]) -> None:
    files = doubling()
    assert Native.from_str(files["tokenizer.json"].decode()).encode("<s>abc=").ids == [0, 0, 2, 3, 4]
    reader = read_tokenizer(files)
    assert isinstance(reader, JsonTokenizer) and reader.bos_id == 0
    assert reader.encode_prompt(text) == expected


class Templated:
    """An environment whose prompts went through a chat template that prints a BOS of its own."""

    alphabet, longest_prompt, longest_answer = REVERSE.alphabet, REVERSE.longest_prompt, REVERSE.longest_answer
    template = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"

    def __init__(self, native: Native) -> None:
        self._hugging_face = PreTrainedTokenizerFast(tokenizer_object=native, bos_token="<s>", eos_token="</s>")

    def prompt(self, seed: bytes) -> str:
        message = {"role": "user", "content": REVERSE.prompt(seed)}
        return str(self._hugging_face.apply_chat_template([message], chat_template=self.template, tokenize=False))

    expert, reward = staticmethod(REVERSE.expert), staticmethod(REVERSE.reward)


def by_letters() -> Native:
    """A tokenizer of one token a letter, whose post-processor adds a BOS."""
    names = ["<unk>", "<s>", "</s>", *REVERSE.alphabet]
    native = Native(models.WordLevel(vocab={name: i for i, name in enumerate(names)}, unk_token="<unk>"))
    native.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    native.add_special_tokens(["<s>", "</s>"])
    native.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return native


def first_rows(model: CausalModel) -> list[list[int]]:
    """The ids in the first row of every forward pass from now on, without the padding on their left."""
    rows: list[list[int]] = []

    def note(network: object, args: object, given: dict[str, Any]) -> None:
        row, mask = given["input_ids"][0], given["attention_mask"]
        rows.append((row if mask is None else row[mask[0, -len(row) :] == 1]).tolist())

    model.network.base_model.register_forward_pre_hook(note, with_kwargs=True)
    return rows


def test_generator_trainer_and_verifier_read_one_bos_and_the_same_ids_and_ids_are_what_is_committed() -> None:
    """The template prints a BOS and the tokenizer adds another (OpenRLHF/OpenRLHF#393, huggingface/open-r1#462)."""
    native, rules, model = by_letters(), config(), llama()
    special = json.dumps({"bos_token_id": 1, "eos_token_id": 2}).encode()
    reader = read_tokenizer({"tokenizer.json": native.to_str().encode(), "generation_config.json": special})
    how: dict[str, Any] = {"tokenizer": reader, "environment": Templated(native)}
    letters = [native.token_to_id(c) for c in REVERSE.prompt(rules.prompt_seed(0))]
    prompt = [1, *letters]
    assert native.encode(how["environment"].prompt(rules.prompt_seed(0))).ids == [1, *prompt]  # what text would give

    rows = first_rows(model)
    groups = generate(model, rules, 0, **how)
    assert rows[0] == prompt

    (batch,) = micro_batches(step_rows(groups[:2], rules, **how), 1)
    assert batch.ids[0, : len(prompt)].tolist() == prompt and 1 not in batch.ids[0, len(prompt) :]

    rows.clear()
    receipts = receipts_of(groups[0], prompt_ids(rules, 0, **how), rules)
    assert check_group(model, groups[0], receipts, rules, **how) == ()
    (checked,) = rows
    assert checked[: len(prompt)] == prompt
    assert {receipt.prompt_hash for receipt in receipts} == {tokens_hash(prompt)}


def test_a_character_prompt_has_exactly_one_bos() -> None:
    one = tokenizer().encode_prompt("abc=")
    assert tokenizer().encode_prompt("<bos>abc=") == one and one.count(1) == 1 and one[0] == 1


def test_trainer_and_verifier_derive_the_same_prompt_ids_from_files_alone() -> None:
    theirs = read_tokenizer(dict(genesis()))
    for group in range(4):
        mine = prompt_ids(config(), group, tokenizer=tokenizer(), environment=REVERSE)
        assert mine == prompt_ids(config(), group, tokenizer=theirs, environment=REVERSE)
        assert mine != prompt_ids(config(slot=1), group, tokenizer=theirs, environment=REVERSE)


def test_the_character_tokenizer_agrees_with_what_hugging_face_reads(tmp_path) -> None:
    for name, data in genesis().items():
        (tmp_path / name).write_bytes(data)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for text in ("abc=", "z", "hello="):
        assert theirs(text).input_ids == tokenizer().encode_prompt(text)
        assert theirs.decode(theirs(text).input_ids, skip_special_tokens=True) == text
    assert isinstance(tokenizer(), CharTokenizer) and theirs.eos_token_id == tokenizer().stop_id


@pytest.mark.parametrize("reader", [tokenizer(), read_tokenizer(doubling())], ids=["characters", "json"])
def test_an_answer_ends_with_the_stop_token_and_has_no_bos(reader: Tokenizer) -> None:
    ids = reader.encode_answer("c")
    assert ids[-1] == reader.stop_id and reader.bos_id not in ids
    assert reader.decode(ids) == "c"


@pytest.mark.parametrize("reader", [tokenizer(), read_tokenizer(doubling())], ids=["characters", "json"])
def test_ids_outside_the_vocabulary_decode_to_nothing(reader: Tokenizer) -> None:
    assert reader.decode([10**6, -1, *reader.encode_answer("c")]) == "c"


def test_a_character_outside_the_vocabulary_is_refused() -> None:
    with pytest.raises(ConfigError, match="'é'"):
        tokenizer().encode_prompt("é")


def test_a_vocabulary_too_small_for_the_alphabet_is_refused() -> None:
    with pytest.raises(ConfigError, match="do not fit"):
        char_vocabulary("abc", 5)
    assert len(char_vocabulary("aabbc", 8)) == 8


@pytest.mark.parametrize(
    "change",
    [
        {"tokenizer.json": b""},
        {"tokenizer.json": b"[" * 10**6},
        {"tokenizer.json": b"{}"},
        {"tokenizer.json": "{}".encode("utf-16")},
        {"tokenizer.json": b'{"model": {"type": "WordLevel", "vocab": [["a", 1]]}}'},
        {"tokenizer.json": b'{"model": {"type": "WordLevel", "vocab": {"<pad>": 0, "<bos>": "x", "<eos>": 2}}}'},
        {"tokenizer.json": b'{"model": {"type": "BPE", "vocab": {}}}'},
        {"tokenizer.json": b'{"model": "text"}'},
        {"generation_config.json": b"nonsense"},
        {"tokenizer.json": doubling()["tokenizer.json"], "generation_config.json": b"[]"},
        {"tokenizer.json": doubling()["tokenizer.json"], "generation_config.json": b'{"eos_token_id": []}'},
        {"tokenizer.json": doubling()["tokenizer.json"], "generation_config.json": b'{"eos_token_id": "</s>"}'},
    ],
)
def test_malformed_tokenizer_files_are_refused_in_one_sentence(change: dict[str, bytes]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_tokenizer(genesis() | change)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_without_a_stop_token_is_refused() -> None:
    with pytest.raises(ConfigError, match="eos_token_id"):
        read_tokenizer(doubling() | {"generation_config.json": b"{}"})


def test_a_tokenizer_file_that_asks_for_cutting_or_padding_gets_neither() -> None:
    native = Native.from_str(doubling()["tokenizer.json"].decode())
    native.enable_truncation(2)
    native.enable_padding(length=9)
    reader = read_tokenizer(doubling() | {"tokenizer.json": native.to_str().encode()})
    assert reader.encode_prompt("abc=abc=") == [0, 2, 3, 4, 2, 3, 4]


def test_prompts_that_a_model_cannot_read_or_has_no_room_to_answer_are_refused() -> None:
    model, reader = llama(), tokenizer()
    check_prompts(model, REVERSE, reader, model.context - REVERSE.longest_prompt - 1)
    with pytest.raises(ConfigError, match=f"context of {model.context}"):
        check_prompts(model, REVERSE, reader, model.context - REVERSE.longest_prompt)
    beyond = CharTokenizer({"<pad>": 0, "<bos>": 1, "<eos>": 2} | {c: 60 + i for i, c in enumerate(REVERSE.alphabet)})
    with pytest.raises(ConfigError, match="vocabulary of 64"):
        check_prompts(model, REVERSE, beyond, 4)
