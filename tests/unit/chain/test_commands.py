"""`kizuna devnet` and `kizuna deploy` as an operator meets them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from kizuna.chain import Deployment, Devnet, Kizuna, Rpc
from kizuna.chain.devnet import FIRST_KEY
from kizuna.chain.drand import EVMNET

ROOT = Path(__file__).resolve().parents[3]
QUIET = {name: value for name, value in os.environ.items() if not name.startswith("KIZUNA_")}


def run(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=QUIET | environment,
        timeout=60,
    )


def test_devnet_runs_until_it_is_interrupted(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "scripts.devnet",
        "--port",
        "0",
        "--block-time",
        "0.1",
        "--deployments",
        str(tmp_path),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=QUIET) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        found = re.search(r"^rpc (http\S+)$", said, re.MULTILINE)
        assert found, said
        deployed = Deployment.read(31337, tmp_path)
        deployed.verify(Rpc(found[1]))
        assert deployed.rounds in said
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_deploy_is_done_once_per_chain(devnet: Devnet, tmp_path: Path) -> None:
    options = ["scripts.deploy", "--rpc", devnet.url, "--deployments", str(tmp_path)]
    first = run(*options, KIZUNA_KEY=FIRST_KEY)
    assert first.returncode == 0, first.stderr
    second = run(*options, KIZUNA_KEY=FIRST_KEY)
    assert second.returncode == 0
    assert "has its contracts already" in second.stdout


def test_drand_is_added_to_what_the_chain_has(devnet: Devnet, tmp_path: Path) -> None:
    options = ["scripts.deploy", "--rpc", devnet.url, "--deployments", str(tmp_path)]
    assert run(*options, KIZUNA_KEY=FIRST_KEY).returncode == 0
    before = Deployment.read(31337, tmp_path)
    added = run(*options, "--beacon", "drand", KIZUNA_KEY=FIRST_KEY)
    assert added.returncode == 0, added.stderr
    after = Deployment.read(31337, tmp_path)
    assert after.contracts == {**before.contracts, "DrandBeacon": after.contracts["DrandBeacon"]}
    assert Kizuna(devnet.rpc(), after).drand_chain_hash() == EVMNET.chain_hash
    again = run(*options, "--beacon", "drand", KIZUNA_KEY=FIRST_KEY)
    assert "has its contracts already" in again.stdout


def test_deploy_without_a_usable_key_is_one_line_and_exit_2(devnet_only: Devnet, tmp_path: Path) -> None:
    done = run("scripts.deploy", "--rpc", devnet_only.url, "--deployments", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "KIZUNA_KEY" in done.stderr
    assert not list(tmp_path.iterdir())
