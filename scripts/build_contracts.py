"""Compiles the contracts through py-solc-x with the npm compiler and writes kizuna/chain/abi/*.json.

The settings are read from foundry.toml, so forge tests the very bytecode that is deployed. With --check nothing
is written: it fails if what is committed is not what the sources compile to.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

import solcx
import typer
from rich.console import Console

from kizuna.command import main
from kizuna.errors import ConfigError
from kizuna.hashing import keccak

ROOT = Path(__file__).resolve().parent.parent
SOLC = ROOT / "scripts" / "solc"
ABI = ROOT / "kizuna" / "chain" / "abi"
CONTRACTS = ("Vault", "Tasks", "Slots", "Rounds", "Court", "BlockhashBeacon", "DrandBeacon", "TestToken")


def build_contracts(check: Annotated[bool, typer.Option(help="Write nothing; fail on drift.")] = False) -> None:
    """Compile the contracts and write (or check) their committed ABI and bytecode."""
    console = Console()
    fresh = artifacts(compile_all())
    stale = [name for name, text in fresh.items() if _committed(name) != text]
    if check:
        if stale:
            raise ConfigError(f"committed artifacts differ from the sources: {', '.join(stale)}; run `make contracts`")
        console.print(f"{len(fresh)} committed artifacts match the sources")
        return
    ABI.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (ABI / f"{name}.json").write_text(fresh[name])
    console.print(f"{len(fresh)} contracts compiled, {len(stale)} artifacts changed")


def compile_all() -> dict[str, Any]:
    """The compiler's standard JSON output for every source. Raises ConfigError with its first error."""
    return run_compiler(standard_input())


def run_compiler(given: dict[str, Any]) -> dict[str, Any]:
    """The standard JSON output for a standard JSON input. Raises ConfigError with its first error."""
    if not (ROOT / "node_modules" / "solc").is_dir():
        raise ConfigError("the compiler is not installed: run `make setup`")
    try:
        output: dict[str, Any] = solcx.compile_standard(given, solc_binary=SOLC)
    except solcx.exceptions.SolcError as error:
        raise ConfigError(f"the contracts do not compile: {' '.join(str(error.message).split())}") from error
    return output


def standard_input() -> dict[str, Any]:
    """The standard JSON input; what it imports from OpenZeppelin the compiler reads from node_modules."""
    settings = tomllib.loads((ROOT / "foundry.toml").read_text())["profile"]["default"]
    return {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources().items()},
        "settings": {
            "remappings": settings["remappings"],
            "optimizer": {"enabled": settings["optimizer"], "runs": settings["optimizer_runs"]},
            "metadata": {"bytecodeHash": settings["bytecode_hash"], "appendCBOR": settings["cbor_metadata"]},
            "evmVersion": settings["evm_version"],
            "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]}},
        },
    }


def sources() -> dict[str, str]:
    """Every Solidity source of the project by its path."""
    files = sorted((ROOT / "contracts").rglob("*.sol"))
    return {file.relative_to(ROOT).as_posix(): file.read_text() for file in files}


def artifacts(output: dict[str, Any]) -> dict[str, str]:
    """The text of each committed artifact."""
    digest = "0x" + keccak(json.dumps(standard_input(), sort_keys=True).encode()).hex()
    return {name: _artifact(name, output["contracts"][f"contracts/{name}.sol"][name], digest) for name in CONTRACTS}


def _artifact(name: str, compiled: dict[str, Any], digest: str) -> str:
    fields = {
        "contractName": name,
        "sourceHash": digest,
        "abi": compiled["abi"],
        "bytecode": "0x" + compiled["evm"]["bytecode"]["object"],
        "deployedBytecode": "0x" + compiled["evm"]["deployedBytecode"]["object"],
    }
    return json.dumps(fields, indent=1) + "\n"


def _committed(name: str) -> str:
    path = ABI / f"{name}.json"
    return path.read_text() if path.is_file() else ""


if __name__ == "__main__":
    main(build_contracts)
