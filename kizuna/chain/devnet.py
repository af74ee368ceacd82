"""A throw-away chain on this machine: anvil as a child process that cannot outlive us.

Its keys are public knowledge. Never send anything of value to them.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import platform
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from eth_account import Account
from eth_account.signers.local import LocalAccount

from kizuna.chain.rpc import Rpc
from kizuna.errors import ChainError, ConfigError
from kizuna.hashing import keccak

CHAIN_ID = 31337
ETHER = 10**18
FIRST_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
"""Key 0 of anvil's standard mnemonic, funded at genesis."""

Mining = float | Literal["auto", "manual"]
"""Seconds between blocks, or a block per transaction, or none until `mine` is called."""

_ROOT = Path(__file__).resolve().parents[2]
_LISTENING = re.compile(r"Listening on \S+:(\d+)")
_PR_SET_PDEATHSIG = 1
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def anvil_path() -> str:
    """The anvil binary: KIZUNA_ANVIL, or the one npm installed. Raises ConfigError if there is none."""
    chosen = os.environ.get("KIZUNA_ANVIL")
    if chosen:
        if not os.access(chosen, os.X_OK):
            raise ConfigError(f"KIZUNA_ANVIL names {chosen}, which is not executable")
        return chosen
    # node_modules/.bin/anvil is a node script around this binary; killing the script would leave the binary behind.
    system, machine = sys.platform, _MACHINES.get(platform.machine().lower(), platform.machine())
    suffix = ".exe" if system == "win32" else ""
    native = _ROOT / "node_modules" / "@foundry-rs" / f"anvil-{system}-{machine}" / "bin" / f"anvil{suffix}"
    if native.exists():
        return str(native)
    script = _ROOT / "node_modules" / ".bin" / "anvil"
    if script.exists():
        return str(script)
    raise ConfigError(f"anvil is not installed: run `npm ci` in {_ROOT}, or set KIZUNA_ANVIL to the binary")


def account(name: str) -> LocalAccount:
    """The devnet key of a name, the same in every process. Fund it with `Devnet.fund`."""
    signer: LocalAccount = Account.from_key(keccak(b"kizuna.devnet.v1/" + name.encode()))
    return signer


class Devnet:
    """A running anvil. Use it as a context manager, or call `stop`.

    Raises ConfigError if anvil is not installed and ChainError if it does not start.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        mining: Mining = 1.0,
        chain_id: int = CHAIN_ID,
        load_state: Path | None = None,
        dump_state: Path | None = None,
        extra: tuple[str, ...] = (),
        start_timeout_s: float = 30.0,
    ) -> None:
        command = [anvil_path(), "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id)]
        if mining == "manual":
            command.append("--no-mining")
        elif mining != "auto":
            command += ["--block-time", f"{mining:g}"]
        if load_state is not None:
            command += ["--load-state", str(load_state)]
        if dump_state is not None:
            command += ["--dump-state", str(dump_state)]
        self.chain_id = chain_id
        self.port = 0
        self._said: deque[str] = deque(maxlen=40)
        self._listening = threading.Event()
        self._process = subprocess.Popen(
            [*command, *extra],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        atexit.register(self.stop)
        threading.Thread(target=self._listen, daemon=True).start()
        self._listening.wait(start_timeout_s)
        if not self.port:
            self.stop()
            raise ChainError(f"anvil did not start on port {port}: {' '.join(list(self._said)[-3:]) or 'no output'}")
        self._rpc = Rpc(self.url, timeout_s=60.0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def rpc(self, **options: Any) -> Rpc:
        """A fresh client of this chain."""
        return Rpc(self.url, chain_id=self.chain_id, **options)

    def account(self, name: str, *, ether: int = 1_000) -> LocalAccount:
        """The key of a name, funded with so many whole coins."""
        signer = account(name)
        self.fund(signer.address, ether * ETHER)
        return signer

    def deployer(self) -> LocalAccount:
        signer: LocalAccount = Account.from_key(FIRST_KEY)
        return signer

    # --- test controls ---

    def control(self, method: str, *params: Any) -> Any:
        """A raw anvil_ or evm_ call."""
        return self._rpc.request(method, params)

    def fund(self, address: str, wei: int) -> None:
        self.control("anvil_setBalance", address, hex(wei))

    def mine(self, blocks: int = 1) -> int:
        """Mines, and returns the number of the last block."""
        if blocks == 1:
            self.control("evm_mine")
        elif blocks > 1:
            self.control("anvil_mine", hex(blocks))
        return int(self.control("eth_blockNumber"), 16)

    def mine_to(self, block: int) -> int:
        """Mines until `block` is the head."""
        return self.mine(max(0, block - int(self.control("eth_blockNumber"), 16)))

    def snapshot(self) -> str:
        return str(self.control("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Back to a snapshot; it is used up. Clients that saw later blocks have to be made anew."""
        if not self.control("evm_revert", snapshot):
            raise ChainError(f"there is no snapshot {snapshot}")

    def set_automine(self, on: bool) -> None:
        self.control("evm_setAutomine", on)

    # --- end ---

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """Ends anvil; with `dump_state` the state is on disk afterwards. Idempotent."""
        atexit.unregister(self.stop)
        if self.running:
            self._process.send_signal(signal.SIGINT)  # The signal after which anvil writes its state.
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def __enter__(self) -> Devnet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _listen(self) -> None:
        """Drains the output, which would block anvil otherwise, and finds the port in it."""
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                found = _LISTENING.search(line)
                if found:
                    self.port = int(found[1])
                    self._listening.set()
                elif line.strip():
                    self._said.append(line.strip())
        self._listening.set()


if sys.platform == "linux":
    _libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    # The kernel kills anvil when the thread that started it ends, even by SIGKILL: start devnets in the main thread.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
