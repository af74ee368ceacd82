"""Any Hugging Face causal language model as fp32 weights, hidden states and logits.

Weights travel as `{parameter name: fp32 array}`; tied parameters appear once, under the name of the
first. The model stays in eval mode: dropout would draw from a generator that nobody can replay.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from kizuna import tensors
from kizuna.errors import ConfigError, ContentMalformed
from kizuna.rl.architecture import parse_config

F32 = npt.NDArray[np.float32]
Weights = Mapping[str, F32]

WEIGHTS_FILE = "model.safetensors"
MAX_WEIGHT_BYTES = 64 * 2**30


def pick_device() -> torch.device:
    """The first CUDA device if there is one, else the CPU."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


class CausalModel:
    """A Hugging Face causal model, evaluated the same way by trainers and verifiers."""

    def __init__(self, network: Any, config: Mapping[str, Any], device: torch.device | None = None) -> None:
        self.device = device or pick_device()
        self.config = dict(config)
        self.network = network.to(self.device).eval()
        self.parameters: dict[str, nn.Parameter] = dict(network.named_parameters())
        self._head = self.network.get_output_embeddings()
        details = self.network.config
        self.context = int(details.max_position_embeddings)
        self.layers = int(details.num_hidden_layers)
        self.hidden_size = int(details.hidden_size)
        self.vocab_size = int(self._head.weight.shape[0])

    def weights(self) -> dict[str, F32]:
        """A copy of all parameters, by name."""
        return {name: p.detach().cpu().numpy().copy() for name, p in self.parameters.items()}

    def load(self, weights: Weights) -> None:
        """Overwrite all parameters. Raises ContentMalformed unless names, shapes and dtype are exactly the model's."""
        check_weights(weights, self.shapes())
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(torch.from_numpy(weights[name]))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(p.shape) for name, p in self.parameters.items()}

    def hidden(
        self,
        ids: Tensor,
        *,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
        cache: Any = None,
        layer: int | None = None,
    ) -> Tensor:
        """Hidden states (N, L, d) of token ids (N, L): the last ones, after the final norm, or those leaving `layer`.

        `layer` counts blocks from 1. `mask` (N, past + L) marks real tokens and `positions` (N, L) must be
        given with left padding, or models with learned positions score shifted rows.
        """
        output = self.network.base_model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
            output_hidden_states=layer is not None,
        )
        if layer is None:
            return cast(Tensor, output.last_hidden_state)
        return cast(Tensor, output.hidden_states[layer])

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits (..., vocab) of last hidden states (..., d), in fp32."""
        return cast(Tensor, self._head(hidden)).float()

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Eval mode and no gradients inside; whatever mode there was is restored."""
        training = self.network.training
        self.network.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.network.train(training)


