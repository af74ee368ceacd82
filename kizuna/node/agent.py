"""The shell that trainers and verifiers run in: what they open, how they wait, and the duties that both share."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import gmtime, strftime
from types import FrameType, TracebackType
from typing import Protocol

import torch
from eth_account.signers.local import LocalAccount

from kizuna.chain import Kizuna, errors
from kizuna.chain.abi import artifact
from kizuna.chain.ahead import awaited
from kizuna.chain.client import Pinned
from kizuna.chain.deployment import FOLDER
from kizuna.chain.drand import ENDPOINTS, DrandClient
from kizuna.chain.structs import TaskParams, TaskState
from kizuna.errors import (
    ChainError,
    ConfigError,
    ContentMalformed,
    ContentMissing,
    LimitExceeded,
    NumericsMismatch,
    Reverted,
    StoreError,
    Unfunded,
    WrongChain,
)
from kizuna.hashing import tagged
from kizuna.node.task_context import MAX_GENESIS, TaskContext, load_context
from kizuna.node.versions import Versions
from kizuna.rl.determinism import THREADS
from kizuna.state import hold
from kizuna.store import DAG_CBOR, DAG_PB, Cid, Fetcher, FlatFs, Patience, Pins
from kizuna.text import one_line
from kizuna.types import Digest, DocketPhase, Role

POLL_S = 0.2
TURN_BLOCKS = 2
"""Blocks that each agent waits for the one before it in turn to advance a round."""

REPORT_BLOCKS = 5
"""Blocks that verifiers get to report the last version before a task is finished."""

STALL_BLOCKS = 50
"""Blocks that a task in which no round can open gets to find the slots or the budget it lacks."""

CLAIM_ROUNDS = 64
"""Rounds that are claimed in one transaction: after a restart all of a task's are looked at again."""

KEEP_S = 600.0
"""How long content is kept that nothing pins: long enough for what is being fetched or published."""

