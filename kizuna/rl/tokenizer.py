"""Text to token ids: one class for character vocabularies, one for any `tokenizer.json`.

Ids, not text, are what is committed, so trainer, generator and verifier must agree on them. The rule
here is exactly one BOS: a template that prints one and a post-processor that adds another give one.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kizuna.errors import ConfigError

PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"
MAX_FILE_BYTES = 64 * 2**20


class Tokenizer(Protocol):
    """`stop_id` ends a completion. `bos_id` is None for models without one."""

    bos_id: int | None
    stop_id: int

    def encode_prompt(self, text: str) -> list[int]:
        """Ids of a prompt, with exactly one BOS where there is one."""
        ...

    def encode_answer(self, text: str) -> list[int]:
        """Ids of an answer, with the stop token and without BOS."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; special tokens and ids outside the vocabulary give nothing."""
        ...


class CharTokenizer:
    """One token per character. Reads the same `tokenizer.json` that Hugging Face reads."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self.bos_id: int | None = vocabulary[BOS]
        self.stop_id = vocabulary[EOS]
        self._ids = {text: i for text, i in vocabulary.items() if len(text) == 1}
        self._text = {i: text for text, i in self._ids.items()}

    def encode_prompt(self, text: str) -> list[int]:
        assert self.bos_id is not None
        return [self.bos_id, *self._characters(text.removeprefix(BOS))]

    def encode_answer(self, text: str) -> list[int]:
        return [*self._characters(text), self.stop_id]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join([self._text.get(int(i), "") for i in ids])

    def _characters(self, text: str) -> list[int]:
        try:
            return [self._ids[c] for c in text]
        except KeyError as error:
            raise ConfigError(f"tokenizer: the character {error.args[0]!r} is not in the vocabulary") from None


class JsonTokenizer:
    """Any `tokenizer.json`, by the `tokenizers` library."""

    def __init__(self, tokenizer: Any, *, bos_id: int | None, stop_id: int) -> None:
        self._tokenizer = tokenizer
        self.bos_id, self.stop_id = bos_id, stop_id

    def encode_prompt(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=True).ids
        return ids if self.bos_id is None else [self.bos_id, *_without_leading(ids, self.bos_id)]

    def encode_answer(self, text: str) -> list[int]:
        return [*self._tokenizer.encode(text, add_special_tokens=False).ids, self.stop_id]

    def decode(self, ids: Sequence[int]) -> str:
        known = [int(i) for i in ids if 0 <= int(i) < self._tokenizer.get_vocab_size()]
        return str(self._tokenizer.decode(known, skip_special_tokens=True))


def read_tokenizer(files: Mapping[str, bytes]) -> Tokenizer:
    """The tokenizer of a Hugging Face model directory. Raises ConfigError in one sentence if there is none."""
    data = files.get("tokenizer.json", b"")
    if not 0 < len(data) <= MAX_FILE_BYTES:
        raise ConfigError("tokenizer: tokenizer.json is missing or too large")
    try:
        model, special = json.loads(data)["model"], json.loads(files["generation_config.json"])
        if model["type"] == "WordLevel" and {PAD, BOS, EOS} <= set(model["vocab"]):
            return CharTokenizer({str(text): operator.index(i) for text, i in model["vocab"].items()})
        return _read_json(data, special["eos_token_id"], special.get("bos_token_id"))
    except Exception as error:
        # The library that reads the file raises bare exceptions.
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ConfigError(f"tokenizer: the tokenizer files are malformed ({reason})") from error


def _read_json(data: bytes, stop: Any, bos: Any) -> JsonTokenizer:
    from tokenizers import Tokenizer as Native

    native = Native.from_str(data.decode())
    native.no_truncation()  # a cut prompt would be another prompt
    native.no_padding()
    stop_id = operator.index(stop[0] if isinstance(stop, list) else stop)
    return JsonTokenizer(native, bos_id=None if bos is None else operator.index(bos), stop_id=stop_id)


def _without_leading(ids: list[int], bos: int) -> list[int]:
    start = 0
    while start < len(ids) and ids[start] == bos:
        start += 1
    return ids[start:]


def char_vocabulary(alphabet: str, size: int) -> dict[str, int]:
    """Special tokens, then characters, then unused places up to `size`."""
    names = [PAD, BOS, EOS, *dict.fromkeys(alphabet)]
    if len(names) > size:
        raise ConfigError(f"tokenizer: {len(names)} tokens do not fit a vocabulary of {size}")
    names += [f"<unused{i}>" for i in range(size - len(names))]
    return {name: i for i, name in enumerate(names)}


def tokenizer_files(vocabulary: Mapping[str, int], *, context: int) -> dict[str, bytes]:
    """The files with which `AutoTokenizer.from_pretrained` gives the same ids as `CharTokenizer`."""
    special = [
        {
            "id": vocabulary[name],
            "content": name,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for name in (PAD, BOS, EOS)
    ]
    begin = {"SpecialToken": {"id": BOS, "type_id": 0}}
    first, second = ({"Sequence": {"id": name, "type_id": i}} for i, name in enumerate("AB"))
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": False},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [begin, first],
            "pair": [begin, first, second],
            "special_tokens": {BOS: {"id": BOS, "ids": [vocabulary[BOS]], "tokens": [BOS]}},
        },
        "decoder": {"type": "Fuse"},
        "model": {"type": "WordLevel", "vocab": dict(vocabulary), "unk_token": "<unk>"},
    }
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PAD,
        "bos_token": BOS,
        "eos_token": EOS,
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
    }
    return {"tokenizer.json": _json(content), "tokenizer_config.json": _json(config)}


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
