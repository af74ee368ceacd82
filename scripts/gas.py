"""What each kind of transaction costs (docs/gas.md): measures it and compares it with snapshots/gas.json."""

from __future__ import annotations

import shutil
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from kizuna.command import main
from kizuna.errors import ConfigError
from scripts import forge_test


def gas(write: Annotated[bool, typer.Option(help="Accept what was measured.")] = False) -> None:
    """Measure the gas of every kind of transaction and compare (or write) the committed figures."""
    if forge_test.run("--match-path", "tests/contracts/Gas*.t.sol"):
        raise ConfigError("a gas test failed: nothing was compared")
    if write:
        forge_test.GAS.parent.mkdir(exist_ok=True)
        shutil.copyfile(forge_test.MEASURED_GAS, forge_test.GAS)
    table = Table("transaction", "gas")
    for name, used in forge_test.figures(forge_test.MEASURED_GAS).items():
        table.add_row(name, f"{used:,}")
    Console().print(table)
    if changes := forge_test.gas_changes():
        raise ConfigError(f"gas changed: {'; '.join(changes)}; accept it with `make gas`")


if __name__ == "__main__":
    main(gas)
