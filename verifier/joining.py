"""Taking a seat: stake, money for challenges, and the secrets that nobody must be able to foresee."""

from __future__ import annotations

from kizuna import draws
from kizuna.chain.client import Pinned
from kizuna.chain.structs import Slot, TaskState
from kizuna.errors import ConfigError
from kizuna.node.agent import Node
from kizuna.types import Role

SPARE_SECRETS = 8
_LATE_ROUNDS = 16
"""Rounds that may have opened between the making of the secrets and the joining."""


def take_seat(node: Node, chain: Pinned) -> int:
    """The operator's position; joins where it has none. Raises ConfigError where the task takes nobody any more."""
    position = node.position(chain)
    if position is not None:
        return position
    if chain.state_of(node.task) not in (TaskState.LISTED, TaskState.RUNNING):
        raise ConfigError(f"task {node.task} is over and takes no more verifiers")
    tip = secrets_from(node, chain.next_round(node.task)).tip
    position = node.join(secret_tip=tip, extra_wei=_affordable(node, chain))
    node.say(f"joined as verifier {position}")
    return position


def secrets_from(node: Node, first: int) -> draws.SecretChain:
    """The secrets of a seat whose first round was expected to be `first`: they follow from the key alone."""
    length = node.params.rounds + SPARE_SECRETS
    return draws.SecretChain(node.secret("secrets", first), length)


def secrets_of(node: Node, slot: Slot) -> draws.SecretChain:
    """The chain of secrets that a seat has registered. Raises ConfigError if it does not come from this key."""
    for first in range(slot.active_from, max(0, slot.active_from - _LATE_ROUNDS), -1):
        secrets = secrets_from(node, first)
        opened = slot.secrets_opened
        known = secrets.tip if opened == 0 else secrets.link(opened) if opened <= len(secrets) else None
        if known == slot.secret:
            return secrets
    raise ConfigError(f"the seat of {node.account.address} registered secrets that do not come from this key")


def own_trainers(node: Node, chain: Pinned, owner: str) -> frozenset[int]:
    """Trainer positions of the seat's owner, which it may not judge."""
    slots = chain.slots(node.task, Role.TRAINER)
    return frozenset(p for p, slot in enumerate(slots) if slot.owner == owner)


def _affordable(node: Node, chain: Pinned) -> int:
    """As much of the balance that the task advises for challenges as the account can deposit beside its stake."""
    token, stake = node.params.token, node.params.money.verifier_stake
    account = node.account.address
    owned = chain.token_balance(token, account) + chain.free_of(token, account)
    return max(0, min(node.context.spec.money.wei("verifier_balance"), owned - stake))