PATIENCE = Patience(connect_s=2.0, total_s=20.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an operator says on the command line."""

    task: int
    rpc: str = "http://127.0.0.1:8545"
    state: Path = Path("state")
    mirrors: tuple[str, ...] = ()
    deployments: Path = FOLDER
    drand: tuple[str, ...] = ENDPOINTS
    listen: tuple[str, int] = ("127.0.0.1", 0)
    public_url: str | None = None


class Agent(Protocol):
    """One role's work. `step` does what can be done at a block and says whether the agent's task is over."""

    def step(self, chain: Pinned) -> bool: ...


@dataclass(slots=True)
class Node:
    """An operator's open resources in one task. Use as a context manager."""

    options: Options
    role: Role
    account: LocalAccount
    chain: Kizuna = field(init=False)
    blocks: FlatFs = field(init=False)
    pins: Pins = field(init=False)
    fetcher: Fetcher = field(init=False)
    context: TaskContext = field(init=False)
    versions: Versions = field(init=False)
    drand: DrandClient | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    _stack: ExitStack = field(default_factory=ExitStack)
    _turns: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> Node:
        o = self.options
        try:
            self.chain = Kizuna.connect(o.rpc, account=self.account, deployments=o.deployments, state=o.state)
            self._stack.callback(self.chain.close)
            self.blocks = FlatFs(o.state / "blocks")
            self._stack.callback(self.blocks.close)
            self.fetcher = Fetcher(self.blocks, o.mirrors, MAX_GENESIS, patience=PATIENCE)
            self.context = load_context(self.chain, o.task, self.blocks, self.fetcher)
            self.fetcher = self.fetcher_with()
            if self.params.beacon == self.chain.deployment.beacons.get("drand"):
                self.drand = DrandClient(o.drand, self.chain.drand_chain_hash())
                self._stack.callback(self.drand.close)
            self.pins = Pins(self.blocks, o.state / "pins.sqlite")
            self._stack.callback(self.pins.close)
            self.pins.pin(Cid(self.params.spec, DAG_CBOR), f"task/{o.task}")
            self.pins.pin(Cid(self.params.genesis, DAG_PB), f"task/{o.task}")
            self.versions = Versions(self.context, self.blocks, self.fetcher, self.pins)
            self._mend()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def task(self) -> int:
        return self.options.task

    @property
    def params(self) -> TaskParams:
        return self.context.params

    @property
    def mirrors(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.options.mirrors, *self.context.spec.mirrors)))

    def secret(self, name: str, *numbers: int) -> Digest:
        """32 bytes that only this key's holder can compute, the same after every restart."""
        where = self.chain.deployment
        scope = (where.chain_id, int(where.rounds, 16), self.task, *numbers)
        return Digest(tagged(f"kizuna.{name}.v1", tagged("kizuna.key.v1", bytes(self.account.key)), *scope))

    def fetcher_with(self, *endpoints: str) -> Fetcher:
        """A fetcher that also asks these endpoints."""
        return Fetcher(self.blocks, (*self.mirrors, *endpoints), MAX_GENESIS, patience=PATIENCE)

    def keep(self, round: int, *cids: Cid) -> None:
        """Keeps content, which must be here, until the round is settled."""
        for cid in cids:
            self.pins.pin(cid, self._round_label(round))

    def _mend(self) -> None:
        """Fetches again what a disk has lost of the pinned content; what nobody has is named with its pin."""
        for damage in self.pins.damaged():
            pin = damage.pin
            try:
                self.fetcher.fetch_dag(pin.cid) if pin.recursive else self.fetcher.fetch_block(pin.cid)
                self.say(f"{len(damage.missing)} damaged blocks of {pin.label} were fetched again")
            except (ContentMissing, ContentMalformed, LimitExceeded) as error:
                self.say(f"{pin.label} is damaged on this disk, and cannot be served: {error}")

    def tidy(self, settled: int) -> None:
        """Lets go of what was kept for rounds up to `settled`, and of what was fetched long ago and not kept."""
        prefix = self._round_label(0)[:-1]
        kept = {pin.label for pin in self.pins.roots() if pin.label.startswith(prefix)}
        for label in kept:
            if int(label.removeprefix(prefix)) <= settled:
                self.pins.unpin(label)
        self.pins.gc(min_age_s=KEEP_S)

    def _round_label(self, round: int) -> str:
        return f"task/{self.task}/round/{round}"

    def say(self, text: str, *, round: int | None = None) -> None:
        """One line of log, whatever strangers have put into the text."""
        where = "" if round is None else f"round {round}: "
        print(f"{strftime('%H:%M:%S', gmtime())} {where}{one_line(text)}", flush=True)

    # --- duties of both roles ---

    def position(self, chain: Pinned) -> int | None:
        """This operator's position, None if it has no slot."""
        try:
            role, position = chain.slot_of(self.task, self.account.address)
        except errors.Slots_NoSlot:
            return None
        if role is not self.role:
            raise ConfigError(f"{self.account.address} is already a {role.name.lower()} of task {self.task}")
        return position

    def join(self, *, secret_tip: bytes, endpoint: str = "", extra_wei: int = 0) -> int:
        """Deposits what is missing for the stake (and `extra_wei`) and takes a slot. Raises Unfunded, ConfigError."""
        money, token = self.params.money, self.params.token
        stake = money.trainer_stake if self.role is Role.TRAINER else money.verifier_stake
        self._require_place(secret_tip, endpoint)
        missing = stake + extra_wei - self.chain.free_of(token, self.account.address)
        held = self.chain.token_balance(token, self.account.address)
        if missing > held:
            raise Unfunded(
                f"{self.account.address} needs {missing} wei of token {token} to stake, it holds {held}: send it some"
            )
        if missing > 0:
            self.chain.deposit(token, missing, intent=f"stake/{self.task}")
        return self.chain.join(
            self.task, self.role, secret_tip=secret_tip, numerics_id=self.params.numerics_id, endpoint=endpoint
        )

    def _require_place(self, secret_tip: bytes, endpoint: str) -> None:
        """Raises ConfigError where the task is full: before anything is deposited for it."""
        me = self.account.address
        join = artifact("Slots").functions["join"]
        data = join.encode(self.task, self.role, 1, me, secret_tip, self.params.numerics_id, endpoint)
        try:
            self.chain.rpc.call(self.chain.deployment.slots, data, at=self.chain.block, sender=me)
        except errors.Slots_Full:
            who = self.role.name.lower()
            raise ConfigError(f"task {self.task} has no place left for a {who}: try later, or another task") from None
        except Reverted:  # the stake is not there yet, which the contract asks about last
            return

    def advance(self, chain: Pinned, position: int) -> None:
        """Moves rounds, dockets and the task on when that is due and it is this agent's turn."""
        opened = chain.next_round(self.task) - 1
        if opened < self.params.rounds:
            self._in_turn(chain, position, opened, "Rounds", "advance", opened + 1)
        for round in range(max(1, chain.settled_through(self.task) + 1), opened + 1):
            self._feed(chain, position, round)
            self._in_turn(chain, position, round, "Rounds", "advance", round)
            for docket in (1, 2):
                if chain.docket(self.task, round, docket).phase in (DocketPhase.JCOMMIT, DocketPhase.JREVEAL):
                    self._in_turn(chain, position, round, "Court", "advanceDocket", round, docket)
        wait = REPORT_BLOCKS if opened == self.params.rounds else STALL_BLOCKS
        self._in_turn(chain, position, opened, "Tasks", "finish", wait=wait)

    def _in_turn(
        self, chain: Pinned, position: int, round: int, contract: str, name: str, *args: int, wait: int = 0
    ) -> None:
        key = f"{name}/{round}/{'/'.join(map(str, args))}"
        due = self._is_due(chain, contract, name, *args)
        if not self._is_my_turn(chain, position, round, key, due=due, wait=wait):
            return
        try:
            if contract == "Rounds":
                self.chain.advance(self.task, *args)
            elif contract == "Court":
                self.chain.advance_docket(self.task, args[0], args[1])
            else:
                self.chain.finish(self.task)
        except Reverted as error:  # somebody was faster, and that is all right
            self.say(f"not advanced: {error}", round=round)

    def _is_my_turn(self, chain: Pinned, position: int, round: int, key: str, *, due: bool, wait: int = 0) -> bool:
        """Whether what is due has been for so long that it falls to this agent; if so, the count begins anew."""
        if not due:
            self._turns.pop(key, None)
            return False
        since = self._turns.setdefault(key, chain.block.number)
        verifiers = max(1, chain.slot_count(self.task, Role.VERIFIER))
        rank = (position - round) % verifiers if self.role is Role.VERIFIER else verifiers + position
        if chain.block.number < since + wait + TURN_BLOCKS * rank:
            return False
        self._turns.pop(key)
        return True

    def _feed(self, chain: Pinned, position: int, round: int) -> None:
        """Posts the signature that a round of the task waits for, when drand has published it and it is our turn."""
        if self.drand is None:
            return
        target = awaited(chain.round(self.task, round))
        due = bool(target) and chain.drand_time_of(target) <= chain.block.timestamp and self._is_missing(chain, target)
        if not self._is_my_turn(chain, position, round, f"drand/{round}/{target}", due=due):
            return
        try:
            self.chain.post_drand(target, self.drand.fetch(target, self.chain.check_drand))
            self.say(f"posted round {target} of drand", round=round)
        except ChainError as error:
            self.say(f"not posted: {error}", round=round)

    def _is_missing(self, chain: Pinned, target: int) -> bool:
        beacon = self.params.beacon
        return not chain.beacon_ready(beacon, target) and not chain.beacon_expired(beacon, target)

    def _is_due(self, chain: Pinned, contract: str, name: str, *args: int) -> bool:
        data = artifact(contract).functions[name].encode(self.task, *args)
        to = chain.deployment.contracts[contract].address
        try:
            chain.rpc.call(to, data, at=chain.block, sender=self.account.address)
        except Reverted:
            return False
        return True

    def collect(self, chain: Pinned, position: int, paid_through: int) -> int:
        """Claims what settled rounds after `paid_through` owe; the last settled round."""
        settled = chain.settled_through(self.task)
        first = max(paid_through + 1, chain.slot(self.task, self.role, position).active_from)
        for start in range(first, settled + 1, CLAIM_ROUNDS):
            rounds = list(range(start, min(start + CLAIM_ROUNDS, settled + 1)))
            if chain.claimable(self.task, self.role, position, rounds):
                name = f"claim/{self.task}/{self.role:d}/{rounds[-1]}"
                self.chain.claim(self.task, self.role, position, rounds, intent=name)
        return settled

    def leave(self, chain: Pinned, position: int) -> bool:
        """Once the task is over: takes the stake back. True when there is nothing left to do."""
        if chain.state_of(self.task) not in (TaskState.FINISHED, TaskState.CANCELLED):
            return False
        if chain.stake_of(self.task, self.role, position):
            self.chain.withdraw_stake(self.task, self.role, position)
        return True


