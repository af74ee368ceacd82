"""Brownie imports this before it compiles or starts a chain: it sets what brownie-config.yaml cannot."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from brownie._config import CONFIG

ROOT = Path(__file__).resolve().parent


def use_npm_tools() -> None:
    """Shows py-solc-x the one compiler, under the name by which it looks for it, and puts anvil on the path."""
    package = ROOT / "node_modules" / "solc" / "package.json"
    if not package.exists():
        raise SystemExit("the compiler is not installed: run `make setup`")
    version = json.loads(package.read_text())["version"]
    compilers = ROOT / "build" / "solcx"
    compilers.mkdir(parents=True, exist_ok=True)
    link = compilers / f"solc-v{version}"
    if not link.is_symlink():
        link.symlink_to(ROOT / "scripts" / "solc")
    os.environ["SOLCX_BINARY_PATH"] = str(compilers)
    os.environ["PATH"] = os.pathsep.join([str(ROOT / "node_modules" / ".bin"), os.environ.get("PATH", "")])


def use_an_own_chain() -> None:
    """A free port, as Brownie takes any chain that it finds on its port for its own and resets it.

    The chain id is not that of `kizuna devnet`, whose deployment file would be overwritten.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    CONFIG.networks["development"]["cmd_settings"].update(port=port, chain_id=1337)


use_npm_tools()
use_an_own_chain()
