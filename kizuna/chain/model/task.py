"""The whole model: one task from its listing to its end."""

from __future__ import annotations

import copy

from kizuna.chain import rules
from kizuna.chain.model.rounds import RoundsModel
from kizuna.chain.model.vault import refuse
from kizuna.chain.structs import TaskState
from kizuna.errors import Reverted

GRACE = 250
"""Blocks after `start_block` until a task that nobody joins can be ended."""


class TaskModel(RoundsModel):
    """What every call does to a task, its slots, rounds and dockets, and to the vault.

    Calls are methods without the leading task number of the contracts' functions; `attempt` makes one. Only what
    the contracts compute is here: no events, no gas; one task in one token, whose beacon are block hashes.
    """

    def attempt(self, call: str, *args: object, sender: str, block: int) -> Reverted | None:
        """A transaction of `sender` in `block`: the state moves on, or the refusal comes back and nothing changed."""
        before = copy.deepcopy(self.state)
        self.sender, self.now = sender, block
        try:
            getattr(self, call)(*args)
        except Reverted as refusal:
            self.state = before
            return refusal
        return None

    # --- calls ---

    def create_task(self, budget: int) -> None:
        """Of parameters that TaskRules allows."""
        if budget < rules.full_reserve(self.params):
            refuse("Tasks_BadParameter")
        self.state.task = TaskState.LISTED
        purse = rules.free_account(self.sender)
        self._move(purse, self.escrow, budget)
        self._move(purse, self.bond_account, self.money.initiator_bond)

    def fund(self, amount: int) -> None:
        if self.state.task not in (TaskState.LISTED, TaskState.RUNNING):
            refuse("Tasks_WrongState")
        self._move(rules.free_account(self.sender), self.escrow, amount)

    def cancel(self) -> None:
        if self.sender != self.initiator:
            refuse("Tasks_NotInitiator")
        if self.state.task is not TaskState.LISTED:
            refuse("Tasks_WrongState")
        self._end(TaskState.CANCELLED)

    def finish(self) -> None:
        if self.state.task is TaskState.LISTED:
            if self.now <= self.params.start_block + GRACE:
                refuse("Tasks_NotStalled")
        elif self.state.task is not TaskState.RUNNING:
            refuse("Tasks_WrongState")
        elif self.settled_through() != len(self.state.rounds):
            refuse("Tasks_NotStalled")
        if not self.obstacle():
            refuse("Tasks_NotStalled")
        self._end(TaskState.FINISHED)

    # --- inside ---

    def _end(self, state: TaskState) -> None:
        """What is left of escrow and bond goes back."""
        self.state.task = state
        for account in (self.escrow, self.bond_account):
            self._move(account, rules.free_account(self.initiator), self.balance(account))
