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
    """The start and the record of a round's second segment, and the end that its trainer committed to, as files."""
    folder, training = tmp_path_factory.mktemp("segment"), start()
    finish(training)
    for name, files in (("start", training.boundaries[1].files()), ("record", training.records[1].files())):
        (folder / name).mkdir()
        for file, data in files.items():
            (folder / name / file).write_bytes(data)
    (folder / "end").write_text(fresh_process.digest(training.boundaries[2]))
    return folder


@pytest.fixture(scope="module")
def theirs(folder: Path) -> dict[str, str]:
    """What a fresh process with two threads, another hash seed and another heap computes."""
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONHASHSEED": "5",
        "OMP_NUM_THREADS": "2",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    command = [sys.executable, fresh_process.__file__, str(folder), "2"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=250)
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def mine(folder: Path) -> dict[str, str]:
    return fresh_process.computed(folder)


def test_a_segment_re_run_from_its_files_ends_where_its_trainer_did(folder: Path, mine: dict[str, str]) -> None:
    assert mine["end"] == (folder / "end").read_text()


@pytest.mark.parametrize("what", ["end", "segment evidence", "rollout evidence", "numerics", "genesis"])
def test_a_fresh_process_computes_the_same_bits(mine: dict[str, str], theirs: dict[str, str], what: str) -> None:
    assert theirs[what] == mine[what]
