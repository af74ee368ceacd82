"""A real Kubo node for a test, with a repository of its own and no network."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

BINARY = Path(__file__).resolve().parents[2] / "build" / "kubo" / "ipfs"


class KuboDaemon:
    """`ipfs daemon --offline` over a fresh repository; `address` is where its RPC listens."""

    def __init__(self, repository: Path) -> None:
        assert BINARY.exists(), "build Kubo with `make kubo`, or name a running one in KUBO_API"
        self.repository = repository
        self._environment = os.environ | {"IPFS_PATH": str(repository)}
        self.run("init", "--profile", "test")
        self._process = subprocess.Popen(
            [BINARY, "daemon", "--offline"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.address = self._listening()

    def run(self, *arguments: str) -> str:
        """What a command of Kubo's prints."""
        done = subprocess.run(
            [BINARY, *arguments], env=self._environment, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    def close(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.communicate(timeout=30)

    def _listening(self) -> str:
        assert self._process.stdout is not None
        said = ""
        address = ""
        for line in self._process.stdout:
            said += line
            if found := re.search(r"RPC API server listening on (\S+)", line):
                address = found[1]
            if "Daemon is ready" in line:
                return address
        raise AssertionError(f"Kubo did not start: {said}")