def run(role: Role, options: Options, account: LocalAccount, make: Callable[[Node], Agent]) -> None:
    """Runs an agent until its task is over or a signal ends it. Raises KizunaError where it cannot start or go on."""
    torch.set_num_threads(THREADS)
    with hold(options.state, operator=account.address), Node(options, role, account) as node:
        _stop_on_signals(node.stop)
        node.context.check_numerics()
        node.say(f"{role.name.lower()} {account.address} in task {node.task}, on {node.context.model.device}")
        agent = make(node)
        try:
            _loop(node, agent)
        finally:
            close = getattr(agent, "close", None)
            if close is not None:
                close()


def _loop(node: Node, agent: Agent) -> None:
    seen, last = "", -1
    while not node.stop.is_set():
        try:
            head = node.chain.block
            if head.number != last:
                last = head.number
                if agent.step(node.chain.at(head)):
                    node.say("the task is over")
                    return
                seen = ""
        except (ConfigError, Unfunded, NumericsMismatch, WrongChain):
            raise
        except (ChainError, StoreError) as error:
            # The chain or a peer did not do its part: nothing is lost, the next block is another chance.
            if str(error) != seen:
                node.say(f"waiting: {error}")
            seen = str(error)
        node.stop.wait(POLL_S)
    node.say("stopped")


def _stop_on_signals(stop: threading.Event) -> None:
    def end(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(130)  # the second Ctrl-C means now; what was written down is safe
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
