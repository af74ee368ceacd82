"""The inputs for block explorers compile, by themselves, to exactly the code that is committed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kizuna.chain import Deployment, Devnet
from kizuna.chain.abi import CORE, TOKEN, artifact
from kizuna.chain.deployment import creations
from kizuna.command import run
from scripts.build_contracts import ABI, ROOT
from scripts.verify_source import verify_source

# No callback for imports: as an explorer compiles.
ALONE = "process.stdout.write(require('solc').compile(require('fs').readFileSync(0, 'utf8')))"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verification")
    assert run(verify_source, ["--out", str(folder)]) == 0
    return folder


def compiled_alone(path: Path, name: str) -> dict[str, Any]:
    """What the compiler makes of one input, given nothing else."""
    done = subprocess.run(
        ["node", "-e", ALONE], cwd=ROOT, input=path.read_bytes(), capture_output=True, check=True, timeout=120
    )
    output = json.loads(done.stdout)
    assert not [error for error in output.get("errors", []) if error["severity"] == "error"]
    found: dict[str, Any] = output["contracts"][f"contracts/{name}.sol"][name]["evm"]
    return found


@pytest.mark.parametrize(
    "name", ["BlockhashBeacon", TOKEN, *(pytest.param(name, marks=pytest.mark.deep) for name in CORE[:5])]
)
def test_input_compiles_by_itself_to_the_committed_code(written: Path, name: str) -> None:
    committed = json.loads((ABI / f"{name}.json").read_text())
    evm = compiled_alone(written / f"{name}.json", name)
    assert "0x" + evm["bytecode"]["object"] == committed["bytecode"]
    assert "0x" + evm["deployedBytecode"]["object"] == committed["deployedBytecode"]


def test_input_holds_no_source_that_the_contract_does_not_need(written: Path) -> None:
    sources = json.loads((written / "BlockhashBeacon.json").read_text())["sources"]
    assert set(sources) == {"contracts/BlockhashBeacon.sol", "contracts/interfaces/IBeacon.sol"}


def test_code_and_shown_arguments_are_what_created_the_contract(
    devnet: Devnet, deployment: Deployment, written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.write(tmp_path)
    options = [str(deployment.chain_id), "--out", str(written), "--deployments", str(tmp_path)]
    assert run(verify_source, options) == 0
    said = capsys.readouterr().out
    planned = creations(devnet.deployer().address, 0, token=True)
    for name, entry in deployment.contracts.items():
        assert planned[name].address == entry.address
        arguments = planned[name].code.removeprefix(artifact(name).bytecode)
        shown = said.split(f"{name}: ")[1].split("arguments  ")[1].split("\n")[0]
        assert shown == (arguments.hex() or "none")
        assert entry.address in said
