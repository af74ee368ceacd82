"""How often a segment that is re-run in a fresh process ends in the bits its trainer committed to.

    python benchmarks/replay_equality.py                 20 re-runs, a few minutes
    python benchmarks/replay_equality.py --runs 500      the whole measurement, about an hour on two cores

One round of the demo's task is trained once. Every re-run is a process of its own with another hash seed, another
heap, another global random state and one or two OpenMP threads, while `--load` other processes keep the cores busy.
Exits with 1 if a single end differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from kizuna.diloco.replay import replay_segment
from kizuna.diloco.segments import SegmentRecord, TrainRound
from kizuna.hashing import keccak
from kizuna.rl.config import RoundConfig
from kizuna.rl.environment import ENVIRONMENTS
from kizuna.rl.genesis import GenesisPlan, genesis_files
from kizuna.rl.model import load_model, read_weights
from kizuna.rl.state import FILES, Boundary
from kizuna.rl.tokenizer import read_tokenizer

ENVIRONMENT = ENVIRONMENTS["reverse"]
CONFIG = RoundConfig(
    task=1,
    round=1,
    slot=0,
    base=keccak(b"base"),
    seed=keccak(b"seed"),
    prompts_per_step=16,
    completions=8,
    steps=12,
    segment_steps=4,
    max_new_tokens=8,
    learning_rate=2e-4,
)
BURN = "import numpy as np\na = np.random.default_rng().standard_normal((300, 300))\nwhile True: a = np.tanh(a @ a)"


def prepare(folder: Path, warmup: int) -> list[str]:
    """Trains the round into `folder`; the digest of each segment's end."""
    write(folder / "genesis", genesis_files(ENVIRONMENT, GenesisPlan(steps=warmup)))
    files = read(folder / "genesis")
    training = TrainRound(
        load_model(files),
        read_weights(files),
        config=CONFIG,
        tokenizer=read_tokenizer(files),
        environment=ENVIRONMENT,
    )
    for record in training:
        write(folder / f"record{record.segment}", record.files())
        write(folder / f"start{record.segment}", training.boundaries[record.segment].files())
    return [digest(boundary) for boundary in training.boundaries[1:]]


def rerun(folder: Path, segment: int, seed: int) -> str:
    """The worker: the digest of a segment's end, from files alone."""
    import torch

    chance = random.Random(seed)
    torch.manual_seed(seed)
    heap = [bytearray(chance.randrange(100_000)) for _ in range(2_000)]
    files = read(folder / "genesis")
    model = load_model(files)
    record = SegmentRecord.from_files(read(folder / f"record{segment}"), segment, CONFIG, model)
    start = Boundary.from_files(read(folder / f"start{segment}"), model.shapes())
    end = replay_segment(
        model,
        start,
        record.groups,
        CONFIG,
        segment=segment,
        tokenizer=read_tokenizer(files),
        environment=ENVIRONMENT,
    )
    del heap
    return digest(end)


def run_fresh(folder: Path, segment: int, seed: int) -> str:
    """Starts a worker and waits for its answer."""
    environment = os.environ | {
        "PYTHONHASHSEED": str(seed + 1),
        "OMP_NUM_THREADS": str(1 + seed % 2),
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    command = [sys.executable, __file__, "--worker", str(folder), str(segment), str(seed)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


@contextmanager
def load(processes: int) -> Iterator[None]:
    """Keeps cores and caches busy."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    burning = [subprocess.Popen([sys.executable, "-c", BURN], env=environment) for _ in range(processes)]
    try:
        yield
    finally:
        for process in burning:
            process.kill()
            process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=20, help="re-runs, each in a fresh process (default 20)")
    parser.add_argument("--load", type=int, default=2, help="processes that keep the machine busy (default 2)")
    parser.add_argument("--warmup", type=int, default=20, help="steps of imitation before the round (default 20)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kizuna-replay-") as name:
        folder, counts, began = Path(name), Counter[bool](), time.monotonic()
        expected = prepare(folder, options.warmup)
        print(f"trained {CONFIG.segments} segments in {time.monotonic() - began:.0f} s", flush=True)
        began = time.monotonic()
        with load(options.load):
            for i in range(options.runs):
                equal = run_fresh(folder, i % CONFIG.segments, i) == expected[i % CONFIG.segments]
                counts[equal] += 1
                print(
                    f"\r{i + 1} of {options.runs}: {counts[True]} equal, {counts[False]} different", end="", flush=True
                )
    seconds = (time.monotonic() - began) / max(1, options.runs)
    print("\n" + json.dumps({"runs": options.runs, "equal": counts[True], "seconds_each": round(seconds, 2)}))
    return 1 if counts[False] else 0


def digest(boundary: Boundary) -> str:
    files = boundary.files()
    return sha256(b"".join(files[name] for name in FILES)).hexdigest()


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        print(rerun(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
        sys.exit(0)
    sys.exit(main())
