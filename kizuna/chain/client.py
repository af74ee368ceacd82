"""The contracts as Python methods, under the Solidity names in snake_case.

::

    chain = Kizuna.connect("http://127.0.0.1:8545", account=keys.load("owner.json"), state=Path("state"))
    task = chain.create_task(params, budget_wei)
    chain.at(chain.block).round(task, 1).phase

A duty of a round (commit, attest, vote, reveal, ...) is one intent: however often it is called, and
after whatever crash, it is sent once. Other calls are sent each time, unless the caller names an
`intent` of its own. Every write waits for its receipt and raises what `Outbox.send` raises.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from eth_account.signers.base import BaseAccount

from kizuna.chain import hashes, history, permits
from kizuna.chain.abi import DRAND, TOKEN, artifact
from kizuna.chain.cursor import EventLog
from kizuna.chain.deployment import FOLDER, Deployment
from kizuna.chain.events import Event, Joined, TaskCreated, decode
from kizuna.chain.history import Roots
from kizuna.chain.intents import Call
from kizuna.chain.journal import Journal
from kizuna.chain.outbox import Outbox, Receipt
from kizuna.chain.reads import Reads
from kizuna.chain.rpc import Block, Rpc
from kizuna.chain.structs import Ballot, TaskParams, to_abi
from kizuna.errors import ConfigError
from kizuna.types import ZERO_DIGEST, Address, Digest, Role, Ruling

E = TypeVar("E", bound=Event)


class Pinned(Reads):
    """Reads about one block, history and hashes included."""

    def commitments(self, task: int, round: int) -> dict[int, Roots]:
        """{position: (manifest, receipt root, leaf root)} of a round's contributions."""
        return history.commitments(self, task, round)

    def ballots(self, task: int, round: int) -> dict[int, Ballot]:
        """{position: ballot} of a round's reveals."""
        return history.ballots(self, task, round)

    def evidence(self, task: int, round: int) -> dict[int, bytes]:
        """{position: leaf} that audited checkers posted."""
        return history.evidence(self, task, round)

    def endpoints(self, task: int) -> dict[tuple[Role, int], str]:
        """{(role, position): url} as last announced."""
        return history.endpoints(self, task)

    def ballot_hash(self, task: int, round: int, voter: str, ballot: Ballot) -> Digest:
        """What `vote` hides a ballot behind; computed here."""
        where = self.deployment
        return hashes.ballot_hash(
            ballot, chain_id=where.chain_id, rounds=where.rounds, task=task, round=round, voter=voter
        )

    def juror_hash(
        self,
        task: int,
        round: int,
        docket: int,
        juror: str,
        *,
        rulings: Sequence[Ruling],
        results: Sequence[bytes],
        salt: bytes,
    ) -> Digest:
        """What `jcommit` hides rulings behind; computed here."""
        where = self.deployment
        return hashes.juror_hash(
            rulings, results, salt,
            chain_id=where.chain_id, court=where.court, task=task, round=round, docket=docket, juror=juror,
        )  # fmt: skip

    def at(self, block: Block | int) -> Pinned:
        """The same reads, all about one block."""
        fixed = self.rpc.block(block) if isinstance(block, int) else block
        return Pinned(self.rpc, self.deployment, lambda: fixed)


