"""Run by `test_fresh_process.py` in a process of its own: prints what this process computes, as JSON."""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from pathlib import Path

import torch
from support.models import PLAN, REVERSE, config, genesis, llama, tokenizer

from kizuna.diloco.evidence import EvidenceKey, SegmentSketch, rollout_evidence
from kizuna.diloco.numerics import numerics_id
from kizuna.diloco.replay import replay_segment
from kizuna.diloco.segments import SegmentRecord
from kizuna.hashing import keccak
from kizuna.rl.genesis import genesis_files
from kizuna.rl.state import FILES, Boundary

KEY = EvidenceKey(seal=keccak(b"seal"), secret=keccak(b"secret"), seat=2, item=1)


def digest(boundary: Boundary) -> str:
    return sha256(b"".join(boundary.files().values())).hexdigest()


def computed(folder: Path) -> dict[str, str]:
    """Everything that has to be equal in every process, from the bytes of a segment's start and its record."""
    rules, model = config(), llama()
    start = Boundary.from_files({name: (folder / "start" / name).read_bytes() for name in FILES}, model.shapes())
    files = {path.name: path.read_bytes() for path in (folder / "record").iterdir()}
    record = SegmentRecord.from_files(files, 1, rules, model)
    sketch = SegmentSketch.of(rules, KEY)
    end = replay_segment(
        model,
        start,
        record.groups,
        rules,
        segment=1,
        tokenizer=tokenizer(),
        environment=REVERSE,
        observe_last=sketch,
    )
    model.load(start.weights)
    shown = rollout_evidence(model, record.groups[1], rules, KEY, tokenizer=tokenizer(), environment=REVERSE)
    return {
        "end": digest(end),
        "segment evidence": sketch.evidence().hex(),
        "rollout evidence": shown.hex(),
        "numerics": numerics_id(genesis(), rules, REVERSE).hex(),
        "genesis": sha256(genesis_files(REVERSE, PLAN)["model.safetensors"]).hexdigest(),
    }


if __name__ == "__main__":
    threads = int(sys.argv[2])
    torch.set_num_threads(threads)
    torch.manual_seed(threads)
    heap = [bytearray(1000 + 7919 * i * threads % 100_000) for i in range(1000)]  # another layout of the heap
    print(json.dumps(computed(Path(sys.argv[1]))))
