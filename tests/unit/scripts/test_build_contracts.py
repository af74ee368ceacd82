"""The contracts are compiled through py-solc-x with the compiler that npm installs, and by no other."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kizuna.command import run
from kizuna.errors import ConfigError
from scripts import build_contracts
from scripts.build_contracts import ABI, CONTRACTS, ROOT, SOLC, run_compiler

SOURCE = "pragma solidity 0.8.37; contract A { function f() external pure returns (uint) { return 7; } }"
NOWHERE = "http://127.0.0.1:9"


def standard(source: str) -> dict[str, Any]:
    outputs = {"*": {"*": ["evm.bytecode.object"]}}
    return {
        "language": "Solidity",
        "sources": {"A.sol": {"content": source}},
        "settings": {"outputSelection": outputs},
    }


def python(program: str, home: Path, **environment: str) -> str:
    """What a program prints in an empty home, with no way into the network."""
    alone = {"HOME": str(home), "PATH": os.environ["PATH"], "HTTPS_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=alone | environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_py_solc_x_compiles_with_nothing_but_the_wrapper(tmp_path: Path) -> None:
    program = f"""
import json, solcx
print(json.dumps(solcx.compile_standard({standard(SOURCE)!r}, solc_binary={str(SOLC)!r})))
"""
    compiled = json.loads(python(program, tmp_path))
    assert bytes.fromhex(compiled["contracts"]["A.sol"]["A"]["evm"]["bytecode"]["object"])
    assert not list(tmp_path.rglob("solc*"))


def test_py_solc_x_takes_the_wrapper_for_an_installed_compiler(tmp_path: Path) -> None:
    version = json.loads((ROOT / "node_modules" / "solc" / "package.json").read_text())["version"]
    (tmp_path / f"solc-v{version}").symlink_to(SOLC)
    program = f"""
import solcx
solcx.set_solc_version({version!r})
print(solcx.get_solc_version(), sorted(solcx.compile_standard({standard(SOURCE)!r})["contracts"]["A.sol"]))
"""
    assert python(program, tmp_path, SOLCX_BINARY_PATH=str(tmp_path)).strip() == f"{version} ['A']"


def test_an_error_of_the_compiler_is_one_line() -> None:
    with pytest.raises(ConfigError, match="do not compile") as raised:
        run_compiler(standard("pragma solidity 0.8.37; contract A { uint x = ; }"))
    assert "\n" not in str(raised.value)


def test_without_the_npm_packages_the_error_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_contracts, "ROOT", tmp_path)
    with pytest.raises(ConfigError, match="make setup"):
        run_compiler(standard(SOURCE))


@pytest.mark.deep
def test_check_names_what_was_committed_without_being_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    committed = tmp_path / "abi"
    shutil.copytree(ABI, committed)
    monkeypatch.setattr(build_contracts, "ABI", committed)
    assert run(build_contracts.build_contracts, ["--check"]) == 0
    (committed / "Vault.json").write_text((ABI / "Vault.json").read_text().replace("6080", "6081", 1))
    assert run(build_contracts.build_contracts, ["--check"]) == 2
    assert "Vault" in capsys.readouterr().err
    assert run(build_contracts.build_contracts, []) == 0
    assert (committed / "Vault.json").read_text() == (ABI / "Vault.json").read_text()


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_forge_compiles_to_the_code_that_is_committed(tmp_path: Path) -> None:
    forge = ROOT / "node_modules" / ".bin" / "forge"
    folders = ["--out", str(tmp_path / "out"), "--cache-path", str(tmp_path / "cache")]
    subprocess.run([forge, "build", "contracts", "--force", *folders], cwd=ROOT, check=True, capture_output=True)
    for name in CONTRACTS:
        theirs = json.loads((tmp_path / "out" / f"{name}.sol" / f"{name}.json").read_text())
        ours = json.loads((ABI / f"{name}.json").read_text())
        assert theirs["bytecode"]["object"] == ours["bytecode"]
        assert theirs["deployedBytecode"]["object"] == ours["deployedBytecode"]