class Kizuna(Pinned):
    """Reads at the newest block, and writes if there is an account.

    Without a journal (see `connect`) everything is forgotten with the process: good at the prompt and in
    tests, not for an agent.
    """

    def __init__(
        self,
        rpc: Rpc,
        deployment: Deployment,
        account: BaseAccount | None = None,
        outbox: Outbox | None = None,
        *,
        journal: Journal | None = None,
    ) -> None:
        super().__init__(rpc, deployment, rpc.head)
        self.journal = journal if journal is not None else Journal(":memory:")
        if outbox is None and account is not None:
            outbox = Outbox(self.journal, rpc, account)
        self.outbox = outbox

    @classmethod
    def connect(
        cls,
        url: str | Sequence[str],
        *,
        account: BaseAccount | None = None,
        deployments: Path = FOLDER,
        state: Path | None = None,
        deployment: Deployment | None = None,
    ) -> Kizuna:
        """A client whose deployment is verified. With a folder `state` the outbox outlives the process.

        Raises DeploymentMissing, ConfigError, OutboxBusy, RpcUnavailable.
        """
        rpc = Rpc(url)
        where = deployment or Deployment.read(rpc.chain_id(), deployments)
        where.verify(rpc)
        who = "reader" if account is None else account.address
        journal = Journal(":memory:" if state is None else state / f"{where.chain_id}-{who}.sqlite")
        chain = cls(rpc, where, account, journal=journal)
        if chain.outbox is not None:
            chain.outbox.recover()
        return chain

    @property
    def address(self) -> Address:
        """The account that signs. Raises ConfigError without one."""
        return Address(self._sender().address)

    def event_log(self) -> EventLog:
        """The cursor over all events, kept in this client's journal; one per process."""
        return EventLog(self.rpc, self.deployment, self.journal)

    def close(self) -> None:
        if self.outbox is not None:
            self.outbox.close()
        self.journal.close()
        self.rpc.close()

    # --- money ---

    def approve(self, token: str, amount: int, *, intent: str | None = None) -> Receipt:
        """Lets the vault pull `amount` wei."""
        return self._send_to(token, TOKEN, "approve", self.deployment.vault, amount, intent=intent)

    def deposit(self, token: str, amount: int, *, intent: str | None = None) -> Receipt:
        """Moves `amount` wei into the caller's free balance, after approving as much if need be."""
        if self.allowance(token, self.address) < amount:
            self.approve(token, amount, intent=None if intent is None else f"{intent}/approve")
        return self._send("Vault", "deposit", token, amount, intent=intent)

    def deposit_with_permit(
        self, token: str, amount: int, account: BaseAccount, *, deadline_s: int | None = None, intent: str | None = None
    ) -> Receipt:
        """As `deposit` in one transaction, for tokens with ERC-2612; `account` (ours) signs the permit."""
        deadline = deadline_s if deadline_s is not None else self.block.timestamp + 3_600
        v, r, s = permits.sign(self, token, amount, account=account, deadline_s=deadline)
        return self._send("Vault", "depositWithPermit", token, amount, deadline, v, r, s, intent=intent)

    def withdraw(self, token: str, amount: int, *, intent: str | None = None) -> Receipt:
        return self._send("Vault", "withdraw", token, amount, intent=intent)

    def flush(self, token: str, *, intent: str | None = None) -> Receipt:
        return self._send("Vault", "flush", token, intent=intent)

    def faucet(self, amount: int, *, to: str | None = None, intent: str | None = None) -> Receipt:
        """Mints the test token of a devnet."""
        if self.deployment.token is None:
            raise ConfigError("this deployment has no test token")
        return self._send(TOKEN, "faucet", to or self.address, amount, intent=intent)

    # --- tasks ---

    def create_task(self, params: TaskParams, budget: int, *, intent: str | None = None) -> int:
        """Creates a task out of the caller's free balance and returns its number."""
        receipt = self._send("Tasks", "createTask", params, budget, intent=intent)
        return _only(receipt, TaskCreated).task

    def fund(self, task: int, amount: int, *, intent: str | None = None) -> Receipt:
        return self._send("Tasks", "fund", task, amount, intent=intent)

    def cancel(self, task: int) -> Receipt:
        return self._send("Tasks", "cancel", task, intent=f"cancel/{task}")

    def finish(self, task: int) -> Receipt:
        return self._send("Tasks", "finish", task, intent=f"finish/{task}")

    # --- slots ---

    def join(
        self,
        task: int,
        role: Role,
        *,
        operator: str | None = None,
        secret_tip: bytes = ZERO_DIGEST,
        numerics_id: bytes,
        endpoint: str = "",
        quota: int = 1,
        intent: str | None = None,
    ) -> int:
        """Takes a slot with the caller as owner (and as operator, unless another is named); its position."""
        hot = operator or self.address
        name = intent or f"join/{task}/{hot.lower()}"
        receipt = self._send("Slots", "join", task, role, quota, hot, secret_tip, numerics_id, endpoint, intent=name)
        return _only(receipt, Joined).position

    def announce(self, task: int, url: str, *, intent: str | None = None) -> Receipt:
        return self._send("Slots", "announce", task, url, intent=intent)

    def exit(self, task: int, role: Role, position: int) -> Receipt:
        return self._send("Slots", "exit", task, role, position, intent=f"exit/{task}/{role:d}/{position}")

    def withdraw_stake(self, task: int, role: Role, position: int) -> Receipt:
        name = f"withdrawStake/{task}/{role:d}/{position}"
        return self._send("Slots", "withdrawStake", task, role, position, intent=name)

    # --- rounds ---

    def advance(self, task: int, round: int, *, intent: str | None = None) -> Receipt:
        """Opens `round`, or moves it on, for the tip. Raises Rounds_NothingDue, Rounds_NotReadyToOpen."""
        return self._send("Rounds", "advance", task, round, intent=intent)

    def commit(
        self,
        task: int,
        round: int,
        manifest: bytes,
        receipt_root: bytes,
        leaf_root: bytes,
        *,
        deadline_block: int | None = None,
    ) -> Receipt:
        return self._duty("Rounds", "commit", task, round, manifest, receipt_root, leaf_root, deadline=deadline_block)

    def attest(self, task: int, round: int, held: int, *, deadline_block: int | None = None) -> Receipt:
        return self._duty("Rounds", "attest", task, round, held, deadline=deadline_block)

    def vote(self, task: int, round: int, hash: bytes, *, deadline_block: int | None = None) -> Receipt:
        return self._duty("Rounds", "vote", task, round, hash, deadline=deadline_block)

    def reveal(self, task: int, round: int, ballot: Ballot, *, deadline_block: int | None = None) -> Receipt:
        return self._duty("Rounds", "reveal", task, round, ballot, deadline=deadline_block)

    def post_evidence(
        self,
        task: int,
        round: int,
        ballot: Ballot,
        leaf: bytes,
        proof: Sequence[bytes],
        *,
        deadline_block: int | None = None,
    ) -> Receipt:
        """Shows a leaf of this seat's evidence, and once more its ballot, which binds the root."""
        return self._duty("Rounds", "postEvidence", task, round, ballot, leaf, list(proof), deadline=deadline_block)

    def report_head(self, task: int, version: bytes) -> Receipt:
        return self._send("Rounds", "reportHead", task, version, intent=f"reportHead/{task}")

    def claim(
        self, task: int, role: Role, position: int, rounds: Sequence[int], *, intent: str | None = None
    ) -> Receipt:
        return self._send("Rounds", "claim", task, role, position, list(rounds), intent=intent)

    # --- drand ---

    def post_drand(self, round: int, signature: bytes) -> Receipt:
        """Posts what the network signed. Raises DrandBeacon_AlreadyPosted where somebody was faster."""
        return self._send(DRAND, "post", round, signature, intent=f"drand/{round}")

    # --- court ---

    def jcommit(self, task: int, round: int, docket: int, hash: bytes, *, deadline_block: int | None = None) -> Receipt:
        name = f"jcommit/{task}/{round}/{docket}"
        return self._send("Court", "jcommit", task, round, docket, hash, intent=name, deadline=deadline_block)

    def jreveal(
        self,
        task: int,
        round: int,
        docket: int,
        *,
        rulings: Sequence[Ruling],
        results: Sequence[bytes],
        salt: bytes,
        deadline_block: int | None = None,
    ) -> Receipt:
        name, args = f"jreveal/{task}/{round}/{docket}", (list(rulings), list(results), salt)
        return self._send("Court", "jreveal", task, round, docket, *args, intent=name, deadline=deadline_block)

    def advance_docket(self, task: int, round: int, docket: int, *, intent: str | None = None) -> Receipt:
        return self._send("Court", "advanceDocket", task, round, docket, intent=intent)

    def has_sent(self, contract: str, intent: str) -> bool:
        """Whether an intent of this name was signed before, also by an earlier process."""
        return self._sender().knows(_full_name(self.deployment.contracts[contract].address, intent))

    # --- inside ---

    def _duty(self, contract: str, name: str, task: int, round: int, *args: Any, deadline: int | None) -> Receipt:
        return self._send(contract, name, task, round, *args, intent=f"{name}/{task}/{round}", deadline=deadline)

    def _send(
        self, contract: str, name: str, *args: Any, intent: str | None = None, deadline: int | None = None
    ) -> Receipt:
        address = self.deployment.contracts[contract].address
        return self._send_to(address, contract, name, *args, intent=intent, deadline=deadline)

    def _send_to(
        self, address: str, contract: str, name: str, *args: Any, intent: str | None, deadline: int | None = None
    ) -> Receipt:
        data = artifact(contract).functions[name].encode(*map(to_abi, args))
        full = _full_name(address, intent or f"{name}/{secrets.token_hex(8)}")
        return self._sender().send(full, Call(address, data), deadline_block=deadline)

    def _sender(self) -> Outbox:
        if self.outbox is None:
            raise ConfigError("this client only reads: give it an account to send with")
        return self.outbox


def events_of(receipt: Receipt) -> list[Event]:
    """The contracts' events in a receipt, in order."""
    return [event for event in map(decode, receipt.logs) if event is not None]


def _full_name(address: str, intent: str) -> str:
    # Two deployments on one chain share the outbox, so the contract is part of the intent's name.
    return f"{address[:10].lower()}/{intent}"


def _only(receipt: Receipt, kind: type[E]) -> E:
    (event,) = (event for event in events_of(receipt) if isinstance(event, kind))
    return event
