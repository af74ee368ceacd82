"""A whole network on this machine, every part its own process: for the demo and the end-to-end tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

from eth_account.signers.local import LocalAccount

from kizuna.chain import Deployment, Devnet, Kizuna
from kizuna.chain import deploy as deploy_contracts
from kizuna.errors import KizunaError
from kizuna.task import TaskSpec
from kizuna.types import Role

ETHER = 100
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0


class AgentFailed(KizunaError):
    """A process of the local network ended that should not have."""


@dataclass(slots=True)
class Agent:
    """One process: its name, role (None for the mirror) and account."""

    name: str
    role: Role | None
    account: LocalAccount
    log: Path
    flags: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None


@dataclass(slots=True)
class LocalNet:
    """Chain, mirror, agents. Use as a context manager: leaving it ends every process."""

    folder: Path
    block_time_s: float = 1.0
    chain: Devnet = field(init=False)
    deployment: Deployment = field(init=False)
    mirror: str = field(init=False, default="")
    agents: list[Agent] = field(init=False, default_factory=list)

    def __enter__(self) -> LocalNet:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.chain = Devnet(mining=self.block_time_s)
        try:
            self.deployment = deploy_contracts(self.chain.rpc(), self.chain.deployer(), token=True)
            self.deployment.write(self.deployments)
            self.mirror = self._start_mirror()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def deployments(self) -> Path:
        return self.folder / "deployments"

    def client(self, account: LocalAccount | None = None) -> Kizuna:
        """A chain client; for reading only without an account."""
        return Kizuna.connect(self.chain.url, account=account, deployments=self.deployments)

    def account(self, name: str, tokens_wei: int = 0) -> LocalAccount:
        """A throw-away key with ether for gas and test tokens."""
        account: LocalAccount = self.chain.account(name, ether=ETHER)
        if tokens_wei:
            client = self.client(self.chain.deployer())
            try:
                client.faucet(tokens_wei, to=account.address)
            finally:
                client.close()
        return account

    def publish(self, spec: TaskSpec, task_file: Path, show: Callable[[str], None]) -> int:
        """Runs `kizuna publish` as its own process and returns the task's number."""
        money = spec.money
        account = self.account("initiator", money.wei("budget") + money.wei("initiator_bond"))
        command = ["scripts.publish", str(task_file), "--mirror", self.mirror, "--state", str(self.folder / "publish")]
        done = subprocess.run(
            self._command(*command), env=self._environment(account), capture_output=True, text=True, check=False
        )
        for line in done.stdout.splitlines():
            show(line)
        if done.returncode:
            raise AgentFailed(f"publish failed: {done.stderr.strip()[-500:]}")
        return self.client().task_count()

    def start(self, name: str, role: Role, *, task: int, tokens_wei: int, flags: tuple[str, ...] = ()) -> Agent:
        """Starts a trainer or verifier."""
        agent = Agent(name, role, self.account(name, tokens_wei), self._log(name), flags)
        self.agents.append(agent)
        self.restart(agent, task)
        return agent

    def restart(self, agent: Agent, task: int) -> None:
        """(Re)starts an agent on the state it left."""
        module = "trainer" if agent.role is Role.TRAINER else "verifier"
        state = str(self.folder / "state" / agent.name)
        command = (module, "--task", str(task), "--mirror", self.mirror, "--state", state, *agent.flags)
        agent.process = self._spawn(agent, *command)

    def check(self) -> None:
        """Raises AgentFailed if a process has ended with an error."""
        for agent in self.agents:
            code = agent.process.poll() if agent.process is not None else None
            if code:
                tail = agent.log.read_text(errors="replace").strip().splitlines()[-1:] or ["(no output)"]
                raise AgentFailed(f"{agent.name} ended with code {code}: {tail[0]} (log: {agent.log})")

    def close(self) -> None:
        """Ends every process: politely, then not."""
        for agent in reversed(self.agents):
            if agent.running and agent.process is not None:
                agent.process.send_signal(signal.SIGTERM)
        end = monotonic() + STOP_TIMEOUT_S
        for agent in self.agents:
            if agent.process is None:
                continue
            try:
                agent.process.wait(max(0.1, end - monotonic()))
            except subprocess.TimeoutExpired:
                agent.process.kill()
                agent.process.wait()
        self.chain.stop()

    def _start_mirror(self) -> str:
        url_file = self.folder / "mirror.url"
        url_file.unlink(missing_ok=True)
        agent = Agent("mirror", None, self.account("mirror"), self._log("mirror"))
        self.agents.append(agent)
        state = str(self.folder / "state" / "mirror")
        agent.process = self._spawn(agent, "scripts.mirror", "--state", state, "--url-file", str(url_file))
        end = monotonic() + START_TIMEOUT_S
        while not url_file.exists():
            self.check()
            if monotonic() > end:
                raise AgentFailed(f"the mirror did not start within {START_TIMEOUT_S:.0f} s (log: {agent.log})")
            sleep(0.05)
        return url_file.read_text().strip()

    def _spawn(self, agent: Agent, *command: str) -> subprocess.Popen[bytes]:
        with agent.log.open("ab") as log:
            return subprocess.Popen(
                self._command(*command),
                env=self._environment(agent.account),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the network through this process, in order
            )

    def _command(self, module: str, *flags: str) -> list[str]:
        shared = ("--rpc", self.chain.url, "--deployments", str(self.deployments))
        return [sys.executable, "-m", module, *flags, *shared]

    def _environment(self, account: LocalAccount) -> Mapping[str, str]:
        # One thread a process: many share this machine, and busy-waiting ones would starve the others.
        quiet = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}
        return {**os.environ, **quiet, "KIZUNA_KEY": "0x" + bytes(account.key).hex()}

    def _log(self, name: str) -> Path:
        folder = self.folder / "logs"
        folder.mkdir(exist_ok=True)
        return folder / f"{name}.log"
