from __future__ import annotations

import json

import pytest
from support.models import REVERSE, config, genesis, tokenizer
from tokenizers import Tokenizer as Native
from tokenizers import models, pre_tokenizers, processors
from transformers import AutoTokenizer

from kizuna.errors import ConfigError
from kizuna.rl.rollouts import prompt_ids
from kizuna.rl.tokenizer import CharTokenizer, JsonTokenizer, Tokenizer, char_vocabulary, read_tokenizer


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
        {"generation_config.json": b"nonsense"},
    ],
)
def test_malformed_tokenizer_files_are_refused_in_one_sentence(change: dict[str, bytes]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_tokenizer(genesis() | change)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_without_a_stop_token_is_refused() -> None:
    with pytest.raises(ConfigError, match="eos_token_id"):
        read_tokenizer(doubling() | {"generation_config.json": b"{}"})
