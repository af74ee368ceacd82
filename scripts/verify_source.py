"""Writes what a block explorer asks for to verify the contracts' sources: standard JSON inputs and arguments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from kizuna.chain import Deployment
from kizuna.chain.deployment import FOLDER, constructor_arguments
from kizuna.command import Deployments, main
from scripts.build_contracts import CONTRACTS, ROOT, run_compiler, standard_input

LICENSE = "Apache-2.0"


def verify_source(
    chain: Annotated[
        int | None, typer.Argument(help="Chain id: show its addresses and constructor arguments.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the inputs are written.", metavar="FOLDER")] = Path(
        "build/verification"
    ),
    deployments: Deployments = FOLDER,
) -> None:
    """Write what a block explorer asks for to verify the sources: one standard JSON input for each contract.

    Choose "Solidity (standard JSON input)" there and upload the file. Needs `make setup`, for the compiler.

    \b
    Example:
      python -m scripts.verify_source 31337
    """
    deployed = None if chain is None else Deployment.read(chain, deployments)
    out.mkdir(parents=True, exist_ok=True)
    metadata = compiled_metadata()
    for name in CONTRACTS:
        path = out / f"{name}.json"
        path.write_text(json.dumps(verification_input(metadata[name]), indent=1) + "\n")
        typer.echo(f"{name}: {path}")
        typer.echo(f"  contract   contracts/{name}.sol:{name}, {LICENSE}")
        typer.echo(f"  compiler   v{metadata[name]['compiler']['version']}")
        if deployed is not None and name in deployed.contracts:
            addresses = {known: entry.address for known, entry in deployed.contracts.items()}
            typer.echo(f"  address    {addresses[name]}")
            typer.echo(f"  arguments  {constructor_arguments(name, addresses).hex() or 'none'}")


def compiled_metadata() -> dict[str, Any]:
    """What the compiler says of each contract, its sources and settings among it."""
    given = standard_input()
    given["settings"]["outputSelection"] = {f"contracts/{name}.sol": {name: ["metadata"]} for name in CONTRACTS}
    compiled = run_compiler(given)["contracts"]
    return {name: json.loads(compiled[f"contracts/{name}.sol"][name]["metadata"]) for name in CONTRACTS}


def verification_input(metadata: dict[str, Any]) -> dict[str, Any]:
    """A standard JSON input that compiles by itself to the committed code: all that the contract needs, no more."""
    given = standard_input()
    (path, name), *_ = metadata["settings"]["compilationTarget"].items()
    given["sources"] = {source: {"content": (ROOT / source).read_text()} for source in sorted(metadata["sources"])}
    outputs = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]
    given["settings"]["outputSelection"] = {path: {name: outputs}}
    return given


if __name__ == "__main__":
    main(verify_source)
