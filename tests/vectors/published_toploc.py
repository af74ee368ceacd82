"""Writes toploc_published.json: proofs and distances as the package `toploc` 0.1.6 computes them.

Its wheels are built against an older torch, so it has to be built where this is run:
`pip install --no-build-isolation --no-binary toploc toploc==0.1.6`. The tests only read the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

OUTPUT = Path(__file__).with_name("toploc_published.json")
ROWS, TOP_K = 32, 128
SHAPES = [(32, 4), (32, 5), (32, 40), (32, 128), (32, 576), (32, 2046), (32, 2047), (32, 4096), (64, 128), (96, 2304)]
SHAPES += [(31, 128), (33, 128), (47, 64), (4, 32), (1, 128), (65, 200), (40, 2600)]
DISTANCE_SHAPES = [(32, 40), (64, 128), (96, 2304)]
NOISE = [0, 1, 3, 40]

Floats = np.ndarray[Any, np.dtype[np.float32]]


def raw(count: int, *, seed: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Random words; the stream of a bit generator is the same in every numpy."""
    return np.random.PCG64(seed).random_raw(count)


def fp32_activations(rows: int, hidden: int, seed: int) -> Floats:
    """24-bit integers times one of eight scales."""
    words = raw(rows * hidden, seed=seed).astype(np.int64)
    mantissas = ((words >> 8) & 0xFFFFFF) - (1 << 23)
    return np.ldexp(mantissas.astype(np.float32), -20 - (words & 7).astype(np.int32)).reshape(rows, hidden)


def bf16_activations(rows: int, hidden: int, seed: int) -> Floats:
    """bf16 values of which the largest of a chunk all differ, so that its top-k has only one answer."""
    chunks: list[Any] = []
    for at in range(0, rows, ROWS):
        size = min(ROWS, rows - at) * hidden
        places = np.argsort(raw(size, seed=1000 * seed + at), kind="stable")
        magnitudes = np.argsort(raw(0x700, seed=1000 * seed + at + 1), kind="stable")[:size] + 0x3C00
        bits = np.full(size, 0x2000, dtype=np.uint32)
        bits[places[: magnitudes.size]] = magnitudes
        bits |= ((places & 1) << 15).astype(np.uint32)
        chunks.append(bits)
    return (np.concatenate(chunks) << np.uint32(16)).view(np.float32).reshape(rows, hidden)


def noisy_bf16(values: Floats, seed: int, noise: int) -> Floats:
    """Every magnitude moved by up to `noise` steps of bf16."""
    bits = values.reshape(-1).view(np.uint32) >> np.uint32(16)
    steps = (raw(bits.size, seed=seed) % np.uint64(2 * noise + 1)).astype(np.int64) - noise
    moved = (bits.astype(np.int64) + steps).astype(np.uint32)
    return (moved << np.uint32(16)).view(np.float32).reshape(values.shape)


def untied(values: Floats) -> bool:
    """Whether the 128th and 129th magnitude of every chunk differ."""
    flat = np.sort(np.abs(values.reshape(-1, ROWS * values.shape[1])), axis=1)
    return bool((flat[:, -TOP_K] != flat[:, -TOP_K - 1]).all())


def proof_cases() -> Iterator[dict[str, Any]]:
    import toploc
    import torch

    for seed, (rows, hidden) in enumerate(SHAPES):
        whole = rows if rows % ROWS * hidden >= TOP_K else rows - rows % ROWS  # it has no proof for less
        values = torch.from_numpy(bf16_activations(rows, hidden, seed)[:whole]).to(torch.bfloat16)
        proofs = toploc.build_proofs_bytes(list(values), decode_batching_size=ROWS, topk=TOP_K, skip_prefill=True)
        yield {"kind": "bf16", "rows": rows, "hidden": hidden, "seed": seed, "proof": b"".join(proofs).hex()}
        proofs = []
        exact = fp32_activations(rows, hidden, seed)[:whole]
        for at in range(0, whole, ROWS):
            flat = torch.from_numpy(exact[at : at + ROWS]).reshape(-1)
            places = flat.abs().topk(TOP_K).indices
            proofs.append(toploc.ProofPoly.from_points_tensor(places, flat[places].to(torch.bfloat16)).to_bytes())
        yield {"kind": "fp32", "rows": rows, "hidden": hidden, "seed": seed, "proof": b"".join(proofs).hex()}


def distance_cases() -> Iterator[dict[str, Any]]:
    import toploc
    import torch

    for seed, (rows, hidden) in enumerate(DISTANCE_SHAPES):
        values = bf16_activations(rows, hidden, seed)
        exact = torch.from_numpy(values).to(torch.bfloat16)
        proofs = toploc.build_proofs_bytes(list(exact), decode_batching_size=ROWS, topk=TOP_K, skip_prefill=True)
        for noise in NOISE:
            noise_seed = next(s for s in range(10_000) if untied(noisy_bf16(values, s, noise)))
            noisy = torch.from_numpy(noisy_bf16(values, noise_seed, noise)).to(torch.bfloat16)
            results = toploc.verify_proofs_bytes(noisy, proofs, ROWS, TOP_K, skip_prefill=True)
            yield {
                "rows": rows,
                "hidden": hidden,
                "seed": seed,
                "noise": noise,
                "noise_seed": noise_seed,
                "results": [[r.exp_mismatches, r.mant_err_mean, r.mant_err_median] for r in results],
            }


def main() -> None:
    tables = {"proofs": list(proof_cases()), "distances": list(distance_cases())}
    OUTPUT.write_text(json.dumps(tables, indent=0) + "\n")


if __name__ == "__main__":
    main()
