from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import fresh_process
import pytest
from support.rounds import finish, start


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The start and the record of a round's second segment, as files."""
    folder, training = tmp_path_factory.mktemp("segment"), start()
    finish(training)
    for name, files in (("start", training.boundaries[1].files()), ("record", training.records[1].files())):
        (folder / name).mkdir()
        for file, data in files.items():
            (folder / name / file).write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def mine(folder: Path) -> dict[str, str]:
    return fresh_process.computed(folder)


@pytest.fixture(scope="module")
def answers(folder: Path) -> dict[int, dict[str, str]]:
    """What fresh processes of one and of two threads compute; both run at once, so each has a busy neighbour."""
    tests = Path(__file__).parents[2]
    started = {}
    for threads in (1, 2):
        environment = os.environ | {
            "PYTHONPATH": str(tests),
            "OMP_NUM_THREADS": str(threads),
            "OMP_WAIT_POLICY": "PASSIVE",
            "PYTHONHASHSEED": str(threads),
        }
        command = [sys.executable, str(Path(fresh_process.__file__)), str(folder), str(threads)]
        started[threads] = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    outputs = {threads: process.communicate(timeout=200)[0] for threads, process in started.items()}
    assert all(process.returncode == 0 for process in started.values())
    return {threads: json.loads(output) for threads, output in outputs.items()}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("what", ["end", "segment evidence", "rollout evidence", "numerics", "genesis"])
def test_a_fresh_process_computes_the_same_bits(
    mine: dict[str, str], answers: dict[int, dict[str, str]], what: str, threads: int
) -> None:
    assert answers[threads][what] == mine[what]
