"""Reads of the contracts. All reads of one view are about one block, so they fit together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from eth_abi.exceptions import DecodingError

from kizuna.chain import rules
from kizuna.chain.abi import DRAND, TOKEN, artifact
from kizuna.chain.ahead import Published, ahead, awaited
from kizuna.chain.deployment import Deployment
from kizuna.chain.rpc import Block, Rpc
from kizuna.chain.structs import Dispute, DocketView, RoundView, Slot, TaskParams, TaskState, from_abi, to_abi
from kizuna.errors import ConfigError, DeploymentMissing
from kizuna.types import ZERO_DIGEST, Address, Digest, Role

_BEACON = "BlockhashBeacon"
"""Its ABI is that of every beacon."""


class Reads:
    """Typed views of the contracts at the block that `at_block` names for each call.

    Every method raises Reverted by name (an unknown task, for example), RpcStale and RpcUnavailable.
    """

    def __init__(self, rpc: Rpc, deployment: Deployment, at_block: Callable[[], Block]) -> None:
        self.rpc, self.deployment = rpc, deployment
        self._at_block = at_block

    @property
    def block(self) -> Block:
        """The block that reads are about (for an unpinned client: the newest)."""
        return self._at_block()

    # --- tasks ---

    def params(self, task: int) -> TaskParams:
        return from_abi(TaskParams, self._view("Tasks", "params", task))

    def state_of(self, task: int) -> TaskState:
        return TaskState(self._view("Tasks", "stateOf", task))

    def initiator_of(self, task: int) -> Address:
        return from_abi(Address, self._view("Tasks", "initiatorOf", task))

    def task_count(self) -> int:
        return int(self._view("Tasks", "taskCount"))

    def require_task(self, task: int) -> None:
        """Raises ConfigError unless there is a task of this number."""
        count = self.task_count()
        if not 1 <= task <= count:
            there = f"this deployment has tasks 1 to {count}" if count else "this deployment has no tasks yet"
            raise ConfigError(f"there is no task {task}: {there}")

    # --- slots ---

    def slot_of(self, task: int, operator: str) -> tuple[Role, int]:
        """(role, position) of an operator. Raises Slots_NoSlot."""
        role, position = self._views("Slots", "slotOf", task, operator)
        return Role(role), int(position)

    def slot(self, task: int, role: Role, position: int) -> Slot:
        return from_abi(Slot, self._view("Slots", "slot", task, role, position))

    def slot_count(self, task: int, role: Role) -> int:
        return int(self._view("Slots", "count", task, role))

    def slots(self, task: int, role: Role) -> tuple[Slot, ...]:
        """All slots of a role, by position."""
        pinned = self.at(self.block)
        return tuple(pinned.slot(task, role, p) for p in range(pinned.slot_count(task, role)))

    def ready(self, task: int) -> tuple[int, int]:
        """(trainers, verifiers) that would be active if the next round opened now, as sets."""
        trainers, verifiers = self._views("Slots", "ready", task)
        return int(trainers), int(verifiers)

    def convicted(self, task: int, role: Role) -> int:
        return int(self._view("Slots", "convicted", task, role))

    # --- rounds ---

    def next_round(self, task: int) -> int:
        return int(self._view("Rounds", "nextRound", task))

    def obstacle(self, task: int) -> str:
        """Why the next round cannot open now; empty where it can."""
        return str(self._view("Rounds", "obstacle", task))

    def settled_through(self, task: int) -> int:
        """Every round up to this one is FINAL or VOID."""
        return int(self._view("Rounds", "settledThrough", task))

    def round(self, task: int, round: int) -> RoundView:
        return from_abi(RoundView, self._view("Rounds", "round", task, round))

    def commitment(self, task: int, round: int, position: int) -> Digest:
        return Digest(self._view("Rounds", "commitment", task, round, position))

    def claimable(self, task: int, role: Role, position: int, rounds: Sequence[int]) -> int:
        """Wei that `claim` would move."""
        return int(self._view("Rounds", "claimable", task, role, position, list(rounds)))

    def audit_of(self, task: int, round: int, position: int) -> tuple[bool, int, int]:
        """(audited, index of the leaf to post, number of leaves). Reverts before the audit beacon is read."""
        audited, index, leaves = self._views("Rounds", "auditOf", task, round, position)
        return bool(audited), int(index), int(leaves)

    def seed(self, task: int, round: int) -> Digest | None:
        """The round's seed as soon as it is public; None before, or if it expired unread."""
        seed = self.round_ahead(self.params(task), task, round).seed
        return None if seed == ZERO_DIGEST else seed

    def published(self, beacon: str, target: int) -> Published | None:
        """What a call in the next block can read of `beacon` for `target`; None where it is not public, or expired."""
        if beacon == self.deployment.beacon:
            return self._block_hash(target)
        if not target or not self.beacon_ready(beacon, target):
            return None
        value, since = self._views(_BEACON, "value", target, to=beacon)
        return Published(Digest(value), int(since))

    def round_ahead(self, params: TaskParams, task: int, round: int) -> RoundView:
        """The round as a transaction in the next block will find it."""
        view = self.round(task, round)
        published = self.published(params.beacon, awaited(view))
        return ahead(view, params, task=task, round=round, block=self.block.number, published=published)

    def beacon_ready(self, beacon: str, target: int) -> bool:
        return bool(self._view(_BEACON, "ready", target, to=beacon))

    def beacon_expired(self, beacon: str, target: int) -> bool:
        return bool(self._view(_BEACON, "expired", target, to=beacon))

    # --- drand ---

    def drand_chain_hash(self) -> Digest:
        """The network that the deployment's drand beacon follows."""
        return Digest(self._view(DRAND, "CHAIN_HASH"))

    def drand_time_of(self, round: int) -> int:
        """Unix time at which the network publishes a round."""
        return int(self._view(DRAND, "timeOf", round))

    def check_drand(self, round: int, signature: bytes) -> Digest:
        """The randomness of a round. Raises by name where the signature is not the network's."""
        return Digest(self._view(DRAND, "check", round, signature))

    # --- court ---

    def docket(self, task: int, round: int, docket: int) -> DocketView:
        return from_abi(DocketView, self._view("Court", "docket", task, round, docket))

    def dispute(self, task: int, round: int, docket: int, index: int) -> Dispute:
        return from_abi(Dispute, self._view("Court", "dispute", task, round, docket, index))

    def disputes(self, task: int, round: int, docket: int) -> tuple[Dispute, ...]:
        """All disputes of a docket, in order."""
        pinned = self.at(self.block)
        count = pinned.docket(task, round, docket).disputes
        return tuple(pinned.dispute(task, round, docket, i) for i in range(count))

    def outcome(self, task: int, round: int) -> tuple[bool, int, int, int]:
        """(both dockets closed, guilty trainers, cleared trainers, guilty verifiers)."""
        closed, guilty, cleared, verifiers = self._views("Court", "outcome", task, round)
        return bool(closed), int(guilty), int(cleared), int(verifiers)

    def bond_for(self, task: int, round: int) -> int:
        return int(self._view("Court", "bondFor", task, round))

    # --- money ---

    def balance_of(self, token: str, account: bytes) -> int:
        """Wei in a vault account (`rules.pot_account` and so on)."""
        return int(self._view("Vault", "balanceOf", token, account))

    def free_of(self, token: str, owner: str) -> int:
        return int(self._view("Vault", "freeOf", token, owner))

    def liabilities(self, token: str) -> int:
        return int(self._view("Vault", "liabilities", token))

    def stake_of(self, task: int, role: Role, position: int) -> int:
        pinned = self.at(self.block)
        return pinned.balance_of(pinned.params(task).token, rules.stake_account(task, role, position))

    def escrow_of(self, task: int) -> int:
        pinned = self.at(self.block)
        return pinned.balance_of(pinned.params(task).token, rules.escrow_account(task))

    def token_balance(self, token: str, owner: str) -> int:
        """Wei of an ERC-20 token outside the vault."""
        return int(self._token(token, "balanceOf", owner))

    def allowance(self, token: str, owner: str) -> int:
        """Wei that the vault may pull from `owner`."""
        return int(self._token(token, "allowance", owner, self.deployment.vault))

    # --- inside ---

    def _block_hash(self, target: int) -> Published | None:
        # It is known one block before any call can capture it.
        head = self.block.number
        if not target or target > head:
            return None
        if target < head and not self.beacon_ready(self.deployment.beacon, target):
            return None
        return Published(self.rpc.block(target).hash, target)

    def at(self, block: Block | int) -> Reads:
        """The same reads, all about one block."""
        fixed = self.rpc.block(block) if isinstance(block, int) else block
        return Reads(self.rpc, self.deployment, lambda: fixed)

    def _views(self, contract: str, name: str, *args: Any, to: str | None = None) -> tuple[Any, ...]:
        address = to or self.deployment.contracts[contract].address
        function = artifact(contract).functions[name]
        answer = self.rpc.call(address, function.encode(*map(to_abi, args)), at=self.block)
        try:
            return function.decode(answer)
        except DecodingError:
            raise DeploymentMissing(f"{contract}.{name} did not answer at {address}: is it of this chain?") from None

    def _view(self, contract: str, name: str, *args: Any, to: str | None = None) -> Any:
        return self._views(contract, name, *args, to=to)[0]

    def _token(self, token: str, name: str, *args: Any) -> Any:
        # Any ERC-20 answers these; the test token's ABI describes them.
        function = artifact(TOKEN).functions[name]
        answer = self.rpc.call(token, function.encode(*args), at=self.block)
        try:
            return function.decode(answer)[0]
        except DecodingError:
            raise ConfigError(f"{token} is no ERC-20 token on this chain") from None
