from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from support.models import genesis, gpt2, llama, qwen3

from kizuna.errors import ConfigError, ContentMalformed, TaskInvalid
from kizuna.rl.architecture import MAX_CONFIG_BYTES, admit, parse_config
from kizuna.rl.model import build_model, initial_weights, llama_config, load_model, model_files, read_weights

LLAMA = llama_config(vocab=64, hidden=32, layers=2, heads=4, intermediate=48)


def parsed(**changes: Any) -> dict[str, Any]:
    return parse_config(json.dumps(LLAMA | changes).encode())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"hidden_size": 36, "num_attention_heads": 8, "num_key_value_heads": 8, "head_dim": 16}, "not a multiple"),
        ({"num_key_value_heads": 3}, "cannot share 3"),
        ({"head_dim": 7}, "odd"),
        ({"auto_map": {"AutoModel": "evil.Model"}}, "code of its own"),
        ({"quantization_config": {"bits": 4}}, "quantised"),
        ({"final_logit_softcapping": 30.0}, "final_logit_softcapping"),
        ({"final_logit_softcapping": 1.0}, "final_logit_softcapping"),
        ({"logit_scale": 0.5}, "logit_scale"),
        ({"num_hidden_layers": 1}, "at least two layers"),
        ({"hidden_size": 2**40}, "hidden_size"),
        ({"num_hidden_layers": True}, "num_hidden_layers"),
        ({"vocab_size": -1}, "vocab_size"),
        ({"num_attention_heads": None}, "num_attention_heads"),
        ({"model_type": 7}, "model_type"),
    ],
)
def test_what_cannot_run_or_be_checked_is_refused_in_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        parsed(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"[]", b"[" * 10**5, b"{" + b" " * MAX_CONFIG_BYTES + b"}"])
def test_a_configuration_that_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigError):
        parse_config(data)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model_type": "no-such-family"}, "cannot be built"),
        ({"return_dict": False}, "cannot be built"),
        ({"model_type": "gemma2", "head_dim": 8}, "gemma2 is not supported: its logits"),  # capped by default
        ({"model_type": "cohere"}, "cohere is not supported: its logits"),  # scaled by default
        ({"model_type": "mamba"}, "mamba is not supported: decoding"),
    ],
)
def test_a_family_that_cannot_be_sampled_and_checked_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        build_model(parsed(**changes))
    assert "\n" not in str(caught.value)


def test_heads_wider_than_hidden_over_heads_are_kept_as_they_are() -> None:
    shapes = qwen3().shapes()
    assert shapes["model.layers.0.self_attn.q_proj.weight"] == (4 * 24, 40)
    assert shapes["model.layers.0.self_attn.k_proj.weight"] == (2 * 24, 40)
    config = json.dumps(qwen3().config).encode()
    assert parse_config(config)["head_dim"] == 24


@pytest.mark.parametrize("make", [llama, gpt2, qwen3])
def test_a_model_directory_loads_back_to_the_same_weights(make) -> None:
    model = make()
    files = model_files(model.config, model.weights(), {})
    again = load_model(files)
    assert again.shapes() == model.shapes()
    assert all((value == model.weights()[name]).all() for name, value in again.weights().items())
    assert model_files(model.config, read_weights(files), {}) == files


def test_weights_that_do_not_fit_are_refused() -> None:
    model, weights = llama(), llama().weights()
    name = sorted(weights)[0]
    for wrong in (
        {n: w for n, w in weights.items() if n != name},
        weights | {"extra": weights[name]},
        weights | {name: weights[name].astype(np.float64)},
        weights | {name: weights[name][:-1]},
    ):
        with pytest.raises(ContentMalformed):
            model.load(wrong)
    with pytest.raises(ContentMalformed, match="missing"):
        load_model({"config.json": genesis()["config.json"]})


def test_initial_weights_depend_on_the_seed_and_on_nothing_else() -> None:
    shapes = llama().shapes()
    first, second = initial_weights(shapes, seed=1), initial_weights(dict(reversed(shapes.items())), seed=1)
    assert all((first[name] == second[name]).all() for name in shapes)
    assert (initial_weights(shapes, seed=2)["lm_head.weight"] != first["lm_head.weight"]).any()


def test_building_a_model_does_not_move_the_global_generator() -> None:
    import torch

    before = torch.random.get_rng_state()
    build_model(LLAMA)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_completion_that_just_fits_the_context_is_admitted() -> None:
    admit(10, 6, 16)
    with pytest.raises(TaskInvalid, match="16"):
        admit(11, 6, 16)
