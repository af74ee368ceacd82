"""Tiny models of several families, and a round so small that every step of it can be taken apart."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from kizuna.hashing import keccak
from kizuna.rl.config import RoundConfig
from kizuna.rl.environment import ENVIRONMENTS
from kizuna.rl.genesis import GenesisPlan, genesis_files
from kizuna.rl.model import CausalModel, build_model, initial_weights, load_model
from kizuna.rl.prefill import prefill_group
from kizuna.rl.sampling import I32, GroupRequest, Sampling, sample_groups
from kizuna.rl.tokenizer import Tokenizer, read_tokenizer
from kizuna.store import unixfs
from kizuna.types import Digest

REVERSE = ENVIRONMENTS["reverse"]
STOP = 2
KEY = (7, 11)
PLAN = GenesisPlan(steps=0, hidden=32, layers=2, heads=4, intermediate=48, context=80, vocab=64)
SHAPE = {"vocab_size": 64, "bos_token_id": 1, "eos_token_id": STOP, "pad_token_id": 0}


@cache
def genesis() -> dict[str, bytes]:
    """A Llama of hidden 32, 2 layers, 4 heads and 64 tokens that has learned nothing."""
    return genesis_files(REVERSE, PLAN)


@cache
def tokenizer() -> Tokenizer:
    return read_tokenizer(genesis())


def llama() -> CausalModel:
    """The genesis, loaded anew: a test may change its weights."""
    return load_model(genesis())


def gpt2(*, positions: int = 16, spread: float = 0.3) -> CausalModel:
    """A model with learned positions and tied embeddings."""
    return spread_out({"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": positions}, spread)


def qwen3() -> CausalModel:
    """A model whose heads are wider than hidden / heads, with shared keys and fewer activations than a proof's 128."""
    sizes = {"hidden_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    return spread_out({"model_type": "qwen3", **sizes, "head_dim": 24, "intermediate_size": 48}, 0.1)


def spread_out(config: dict[str, Any], spread: float) -> CausalModel:
    """A model whose weights are large enough for its distributions to be far from uniform."""
    model = build_model({"max_position_embeddings": 64, **config, **SHAPE})
    model.load(initial_weights(model.shapes(), seed=3, spread=spread))
    return model


def config(**changes: Any) -> RoundConfig:
    """Two segments of two steps, each of two groups of four completions."""
    usual: dict[str, Any] = {
        "task": 1,
        "round": 1,
        "slot": 0,
        "base": keccak(b"base"),
        "seed": keccak(b"seed"),
        "prompts_per_step": 2,
        "completions": 4,
        "steps": 4,
        "segment_steps": 2,
        "max_new_tokens": 6,
        "learning_rate": 1e-2,
    }
    return RoundConfig(**(usual | changes))


def sampling(*, temperature: float = 1.0, max_new_tokens: int = 6, stop_id: int = STOP) -> Sampling:
    return Sampling(key=KEY, temperature=temperature, max_new_tokens=max_new_tokens, stop_id=stop_id)


def sample(model: CausalModel, prompt: tuple[int, ...], *, count: int = 4, **settings: Any) -> list[Any]:
    """Completions of one prompt, numbered from 0."""
    return sample_groups(model, [GroupRequest(prompt, 0, count)], sampling=sampling(**settings))[0]


def alone(model: CausalModel, prompt: tuple[int, ...], completion: I32, *, rollout: int = 0, temperature: float = 1.0):
    """The prefill of a single completion, with nothing beside it."""
    return prefill_group(model, prompt, [completion], first_rollout=rollout, key=KEY, temperature=temperature)


def ints(*values: int) -> I32:
    return np.array(values, dtype=np.int32)


def file_digest(data: bytes) -> Digest:
    return Digest(unixfs.cid_of_bytes(data).digest)
