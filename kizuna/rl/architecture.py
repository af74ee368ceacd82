"""Which `config.json` files are accepted, decided before a byte of weights is fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kizuna.errors import ConfigError, TaskInvalid

MAX_CONFIG_BYTES = 2**20
_LIMITS = {
    "hidden_size": 2**16,
    "num_hidden_layers": 2**10,
    "num_attention_heads": 2**10,
    "num_key_value_heads": 2**10,
    "head_dim": 2**12,
    "intermediate_size": 2**18,
    "vocab_size": 2**20,
    "max_position_embeddings": 2**24,
}
# Such models scale or cap what their output layer gives, which chunked log-probabilities would miss. Families that
# do so by default say nothing here; `build_model` finds those out.
_SCALED_LOGITS = {"final_logit_softcapping": (None,), "logits_scaling": (None, 1), "logit_scale": (None, 1),
                  "lm_head_multiplier": (None, 1)}  # fmt: skip
_GPT2_NAMES = {"n_embd": "hidden_size", "n_layer": "num_hidden_layers", "n_head": "num_attention_heads",
               "n_positions": "max_position_embeddings"}  # fmt: skip


def parse_config(data: bytes) -> dict[str, Any]:
    """The checked content of a `config.json`. Raises ConfigError, which says in one sentence what is wrong."""
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigError("model: config.json is larger than 1 MiB")
    try:
        config = json.loads(data)
    except (ValueError, RecursionError):
        raise ConfigError("model: config.json is not JSON") from None
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise ConfigError("model: config.json names no model_type")
    check_config(config)
    return config


def check_config(config: Mapping[str, Any]) -> None:
    """Refuse what cannot run, what runs code of its own, and what the checks do not cover. Raises ConfigError."""
    if "auto_map" in config:
        raise ConfigError("model: config.json asks for code of its own (auto_map), which is never run")
    if config.get("quantization_config"):
        raise ConfigError("model: quantised weights cannot be trained here")
    for field, harmless in _SCALED_LOGITS.items():
        if config.get(field) not in harmless:
            raise ConfigError(f"model: {field} is not supported")
    sizes = {_GPT2_NAMES.get(name, name): value for name, value in config.items()}
    for field, limit in _LIMITS.items():
        value = sizes.get(field)
        if value is not None and (type(value) is not int or not 1 <= value <= limit):
            raise ConfigError(f"model: {field} must be an integer from 1 to {limit}")
    if sizes.get("num_hidden_layers") == 1:
        raise ConfigError("model: at least two layers are needed: what verifiers show comes from inside")
    _check_heads(str(config["model_type"]), sizes)


def _check_heads(model_type: str, sizes: Mapping[str, Any]) -> None:
    hidden, heads = sizes.get("hidden_size"), sizes.get("num_attention_heads")
    shared, width = sizes.get("num_key_value_heads"), sizes.get("head_dim")
    if hidden is None or heads is None:
        raise ConfigError("model: config.json gives no hidden_size or no num_attention_heads")
    # Some families (Qwen3) do choose head_dim freely; Llama's validator wants a divisible hidden size all the same.
    if hidden % heads and (width is None or model_type == "llama"):
        raise ConfigError(f"model: hidden_size {hidden} is not a multiple of the {heads} attention heads")
    if shared is not None and heads % shared:
        raise ConfigError(f"model: {heads} attention heads cannot share {shared} key-value heads")
    if width is not None and width % 2:
        raise ConfigError(f"model: head_dim {width} is odd, so it cannot be rotated")


def admit(prompt_tokens: int, max_new_tokens: int, context: int) -> None:
    """Refuse a prompt whose completion could pass the context limit. Raises TaskInvalid.

    Nothing is ever truncated: a cut prompt is another prompt, and some models carry on silently past their limit.
    """
    if prompt_tokens < 1:
        raise TaskInvalid("prompt", "is empty")
    if prompt_tokens + max_new_tokens > context:
        raise TaskInvalid(
            "max_new_tokens",
            f"a prompt of {prompt_tokens} and {max_new_tokens} new tokens exceed the model's context of {context}",
        )
