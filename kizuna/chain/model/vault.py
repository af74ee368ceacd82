"""The vault of the model, and what all its parts share: the state, the clock and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from kizuna.chain import rules
from kizuna.chain.deployment import Deployment
from kizuna.chain.model.state import State
from kizuna.chain.structs import TaskParams
from kizuna.errors import Reverted
from kizuna.types import Digest, Role

BlockHash = Callable[[int], Digest]


def refuse(name: str, *args: object) -> NoReturn:
    """The call changes nothing. `args`: those of the error's arguments that say why."""
    raise Reverted(name, args)


class VaultModel:
    """Accounts of one token. Allowances are taken as given."""

    def __init__(
        self, params: TaskParams, *, task: int, initiator: str, where: Deployment, block_hash: BlockHash
    ) -> None:
        self.params, self.task, self.initiator, self.where = params, task, initiator, where
        self.money, self.windows = params.money, params.windows
        self.block_hash = block_hash
        self.state = State()
        self.now, self.sender = 0, initiator
        self.escrow, self.claims = rules.escrow_account(task), rules.claims_account(task)
        self.bond_account = rules.bond_account(task)

    # --- calls ---

    def deposit(self, amount: int) -> None:
        if amount == 0:
            refuse("Vault_ZeroAmount")
        if self.state.wallets[self.sender] < amount:
            refuse("ERC20InsufficientBalance")
        self.state.wallets[self.sender] -= amount
        self.state.accounts[rules.free_account(self.sender)] += amount

    def withdraw(self, amount: int) -> None:
        if amount == 0:
            refuse("Vault_ZeroAmount")
        self._take(rules.free_account(self.sender), amount)
        self.state.wallets[self.sender] += amount

    def flush(self) -> None:
        """What was burned leaves the vault."""
        if self.balance(rules.BURNED) == 0:
            refuse("Vault_ZeroAmount")
        self.state.accounts[rules.BURNED] = 0

    # --- views ---

    def balance(self, account: Digest) -> int:
        return self.state.accounts[account]

    def liabilities(self) -> int:
        return self.state.accounts.total()

    # --- inside ---

    def _move(self, source: Digest, target: Digest, amount: int) -> None:
        self._take(source, amount)
        self.state.accounts[target] += amount

    def _burn(self, source: Digest, amount: int) -> None:
        self._move(source, rules.BURNED, amount)

    def _take(self, source: Digest, amount: int) -> None:
        if self.balance(source) < amount:
            refuse("Vault_Insufficient")
        self.state.accounts[source] -= amount

    def _stake(self, role: Role, position: int) -> Digest:
        return rules.stake_account(self.task, role, position)