def check_weights(weights: Weights, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises ContentMalformed unless `weights` are fp32 arrays of exactly these names and shapes."""
    if set(weights) != set(shapes):
        wrong = sorted(set(weights) ^ set(shapes))
        raise ContentMalformed(f"weights: {len(wrong)} tensors are missing or unknown, such as {wrong[0][:80]!r}")
    for name, shape in shapes.items():
        if weights[name].dtype != np.float32 or weights[name].shape != shape:
            raise ContentMalformed(f"weights: {name} is not fp32 of shape {shape}")


def build_model(config: Mapping[str, Any], device: torch.device | None = None) -> CausalModel:
    """A model of this architecture with arbitrary weights. Raises ConfigError in one sentence."""
    import transformers

    fields = {name: value for name, value in config.items() if name not in ("model_type", "dtype", "torch_dtype")}
    try:
        details = transformers.AutoConfig.for_model(config["model_type"], **fields)
        # Weights are loaded afterwards; the forked generator keeps this from moving the caller's.
        with torch.random.fork_rng(devices=[]):
            network = transformers.AutoModelForCausalLM.from_config(
                details, attn_implementation="eager", dtype=torch.float32
            )
        model = CausalModel(network, config, device)
        unsupported = _unsupported(model)
    except Exception as error:
        # Not every family validates its configuration, so the failure can have any type.
        sentence = " ".join(str(error).split())[-200:]
        raise ConfigError(f"model: the configuration cannot be built: {sentence}") from error
    if unsupported:
        raise ConfigError(f"model: {config['model_type']} is not supported: {unsupported}")
    unknown = {name for name, _ in network.named_buffers()} & set(network.state_dict())
    if unknown:
        raise ConfigError(f"model: it keeps state outside its parameters ({sorted(unknown)[0]})")
    return model


def _unsupported(model: CausalModel) -> str:
    """What sampling and its checks cannot deal with in a model, tried on a few tokens; empty if there is nothing."""
    from transformers import DynamicCache

    # Several tokens, as the embedding of a padding token is zero, and no scale changes that.
    ids = torch.arange(min(8, model.vocab_size), device=model.device)[:, None].repeat(1, 2)
    mask, cache = torch.ones_like(ids), DynamicCache()
    with model.evaluating():
        whole = model.hidden(ids)
        for i in (0, 1):
            positions = torch.full_like(ids[:, :1], i)
            last = model.hidden(ids[:, i : i + 1], mask=mask[:, : i + 1], positions=positions, cache=cache)[:, -1]
        if not torch.allclose(last, whole[:, -1], atol=1e-3, rtol=1e-3):
            return "decoding with a cache gives other states than reading the whole"
        if not torch.equal(model.network(input_ids=ids, attention_mask=mask).logits.float(), model.logits(whole)):
            return "its logits are not those of its output layer alone"
    return ""


def load_model(files: Mapping[str, bytes], device: torch.device | None = None) -> CausalModel:
    """A model from the files of a Hugging Face model directory.

    Strict: every tensor is used, every parameter is filled. Raises ConfigError for an architecture that
    is refused, ContentMalformed for weights that do not fit it.
    """
    if "config.json" not in files or WEIGHTS_FILE not in files:
        raise ContentMalformed(f"model: config.json or {WEIGHTS_FILE} is missing")
    model = build_model(parse_config(files["config.json"]), device)
    model.load(read_weights(files))
    return model


def read_weights(files: Mapping[str, bytes]) -> dict[str, F32]:
    """The tensors of `model.safetensors`. Raises ContentMalformed."""
    return tensors.load(files[WEIGHTS_FILE], max_bytes=MAX_WEIGHT_BYTES)


def model_files(config: Mapping[str, Any], weights: Weights, tokenizer: Mapping[str, bytes]) -> dict[str, bytes]:
    """A Hugging Face model directory: configuration, generation configuration, weights and tokenizer files."""
    generation = {name: config[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id") if name in config}
    return {
        "config.json": _json(config),
        "generation_config.json": _json(generation),
        WEIGHTS_FILE: tensors.dump(weights, metadata={"format": "pt"}),
        **tokenizer,
    }


def initial_weights(shapes: Mapping[str, tuple[int, ...]], *, seed: int, spread: float = 0.02) -> dict[str, F32]:
    """Deterministic initial weights without torch's generator, whose stream differs between kernels.

    Matrices are normal with standard deviation `spread`, biases zero, norms one. Each tensor has its own
    Philox stream, so an architecture with one more layer keeps all others.
    """
    weights: dict[str, F32] = {}
    for i, (name, shape) in enumerate(sorted(shapes.items())):
        if len(shape) == 1:
            weights[name] = np.full(shape, 0.0 if name.endswith("bias") else 1.0, dtype=np.float32)
            continue
        generator = np.random.Generator(np.random.Philox(key=[seed, i]))
        weights[name] = (generator.standard_normal(shape) * spread).astype(np.float32)
    return weights


def llama_config(
    *, vocab: int, hidden: int = 128, layers: int = 4, heads: int = 4, intermediate: int = 336, context: int = 64
) -> dict[str, Any]:
    """The configuration of a tiny Llama; with the defaults it has 0.79 M parameters."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocab,
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "max_position_embeddings": context,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
        "tie_word_embeddings": False,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "hidden_act": "silu",
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "dtype": "float32",
    }


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
