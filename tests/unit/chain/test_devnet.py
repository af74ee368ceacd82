"""The throw-away chain: it starts, it says why it does not, and it never stays behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kizuna.chain import Devnet, devnet
from kizuna.errors import ChainError, ConfigError

ORPHAN = """
import os, signal
from kizuna.chain import Devnet
running = Devnet(mining="manual")
print(running._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_free_port_is_picked_and_reported() -> None:
    with Devnet(mining="manual") as first, Devnet(mining="manual") as second:
        assert first.port != second.port
        assert first.rpc().chain_id() == second.rpc().chain_id() == devnet.CHAIN_ID


def test_stopped_devnet_is_gone() -> None:
    running = Devnet(mining="manual")
    running.stop()
    running.stop()
    assert not running.running


@pytest.mark.parametrize(("mining", "advances"), [(0.05, True), ("manual", False)])
def test_blocks_come_by_themselves_only_if_asked(mining: devnet.Mining, advances: bool) -> None:
    with Devnet(mining=mining) as running:
        rpc = running.rpc()
        until = time.monotonic() + (10.0 if advances else 0.2)
        while rpc.head().number == 0 and time.monotonic() < until:
            pass
        assert (rpc.head().number > 0) is advances


def test_names_have_the_same_key_everywhere() -> None:
    with Devnet(mining="manual") as running:
        alice = running.account("alice", ether=3)
        assert alice.address == devnet.account("alice").address != devnet.account("bob").address
        rpc = running.rpc()
        assert rpc.balance(alice.address, at=rpc.head()) == 3 * devnet.ETHER


def test_taken_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ChainError, match=f"did not start on port {port}") as caught:
            Devnet(port=port, mining="manual")
    assert "\n" not in str(caught.value)


def test_missing_binary_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KIZUNA_ANVIL", raising=False)
    monkeypatch.setattr(devnet, "_ROOT", tmp_path)
    with pytest.raises(ConfigError, match="npm ci"):
        Devnet()
    monkeypatch.setenv("KIZUNA_ANVIL", str(tmp_path / "anvil"))
    with pytest.raises(ConfigError, match="KIZUNA_ANVIL"):
        Devnet()


def test_killed_parent_leaves_no_orphan() -> None:
    if sys.platform != "linux":
        return  # Only Linux ends a child with its parent.
    done = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL
    anvil = int(done.stdout)
    until = time.monotonic() + 10.0
    while _alive(anvil):
        assert time.monotonic() < until, "anvil outlived its parent"


def _alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
        return " Z " not in Path(f"/proc/{pid}/stat").read_text().replace(")", ") ", 1)
    except (ProcessLookupError, FileNotFoundError):
        return False
